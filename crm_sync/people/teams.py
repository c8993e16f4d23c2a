# SPDX-License-Identifier: GPL-3.0-or-later
"""Teams, one below the other: who reaches a team reaches all below it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue, NotAllowed, NotFound
from crm_sync.models.customers import Scope, ScopeShare
from crm_sync.models.people import Person, Team
from crm_sync.people.keepers import begin_staff_change
from crm_sync.people.staff import sees_people
from crm_sync.rights import Viewer, teams_below
from crm_sync.setup_events import note_setup, tell_policy

_LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class TeamView:
    """A team.  `depth` counts the teams above it, `people` those of it who work here, without the teams below."""

    id: int
    name: str
    parent: str
    depth: int
    people: int


def list_teams(session: Session, viewer: Viewer) -> tuple[TeamView, ...]:
    """Return all teams, each followed by those below it.  Raises NotAllowed."""
    if not sees_people(viewer):
        raise NotAllowed(f"{viewer.actor} may not see who works here; who may see 'company' may")
    teams = {team.id: team for team in session.scalars(select(Team).order_by(Team.name))}
    counted = select(Person.team_id, func.count()).where(Person.left_at.is_(None)).group_by(Person.team_id)
    people: dict[int | None, int] = dict(session.execute(counted).all())
    below: dict[int | None, list[Team]] = {}
    for team in teams.values():
        below.setdefault(team.parent_id, []).append(team)
    found: list[TeamView] = []
    waiting = [(team, 0) for team in reversed(below.get(None, []))]
    while waiting:
        team, depth = waiting.pop()
        parent = teams[team.parent_id].name if team.parent_id is not None else ""
        found.append(TeamView(team.id, team.name, parent, depth, people.get(team.id, 0)))
        waiting += [(one, depth + 1) for one in reversed(below.get(team.id, []))]
    return tuple(found)


def add_team(session: Session, viewer: Viewer, name: str, now: datetime, *, under: str = "") -> TeamView:
    """Add a team, below another or at the top.  Raises NotAllowed, NotFound, InvalidValue."""
    begin_staff_change(session, viewer)
    checked = _free_name(session, name)
    parent = find_team(session, under) if under else None
    team = Team(name=checked, parent_id=parent.id if parent else None)
    session.add(team)
    session.flush()
    note_setup(session, viewer, f"team:{team.id}", "team-added", now, name=checked, under=team.parent_id)
    return _view(session, viewer, team)


def rename_team(session: Session, viewer: Viewer, name: str, new_name: str, now: datetime) -> TeamView:
    """Give a team another name.  Raises NotAllowed, NotFound, InvalidValue."""
    begin_staff_change(session, viewer)
    team = find_team(session, name)
    checked = _free_name(session, new_name, team)
    if checked != team.name:
        note_setup(session, viewer, f"team:{team.id}", "team-renamed", now, was=team.name, becomes=checked)
        team.name = checked
        tell_policy(session)  # rules speak of teams by name
    return _view(session, viewer, team)


def move_team(session: Session, viewer: Viewer, name: str, now: datetime, *, under: str = "") -> TeamView:
    """Put a team below another, or at the top; those below it go with it.  Raises NotAllowed, NotFound, InvalidValue."""
    begin_staff_change(session, viewer)
    team = find_team(session, name)
    parent = find_team(session, under) if under else None
    parents = dict(session.execute(select(Team.id, Team.parent_id)).all())
    if parent is not None and parent.id in teams_below(parents, [team.id]):
        raise InvalidValue(f"team {team.name}: would lie below itself: {parent.name} lies in it")
    parent_id = parent.id if parent else None
    if parent_id != team.parent_id:
        note_setup(session, viewer, f"team:{team.id}", "team-moved", now, was=team.parent_id, becomes=parent_id)
        team.parent_id = parent_id
        session.flush()
    return _view(session, viewer, team)


def remove_team(session: Session, viewer: Viewer, name: str, now: datetime) -> None:
    """Take an empty team away: nobody in it, no team below it, no record of it.  Raises NotAllowed, NotFound, InvalidValue."""
    begin_staff_change(session, viewer)
    team = find_team(session, name)
    people = session.scalars(select(Person.email).where(Person.team_id == team.id).order_by(Person.email)).all()
    if people:
        raise InvalidValue(f"team {team.name}: is not empty: {', '.join(people[:5])}; give them another team first")
    below = session.scalars(select(Team.name).where(Team.parent_id == team.id).order_by(Team.name)).all()
    if below:
        raise InvalidValue(f"team {team.name}: is not empty: the teams {', '.join(below[:5])} lie below it")
    scopes = session.execute(select(func.count()).where(Scope.team_id == team.id)).scalar_one()
    shares = session.execute(select(func.count()).where(ScopeShare.team_id == team.id)).scalar_one()
    if scopes or shares:
        raise InvalidValue(
            f"team {team.name}: {scopes} records are its, {shares} are shared with it; change those first"
        )
    note_setup(session, viewer, f"team:{team.id}", "team-removed", now, name=team.name)
    session.delete(team)
    session.flush()


def find_team(session: Session, name: str) -> Team:
    """Return a team's row by name.  Raises NotFound."""
    wanted = select(Team).where(Team.name == (name if name.isprintable() else ""))
    team = session.scalars(wanted).one_or_none()
    if team is None:
        raise NotFound(f"team {name[:60]!r}: there is none; 'tradepost team list' names them")
    return team


def _free_name(session: Session, said: str, team: Team | None = None) -> str:
    name = " ".join(said.split())
    if not name or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise InvalidValue(f"team {said[:60]!r}: a name is 1 to {_LONGEST_NAME} printable characters")
    other = session.scalars(select(Team).where(Team.name == name)).one_or_none()
    if other is not None and other is not team:
        raise InvalidValue(f"team {name}: there is one already")
    return name


def _view(session: Session, viewer: Viewer, team: Team) -> TeamView:
    return next(one for one in list_teams(session, viewer) if one.id == team.id)

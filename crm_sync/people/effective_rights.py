# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody may really do, how far, and why: role, team, whom he stands in for, what was shared with him."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from crm_sync.admission import NotFound
from crm_sync.models.customers import Scope, ScopeShare
from crm_sync.models.people import Person, Pool, PoolMember, Team
from crm_sync.people.staff import fetch_person
from crm_sync.rights import POSSIBLE, SHARED, Action, Entity, Reach, Viewer, fetch_viewer

_ORDER: Final = (Reach.NONE, Reach.OWN, Reach.TEAM, Reach.ALL)
_MOST_COUNTED: Final = 1000


@dataclass(frozen=True, slots=True)
class EffectiveRight:
    """How far somebody may do something, a line a reason."""

    entity: Entity
    action: Action
    reach: Reach
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EffectiveRights:
    """All of one person: every entity with every action.

    `owned`, `seen_by_share` and `edited_by_share` count customers and conversations, up to 1,000 ("1,000+").  `hidden`
    names fields as `entity.field`.
    """

    email: str
    role: str
    teams: tuple[str, ...]  # his own and all below
    pools: tuple[str, ...]
    stands_in_for: tuple[str, ...]
    owned: str
    seen_by_share: str
    edited_by_share: str
    hidden: tuple[str, ...]
    rights: tuple[EffectiveRight, ...]


def fetch_effective_rights(session: Session, viewer: Viewer, email: str, now: datetime) -> EffectiveRights:
    """Return what a person may do at that time; for himself, and for whoever may see people.  Raises NotFound."""
    person = fetch_person(session, viewer, email)
    of_whom = fetch_viewer(session, person.id, now)
    if of_whom is None:
        raise NotFound(f"person {person.email}: has left, and may do nothing")
    teams = dict(session.execute(select(Team.id, Team.name)).all())
    line = [person.id, *sorted(of_whom.stands_in_for)]
    absent = _emails(session, of_whom)
    shares = {level: _count_shares(session, of_whom, line, level) for level in ("see", "edit")}
    grounds = _Grounds(
        role=person.role,
        teams=tuple(sorted(teams[team] for team in of_whom.teams)),
        pools=tuple(_pools(session, line)),
        absent=absent,
        seen=shares["see"] + shares["edit"],
        edited=shares["edit"],
    )
    owned = select(Scope.id).where(Scope.owner_id.in_(line)).limit(_MOST_COUNTED + 1).subquery()
    return EffectiveRights(
        email=person.email,
        role=person.role,
        teams=grounds.teams,
        pools=grounds.pools,
        stands_in_for=absent,
        owned=_number(session.execute(select(func.count()).select_from(owned)).scalar_one()),
        seen_by_share=_number(grounds.seen),
        edited_by_share=_number(grounds.edited),
        hidden=tuple(sorted(f"{entity}.{name}" for entity, name in of_whom.hidden)),
        rights=tuple(_effective(of_whom, grounds, entity, action) for entity, action in POSSIBLE),
    )


@dataclass(frozen=True, slots=True)
class _Grounds:
    role: str
    teams: tuple[str, ...]
    pools: tuple[str, ...]
    absent: tuple[str, ...]
    seen: int
    edited: int


def _effective(viewer: Viewer, grounds: _Grounds, entity: Entity, action: Action) -> EffectiveRight:
    said, seen = viewer.reach(entity, action), viewer.reach(entity, Action.SEE)
    # Who may not see a record may do nothing with it.
    reach = min(said, seen, key=_ORDER.index)
    why = [f"role {grounds.role}: {said}"]
    if reach is not said:
        why.append(f"sees {seen}")
    if reach in (Reach.OWN, Reach.TEAM):
        why += _why_own(grounds, reach, action)
    return EffectiveRight(entity, action, reach, tuple(why))


def _why_own(grounds: _Grounds, reach: Reach, action: Action) -> list[str]:
    why = []
    if reach is Reach.TEAM:
        why.append(f"teams: {', '.join(grounds.teams)}" if grounds.teams else "in no team: only what is his own")
    if grounds.pools:
        why.append(f"pools: {', '.join(grounds.pools)}")
    if grounds.absent:
        why.append(f"stands in for {', '.join(grounds.absent)}")
    count = {("see", "edit"): grounds.seen, ("edit",): grounds.edited}.get(SHARED.get(action, ()), 0)
    if count:
        why.append(f"shared with him: {_number(count)}")
    return why


def _emails(session: Session, viewer: Viewer) -> tuple[str, ...]:
    wanted = select(Person.email).where(Person.id.in_(viewer.stands_in_for)).order_by(Person.email)
    return tuple(session.scalars(wanted))


def _pools(session: Session, people: Sequence[int]) -> Sequence[str]:
    wanted = select(Pool.name).join(PoolMember, PoolMember.pool_id == Pool.id)
    return session.scalars(wanted.where(PoolMember.person_id.in_(people)).distinct().order_by(Pool.name)).all()


def _count_shares(session: Session, viewer: Viewer, people: Sequence[int], level: str) -> int:
    some = (
        select(ScopeShare.scope_id)
        .where(
            or_(ScopeShare.person_id.in_(people), ScopeShare.team_id.in_(viewer.member_of)), ScopeShare.level == level
        )
        .distinct()
        .limit(_MOST_COUNTED + 1)
        .subquery()
    )
    return session.execute(select(func.count()).select_from(some)).scalar_one()


def _number(count: int) -> str:
    return f"{_MOST_COUNTED:,}+" if count > _MOST_COUNTED else f"{count:,}"

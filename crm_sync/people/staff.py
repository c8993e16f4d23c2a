# SPDX-License-Identifier: GPL-3.0-or-later
"""Who works here: one person, all of them.  Who may see what all records share sees everybody; everybody sees himself."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from crm_sync.admission import NotFound
from crm_sync.models.people import Person, PersonAddress, PersonLogin, Pool, PoolMember, Team
from crm_sync.rights import Action, Entity, Reach, Viewer
from tradepost.addresses import address_key

_Substitute = aliased(Person, name="substitute")
_MOST_ASKED: Final = 500


@dataclass(frozen=True, slots=True)
class PersonView:
    """A registered person as colleagues see him.

    `logins` (SASL) and `addresses` are empty for whoever may not change people, unless he is the person.  `left_at`: no
    longer with the company.
    """

    id: int
    email: str
    name: str
    role: str
    team: str
    languages: tuple[str, ...]
    countries: tuple[str, ...]
    logins: tuple[str, ...]
    addresses: tuple[str, ...]
    pools: tuple[str, ...]
    is_away: bool
    away_from: datetime | None
    away_until: datetime | None
    substitute: str
    open_conversations: int
    left_at: datetime | None
    version: int


def list_people(
    session: Session, viewer: Viewer, *, team: str = "", role: str = "", with_former: bool = False
) -> tuple[PersonView, ...]:
    """Return who works here, by name; `with_former`: also who left.  Who may not see people sees himself."""
    wanted = _seen_by(viewer)
    if team:
        wanted = wanted.where(Team.name == team)
    if role:
        wanted = wanted.where(Person.role == role)
    if not with_former:
        wanted = wanted.where(Person.left_at.is_(None))
    return _views(session, viewer, session.execute(wanted.order_by(Person.name, Person.email)).all())


def fetch_person(session: Session, viewer: Viewer, email: str) -> PersonView:
    """Return one person, also one who left.  Raises NotFound."""
    rows = session.execute(_seen_by(viewer).where(Person.email == _key(email))).all()
    if not rows:
        raise _nobody(email)
    return _views(session, viewer, rows)[0]


def find_person(session: Session, email: str, *, has_left: bool = False) -> Person:
    """Return the row of somebody who works here, locked; with `has_left` of one who does not any more.  Raises NotFound."""
    wanted = select(Person).where(Person.email == _key(email)).with_for_update()
    person = session.scalars(wanted.execution_options(populate_existing=True)).one_or_none()
    if person is None:
        raise _nobody(email)
    if (person.left_at is not None) is not has_left:
        what = "works here" if has_left else "has left; 'tradepost person return' takes him back"
        raise NotFound(f"person {person.email}: {what}")
    return person


def sees_people(viewer: Viewer) -> bool:
    """May he see who works here, roles and teams?"""
    return viewer.reach(Entity.COMPANY, Action.SEE) is Reach.ALL


def manages_people(viewer: Viewer) -> bool:
    """May he change people, teams and roles?"""
    return sees_people(viewer) and viewer.reach(Entity.COMPANY, Action.EDIT) is Reach.ALL


def _nobody(email: str) -> NotFound:
    return NotFound(f"person {email[:_MOST_ASKED]!r}: is nobody registered; 'tradepost person list' names them")


def _key(email: str) -> str:
    # What is no text, and NUL, are more than a database can be asked about.
    return address_key(email) if email.isprintable() else ""


def _seen_by(viewer: Viewer) -> Select[Person, str | None, str | None]:
    wanted = (
        select(Person, Team.name.label("team"), _Substitute.email.label("substitute"))
        .outerjoin(Team, Team.id == Person.team_id)
        .outerjoin(_Substitute, _Substitute.id == Person.substitute_id)
    )
    return wanted if sees_people(viewer) else wanted.where(Person.id == viewer.person_id)


def _views(session: Session, viewer: Viewer, rows: Sequence[Any]) -> tuple[PersonView, ...]:
    keys = [row.Person.id for row in rows]
    knows_all = manages_people(viewer)
    known = keys if knows_all else [key for key in keys if key == viewer.person_id]
    logins = _by_person(
        session, select(PersonLogin.person_id, PersonLogin.login).where(PersonLogin.person_id.in_(known))
    )
    addresses = _by_person(
        session, select(PersonAddress.person_id, PersonAddress.address_key).where(PersonAddress.person_id.in_(known))
    )
    pools = _by_person(
        session,
        select(PoolMember.person_id, Pool.name)
        .join(Pool, Pool.id == PoolMember.pool_id)
        .where(PoolMember.person_id.in_(keys)),
    )
    return tuple(
        PersonView(
            id=row.Person.id,
            email=row.Person.email,
            name=row.Person.name,
            role=row.Person.role,
            team=row.team or "",
            languages=tuple(row.Person.languages),
            countries=tuple(row.Person.countries),
            logins=tuple(sorted(logins[row.Person.id])),
            addresses=tuple(sorted(addresses[row.Person.id])),
            pools=tuple(sorted(pools[row.Person.id])),
            is_away=row.Person.is_away,
            away_from=row.Person.away_from,
            away_until=row.Person.away_until,
            substitute=row.substitute or "",
            open_conversations=row.Person.open_conversations,
            left_at=row.Person.left_at,
            version=row.Person.version,
        )
        for row in rows
    )


def _by_person(session: Session, wanted: Select[Any, str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for person_id, value in session.execute(wanted):
        found[person_id].append(value)
    return found

# SPDX-License-Identifier: GPL-3.0-or-later
"""Add a person, and change what is known of one.  Arrival depends on it: milters and workers are told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue, NotFound, Outdated
from crm_sync.advisory_locks import RECORDING, hold_for_transaction
from crm_sync.directory_rows import DirtyKeys
from crm_sync.models.customers import Scope
from crm_sync.models.people import Person, Role, Team
from crm_sync.people.keepers import begin_staff_change, check_keeper_stays, keeps_company
from crm_sync.people.person_keys import (
    check_address_free,
    checked_address,
    checked_addresses,
    checked_countries,
    checked_languages,
    checked_logins,
    checked_name,
    set_addresses,
    set_logins,
)
from crm_sync.people.staff import PersonView, fetch_person, find_person
from crm_sync.rights import Viewer
from crm_sync.setup_events import note_setup, tell_policy


@dataclass(frozen=True, slots=True)
class PersonWish:
    """What a person shall be.  None: as it is.  `team` "": none.  Lists replace what was there."""

    name: str | None = None
    team: str | None = None
    role: str | None = None
    languages: Sequence[str] | None = None
    countries: Sequence[str] | None = None
    logins: Sequence[str] | None = None
    addresses: Sequence[str] | None = None


def add_person(session: Session, viewer: Viewer, email: str, wish: PersonWish, now: datetime) -> PersonView:
    """Register somebody; without a role he is a rep.  Raises NotAllowed, InvalidValue, NotFound."""
    begin_staff_change(session, viewer)
    key = checked_address(email)
    known = session.scalars(select(Person).where(Person.email == key)).one_or_none()
    if known is not None:
        way_out = "has left; 'tradepost person return' takes him back" if known.left_at else "works here already"
        raise InvalidValue(f"person {key}: {way_out}")
    check_address_free(session, key)
    columns = _columns(session, wish)
    person = Person(email=key, open_conversations=0, version=1, **{"role": _role(session, "rep"), **columns})
    session.add(person)
    session.flush()
    _set_keys(session, person, wish)
    note_setup(session, viewer, f"person:{person.id}", "person-added", now, email=key, **_told(columns, wish))
    tell_policy(session)
    DirtyKeys(people={person.id}).write(session)
    return fetch_person(session, viewer, key)


def edit_person(
    session: Session, viewer: Viewer, email: str, wish: PersonWish, now: datetime, *, version: int | None = None
) -> PersonView:
    """Change a person; `version` is the one that was read, None: whichever.

    With another team go the customers and conversations he owns.  Raises NotAllowed, NotFound, InvalidValue, Outdated,
    LastKeeper.
    """
    begin_staff_change(session, viewer)
    columns = _columns(session, wish)
    if "team_id" in columns:
        # Who records gives new records the team he read before.
        hold_for_transaction(session.connection(), RECORDING)
    person = find_person(session, email)
    if version is not None and version != person.version:
        raise Outdated(f"person {person.email}: was changed meanwhile (version {person.version}); read it again")
    changed = {name: value for name, value in columns.items() if getattr(person, name) != value}
    role = changed.get("role")
    if role is not None and not keeps_company(session, role):
        check_keeper_stays(session, without_person=person.id)
    before = {name: getattr(person, name) for name in changed}
    for name, value in changed.items():
        setattr(person, name, value)
    if "team_id" in changed:
        move_scopes(session, person.id, person.team_id)
    keys = _set_keys(session, person, wish)
    if changed or keys:
        person.version += 1
        session.flush()
        note_setup(
            session, viewer, f"person:{person.id}", "person-changed", now, was=before, becomes={**changed, **keys}
        )
        tell_policy(session)
    return fetch_person(session, viewer, person.email)


def move_scopes(session: Session, person_id: int, team_id: int | None) -> None:
    """Let all that a person owns belong to a team; the caller holds up recording."""
    session.execute(
        update(Scope)
        .where(Scope.owner_id == person_id, Scope.team_id.is_distinct_from(team_id))
        .values(team_id=team_id)
        .execution_options(synchronize_session=False)
    )


def _columns(session: Session, wish: PersonWish) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if wish.name is not None:
        columns["name"] = checked_name(wish.name)
    if wish.team is not None:
        columns["team_id"] = _team(session, wish.team) if wish.team else None
    if wish.role is not None:
        columns["role"] = _role(session, wish.role)
    if wish.languages is not None:
        columns["languages"] = checked_languages(wish.languages)
    if wish.countries is not None:
        columns["countries"] = checked_countries(wish.countries)
    return columns


def _team(session: Session, name: str) -> int:
    teams = dict(session.execute(select(Team.name, Team.id)).all())
    if name not in teams:
        raise NotFound(f"team {name[:60]!r}: there is none; 'tradepost team list' names them")
    return teams[name]


def _role(session: Session, name: str) -> str:
    roles = sorted(session.scalars(select(Role.name)))
    if name not in roles:
        raise NotFound(f"role {name[:60]!r}: there is none; there are {', '.join(roles)}")
    return name


def _set_keys(session: Session, person: Person, wish: PersonWish) -> dict[str, list[str]]:
    """Set logins and addresses; return those that were changed."""
    changed = {}
    if wish.logins is not None:
        logins = checked_logins(wish.logins)
        if set_logins(session, person, logins) != sorted(logins):
            changed["logins"] = logins
    if wish.addresses is not None:
        addresses = [address for address in checked_addresses(wish.addresses) if address != person.email]
        if set_addresses(session, person, addresses) != sorted(addresses):
            changed["addresses"] = addresses
    session.flush()
    return changed


def _told(columns: dict[str, Any], wish: PersonWish) -> dict[str, Any]:
    return {**columns, "logins": list(wish.logins or ()), "addresses": list(wish.addresses or ())}

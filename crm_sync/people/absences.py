# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is away from when until when, and who does his work meanwhile.

`is_away` is in force: arrival and rights go by it.  `keep_absences`, called every now and then, sets it when a planned
absence begins and takes it back when one ends.  Rights end on time even where nobody calls it (`crm_sync.rights`).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue, NotAllowed
from crm_sync.advisory_locks import STAFF, hold_for_transaction
from crm_sync.models.people import Person
from crm_sync.people.staff import PersonView, fetch_person, find_person, manages_people
from crm_sync.rights import Action, Entity, Reach, Viewer, root_viewer
from crm_sync.setup_events import note_setup, tell_policy


def plan_absence(
    session: Session,
    viewer: Viewer,
    email: str,
    now: datetime,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    substitute: str | None = None,
) -> PersonView:
    """Let somebody be away from then (None: now) until then (None: until said otherwise).

    `substitute`: who stands in, by address; None: who did before, "": nobody.  He himself may say so, whoever may change
    people, and whoever may give his records to somebody else.  Raises NotFound, NotAllowed, InvalidValue.
    """
    person = _find(session, viewer, email)
    if until is not None and until <= now:
        raise InvalidValue(f"person {person.email}: that absence is over already")
    if since is not None and until is not None and until <= since:
        raise InvalidValue(f"person {person.email}: an absence ends after it began")
    if substitute is not None:
        person.substitute_id = _substitute(session, person, substitute) if substitute else None
    begins_later = since is not None and since > now
    person.is_away = not begins_later
    person.away_from, person.away_until = since or now, until
    person.version += 1
    _tell(
        session,
        viewer,
        person,
        "absence-planned" if begins_later else "away",
        now,
        since=(since or now).isoformat(),
        until=until.isoformat() if until else None,
        substitute=person.substitute_id,
    )
    return fetch_person(session, viewer, person.email)


def end_absence(session: Session, viewer: Viewer, email: str, now: datetime) -> PersonView:
    """Let somebody be back, or not go; who stands in next time stays named.  Raises NotFound, NotAllowed, InvalidValue."""
    person = _find(session, viewer, email)
    if not person.is_away and person.away_from is None:
        raise InvalidValue(f"person {person.email}: is not away")
    _come_back(person)
    _tell(session, viewer, person, "back", now)
    return fetch_person(session, viewer, person.email)


def is_absence_due(session: Session, now: datetime) -> bool:
    """Has a planned absence to begin or to end?"""
    return session.scalars(select(Person.id).where(_is_due(now)).limit(1)).one_or_none() is not None


def keep_absences(session: Session, now: datetime) -> int:
    """Let planned absences begin and end whose time has come; return how many.  The program does it, for nobody."""
    hold_for_transaction(session.connection(), STAFF)
    wanted = select(Person).where(_is_due(now)).order_by(Person.id).with_for_update()
    due = session.scalars(wanted.execution_options(populate_existing=True)).all()
    for person in due:
        has_ended = person.away_until is not None and person.away_until <= now
        if has_ended:
            _come_back(person)
        else:
            person.is_away = True
            person.version += 1
        step = "back" if has_ended else "away"
        note_setup(session, root_viewer(), f"person:{person.id}", step, now, by="the clock")
    if due:
        tell_policy(session)
    return len(due)


def check_substitute(people: dict[int, Person], person: Person, substitute: Person) -> None:
    """Raise InvalidValue when somebody would stand in for himself, also by way of others."""
    line = [person.email]
    other: Person | None = substitute
    while other is not None and other.email not in line[1:]:
        line.append(other.email)
        if other.id == person.id:
            raise InvalidValue(f"person {person.email}: would stand in for himself: {' > '.join(line)}")
        other = people.get(other.substitute_id) if other.substitute_id is not None else None


def _find(session: Session, viewer: Viewer, email: str) -> Person:
    hold_for_transaction(session.connection(), STAFF)  # two could close a circle of substitutes
    fetch_person(session, viewer, email)  # whom he may not see, he is not told of
    person = find_person(session, email)
    if person.id == viewer.person_id or manages_people(viewer) or _gives_away(viewer, person):
        return person
    raise NotAllowed(
        f"person {person.email}: {viewer.actor} may not say when he is away; he himself and his manager may"
    )


def _gives_away(viewer: Viewer, person: Person) -> bool:
    """May he give that person's customers to somebody else?  Then he may also let somebody look after them."""
    reach = viewer.reach(Entity.CUSTOMER, Action.ASSIGN)
    return reach is Reach.ALL or (reach is Reach.TEAM and person.team_id in viewer.teams)


def _substitute(session: Session, person: Person, email: str) -> int:
    # All who work here: there are few, and a line of substitutes may be long.
    people = {row.id: row for row in session.scalars(select(Person).where(Person.left_at.is_(None)))}
    substitute = find_person(session, email)
    check_substitute(people, person, substitute)
    return substitute.id


def _is_due(now: datetime) -> ColumnElement[bool]:
    begins = Person.is_away.is_(False) & (Person.away_from <= now)
    return Person.left_at.is_(None) & or_(begins, Person.away_until <= now)


def _come_back(person: Person) -> None:
    person.is_away, person.away_from, person.away_until = False, None, None
    person.version += 1


def _tell(session: Session, viewer: Viewer, person: Person, step: str, now: datetime, **details: Any) -> None:
    session.flush()
    note_setup(session, viewer, f"person:{person.id}", step, now, **details)
    tell_policy(session)

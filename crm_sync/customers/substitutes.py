# SPDX-License-Identifier: GPL-3.0-or-later
"""Who stands in for whom now.  Is the substitute away too, his own stands in; a circle ends where it began, with nobody.

Arrival asks the same of the policy (`tradepost.policy.Policy.stand_in`), rights of the records (`crm_sync.rights.absent_behind`): a
test holds the three together.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.models.people import Person
from crm_sync.rights import Action, Entity, Reach, Viewer
from tradepost.errors import Refusal


class SubstitutesUnseen(Refusal, PermissionError):
    """They are not the viewer's to see."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """An absent person, and who does his work; `substitute` None: nobody does, and `waiting` conversations lie there."""

    person: str
    until: datetime | None
    substitute: str | None
    by_way_of: tuple[str, ...]  # absent substitutes between
    waiting: int


def fetch_stand_ins(session: Session, viewer: Viewer, now: datetime) -> tuple[StandIn, ...]:
    """Return who is away at that time and who stands in, those without anybody first.  Raises SubstitutesUnseen."""
    if viewer.reach(Entity.COMPANY, Action.SEE) is not Reach.ALL:
        raise SubstitutesUnseen(f"who is away is not for {viewer.actor} to see")
    people = {row.id: row for row in session.scalars(select(Person).where(Person.left_at.is_(None)))}
    away = {key: row for key, row in people.items() if is_away(row, now)}
    found = []
    for row in away.values():
        way, substitute = [], people.get(row.substitute_id or 0)
        passed = {row.id}
        while substitute is not None and substitute.id in away and substitute.id not in passed:
            passed.add(substitute.id)
            way.append(substitute.email)
            substitute = people.get(substitute.substitute_id or 0)
        does = None if substitute is None or substitute.id in passed else substitute.email
        found.append(StandIn(row.email, row.away_until, does, tuple(way), row.open_conversations))
    return tuple(sorted(found, key=lambda one: (one.substitute is not None, one.person)))


def is_away(person: Person, now: datetime) -> bool:
    """Is he away at that time?  Who was to be back by now is back, whatever the flag still says."""
    return person.is_away and (person.away_until is None or person.away_until > now)

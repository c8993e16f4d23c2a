# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asked whether which customer exists: everything for who may assign all customers, to others what they asked."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.models.duplicates import DuplicateCheck
from crm_sync.models.people import Person
from crm_sync.rights import Action, Entity, Reach, Viewer

MOST_ROWS = 500
_LARGEST_KEY = 2**63 - 1


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One question.  `person`: an address, None: whoever ran the command on the host.  The next page begins after `id`."""

    id: int
    at: datetime
    person: str | None
    kind: str
    asked: str
    outcome: str
    digest: str


def list_checks(
    session: Session, viewer: Viewer, *, person: str | None = None, before: int | None = None, limit: int = 50
) -> tuple[CheckRow, ...]:
    """Return questions, newest first; `person`: an address whose questions alone are wanted."""
    wanted = (
        select(
            DuplicateCheck.id,
            DuplicateCheck.at,
            Person.email,
            DuplicateCheck.kind,
            DuplicateCheck.asked,
            DuplicateCheck.outcome,
            DuplicateCheck.answer_digest,
        )
        .outerjoin(Person, Person.id == DuplicateCheck.person_id)
        .order_by(DuplicateCheck.id.desc())
        .limit(max(1, min(limit, MOST_ROWS)))
    )
    if viewer.reach(Entity.CUSTOMER, Action.ASSIGN) is not Reach.ALL:
        wanted = wanted.where(DuplicateCheck.person_id == viewer.person_id)
    if person is not None:
        wanted = wanted.where(Person.email == (person if person.isprintable() else ""))
    if before is not None:
        wanted = wanted.where(DuplicateCheck.id < max(0, min(before, _LARGEST_KEY)))
    return tuple(CheckRow(*row) for row in session.execute(wanted))

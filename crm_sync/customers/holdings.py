# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person has: every column that refers to one either says that something is his, or what he once did.

A hand-over moves the first kind and leaves the second.  A test demands that a new column is entered in one of these lists.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import InstrumentedAttribute

from crm_sync.models.followups import Task
from crm_sync.rights import Entity


@dataclass(frozen=True, slots=True)
class Holding:
    """A column of people whose work a row is.  The row goes with its scope; `entity` is what one must be allowed to assign.

    `only`: what is done is history.
    """

    person: InstrumentedAttribute[int | None]
    key: InstrumentedAttribute[int]
    scope: InstrumentedAttribute[int]
    noun: str
    entity: Entity
    only: ColumnElement[bool] = true()  # noqa: RUF009 - a condition is never changed

    @property
    def name(self) -> str:
        """Return table.column, as it stands in what undoes a hand-over."""
        return column_name(self.person)


def column_name(column: InstrumentedAttribute[int | None]) -> str:
    """Return table.column."""
    return f"{column.table.name}.{column.key}"


# Moved by `UPDATE ... SET person = successor`, and back.  A later kind of work is one more line.
HOLDINGS = (Holding(Task.assignee_id, Task.id, Task.scope_id, "tasks", Entity.NOTE, Task.state == "open"),)

# Moved in ways of their own: crm_sync.customers.hand_over.
OWNERSHIP: Mapping[str, str] = {
    **{one.name: one.noun for one in HOLDINGS},
    "scope.owner_id": "customers, conversations with nobody we know, and whatever else hangs on a scope of his",
    "conversation.assignee_id": "whose work it is",
    "scope_share.person_id": "what was shown to him",
    "person.substitute_id": "for whom he stands in",
}

# Who did something, or had something once.  It stays under his name.
HISTORY: Mapping[str, str] = {
    "arrival.operator_id": "who sent it",
    "message.operator_id": "who sent it",
    "event.person_id": "who did it",
    "operation.person_id": "who did it",
    "operation.undone_by": "who took it back",
    "correction.person_id": "who corrected",
    "message.forwarded_by_id": "who forwarded it",
    "message_link.decided_by_id": "who linked it",
    "conversation_suggestion.decided_by": "who decided",
    "likely_duplicate.decided_by": "who decided",
    "duplicate_check.person_id": "who asked",
    "opportunity.created_by": "who opened it",
    "stage_move.person_id": "who moved it",
    "scope_share.created_by": "who shared it",
    "customer_tenure.person_id": "who had it",
    "note.author_id": "who wrote it",
    "task.creator_id": "who planned it",
    "task.closed_by": "who did it",
    "touch.author_id": "who called or met",
}

# The person's own: it goes when he leaves (crm_sync.people.leaving).
PERSONAL: Mapping[str, str] = {
    "person_login.person_id": "how he signs in at the mail server",
    "person_address.person_id": "what he writes from",
    "pool_member.person_id": "where he works: his successor works there, or is entered there",
    "signin_token.person_id": "how he signs in",
    "web_session.person_id": "where he is signed in",
    "note_mention.person_id": "a colleague's word to him",
}

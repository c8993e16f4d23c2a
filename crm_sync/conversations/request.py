# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody does with conversations in one transaction: who, when, which events, whose load, what the milter learns."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.conversations.binding import OPEN
from crm_sync.conversations.shares import share_with_assignees
from crm_sync.directory_rows import DirtyKeys, changed_threads
from crm_sync.models.base import table
from crm_sync.models.conversations import Conversation, Event
from crm_sync.models.people import Person

_PERSON = table(Person)
_RECOUNT = (
    update(_PERSON)
    .where(_PERSON.c.id == bindparam("key"))
    .values(open_conversations=_PERSON.c.open_conversations + bindparam("change"))
)


@dataclass(slots=True)
class Request:
    """One thing that a person, or a timer (`actor_id` None), does.  `finish` is the last thing before the commit."""

    session: Session
    now: datetime
    actor_id: int | None
    cause_id: str = field(default_factory=lambda: str(ULID()))
    _loads: Counter[int] = field(default_factory=Counter)

    def note(self, step: str, conversation: Conversation, **details: Any) -> None:
        """Remember what was done to a conversation."""
        self.session.add(
            Event(
                cause_id=self.cause_id,
                step=step,
                subject=f"conversation:{conversation.id}",
                at=self.now,
                conversation_id=conversation.id,
                customer_id=conversation.customer_id,
                person_id=self.actor_id,
                details=details,
            )
        )

    def recount(self, before: int | None, after: int | None) -> None:
        """An open conversation went from one person's count to another's; None is nobody's."""
        if before is not None:
            self._loads[before] -= 1
        if after is not None:
            self._loads[after] += 1

    def finish(self, conversations: Collection[Conversation]) -> None:
        """Write what was done to these locked conversations, share them, count loads, tell the directory."""
        session = self.session
        session.flush()
        keys = [conversation.id for conversation in conversations]
        share_with_assignees(session, keys, self.now, self.actor_id)
        dirty = DirtyKeys(threads=changed_threads(session, keys))
        rows = dirty.read(session)
        loads = [{"key": person, "change": change} for person, change in sorted(self._loads.items()) if change]
        if loads:
            dirty.people.update(load["key"] for load in loads)
            session.connection().execute(_RECOUNT, loads)
        dirty.write(session, rows)


def load_of(conversation: Conversation) -> int | None:
    """Return whose open conversations this one counts among."""
    is_open = conversation.status == OPEN and conversation.merged_into is None
    return conversation.assignee_id if is_open else None

# SPDX-License-Identifier: GPL-3.0-or-later
"""What reading conversations answers with: frozen, free of any session."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_sync.mail_views import CustomerRef, PersonRef


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """A conversation as listed.  `id` is the public one; `customer` is None too when the viewer may not see him."""

    id: str
    subject: str
    status: str
    assignee: PersonRef | None
    customer: CustomerRef | None
    pools: tuple[str, ...]
    opened_at: datetime
    last_in_at: datetime | None
    last_out_at: datetime | None
    unanswered_since: datetime | None
    snoozed_until: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class ConversationMail:
    """One letter of it; `entry_id` names the arrival under which it is shown."""

    entry_id: str
    at: datetime
    direction: str
    from_address: str
    from_name: str
    subject: str
    category: str | None
    is_automatic: bool


@dataclass(frozen=True, slots=True)
class ConversationEvent:
    """What happened to it; `person` None: the program, or root."""

    at: datetime
    step: str
    person: PersonRef | None
    details: dict[str, Any]
    cause_id: str


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody outside who takes part; `is_named_only`: he never wrote, and we never wrote to him."""

    address: str
    is_named_only: bool


@dataclass(frozen=True, slots=True)
class Suggested:
    """Two conversations that may be one."""

    id: int
    reason: str
    at: datetime
    conversation: ConversationRow
    other: ConversationRow


@dataclass(frozen=True, slots=True)
class Done:
    """A merge or split, to be taken back by `id` unless it was."""

    id: str
    kind: str
    at: datetime
    person: PersonRef | None
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class ConversationView:
    """One conversation whole.  Letters and events oldest first: the newest so many, `has_more` says there are older."""

    row: ConversationRow
    mails: tuple[ConversationMail, ...]
    has_more: bool
    events: tuple[ConversationEvent, ...]
    participants: tuple[Participant, ...]
    suggestions: tuple[Suggested, ...]
    operations: tuple[Done, ...]

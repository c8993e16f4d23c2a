# SPDX-License-Identifier: GPL-3.0-or-later
"""What crm_sync.queries answers with: mails as people look at them, frozen and free of any session."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tradepost.envelope import Envelope
from tradepost.verdict import Verdict


@dataclass(frozen=True, slots=True)
class PersonRef:
    """A registered person, enough to name him."""

    email: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class CustomerRef:
    """A customer, enough to name it.  `public_id` is the opaque one that travels in headers."""

    public_id: str
    name: str
    kind: str
    grade: str | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient that a header or the envelope names.  `kind`: envelope, to, cc, bcc."""

    address: str
    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class MailRow:
    """One arrival with the marks in force.  Without a letter (only the envelope was kept) `message_id` is None."""

    entry_id: str
    at: datetime
    direction: str
    acceptance: str
    recording: str
    from_address: str
    from_name: str
    to: tuple[Recipient, ...]  # of the header; the envelope's own are in MailView
    subject: str
    category: str | None
    priority: str | None
    language: str | None
    country: str | None
    is_automatic: bool
    owner: PersonRef | None  # who does the work: the assignee, else who owns the customer
    customer: CustomerRef | None
    operator: PersonRef | None
    login: str
    verdict: Verdict  # as the milter wrote it
    completion: dict[str, Any]  # what the worker decided of the fields in `verdict.missing`
    second_opinion: dict[str, Any] | None  # tradepost.analysis.SecondOpinion with `instead_of`, the category before it
    message_id: int | None
    conversation_id: int | None


@dataclass(frozen=True, slots=True)
class PartView:
    """An attachment as listed: never its content.  `octets` counts decoded bytes."""

    filename: str
    content_type: str
    octets: int
    is_inline: bool


@dataclass(frozen=True, slots=True)
class ThreadItem:
    """One letter of a conversation; `entry_id` names the arrival under which it is shown."""

    entry_id: str
    at: datetime
    direction: str
    from_address: str
    from_name: str
    subject: str


@dataclass(frozen=True, slots=True)
class ArrivalRef:
    """One more transaction by which the same letter came."""

    entry_id: str
    at: datetime
    queue_id: str
    acceptance: str


@dataclass(frozen=True, slots=True)
class CorrectionView:
    """What a person said of one field."""

    at: datetime
    person: PersonRef
    field: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class MailView:
    """One mail whole: what its page shows.  `envelope.recipients` holds only those the viewer may know of."""

    row: MailRow
    envelope: Envelope
    instance: str
    raw_bytes: int
    sent_at: datetime | None
    rfc_message_id: str
    recipients: tuple[Recipient, ...]
    new_text: str
    rest: str
    signature: str
    entities: dict[str, Any]
    parts: tuple[PartView, ...]
    thread: tuple[ThreadItem, ...]
    other_arrivals: tuple[ArrivalRef, ...]
    party_kind: str
    has_id_clash: bool
    defects: tuple[str, ...]
    corrections: tuple[CorrectionView, ...]  # oldest first
    can_correct: bool  # may the viewer correct its labels?


@dataclass(frozen=True, slots=True)
class Counts:
    """How many arrivals stand in the ledger: those Postfix accepted (recorded), and those it has not spoken about."""

    recorded: int
    pending: int

# SPDX-License-Identifier: GPL-3.0-or-later
"""Lessons for the classifier out of the records: corrected mails, and some that nobody objected to, read as at arrival."""

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from crm_sync.blobs import BlobError, BlobStore
from crm_sync.key_lists import among_keys
from crm_sync.letters import ReadMessage
from crm_sync.models.mail import Arrival, Message
from crm_sync.models.rules import Correction
from crm_sync.queries import COUNTED
from tradepost.learning import LEARNT_FIELDS, Lesson
from tradepost.verdict import Direction

log = logging.getLogger("tradepost.crm_sync")

MOST_CORRECTED = 5_000
MOST_UNDISPUTED = 1_000


@dataclass(slots=True)
class Corrected:
    """What people made of one mail, field by field: the label before anybody touched it, and the newest."""

    at: datetime  # of the newest correction
    was: dict[str, str | None] = field(default_factory=dict)
    now: dict[str, str | None] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that were set to something else; who corrects back says that it was right."""
        return tuple(name for name, label in self.now.items() if label != self.was[name])


def fetch_corrected(session: Session, since: datetime | None = None) -> dict[int, Corrected]:
    """Return what was corrected by message id, of messages corrected since that time; the last corrected one last."""
    rows = select(Correction.message_id, Correction.field, Correction.old, Correction.new, Correction.at)
    if since is not None:
        rows = rows.where(Correction.message_id.in_(select(Correction.message_id).where(Correction.at >= since)))
    found: dict[int, Corrected] = {}
    for message_id, name, old, new, at in session.execute(rows.order_by(Correction.id)):
        mail = found.pop(message_id, None) or Corrected(at)
        found[message_id] = mail  # anew at the end
        mail.at = at
        mail.was.setdefault(name, old)
        mail.now[name] = new
    return found


@dataclass(frozen=True, slots=True)
class LessonMail:
    """A letter that teaches, with where its bytes lie.  `corrected` None: nobody objected to its labels."""

    message_id: int
    conversation_id: int
    from_address: str
    category: str | None
    priority: str | None
    envelope_sender: str
    raw_sha256: str
    corrected: Corrected | None = None


_MAILS = (
    select(
        Message.id,
        Message.conversation_id,
        Message.from_address,
        Message.category,
        Message.priority,
        Arrival.envelope_sender,
        Arrival.raw_sha256,
    )
    .join(Arrival, Arrival.message_id == Message.id)
    .where(
        among_keys(Message.id),
        Message.direction == Direction.INBOUND.value,
        Arrival.raw_sha256.is_not(None),
        Arrival.acceptance.in_((*COUNTED, bindparam("also"))),
    )
    .order_by(Message.id, Arrival.entry_id.desc())
)
_NEWEST = (
    select(Message.id)
    .where(Message.direction == Direction.INBOUND.value)
    .order_by(Message.at.desc(), Message.id.desc())
    .limit(MOST_UNDISPUTED)
)


def fetch_lesson_mails(session: Session) -> tuple[LessonMail, ...]:
    """Return the newest corrected mails, then the newest others of senders who were never corrected."""
    touched = fetch_corrected(session)
    taught = {key: mail for key, mail in touched.items() if set(mail.fields) & set(LEARNT_FIELDS)}
    # Somebody who corrects a mail has it, whatever the mail log has said of it yet.
    corrected = _fetch(session, list(taught)[-MOST_CORRECTED:], taught, also="pending")
    # Of a sender whose mail was corrected once, the rest may be wrong too: nobody looked.
    senders = {mail.from_address for mail in corrected}
    others = _fetch(session, [key for key in session.scalars(_NEWEST) if key not in touched], {}, also="")
    return (*corrected, *(mail for mail in others if mail.from_address not in senders))


def _fetch(session: Session, keys: Collection[int], taught: dict[int, Corrected], *, also: str) -> Sequence[LessonMail]:
    # Of several arrivals the first counts: it was judged by what the milter saw then.
    rows = {row.id: row for row in session.execute(_MAILS, {"keys": list(keys), "also": also})}
    return [
        LessonMail(
            row.id,
            row.conversation_id,
            row.from_address,
            row.category,
            row.priority,
            row.envelope_sender,
            row.raw_sha256,
            taught.get(key),
        )
        for key, row in rows.items()
    ]


def read_lessons(mails: Sequence[LessonMail], blobs: BlobStore, read: ReadMessage) -> Iterator[Lesson]:
    """Yield a lesson for each mail.  Those whose bytes are gone or damaged are passed over, and counted in the log."""
    groups = _groups(mails)
    lost: list[BlobError] = []
    for mail in mails:
        try:
            message = read(blobs.read(mail.raw_sha256))
        except BlobError as error:
            lost.append(error)
            continue
        fields = () if mail.corrected is None else mail.corrected.fields
        yield Lesson(
            key=str(mail.message_id),
            message=message,
            sender=mail.envelope_sender,
            group=groups[mail.message_id],
            category=mail.category,
            priority=mail.priority,
            corrected=tuple(name for name in fields if name in LEARNT_FIELDS),
            taught_at=None if mail.corrected is None else mail.corrected.at,
        )
    if lost:
        log.warning("%d of %d mails can't teach; the first of them: %s", len(lost), len(mails), lost[0])


def _groups(mails: Iterable[LessonMail]) -> dict[int, str]:
    """Return each letter's group by message id: letters that share a sender or a conversation, also in a chain, are one."""
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while (up := above.setdefault(name, name)) != name:
            above[name] = above[up]
            name = up
        return name

    found: dict[int, str] = {}
    for mail in mails:
        sender = f"sender {mail.from_address}"
        above[top(sender)] = top(f"conversation {mail.conversation_id}")
        found[mail.message_id] = sender
    return {message_id: top(name) for message_id, name in found.items()}

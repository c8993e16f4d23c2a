# SPDX-License-Identifier: GPL-3.0-or-later
"""One journal entry, read: parsed, keyed, taken apart, its bytes on their way to the blob store.  Needs no database."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from crm_sync.blobs import BlobStore
from crm_sync.content_key import content_key
from crm_sync.conversations.letter_ids import LetterIds, read_letter_ids
from crm_sync.sources import ReadEntry
from crm_sync.storable import storable_arrival, storable_message, storable_part
from tradepost.analysis import Analyst, Extract, SecondOpinion
from tradepost.arrival import Arrival
from tradepost.forwards import forwarded_text, forwarded_writer
from tradepost.message import Message, Part
from tradepost.verdict import Direction, Labels, Recording

LABEL_FIELDS = ("category", "priority", "language", "country")

_LONGEST_PASSED_ON = 1_048_576
ReadMessage = Callable[[bytes], Message]
# Asks about a mail with these labels, by its envelope sender; None: nobody was asked, or nobody answered.
AskAgain = Callable[[Message, Labels, str], SecondOpinion | None]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A stored part."""

    part: Part  # without its payload
    sha256: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What recording needs of one entry.  `message` None: only the envelope may be kept."""

    arrival: Arrival
    labels: Labels  # those of the verdict; what arrival left open is filled in, a second opinion on the category taken
    labelled: tuple[str, ...] = ()  # label fields that were filled in here
    second: SecondOpinion | None = None
    category_before: str | None = None  # the second opinion
    message: Message | None = None  # without payloads and HTML
    content_key: str = ""
    ids: LetterIds = field(default_factory=LetterIds)
    extract: Extract | None = None
    passed_on: Extract | None = None  # of the letter that this one passes on
    raw_sha256: str | None = None
    attachments: tuple[Attachment, ...] = ()
    blobs: tuple[tuple[str, int], ...] = ()  # (digest, octets) of everything stored


def read_letter(entry: ReadEntry, read: ReadMessage, analyst: Analyst, blobs: BlobStore, ask_again: AskAgain) -> Letter:
    """Read an entry.  Raises OSError when its file can't be read, anything else when the entry itself is bad."""
    arrival = storable_arrival(entry.arrival)
    verdict = arrival.verdict
    if verdict.recording is not Recording.FULL:
        return Letter(arrival, verdict.labels)
    raw = entry.raw()
    as_sent = read(raw)
    # What is found in storable text can be stored too.
    message = storable_message(as_sent)
    attachments = tuple(Attachment(storable_part(part), blobs.store(part.payload)) for part in message.attachments)
    raw_sha256 = blobs.store(raw)
    labels, labelled = _complete_labels(arrival, message, analyst)
    category_before, second = labels.category, None
    if verdict.direction is Direction.INBOUND:
        second = ask_again(message, labels, arrival.envelope.sender)
    if second is not None:
        labels = replace(labels, category=second.decided, confidence=second.decided_confidence)
    return Letter(
        arrival=arrival,
        labels=labels,
        labelled=labelled,
        second=second,
        category_before=category_before,
        message=replace(message, html="", parts=(), attachments=()),
        content_key=content_key(as_sent),
        ids=read_letter_ids(as_sent),
        extract=analyst.extract(message, labels),
        passed_on=_read_passed_on(message, read, as_sent, analyst, labels),
        raw_sha256=raw_sha256,
        attachments=attachments,
        blobs=((raw_sha256, len(raw)), *((kept.sha256, kept.part.octets) for kept in attachments)),
    )


def _read_passed_on(
    message: Message, read: ReadMessage, as_sent: Message, analyst: Analyst, labels: Labels
) -> Extract | None:
    """Take apart the letter that this one passes on: who wrote it, and for whom.  None: it passes none on."""
    writer = forwarded_writer(message)
    if writer is None:
        return None
    enclosed = next((part for part in as_sent.attachments if part.content_type == "message/rfc822"), None)
    if message.enclosed_from is not None and enclosed is not None:
        inner = storable_message(read(enclosed.payload[:_LONGEST_PASSED_ON]))
    else:
        inner = Message(subject=message.subject, from_=writer, text=forwarded_text(message))
    return analyst.extract(inner, labels)


def _complete_labels(arrival: Arrival, message: Message, analyst: Analyst) -> tuple[Labels, tuple[str, ...]]:
    """Fill in exactly the label fields that arrival lists as missing."""
    verdict = arrival.verdict
    wanted = tuple(name for name in LABEL_FIELDS if name in verdict.missing)
    if not wanted or verdict.direction is Direction.INTERNAL:
        return verdict.labels, ()
    said = analyst.label(message, arrival.arrived_at, sender=arrival.envelope.sender)
    found: dict[str, object] = {name: getattr(said, name) for name in wanted}
    if "category" in wanted:
        found |= {"confidence": said.confidence, "model": said.model}
        found |= {"is_automatic": said.is_automatic, "automatic_reason": said.automatic_reason}
    if "priority" in wanted:
        found["priority_reason"] = said.priority_reason
    if "country" in wanted:
        found["country_evidence"] = said.country_evidence
    return replace(verdict.labels, **found), wanted  # type: ignore[arg-type]

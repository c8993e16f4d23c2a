# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of one letter: arrival, message, recipients, text, parts, bytes."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from crm_sync.batch import Batch
from crm_sync.letters import Letter
from crm_sync.lookups import ConversationState
from crm_sync.models.conversations import Activity
from crm_sync.models.mail import Arrival, Blob, Message, MessagePart, MessageRecipient, MessageText
from crm_sync.parties import Counterpart
from crm_sync.row_buffer import insert_missing
from tradepost.addresses import address_key
from tradepost.verdict import Direction, Verdict

_ACTIVITY = {Direction.INBOUND: "mail-in", Direction.OUTBOUND: "mail-out", Direction.INTERNAL: "mail-internal"}


def name_blobs(connection: Connection, letters: Sequence[Letter]) -> None:
    """Name the bytes stored for these letters; what is known already, or named by another worker just now, stays."""
    named = dict(blob for letter in letters for blob in letter.blobs)
    insert_missing(connection, Blob, [{"sha256": key, "octets": named[key], "codec": "zstd"} for key in sorted(named)])


def add_arrival(batch: Batch, letter: Letter, stored: Verdict, message_id: int | None, decided: dict[str, Any]) -> None:
    """Write the ledger's row.  `stored` is the verdict as it was; `decided` what the worker added to it."""
    arrival, envelope = letter.arrival, letter.arrival.envelope
    batch.rows.add(
        Arrival,
        entry_id=arrival.entry_id,
        instance=arrival.instance,
        queue_id=envelope.queue_id,
        arrived_at=arrival.arrived_at,
        recorded_at=batch.now,
        direction=arrival.verdict.direction.value,
        recording=stored.recording.value,
        envelope_sender=envelope.sender,
        envelope=envelope,
        login=envelope.client.login,
        operator_id=batch.view.person_id(stored.operator),
        rfc_message_id=letter.message.message_id if letter.message else "",
        verdict=stored,
        completion=_completion(letter, decided),
        facts=_facts(letter),
        message_id=message_id,
        raw_bytes=arrival.raw_bytes,
        raw_sha256=letter.raw_sha256,
        acceptance="pending",
    )


def _completion(letter: Letter, decided: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the worker decided of the fields that arrival left open, and the second opinion it took."""
    found: dict[str, Any] = {"decided_by": "completion", "fields": decided} if decided else {}
    if letter.second is not None:
        found["second_opinion"] = {"instead_of": letter.category_before, **asdict(letter.second)}
    return found or None


def _facts(letter: Letter) -> dict[str, Any]:
    """What rules may ask, except text and header fields: those are in the raw bytes.  A second opinion came later."""
    message, labels = letter.message, letter.labels
    if message is None:
        return {}
    return {
        "subject": message.subject,
        "from_address": message.from_.address,
        "recipient": letter.arrival.envelope.recipients,
        "attachment_name": [kept.part.filename for kept in letter.attachments],
        "size": letter.arrival.raw_bytes,
        "language": labels.language,
        "country": labels.country,
        "category": letter.category_before,
        "priority": labels.priority,
        "is_automatic": labels.is_automatic,
        "direction": letter.arrival.verdict.direction,
        "pool": letter.arrival.verdict.pools,
    }


def add_message_rows(
    batch: Batch,
    letter: Letter,
    conversation: ConversationState,
    counterpart: Counterpart,
    *,
    kind: str,
    has_clash: bool,
) -> int:
    """Write a new message with all that hangs on it; return its key."""
    message, labels, arrival = letter.message, letter.labels, letter.arrival
    assert message is not None
    message_id = batch.insert(
        Message,
        content_key=letter.content_key,
        rfc_message_id=message.message_id,
        id_digest=letter.ids.own,
        named_digests=letter.ids.named,
        conversation_id=conversation.id,
        scope_id=conversation.scope_id,
        direction=arrival.verdict.direction.value,
        at=arrival.arrived_at,
        sent_at=message.date,
        from_address=message.from_.address,
        from_name=message.from_.name,
        subject=message.subject,
        category=labels.category,
        priority=labels.priority.value if labels.priority else None,
        language=labels.language,
        country=labels.country,
        is_automatic=labels.is_automatic,
        party_kind=kind,
        contact_id=counterpart.contact_id,
        forwarded_by_id=batch.view.person_id(batch.sides[arrival.entry_id].forwarded_by),
        operator_id=batch.view.person_id(arrival.verdict.operator),
        has_id_clash=has_clash,
        defects=message.defects,
    )
    add_recipients(batch, letter, message_id, set())
    _add_text(batch, letter, message_id)
    for kept in letter.attachments:
        batch.rows.add(
            MessagePart,
            message_id=message_id,
            part_no=kept.part.number,
            sha256=kept.sha256,
            filename=kept.part.filename,
            content_type=kept.part.content_type,
            octets=kept.part.octets,
            is_inline=kept.part.inline,
        )
    if conversation.customer_id is not None:
        batch.rows.add(
            Activity,
            customer_id=conversation.customer_id,
            at=arrival.arrived_at,
            kind=_ACTIVITY[arrival.verdict.direction],
            message_id=message_id,
            conversation_id=conversation.id,
        )
    return message_id


def add_recipients(batch: Batch, letter: Letter, message_id: int, known: set[tuple[str, str]]) -> None:
    """Write recipients by kind; on the way out, whom the envelope reaches and no field names is bcc."""
    message = letter.message
    assert message is not None
    rows: dict[tuple[str, str], str] = {}
    for kind, addresses in (("to", message.to), ("cc", message.cc)):
        for address in addresses:
            rows.setdefault((address_key(address.address), kind), address.name)
    named = {key for key, _ in rows}
    for recipient in letter.arrival.envelope.recipients:
        key = address_key(recipient)
        rows.setdefault((key, "envelope"), "")
        if letter.arrival.verdict.direction is not Direction.INBOUND and key not in named:
            rows.setdefault((key, "bcc"), "")
    for (key, kind), name in rows.items():
        if (key, kind) not in known:
            batch.rows.add(MessageRecipient, message_id=message_id, address_key=key, kind=kind, name=name)


def _add_text(batch: Batch, letter: Letter, message_id: int) -> None:
    extract = letter.extract
    assert extract is not None
    batch.rows.add(
        MessageText,
        message_id=message_id,
        new_text=extract.new_text,
        rest=extract.rest,
        signature=extract.signature,
        entities=extract.facts(),
    )

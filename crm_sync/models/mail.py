# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail, three things never mixed: the arrival (one SMTP transaction), the message (one letter), its bytes."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base

_PENDING = text("acceptance = 'pending'")


class Arrival(Base):
    """One SMTP transaction seen at EOM, which is one journal entry: the primary key is the ledger.

    `acceptance`: pending until Postfix's log or queue says confirmed or refused; assumed where no log is read.  Only
    confirmed and assumed arrivals count in any number.  `verdict` is history and stays as the milter wrote it;
    `completion` holds what the worker decided of the fields in `verdict.missing`, and the second opinion it took.
    """

    __tablename__ = "arrival"
    entry_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    instance: Mapped[str] = mapped_column(String(255))
    queue_id: Mapped[str] = mapped_column(String(40))
    arrived_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    direction: Mapped[str] = mapped_column(String(10))
    recording: Mapped[str] = mapped_column(String(10))
    envelope_sender: Mapped[str] = mapped_column(String(320))
    envelope: Mapped[dict[str, Any]] = mapped_column(JSON)  # tradepost.envelope.Envelope
    login: Mapped[str] = mapped_column(String(320), default="")
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    rfc_message_id: Mapped[str] = mapped_column(Text, default="")
    verdict: Mapped[dict[str, Any]] = mapped_column(JSON)  # tradepost.verdict.Verdict
    completion: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)  # what rules saw: to rehearse a new rule on old mail
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"), index=True)
    raw_bytes: Mapped[int] = mapped_column(default=0)
    raw_sha256: Mapped[str | None] = mapped_column(ForeignKey("blob.sha256"))
    acceptance: Mapped[str] = mapped_column(String(10), default="pending")
    accepted_at: Mapped[datetime | None]
    __table_args__ = (
        Index(None, "instance", "queue_id"),
        Index("ix_arrival_open", "recorded_at", sqlite_where=_PENDING, postgresql_where=_PENDING),
        Index(None, "direction", "entry_id"),
    )


class Message(Base):
    """One letter, however many arrivals.  Labels are those in force; what arrival said stands in `arrival.verdict`."""

    __tablename__ = "message"
    id: Mapped[int] = mapped_column(primary_key=True)
    content_key: Mapped[str] = mapped_column(String(64), unique=True)
    rfc_message_id: Mapped[str] = mapped_column(Text, default="")
    id_digest: Mapped[str] = mapped_column(String(32), default="", index=True)  # of rfc_message_id: a clue, not unique
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversation.id"))
    scope_id: Mapped[int] = mapped_column(ForeignKey("scope.id"))
    direction: Mapped[str] = mapped_column(String(10))
    at: Mapped[datetime]  # of its first arrival
    sent_at: Mapped[datetime | None]  # what the Date field claims
    from_address: Mapped[str] = mapped_column(String(320), default="")
    from_name: Mapped[str] = mapped_column(String(300), default="")
    subject: Mapped[str] = mapped_column(Text, default="")
    category: Mapped[str | None] = mapped_column(String(40))
    priority: Mapped[str | None] = mapped_column(String(10))
    language: Mapped[str | None] = mapped_column(String(10))
    country: Mapped[str | None] = mapped_column(String(2))
    is_automatic: Mapped[bool] = mapped_column(default=False)
    party_kind: Mapped[str] = mapped_column(String(20), default="unknown")
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    # A colleague passed on what the party had written to him: it counts as the party's.
    forwarded_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    has_id_clash: Mapped[bool] = mapped_column(default=False)  # the same Message-ID came with other content
    # Every other id that leads to its conversation; None: recorded before these were kept.
    named_digests: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    defects: Mapped[list[str]] = mapped_column(JSON, default=list)
    __table_args__ = (
        Index(None, "conversation_id", "at", "id"),
        Index(None, "scope_id", "at", "id"),
        Index(None, "at", "id"),
        Index(None, "category", "at"),
    )


class MessageLink(Base):
    """Whom a letter concerns, and why.  The customer of its conversation is the first; others are linked beside him.

    `role`: party (the other side), agent (who writes for the party), on-behalf (whom it is written for).  `reason`:
    kebab-case.  `decided_by_id`: the person who said so; None: the program.
    """

    __tablename__ = "message_link"
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(10), default="party")
    reason: Mapped[str] = mapped_column(String(40))
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class MessageRecipient(Base):
    """One recipient.  `kind`: envelope, to, cc, bcc; bcc is for the sender and his manager only."""

    __tablename__ = "message_recipient"
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"), primary_key=True)
    address_key: Mapped[str] = mapped_column(String(320), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    name: Mapped[str] = mapped_column(String(300), default="")
    __table_args__ = (Index(None, "address_key", "message_id"),)


class MessageText(Base):
    """What was written, apart from the narrow main row.  `entities` is tradepost.analysis.Extract without its texts."""

    __tablename__ = "message_text"
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"), primary_key=True)
    new_text: Mapped[str] = mapped_column(Text, default="")
    rest: Mapped[str] = mapped_column(Text, default="")
    signature: Mapped[str] = mapped_column(Text, default="")
    entities: Mapped[dict[str, Any]] = mapped_column(JSON)


class Blob(Base):
    """Bytes outside SQL, named by their SHA-256, stored once.  `erased_at`: the bytes are gone, the name stays."""

    __tablename__ = "blob"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    octets: Mapped[int]
    codec: Mapped[str] = mapped_column(String(10), default="zstd")
    erased_at: Mapped[datetime | None]


class MessagePart(Base):
    """An attachment or inline part."""

    __tablename__ = "message_part"
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"), primary_key=True)
    part_no: Mapped[str] = mapped_column(String(100), primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"), index=True)
    filename: Mapped[str] = mapped_column(Text, default="")
    content_type: Mapped[str] = mapped_column(String(255), default="")
    octets: Mapped[int] = mapped_column(default=0)
    is_inline: Mapped[bool] = mapped_column(default=False)

# SPDX-License-Identifier: GPL-3.0-or-later
"""What people ask of the records: the newest mails, one mail whole, and the numbers.  Rights come from crm_sync.rights."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased
from ulid import ULID

from crm_sync.mail_views import (
    ArrivalRef,
    CorrectionView,
    Counts,
    CustomerRef,
    MailRow,
    MailView,
    PartView,
    PersonRef,
    Recipient,
    ThreadItem,
)
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.mail import Arrival, Message, MessagePart, MessageRecipient, MessageText
from crm_sync.models.people import Person, PoolAddress
from crm_sync.models.rules import Correction, RuleRow
from crm_sync.newest_mails import Wanted, fetch_newest_entries
from crm_sync.rights import Action, Entity, Viewer, may
from tradepost.addresses import address_key
from tradepost.envelope import Envelope
from tradepost.verdict import Direction, Verdict

COUNTED = ("confirmed", "assumed")
# A conversation is shown newest last; what is older than that many letters is reached through its first one.
THREAD_LIMIT = 100
# Signs of a ULID that tell the time; the rest is chance.
_ULID_TIME = 10

_Owner = aliased(Person, name="owner")
_Assignee = aliased(Person, name="assignee")
_Operator = aliased(Person, name="operator")


def newest(
    session: Session,
    viewer: Viewer,
    *,
    before: str | None = None,
    limit: int = 50,
    direction: str | None = None,
    category: str | None = None,
) -> tuple[MailRow, ...]:
    """Return the newest arrivals the viewer may see, newest first, older than the entry id `before`.

    Each letter shows once, by its first arrival.  What Postfix refused is left out; what it has not confirmed yet says so
    in `acceptance`.
    """
    wanted = Wanted(before=before, limit=limit, direction=direction, category=category)
    entries = fetch_newest_entries(session, viewer, wanted)
    found = session.execute(_rows(viewer).where(Arrival.entry_id.in_(entries))).all()
    named = _header_recipients(session, [row.Message.id for row in found if row.Message is not None])
    rows = {row.Arrival.entry_id: _as_row(viewer, row, named) for row in found}
    return tuple(rows[entry_id] for entry_id in entries)


def fetch_mail(session: Session, viewer: Viewer, entry_id: str) -> MailView | None:
    """Return one arrival with its letter; None: there is none, or it is not the viewer's to see."""
    found = session.execute(_rows(viewer).where(Arrival.entry_id == entry_id)).one_or_none()
    if found is None:
        return None
    arrival, message = found.Arrival, found.Message
    key = message.id if message else 0
    row = _as_row(viewer, found, _header_recipients(session, [key]))
    recipients = _all_recipients(session, key)
    text = session.get(MessageText, key)
    parts = session.execute(
        select(MessagePart).where(MessagePart.message_id == key).order_by(MessagePart.part_no)
    ).scalars()
    return MailView(
        row=row,
        envelope=_known_envelope(session, viewer, arrival, recipients),
        instance=arrival.instance,
        raw_bytes=arrival.raw_bytes,
        sent_at=message.sent_at if message else None,
        rfc_message_id=arrival.rfc_message_id,
        recipients=tuple(r for r in recipients if r.kind in ("to", "cc") or _knows_bcc(viewer, arrival)),
        new_text=text.new_text if text else "",
        rest=text.rest if text else "",
        signature=text.signature if text else "",
        entities=text.entities if text else {},
        parts=tuple(PartView(p.filename, p.content_type, p.octets, p.is_inline) for p in parts),
        thread=_thread(session, viewer, row.conversation_id),
        other_arrivals=_other_arrivals(session, key, entry_id),
        party_kind=message.party_kind if message else "",
        has_id_clash=bool(message and message.has_id_clash),
        defects=tuple(message.defects) if message else (),
        corrections=_corrections(session, key),
        can_correct=_can_correct(session, viewer, key),
    )


def colleagues(session: Session) -> tuple[PersonRef, ...]:
    """Return everybody who works here, by name."""
    rows = session.execute(
        select(Person.email, Person.name).where(Person.left_at.is_(None)).order_by(Person.name, Person.email)
    )
    return tuple(PersonRef(email, name) for email, name in rows)


def counts(session: Session, viewer: Viewer, since: datetime) -> Counts | None:
    """Return the company's numbers since a time; None for whoever does not see all mail: they tell of others' work."""
    if not viewer.sees_all:
        return None
    first = str(ULID.from_datetime(since))[:_ULID_TIME] + "0" * (26 - _ULID_TIME)
    rows = session.execute(
        select(Arrival.acceptance, func.count()).where(Arrival.entry_id >= first).group_by(Arrival.acceptance)
    )
    by_word = {word: number for word, number in rows}
    return Counts(sum(by_word.get(word, 0) for word in COUNTED), by_word.get("pending", 0))


def rule_names(session: Session) -> dict[str, str]:
    """Return every rule's name by its id, to say `rule:<id>` in words."""
    return {rule_id: name for rule_id, name in session.execute(select(RuleRow.id, RuleRow.name))}


def _rows(viewer: Viewer) -> Select[*tuple[Any, ...]]:
    wanted = (
        select(
            Arrival,
            Message,
            Customer,
            _Owner.email.label("owner_email"),
            _Owner.name.label("owner_name"),
            _Assignee.email.label("assignee_email"),
            _Assignee.name.label("assignee_name"),
            _Operator.email.label("operator_email"),
            _Operator.name.label("operator_name"),
        )
        .outerjoin(Message, Message.id == Arrival.message_id)
        .outerjoin(Scope, Scope.id == Message.scope_id)
        .outerjoin(_Owner, _Owner.id == Scope.owner_id)
        .outerjoin(Conversation, Conversation.id == Message.conversation_id)
        .outerjoin(_Assignee, _Assignee.id == Conversation.assignee_id)
        # Who may see a mail need not see the customer's record.
        .outerjoin(
            Customer,
            (Customer.id == Conversation.customer_id) & may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id),
        )
        .outerjoin(_Operator, _Operator.id == Arrival.operator_id)
    )
    # An arrival without a letter hangs on no scope: only somebody who sees all sees it.
    return wanted if viewer.sees_all else wanted.where(may(viewer, Entity.MESSAGE, Action.SEE, Message.scope_id))


def _as_row(viewer: Viewer, found: Any, named: dict[int, tuple[Recipient, ...]]) -> MailRow:
    arrival, message, customer = found.Arrival, found.Message, found.Customer
    verdict = msgspec.convert(arrival.verdict, Verdict)
    labels = message or verdict.labels
    email, name = found.assignee_email or found.owner_email, found.assignee_name or found.owner_name
    return MailRow(
        entry_id=arrival.entry_id,
        at=arrival.arrived_at,
        direction=arrival.direction,
        acceptance=arrival.acceptance,
        recording=arrival.recording,
        from_address=message.from_address if message else arrival.envelope_sender,
        from_name=message.from_name if message else "",
        to=named.get(message.id, ()) if message else (),
        subject=message.subject if message else "",
        category=labels.category,
        priority=labels.priority,
        language=labels.language,
        country=labels.country,
        is_automatic=labels.is_automatic,
        owner=PersonRef(email, name or "") if email else None,
        customer=_customer_ref(viewer, customer) if customer else None,
        operator=PersonRef(found.operator_email, found.operator_name) if found.operator_email else None,
        login=arrival.login,
        verdict=verdict,
        completion=(arrival.completion or {}).get("fields", {}),
        second_opinion=(arrival.completion or {}).get("second_opinion"),
        message_id=message.id if message else None,
        conversation_id=message.conversation_id if message else None,
    )


def _customer_ref(viewer: Viewer, customer: Customer) -> CustomerRef:
    grade = None if viewer.hides(Entity.CUSTOMER, "grade") else customer.grade
    return CustomerRef(customer.public_id, customer.name, customer.kind, grade)


def _header_recipients(session: Session, message_ids: Sequence[int]) -> dict[int, tuple[Recipient, ...]]:
    named: defaultdict[int, tuple[Recipient, ...]] = defaultdict(tuple)
    rows = session.execute(
        select(MessageRecipient)
        .where(MessageRecipient.message_id.in_(message_ids), MessageRecipient.kind == "to")
        .order_by(MessageRecipient.message_id, MessageRecipient.address_key)
    ).scalars()
    for row in rows:
        named[row.message_id] += (Recipient(row.address_key, row.kind, row.name),)
    return named


def _all_recipients(session: Session, message_id: int) -> tuple[Recipient, ...]:
    rows = session.execute(
        select(MessageRecipient)
        .where(MessageRecipient.message_id == message_id)
        .order_by(MessageRecipient.kind.desc(), MessageRecipient.address_key)
    ).scalars()
    return tuple(Recipient(row.address_key, row.kind, row.name) for row in rows)


def _knows_bcc(viewer: Viewer, arrival: Arrival) -> bool:
    """Blind copies are the sender's secret, and his manager's."""
    return viewer.sees_all or arrival.operator_id == viewer.person_id


def _known_envelope(session: Session, viewer: Viewer, arrival: Arrival, recipients: Sequence[Recipient]) -> Envelope:
    envelope = msgspec.convert(arrival.envelope, Envelope)
    if _knows_bcc(viewer, arrival):
        return envelope
    # Whom no header names was copied blindly; a pool is everybody's knowledge, and so is one's own address.
    known = {r.address for r in recipients if r.kind in ("to", "cc")} | {address_key(viewer.email)}
    known.update(session.execute(select(PoolAddress.address_key)).scalars())
    return replace(envelope, recipients=tuple(a for a in envelope.recipients if address_key(a) in known))


def _other_arrivals(session: Session, message_id: int, entry_id: str) -> tuple[ArrivalRef, ...]:
    rows = session.execute(
        select(Arrival.entry_id, Arrival.arrived_at, Arrival.queue_id, Arrival.acceptance)
        .where(Arrival.message_id == message_id, Arrival.entry_id != entry_id)
        .order_by(Arrival.entry_id)
        .limit(THREAD_LIMIT)
    ).all()
    return tuple(ArrivalRef(*row) for row in rows)


def _corrections(session: Session, message_id: int) -> tuple[CorrectionView, ...]:
    rows = session.execute(
        select(Correction.at, Person.email, Person.name, Correction.field, Correction.old, Correction.new)
        .join(Person, Person.id == Correction.person_id)
        .where(Correction.message_id == message_id)
        .order_by(Correction.id)
    )
    return tuple(
        CorrectionView(at, PersonRef(email, name), field, old, new) for at, email, name, field, old, new in rows
    )


def _can_correct(session: Session, viewer: Viewer, message_id: int) -> bool:
    wanted = select(Message.id).where(
        Message.id == message_id,
        Message.direction == Direction.INBOUND.value,
        may(viewer, Entity.MESSAGE, Action.CORRECT, Message.scope_id),
    )
    return session.scalars(wanted).one_or_none() is not None


def _thread(session: Session, viewer: Viewer, conversation_id: int | None) -> tuple[ThreadItem, ...]:
    if conversation_id is None:
        return ()
    first = func.min(Arrival.entry_id).label("entry_id")
    rows = session.execute(
        select(first, Message.at, Message.direction, Message.from_address, Message.from_name, Message.subject)
        .join(Arrival, Arrival.message_id == Message.id)
        .where(
            Message.conversation_id == conversation_id,
            Arrival.acceptance != "refused",
            may(viewer, Entity.MESSAGE, Action.SEE, Message.scope_id),
        )
        .group_by(Message.id)
        .order_by(Message.at.desc(), Message.id.desc())
        .limit(THREAD_LIMIT)
    ).all()
    return tuple(ThreadItem(*row) for row in reversed(rows))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Letters that were found, as they are shown: by their first arrival, with the place where the words stand."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from crm_sync.key_lists import among_keys
from crm_sync.mail_views import CustomerRef
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Customer
from crm_sync.models.mail import Arrival, Message, MessagePart, MessageText
from crm_sync.rights import Action, Entity, Viewer, may
from crm_sync.search.answers import Hit
from crm_sync.search.highlights import Excerpt, excerpt
from crm_sync.search.mail_hunt import Place
from crm_sync.search.meaning import is_hidden, needles
from crm_sync.search.query_language import Question

_SHOWN_FILES = 10
_SUBJECT_SIGNS = 200
_TEXT_SIGNS = 8_000
_ARRIVALS = (
    select(Arrival.message_id, func.min(Arrival.entry_id).label("entry_id"))
    .where(among_keys(Arrival.message_id), Arrival.acceptance != "refused")
    .group_by(Arrival.message_id)
)
_FILES = (
    select(MessagePart.message_id, MessagePart.filename)
    .where(among_keys(MessagePart.message_id), MessagePart.is_inline.is_(False))
    .order_by(MessagePart.message_id, MessagePart.part_no)
)


def mail_hits(session: Session, viewer: Viewer, question: Question, places: Sequence[Place]) -> list[tuple[Place, Hit]]:
    """Return the letters in that order with their places; one of which Postfix refused every arrival is none."""
    keys = {"keys": [place.id for place in places]}
    entries = {message_id: entry_id for message_id, entry_id in session.execute(_ARRIVALS, keys)}
    files: defaultdict[int | None, list[str]] = defaultdict(list)
    if not is_hidden(viewer, "file"):
        for message_id, filename in session.execute(_FILES, keys):
            files[message_id].append(filename)
    hits = {
        row.Message.id: _hit(viewer, question, row, entries[row.Message.id], files[row.Message.id])
        for row in session.execute(_letters(viewer), keys)
        if row.Message.id in entries
    }
    return [(place, hits[place.id]) for place in places if place.id in hits]


def _letters(viewer: Viewer) -> Select[*tuple[Any, ...]]:
    theirs = (Customer.id == Conversation.customer_id) & may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id)
    return (
        select(Message, Customer, MessageText.new_text, MessageText.rest)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .outerjoin(Customer, theirs)
        .outerjoin(MessageText, MessageText.message_id == Message.id)
        .where(among_keys(Message.id), may(viewer, Entity.MESSAGE, Action.SEE, Message.scope_id))
    )


def _hit(viewer: Viewer, question: Question, row: Any, entry_id: str, files: Sequence[str]) -> Hit:
    message: Message = row.Message

    def seen(name: str, value: Any, instead: Any) -> Any:
        return instead if is_hidden(viewer, name) else value

    return Hit(
        kind="mail",
        id=entry_id,
        at=message.at,
        title=excerpt(seen("subject", message.subject, ""), needles(question, "subject"), _SUBJECT_SIGNS),
        excerpt=_excerpt_of(viewer, question, row.new_text or "", row.rest or ""),
        customer=customer_ref(viewer, row.Customer),
        direction=message.direction,
        from_name=seen("from", message.from_name, ""),
        from_address=seen("from", message.from_address, ""),
        category=seen("category", message.category, None),
        priority=seen("priority", message.priority, None),
        language=seen("lang", message.language, None),
        files=tuple(files[:_SHOWN_FILES]),
    )


def _excerpt_of(viewer: Viewer, question: Question, new_text: str, rest: str) -> Excerpt:
    wanted = needles(question)
    texts = [text for name, text in (("new_text", new_text), ("rest", rest)) if not is_hidden(viewer, name)]
    shown = [excerpt(text[:_TEXT_SIGNS], wanted) for text in texts]
    return next((one for one in shown if one.marks), shown[0] if shown else Excerpt(""))


def customer_ref(viewer: Viewer, customer: Customer | None) -> CustomerRef | None:
    """Return a customer as it is named beside what was found; None: there is none, or its name is hidden."""
    if customer is None or is_hidden(viewer, "name"):
        return None
    grade = None if viewer.hides(Entity.CUSTOMER, "grade") else customer.grade
    kind = "" if viewer.hides(Entity.CUSTOMER, "kind") else customer.kind
    return CustomerRef(customer.public_id, customer.name, kind, grade)

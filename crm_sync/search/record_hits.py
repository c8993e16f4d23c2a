# SPDX-License-Identifier: GPL-3.0-or-later
"""Customers, notes, tasks and touches that were found, as they are shown: only the fields that the viewer sees."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.models.customers import Customer
from crm_sync.models.search import SearchRecord
from crm_sync.rights import Action, Entity, Viewer, may
from crm_sync.search.answers import Hit
from crm_sync.search.highlights import Excerpt, excerpt
from crm_sync.search.mail_hits import customer_ref
from crm_sync.search.mail_hunt import Place
from crm_sync.search.meaning import is_hidden, needles
from crm_sync.search.query_language import Question
from crm_sync.search.tokens import Asked


def record_hits(session: Session, viewer: Viewer, question: Question, rows: Sequence[Any]) -> list[tuple[Place, Hit]]:
    """Return rows of `RecordCatch` as hits with their places."""
    customers = _customers(session, viewer, [row[2] for row in rows if row[2] is not None])
    wanted = needles(question)
    return [
        (Place(record.at, record.id), _hit(viewer, record, public_id, customers.get(customer_id), wanted))
        for record, public_id, customer_id in rows
    ]


def _customers(session: Session, viewer: Viewer, ids: Sequence[int]) -> dict[int, Customer]:
    seen = select(Customer).where(Customer.id.in_(ids), may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id))
    return {customer.id: customer for customer in session.scalars(seen)}


def _hit(
    viewer: Viewer, record: SearchRecord, public_id: str, customer: Customer | None, wanted: Sequence[Asked]
) -> Hit:
    fields = record.fields
    if record.kind == "customer":
        fields = {name: text for name, text in fields.items() if not is_hidden(viewer, name)}
    return Hit(
        kind=record.kind,
        id=public_id,
        at=record.at,
        title=excerpt(fields.get("name", ""), wanted),
        excerpt=_excerpt_of(fields, wanted),
        customer=customer_ref(viewer, customer),
    )


def _excerpt_of(fields: Mapping[str, str], wanted: Sequence[Asked]) -> Excerpt:
    texts = [text for name, text in fields.items() if name != "name" and text]
    shown = [excerpt(text, wanted) for text in texts]
    return next((one for one in shown if one.marks), shown[0] if shown else Excerpt(""))

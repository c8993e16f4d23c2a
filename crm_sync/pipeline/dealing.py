# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do with opportunities: open one by hand, fill it in, move it on, win it, lose it with a reason."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import InvalidValue, NotAllowed, NotFound, Outdated, find_customer
from crm_sync.choices.lists import find_choices
from crm_sync.fields.values import require_for_stage
from crm_sync.models.conversations import Conversation, Event
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.pipeline import Opportunity, Pipeline, Product, ScoreDue, Stage
from crm_sync.pipeline.amounts import checked_amount, checked_currency
from crm_sync.pipeline.moving import checked_reason, note_move
from crm_sync.pipeline.opportunities import OpportunityView, fetch_opportunity, find_opportunity
from crm_sync.pipeline.products import find_category, find_product
from crm_sync.pipeline.stages import find_pipeline, find_stage
from crm_sync.rights import Action, Entity, Viewer, may

LOST_REASON: Final = "lost-reason"
DEALS: Final = "opportunity"  # the key of the first pipeline of opportunities
_LONGEST_NOTE: Final = 2000
_LENGTHS: Final = {"title": 300, "product_text": 300, "unit": 20, "incoterm_place": 100}
_AMOUNTS: Final = ("quantity", "target_price", "amount")


@dataclass(frozen=True, slots=True)
class OpportunityEntry:
    """What is to be said of an opportunity; None leaves a field as it is, "" empties it.  Amounts and dates are text."""

    title: str | None = None
    product: str | None = None  # a product's code
    category: str | None = None
    product_text: str | None = None
    quantity: str | None = None
    unit: str | None = None
    target_price: str | None = None
    amount: str | None = None
    currency: str | None = None
    incoterm: str | None = None
    incoterm_place: str | None = None
    expected_on: str | None = None  # ISO 8601


def open_opportunity(
    session: Session,
    viewer: Viewer,
    customer: str,
    entry: OpportunityEntry,
    now: datetime,
    *,
    pipeline: str = DEALS,
    conversation: str | None = None,
) -> OpportunityView:
    """Open one for a customer, in the first stage; `conversation` is a public id of his.

    Raises NotFound, NotAllowed, InvalidValue.
    """
    found = find_customer(session, viewer, customer)
    _require_edit(session, viewer, found)
    # Whoever merges customers holds them: what is opened now belongs to whom it says.
    session.refresh(found, with_for_update={"key_share": True})
    first = _first_stage(session, find_pipeline(session, pipeline))
    row = Opportunity(
        public_id=str(ULID()),
        customer_id=found.id,
        scope_id=found.scope_id,
        conversation_id=_find_conversation(session, viewer, found, conversation) if conversation else None,
        stage_id=first.id,
        stage_at=now,
        title=found.name[:300],
        source="hand",
        created_at=now,
        created_by=viewer.actor_id,
    )
    columns = _columns(session, viewer, entry)
    for name, value in columns.items():
        setattr(row, name, value)
    session.add(row)
    session.flush()
    note_move(session, viewer.actor_id, found.id, row.id, None, first, now, "opened by hand")
    session.add(ScoreDue(customer_id=found.id))
    session.flush()
    return fetch_opportunity(session, viewer, row.public_id)


def change_opportunity(
    session: Session,
    viewer: Viewer,
    public_id: str,
    entry: OpportunityEntry,
    now: datetime,
    *,
    version: int | None = None,
) -> OpportunityView:
    """Fill in what is known of it; `version`: only if it is still that one.

    Raises NotFound, NotAllowed, InvalidValue, Outdated.
    """
    row = find_opportunity(session, viewer, public_id, Action.EDIT)
    _check_version(row, version)
    columns = _columns(session, viewer, entry)
    changed = {name: value for name, value in columns.items() if getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    if changed:
        row.version += 1
        session.add(
            Event(
                cause_id=str(ULID()),
                step="opportunity-changed",
                subject=f"opportunity:{row.id}",
                at=now,
                customer_id=row.customer_id,
                person_id=viewer.actor_id,
                details={"fields": sorted(changed)},
            )
        )
    session.flush()
    return fetch_opportunity(session, viewer, public_id)


def move_opportunity(
    session: Session,
    viewer: Viewer,
    public_id: str,
    stage: str,
    now: datetime,
    *,
    lost_reason: str | None = None,
    note: str = "",
    version: int | None = None,
) -> OpportunityView:
    """Put it into a stage, forward or back, won or lost; lost needs a reason of the list.

    Raises NotFound, NotAllowed, InvalidValue, Outdated.
    """
    row = find_opportunity(session, viewer, public_id, Action.EDIT)
    _check_version(row, version)
    before = session.get_one(Stage, row.stage_id)
    to = find_stage(session, session.get_one(Pipeline, before.pipeline_id), stage)
    if to.kind == "lost" and not lost_reason:
        raise InvalidValue(f"stage {stage!r}: say why it was lost; 'tradepost choice list {LOST_REASON}' names reasons")
    if to.kind != "lost" and lost_reason:
        raise InvalidValue(f"stage {stage!r}: is no loss, so it has no reason for one")
    said = note.strip()
    if len(said) > _LONGEST_NOTE or "\0" in said:
        raise InvalidValue(f"note: is text of at most {_LONGEST_NOTE} characters")
    reason = find_choices(session, LOST_REASON, [lost_reason])[0] if lost_reason else None
    row.lost_reason_id, row.lost_note = (reason.id, said) if reason else (None, "")
    if before.id != to.id:
        require_for_stage(session, "opportunity", row.id, to.key)
        row.stage_id, row.stage_at = to.id, now
        row.closed_at = None if to.kind == "open" else now
        why = checked_reason(" ".join(f"{reason.key if reason else ''} {said}".split())[:300])
        note_move(session, viewer.actor_id, row.customer_id, row.id, before, to, now, why)
        session.add(ScoreDue(customer_id=row.customer_id))
    row.version += 1
    session.flush()
    return fetch_opportunity(session, viewer, public_id)


def _require_edit(session: Session, viewer: Viewer, customer: Customer) -> None:
    allowed = select(Scope.id).where(
        Scope.id == customer.scope_id, may(viewer, Entity.OPPORTUNITY, Action.EDIT, Scope.id)
    )
    if session.scalars(allowed).one_or_none() is None:
        raise NotAllowed(f"customer {customer.public_id!r}: {viewer.actor} may open no opportunity with him")


def _first_stage(session: Session, pipeline: Pipeline) -> Stage:
    wanted = select(Stage).where(Stage.pipeline_id == pipeline.id, Stage.retired_at.is_(None), Stage.kind == "open")
    first = session.scalars(wanted.order_by(Stage.position, Stage.id)).first()
    if pipeline.subject != "opportunity" or first is None:
        raise InvalidValue(f"pipeline {pipeline.key!r}: is none for opportunities")
    return first


def _find_conversation(session: Session, viewer: Viewer, customer: Customer, public_id: str) -> int:
    wanted = select(Conversation.id).where(
        Conversation.public_id == (public_id if public_id.isprintable() else ""),
        Conversation.customer_id == customer.id,
        Conversation.merged_into.is_(None),
        may(viewer, Entity.MESSAGE, Action.SEE, Conversation.scope_id),
    )
    found = session.scalars(wanted).one_or_none()
    if found is None:
        raise NotFound(f"conversation {public_id[:60]!r}: there is none with that customer")
    return found


def _columns(session: Session, viewer: Viewer, entry: OpportunityEntry) -> dict[str, Any]:
    """Return what was said as columns, checked."""
    columns: dict[str, Any] = {}
    for name, longest in _LENGTHS.items():
        if (said := getattr(entry, name)) is not None:
            text = " ".join(said.split())
            if len(text) > longest or not text.isprintable():
                raise InvalidValue(f"{name.replace('_', ' ')} {text[:40]!r}: is at most {longest} printable characters")
            columns[name] = text
    for name in _AMOUNTS:
        if (said := getattr(entry, name)) is not None:
            if viewer.hides(Entity.OPPORTUNITY, name):
                raise NotAllowed(f"{name.replace('_', ' ')}: {viewer.actor} does not see that field")
            columns[name] = checked_amount(name.replace("_", " "), said) if said else None
    if entry.currency is not None:
        columns["currency"] = checked_currency(entry.currency) if entry.currency else None
    if entry.incoterm is not None:
        if entry.incoterm and not (len(entry.incoterm) == 3 and entry.incoterm.isascii() and entry.incoterm.isalpha()):
            raise InvalidValue(f"Incoterm {entry.incoterm[:40]!r}: has three letters, as FOB")
        columns["incoterm"] = entry.incoterm.upper()
    if entry.expected_on is not None:
        columns["expected_on"] = _date(entry.expected_on) if entry.expected_on else None
    return columns | _goods(session, entry)


def _goods(session: Session, entry: OpportunityEntry) -> dict[str, Any]:
    goods: dict[str, Any] = {}
    if entry.category is not None:
        goods["category_id"] = find_category(session, entry.category).id if entry.category else None
    if entry.product is not None:
        product: Product | None = find_product(session, entry.product) if entry.product else None
        goods["product_id"] = product.id if product else None
        if product is not None:
            goods["category_id"] = product.category_id
    return goods


def _date(said: str) -> date:
    try:
        return date.fromisoformat(said[:40])
    except ValueError as error:
        raise InvalidValue(f"date {said[:40]!r}: is written as 2026-12-31") from error


def _check_version(row: Opportunity, version: int | None) -> None:
    if version is not None and row.version != version:
        raise Outdated(f"opportunity {row.public_id!r}: somebody changed it meanwhile; look at it again")

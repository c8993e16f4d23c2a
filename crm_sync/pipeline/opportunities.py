# SPDX-License-Identifier: GPL-3.0-or-later
"""Opportunities as a viewer may see them: one, a page of them, and how one went from stage to stage."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, case, select
from sqlalchemy.orm import Session

from crm_sync.admission import NotAllowed, NotFound, find_customer
from crm_sync.models.choices import Choice
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.people import Person
from crm_sync.models.pipeline import Opportunity, Pipeline, Product, ProductCategory, Stage, StageMove
from crm_sync.pipeline.moving import MoveView, fetch_moves
from crm_sync.pipeline.products import branch_of, find_product
from crm_sync.rights import Action, Entity, Viewer, may

LONGEST_PAGE: Final = 500
_LONGEST_ID: Final = 26
# Fields that a role may be kept from.
_AMOUNTS: Final = ("amount", "quantity", "target_price")


@dataclass(frozen=True, slots=True)
class OpportunityView:
    """A deal that may come.  Whom it is with is "" for who may not see that customer, or that conversation."""

    id: str
    title: str
    pipeline: str
    stage: str
    kind: str  # open | won | lost
    probability: int
    stage_at: datetime
    customer: str
    customer_name: str
    owner: str
    conversation: str
    product: str
    category: str
    product_text: str
    quantity: Decimal | None
    unit: str
    target_price: Decimal | None
    amount: Decimal | None
    currency: str
    incoterm: str
    incoterm_place: str
    expected_on: date | None
    lost_reason: str
    lost_note: str
    source: str
    created_at: datetime
    closed_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class OpportunityFilter:
    """Which opportunities; None: any.  `before` is the id that the page before ended with."""

    pipeline: str | None = None
    stage: str | None = None
    kind: str | None = None
    customer: str | None = None
    product: str | None = None
    category: str | None = None  # with all below it
    owner: str | None = None  # an address
    before: str | None = None
    limit: int = 50


def fetch_opportunity(session: Session, viewer: Viewer, public_id: str) -> OpportunityView:
    """Return one.  Raises NotFound."""
    found = find_opportunity(session, viewer, public_id)
    return _views(session, viewer, _rows(viewer).where(Opportunity.id == found.id))[0]


def list_opportunities(session: Session, viewer: Viewer, wanted: OpportunityFilter) -> list[OpportunityView]:
    """Return opportunities, newest first.  Raises NotFound for what the filter names and is not there."""
    # Which first, alone and along an index; what stands in them is asked of the few on the page.
    page = (
        select(Opportunity.id)
        .where(may(viewer, Entity.OPPORTUNITY, Action.SEE, Opportunity.scope_id))
        .order_by(Opportunity.id.desc())
        .limit(max(1, min(wanted.limit, LONGEST_PAGE)))
    )
    stages = select(Stage.id).join(Pipeline, Pipeline.id == Stage.pipeline_id)
    of_stage = [
        column == value
        for column, value in ((Pipeline.key, wanted.pipeline), (Stage.key, wanted.stage), (Stage.kind, wanted.kind))
        if value is not None
    ]
    if of_stage:
        page = page.where(Opportunity.stage_id.in_(session.scalars(stages.where(*of_stage)).all()))
    if wanted.owner is not None:
        owned = select(Scope.id).join(Person, Person.id == Scope.owner_id).where(Person.email == wanted.owner)
        page = page.where(Opportunity.scope_id.in_(owned))
    if wanted.customer is not None:
        page = page.where(Opportunity.customer_id == find_customer(session, viewer, wanted.customer).id)
    if wanted.product is not None:
        page = page.where(Opportunity.product_id == find_product(session, wanted.product).id)
    if wanted.category is not None:
        page = page.where(Opportunity.category_id.in_(branch_of(session, wanted.category)))
    if wanted.before is not None:
        page = page.where(Opportunity.id < find_opportunity(session, viewer, wanted.before).id)
    found = session.scalars(page).all()
    return _views(session, viewer, _rows(viewer).where(Opportunity.id.in_(found)).order_by(Opportunity.id.desc()))


def fetch_opportunity_moves(session: Session, viewer: Viewer, public_id: str, limit: int = 100) -> list[MoveView]:
    """Return how an opportunity went from stage to stage, newest first.  Raises NotFound."""
    found = find_opportunity(session, viewer, public_id)
    return fetch_moves(session, StageMove.opportunity_id == found.id, limit=limit)


def find_opportunity(session: Session, viewer: Viewer, public_id: str, action: Action = Action.SEE) -> Opportunity:
    """Return an opportunity, locked if anything is to be done with it.  Raises NotFound, NotAllowed."""
    is_id = public_id.isalnum() and public_id.isascii() and len(public_id) <= _LONGEST_ID
    mine = select(Opportunity).where(
        Opportunity.public_id == (public_id if is_id else ""),
        may(viewer, Entity.OPPORTUNITY, Action.SEE, Opportunity.scope_id),
    )
    if session.scalars(mine).one_or_none() is None:
        raise NotFound(f"opportunity {public_id[:60]!r}: there is none that {viewer.actor} may see")
    if action is not Action.SEE:
        mine = mine.where(may(viewer, Entity.OPPORTUNITY, action, Opportunity.scope_id))
        mine = mine.with_for_update().execution_options(populate_existing=True)
    found = session.scalars(mine).one_or_none()
    if found is None:
        raise NotAllowed(f"opportunity {public_id[:60]!r}: {viewer.actor} may see, but not {action} it")
    return found


def _rows(viewer: Viewer) -> Select[Any]:
    def shown(entity: Entity, scope_id: Any, column: Any) -> ColumnElement[Any]:
        return case((may(viewer, entity, Action.SEE, scope_id), column), else_="")

    return (
        select(
            Opportunity,
            Stage,
            Pipeline.key,
            shown(Entity.CUSTOMER, Customer.scope_id, Customer.public_id),
            shown(Entity.CUSTOMER, Customer.scope_id, Customer.name),
            Person.email,
            shown(Entity.MESSAGE, Conversation.scope_id, Conversation.public_id),
            Product.code,
            ProductCategory.code,
            Choice.key,
        )
        .join(Stage, Stage.id == Opportunity.stage_id)
        .join(Pipeline, Pipeline.id == Stage.pipeline_id)
        .join(Customer, Customer.id == Opportunity.customer_id)
        .join(Scope, Scope.id == Opportunity.scope_id)
        .outerjoin(Person, Person.id == Scope.owner_id)
        .outerjoin(Conversation, Conversation.id == Opportunity.conversation_id)
        .outerjoin(Product, Product.id == Opportunity.product_id)
        .outerjoin(ProductCategory, ProductCategory.id == Opportunity.category_id)
        .outerjoin(Choice, Choice.id == Opportunity.lost_reason_id)
        .where(may(viewer, Entity.OPPORTUNITY, Action.SEE, Opportunity.scope_id))
    )


def _views(session: Session, viewer: Viewer, rows: Select[Any]) -> list[OpportunityView]:
    hidden = {name: viewer.hides(Entity.OPPORTUNITY, name) for name in _AMOUNTS}
    return [
        OpportunityView(
            id=row.public_id,
            title=row.title,
            pipeline=pipeline,
            stage=stage.key,
            kind=stage.kind,
            probability=stage.probability,
            stage_at=row.stage_at,
            customer=customer,
            customer_name=name,
            owner=owner or "",
            conversation=conversation or "",
            product=product or "",
            category=category or "",
            product_text=row.product_text,
            quantity=None if hidden["quantity"] else row.quantity,
            unit=row.unit,
            target_price=None if hidden["target_price"] else row.target_price,
            amount=None if hidden["amount"] else row.amount,
            currency=row.currency or "",
            incoterm=row.incoterm,
            incoterm_place=row.incoterm_place,
            expected_on=row.expected_on,
            lost_reason=reason or "",
            lost_note=row.lost_note,
            source=row.source,
            created_at=row.created_at,
            closed_at=row.closed_at,
            version=row.version,
        )
        for row, stage, pipeline, customer, name, owner, conversation, product, category, reason in session.execute(
            rows
        )
    ]

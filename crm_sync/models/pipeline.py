# SPDX-License-Identifier: GPL-3.0-or-later
"""From first contact to deal: pipelines and their stages, products, opportunities, what moved when, points for grades."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Date, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base, FixedPoint


class Pipeline(Base):
    """An order of stages that records of one kind (`subject`: customer, opportunity) go through."""

    __tablename__ = "pipeline"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(40), unique=True)
    subject: Mapped[str] = mapped_column(String(20))
    name_en: Mapped[str] = mapped_column(String(100))
    name_zh: Mapped[str] = mapped_column(String(100), default="")
    position: Mapped[int] = mapped_column(default=0)


class Stage(Base):
    """A stage.  `kind`: open, won, lost, dormant; `probability` of a deal in percent; a retired one holds no record.

    `guide` is what people wrote about the work in it: what it needs, what comes of it, what is usually done.
    """

    __tablename__ = "stage"
    id: Mapped[int] = mapped_column(primary_key=True)
    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipeline.id"))
    key: Mapped[str] = mapped_column(String(40))
    name_en: Mapped[str] = mapped_column(String(100))
    name_zh: Mapped[str] = mapped_column(String(100), default="")
    kind: Mapped[str] = mapped_column(String(10), default="open")
    probability: Mapped[int] = mapped_column(default=0)
    guide: Mapped[str] = mapped_column(Text, default="")
    position: Mapped[int] = mapped_column(default=0)
    retired_at: Mapped[datetime | None]
    __table_args__ = (UniqueConstraint("pipeline_id", "key"),)


class StageRule(Base):
    """What moves a customer or an opportunity by itself: a condition as in `rule`, and where to."""

    __tablename__ = "stage_rule"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    enabled: Mapped[bool] = mapped_column(default=True)
    condition: Mapped[dict[str, Any]] = mapped_column(JSON)  # tradepost.rules.Group
    stage_id: Mapped[int] = mapped_column(ForeignKey("stage.id"))


class StageMove(Base):
    """Append-only: a customer (or, where one is named, an opportunity of his) went from one stage to another.

    `rule_id` is the stage rule that did it; without rule and person it was root, or the recording of a new lead.
    """

    __tablename__ = "stage_move"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    opportunity_id: Mapped[int | None] = mapped_column(ForeignKey("opportunity.id"))
    from_id: Mapped[int | None] = mapped_column(ForeignKey("stage.id"))
    to_id: Mapped[int] = mapped_column(ForeignKey("stage.id"))
    at: Mapped[datetime]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    rule_id: Mapped[str | None] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(String(300), default="")
    cause_id: Mapped[str] = mapped_column(String(40))  # an entry id, or the id of a request: that of its event
    __table_args__ = (
        Index(None, "customer_id", "id"),
        Index(None, "opportunity_id", "id"),
        Index(None, "to_id", "at"),
    )


class ProductCategory(Base):
    """A branch of the tree of products."""

    __tablename__ = "product_category"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("product_category.id"))
    name_en: Mapped[str] = mapped_column(String(200))
    name_zh: Mapped[str] = mapped_column(String(200), default="")
    position: Mapped[int] = mapped_column(default=0)
    retired_at: Mapped[datetime | None]


class Product(Base):
    """What we sell.  `price_floor` is the lowest price we go to: a field that roles may be kept from."""

    __tablename__ = "product"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(80), unique=True)
    category_id: Mapped[int | None] = mapped_column(ForeignKey("product_category.id"), index=True)
    name_en: Mapped[str] = mapped_column(String(200))
    name_zh: Mapped[str] = mapped_column(String(200), default="")
    unit: Mapped[str] = mapped_column(String(20), default="")
    price: Mapped[Decimal | None] = mapped_column(FixedPoint)
    price_floor: Mapped[Decimal | None] = mapped_column(FixedPoint)
    currency: Mapped[str | None] = mapped_column(String(3))
    retired_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)


class ProductWord(Base):
    """Words by which an inquiry is seen to be about a product, or about a category where it names none."""

    __tablename__ = "product_word"
    word_key: Mapped[str] = mapped_column(String(200), primary_key=True)  # as compared (tradepost.product_words)
    word: Mapped[str] = mapped_column(String(200))
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)
    category_id: Mapped[int | None] = mapped_column(ForeignKey("product_category.id"), index=True)


class Opportunity(Base):
    """A deal that may come.  It hangs on its customer's scope: a hand-over of the customer takes it along.

    `source`: mail (opened from an inquiry), hand.  `closed_at` is set while it stands in a stage that is won or lost.
    """

    __tablename__ = "opportunity"
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(26), unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    scope_id: Mapped[int] = mapped_column(ForeignKey("scope.id"))
    conversation_id: Mapped[int | None] = mapped_column(ForeignKey("conversation.id"))
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"), index=True)  # that it was opened from
    stage_id: Mapped[int] = mapped_column(ForeignKey("stage.id"))
    stage_at: Mapped[datetime]
    title: Mapped[str] = mapped_column(String(300), default="")
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)
    category_id: Mapped[int | None] = mapped_column(ForeignKey("product_category.id"), index=True)
    product_text: Mapped[str] = mapped_column(String(300), default="")  # in the buyer's words
    quantity: Mapped[Decimal | None] = mapped_column(FixedPoint)
    unit: Mapped[str] = mapped_column(String(20), default="")
    target_price: Mapped[Decimal | None] = mapped_column(FixedPoint)
    amount: Mapped[Decimal | None] = mapped_column(FixedPoint)  # what the deal is expected to bring
    currency: Mapped[str | None] = mapped_column(String(3))
    incoterm: Mapped[str] = mapped_column(String(3), default="")
    incoterm_place: Mapped[str] = mapped_column(String(100), default="")
    expected_on: Mapped[date | None] = mapped_column(Date)
    lost_reason_id: Mapped[int | None] = mapped_column(ForeignKey("choice.id"))
    lost_note: Mapped[str] = mapped_column(Text, default="")
    source: Mapped[str] = mapped_column(String(10), default="hand")
    created_at: Mapped[datetime]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    closed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    __table_args__ = (
        Index(None, "scope_id", "stage_id"),
        Index(None, "stage_id", "id"),
        Index(None, "customer_id", "id"),
        # Recording opens none while one of the conversation is open: it asks with the conversation locked.
        Index(None, "conversation_id"),
    )


class CompletenessWeight(Base):
    """How much a filled field of a customer counts towards its completeness; 0: it does not."""

    __tablename__ = "completeness_weight"
    field: Mapped[str] = mapped_column(String(40), primary_key=True)
    weight: Mapped[int]


class GradePoint(Base):
    """Points for a fact about a customer: `fact` is, or is at least, `value`."""

    __tablename__ = "grade_point"
    id: Mapped[int] = mapped_column(primary_key=True)
    fact: Mapped[str] = mapped_column(String(40))
    value: Mapped[str] = mapped_column(String(80))
    points: Mapped[int]
    __table_args__ = (UniqueConstraint("fact", "value"),)


class GradeBand(Base):
    """The grade that customers of so many points and more have."""

    __tablename__ = "grade_band"
    grade: Mapped[str] = mapped_column(String(10), primary_key=True)
    points_from: Mapped[int]


class ScoreDue(Base):
    """A customer of whom something changed that completeness or grade hang on.  Read and emptied by the worker."""

    __tablename__ = "score_due"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages, their rules and the words of products as recording decides by them: read once, until somebody changes them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.models.pipeline import Pipeline, Product, ProductCategory, ProductWord, Stage, StageRule
from tradepost.product_words import ProductWords, word_key
from tradepost.rules import CompiledRules, Effect, Group, Rule, compile_rules

SET_STAGE = "set_stage"


@dataclass(frozen=True, slots=True)
class StageState:
    """A stage in use."""

    id: int
    pipeline: str
    subject: str  # customer | opportunity
    key: str
    kind: str
    position: int


@dataclass(frozen=True, slots=True)
class ProductState:
    """What a word stands for: a product, or a category alone."""

    product_id: int | None
    category_id: int | None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class PipelineSnapshot:
    """What recording needs."""

    stages: Mapping[int, StageState] = field(default_factory=dict)  # retired ones are no longer among them
    first: Mapping[str, int] = field(default_factory=dict)  # subject -> stage that a record begins in
    rules: CompiledRules = field(default_factory=lambda: CompiledRules(()))
    leads_to: Mapping[str, int] = field(default_factory=dict)  # rule id -> stage
    words: ProductWords = field(default_factory=ProductWords)
    goods: Mapping[int, ProductState] = field(default_factory=dict)  # by the meaning of a word
    asks_headers: bool = False  # is any rule about a header field?

    def is_forward(self, before: int | None, after: int) -> bool:
        """May a rule move a record so?  Forward only: out of a deal that is won or lost nothing leads back by itself."""
        to = self.stages.get(after)
        if to is None or before == after:
            return False
        at = self.stages.get(before) if before is not None else None
        if at is None or at.kind == "dormant":
            return True
        return at.pipeline == to.pipeline and at.kind == "open" and to.position > at.position

    def wanted(self, matched: tuple[str, ...], subject: str) -> tuple[str, int] | None:
        """Return (rule id, stage) of the first of these rules that speaks of such records."""
        for rule_id in matched:
            stage = self.stages.get(self.leads_to[rule_id])
            if stage is not None and stage.subject == subject:
                return rule_id, stage.id
        return None


def fetch_snapshot(session: Session) -> PipelineSnapshot:
    """Read what is in force."""
    stages = {
        row.id: StageState(row.id, pipeline.key, pipeline.subject, row.key, row.kind, row.position)
        for row, pipeline in session.execute(
            select(Stage, Pipeline)
            .join(Pipeline, Pipeline.id == Stage.pipeline_id)
            .where(Stage.retired_at.is_(None))
            .order_by(Pipeline.position, Pipeline.id, Stage.position, Stage.id)
        )
    }
    first: dict[str, int] = {}
    for stage in stages.values():
        if stage.kind == "open":
            first.setdefault(stage.subject, stage.id)
    rows = list(session.scalars(select(StageRule).order_by(StageRule.position, StageRule.id)))
    words, goods = _fetch_goods(session)
    return PipelineSnapshot(
        stages=stages,
        first=first,
        rules=compile_rules(map(as_rule, rows), refuse=lambda action, value: None),
        leads_to={row.id: row.stage_id for row in rows},
        words=words,
        goods=goods,
        asks_headers=any('"header:' in json.dumps(row.condition) for row in rows),
    )


def as_rule(row: StageRule, target: str = "") -> Rule:
    """Return a row as the rule it is; `target` as pipeline/stage."""
    return Rule(
        id=row.id,
        name=row.name,
        when=msgspec.convert(row.condition, Group),
        then=(Effect(SET_STAGE, target),),
        enabled=row.enabled,
    )


def _fetch_goods(session: Session) -> tuple[ProductWords, dict[int, ProductState]]:
    """Return words with what they mean: names and codes are words too, and listed ones go before them."""
    words: dict[str, int] = {}
    goods: dict[int, ProductState] = {}
    meanings: dict[tuple[str, int], int] = {}
    for row in session.scalars(select(ProductCategory).where(ProductCategory.retired_at.is_(None))):
        meaning = meanings["category", row.id] = len(goods) + 1
        goods[meaning] = ProductState(None, row.id)
    products = session.scalars(select(Product).where(Product.retired_at.is_(None)).order_by(Product.id)).all()
    for product in products:
        meaning = meanings["product", product.id] = len(goods) + 1
        state = ProductState(product.id, product.category_id, product.unit)
        goods[meaning] = state
    for word in session.scalars(select(ProductWord)):
        kind, key = ("product", word.product_id) if word.product_id is not None else ("category", word.category_id)
        if key is not None and (kind, key) in meanings:
            words[word.word_key] = meanings[kind, key]
    for product in products:
        for name in (product.code, product.name_en, product.name_zh):
            words.setdefault(word_key(name), meanings["product", product.id])
    return ProductWords.of(words.items()), goods

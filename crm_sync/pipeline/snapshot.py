# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages, their rules and the words of products as recording decides by them: read once, until somebody changes them."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.models.pipeline import Pipeline, Product, ProductCategory, ProductWord, Stage, StageRule
from tradepost.policy import PolicyProduct
from tradepost.product_words import ProductWords, word_key
from tradepost.rules import CompiledRules, Effect, Group, Rule, compile_rules

SET_STAGE = "set_stage"
_DEEPEST = 8


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
    code: str = ""  # of the product
    categories: tuple[str, ...] = ()  # codes: its own and those above


@dataclass(frozen=True, slots=True)
class PipelineSnapshot:
    """What recording needs."""

    stages: Mapping[int, StageState] = field(default_factory=dict)  # retired ones are no longer among them
    first: Mapping[str, int] = field(default_factory=dict)  # subject -> stage that a record begins in
    rules: CompiledRules = field(default_factory=lambda: CompiledRules(()))
    leads_to: Mapping[str, int] = field(default_factory=dict)  # rule id -> stage
    words: ProductWords = field(default_factory=ProductWords)
    goods: Mapping[int, ProductState] = field(default_factory=dict)  # by the meaning of a word

    def named(self, subject: str, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return (codes of the products, codes of the categories) that a mail names."""
        found = [self.goods[key] for key in dict.fromkeys((*self.words.find_all(subject), *self.words.find_all(text)))]
        categories = dict.fromkeys(code for one in found for code in one.categories)
        return tuple(one.code for one in found if one.code), tuple(categories)

    def for_policy(self) -> tuple[PolicyProduct, ...]:
        """Return the products and categories with their words, as arrival needs them."""
        words: defaultdict[int, list[str]] = defaultdict(list)
        for word, meaning in self.words.meanings.items():
            words[meaning].append(word)
        return tuple(
            PolicyProduct(self.goods[meaning].code, self.goods[meaning].categories, tuple(sorted(listed)))
            for meaning, listed in sorted(words.items())
        )

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
    rules = compile_rules(map(as_rule, rows), refuse=lambda action, value: None)
    words, goods = _fetch_goods(session)
    return PipelineSnapshot(
        stages=stages,
        first=first,
        rules=rules,
        leads_to={row.id: row.stage_id for row in rows},
        words=words,
        goods=goods,
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
    categories = {row.id: row for row in session.scalars(select(ProductCategory))}
    paths = {key: _path(categories, row) for key, row in categories.items()}
    for row in categories.values():
        if row.retired_at is None:
            meaning = meanings["category", row.id] = len(goods) + 1
            goods[meaning] = ProductState(None, row.id, categories=paths[row.id])
    products = session.scalars(select(Product).where(Product.retired_at.is_(None)).order_by(Product.id)).all()
    for product in products:
        meaning = meanings["product", product.id] = len(goods) + 1
        path = paths[product.category_id] if product.category_id is not None else ()
        goods[meaning] = ProductState(product.id, product.category_id, product.unit, product.code, path)
    for word in session.scalars(select(ProductWord)):
        kind, key = ("product", word.product_id) if word.product_id is not None else ("category", word.category_id)
        if key is not None and (kind, key) in meanings:
            words[word.word_key] = meanings[kind, key]
    for product in products:
        for name in (product.code, product.name_en, product.name_zh):
            words.setdefault(word_key(name), meanings["product", product.id])
    return ProductWords.of(words.items()), goods


def _path(rows: Mapping[int, ProductCategory], row: ProductCategory) -> tuple[str, ...]:
    """Return the codes of a category and of those above it; the tree is never deeper than `products` lets it be."""
    path = [row.code]
    while row.parent_id is not None and len(path) < _DEEPEST:
        row = rows[row.parent_id]
        path.append(row.code)
    return tuple(path)

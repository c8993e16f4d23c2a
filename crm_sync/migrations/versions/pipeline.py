# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages, opportunities, products, lost reasons, grades, completeness."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import sqlalchemy as sa
from alembic import op

from crm_sync.migrations.trade_defaults import BANDS, CHOICES, PIPELINES, POINTS, STAGE_RULES, WEIGHTS

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
# name, type, nullable, table referred to
_Column = tuple[str, sa.types.TypeEngine[Any], bool, str]
_TABLES: dict[str, Sequence[_Column]] = {
    "choice_list": (
        ("key", sa.String(40), False, ""),
        ("subject", sa.String(20), False, ""),
        ("name_en", sa.String(100), False, ""),
        ("name_zh", sa.String(100), False, ""),
        ("takes_many", sa.Boolean(), False, ""),
        ("position", _BIG, False, ""),
    ),
    "choice": (
        ("id", _BIG, False, ""),
        ("list_key", sa.String(40), False, "choice_list"),
        ("key", sa.String(40), False, ""),
        ("name_en", sa.String(100), False, ""),
        ("name_zh", sa.String(100), False, ""),
        ("position", _BIG, False, ""),
        ("retired_at", _TIME, True, ""),
    ),
    "customer_choice": (("customer_id", _BIG, False, "customer"), ("choice_id", _BIG, False, "choice")),
    "contact_choice": (("contact_id", _BIG, False, "contact"), ("choice_id", _BIG, False, "choice")),
    "pipeline": (
        ("id", _BIG, False, ""),
        ("key", sa.String(40), False, ""),
        ("subject", sa.String(20), False, ""),
        ("name_en", sa.String(100), False, ""),
        ("name_zh", sa.String(100), False, ""),
        ("position", _BIG, False, ""),
    ),
    "stage": (
        ("id", _BIG, False, ""),
        ("pipeline_id", _BIG, False, "pipeline"),
        ("key", sa.String(40), False, ""),
        ("name_en", sa.String(100), False, ""),
        ("name_zh", sa.String(100), False, ""),
        ("kind", sa.String(10), False, ""),
        ("probability", _BIG, False, ""),
        ("guide", sa.Text(), False, ""),
        ("position", _BIG, False, ""),
        ("retired_at", _TIME, True, ""),
    ),
    "stage_rule": (
        ("id", sa.String(40), False, ""),
        ("position", _BIG, False, ""),
        ("name", sa.String(200), False, ""),
        ("enabled", sa.Boolean(), False, ""),
        ("condition", sa.JSON(), False, ""),
        ("stage_id", _BIG, False, "stage"),
    ),
    "product_category": (
        ("id", _BIG, False, ""),
        ("code", sa.String(40), False, ""),
        ("parent_id", _BIG, True, "product_category"),
        ("name_en", sa.String(200), False, ""),
        ("name_zh", sa.String(200), False, ""),
        ("position", _BIG, False, ""),
        ("retired_at", _TIME, True, ""),
    ),
    "product": (
        ("id", _BIG, False, ""),
        ("code", sa.String(80), False, ""),
        ("category_id", _BIG, True, "product_category"),
        ("name_en", sa.String(200), False, ""),
        ("name_zh", sa.String(200), False, ""),
        ("unit", sa.String(20), False, ""),
        ("price", sa.BigInteger(), True, ""),
        ("price_floor", sa.BigInteger(), True, ""),
        ("currency", sa.String(3), True, ""),
        ("retired_at", _TIME, True, ""),
        ("version", _BIG, False, ""),
    ),
    "product_word": (
        ("word_key", sa.String(200), False, ""),
        ("word", sa.String(200), False, ""),
        ("product_id", _BIG, True, "product"),
        ("category_id", _BIG, True, "product_category"),
    ),
    "opportunity": (
        ("id", _BIG, False, ""),
        ("public_id", sa.String(26), False, ""),
        ("customer_id", _BIG, False, "customer"),
        ("scope_id", _BIG, False, "scope"),
        ("conversation_id", _BIG, True, "conversation"),
        ("message_id", _BIG, True, "message"),
        ("stage_id", _BIG, False, "stage"),
        ("stage_at", _TIME, False, ""),
        ("title", sa.String(300), False, ""),
        ("product_id", _BIG, True, "product"),
        ("category_id", _BIG, True, "product_category"),
        ("product_text", sa.String(300), False, ""),
        ("quantity", sa.BigInteger(), True, ""),
        ("unit", sa.String(20), False, ""),
        ("target_price", sa.BigInteger(), True, ""),
        ("amount", sa.BigInteger(), True, ""),
        ("currency", sa.String(3), True, ""),
        ("incoterm", sa.String(3), False, ""),
        ("incoterm_place", sa.String(100), False, ""),
        ("expected_on", sa.Date(), True, ""),
        ("lost_reason_id", _BIG, True, "choice"),
        ("lost_note", sa.Text(), False, ""),
        ("source", sa.String(10), False, ""),
        ("created_at", _TIME, False, ""),
        ("created_by", _BIG, True, "person"),
        ("closed_at", _TIME, True, ""),
        ("version", _BIG, False, ""),
    ),
    "stage_move": (
        ("id", _BIG, False, ""),
        ("customer_id", _BIG, False, "customer"),
        ("opportunity_id", _BIG, True, "opportunity"),
        ("from_id", _BIG, True, "stage"),
        ("to_id", _BIG, False, "stage"),
        ("at", _TIME, False, ""),
        ("person_id", _BIG, True, "person"),
        ("rule_id", sa.String(40), True, ""),
        ("reason", sa.String(300), False, ""),
        ("cause_id", sa.String(40), False, ""),
    ),
    "completeness_weight": (("field", sa.String(40), False, ""), ("weight", _BIG, False, "")),
    "grade_point": (
        ("id", _BIG, False, ""),
        ("fact", sa.String(40), False, ""),
        ("value", sa.String(80), False, ""),
        ("points", _BIG, False, ""),
    ),
    "grade_band": (("grade", sa.String(10), False, ""), ("points_from", _BIG, False, "")),
    "score_due": (("id", _BIG, False, ""), ("customer_id", _BIG, False, "customer")),
}
# Primary keys that are no id.
_KEYS = {
    "choice_list": ["key"],
    "customer_choice": ["customer_id", "choice_id"],
    "contact_choice": ["contact_id", "choice_id"],
    "product_word": ["word_key"],
    "completeness_weight": ["field"],
    "grade_band": ["grade"],
}
_UNIQUE = {
    "choice": ["list_key", "key"],
    "pipeline": ["key"],
    "stage": ["pipeline_id", "key"],
    "product_category": ["code"],
    "product": ["code"],
    "opportunity": ["public_id"],
    "grade_point": ["fact", "value"],
}
_INDEXES = (
    ("customer_choice", ["choice_id", "customer_id"]),
    ("contact_choice", ["choice_id", "contact_id"]),
    ("stage_move", ["customer_id", "id"]),
    ("stage_move", ["opportunity_id", "id"]),
    ("stage_move", ["to_id", "at"]),
    ("product", ["category_id"]),
    ("product_word", ["product_id"]),
    ("product_word", ["category_id"]),
    ("opportunity", ["message_id"]),
    ("opportunity", ["product_id"]),
    ("opportunity", ["category_id"]),
    ("opportunity", ["scope_id", "stage_id"]),
    ("opportunity", ["stage_id", "id"]),
    ("opportunity", ["customer_id", "id"]),
    ("opportunity", ["conversation_id"]),
)
_OF_CUSTOMERS = ("stage_id", "grade_points", "completeness")  # each has its index


def upgrade() -> None:
    for table, columns in _TABLES.items():
        _create(table, columns)
    for table, names in _INDEXES:
        op.create_index(op.f(f"ix_{table}_{'_'.join(names)}"), table, names, unique=False)
    _fill()
    with op.batch_alter_table("customer") as batch:
        batch.add_column(sa.Column("grade_by", sa.String(length=10), nullable=True))
        batch.add_column(sa.Column("grade_points", _BIG, nullable=True))
        batch.add_column(sa.Column("completeness", _BIG, nullable=True))
        batch.add_column(sa.Column("stage_id", _BIG, nullable=True))
        batch.add_column(sa.Column("stage_at", _TIME, nullable=True))
        batch.create_foreign_key(op.f("fk_customer_stage_id_stage"), "stage", ["stage_id"], ["id"])
        for name in _OF_CUSTOMERS:
            batch.create_index(op.f(f"ix_customer_{name}_id"), [name, "id"])
    # Until now only people gave grades.  Whoever is on the way to a deal stands at its beginning.
    op.execute("UPDATE customer SET grade_by = 'person' WHERE grade IS NOT NULL")
    op.execute(
        "UPDATE customer SET stage_at = created_at, stage_id = (SELECT stage.id FROM stage"
        " JOIN pipeline ON pipeline.id = stage.pipeline_id"
        " WHERE pipeline.key = 'customer' AND stage.key = 'first-contact')"
        " WHERE kind IN ('lead', 'customer') AND merged_into IS NULL"
    )
    op.execute("INSERT INTO score_due (customer_id) SELECT id FROM customer WHERE kind IN ('lead', 'customer')")


def downgrade() -> None:
    with op.batch_alter_table("customer") as batch:
        for name in _OF_CUSTOMERS:
            batch.drop_index(op.f(f"ix_customer_{name}_id"))
        batch.drop_constraint(op.f("fk_customer_stage_id_stage"), type_="foreignkey")
        for name in (*_OF_CUSTOMERS, "grade_by", "stage_at"):
            batch.drop_column(name)
    op.execute("DELETE FROM event WHERE subject LIKE 'opportunity:%'")
    for table in reversed(_TABLES):
        op.drop_table(table)


def _create(table: str, columns: Sequence[_Column]) -> None:
    keys = _KEYS.get(table, ["id"])
    parts: list[sa.schema.SchemaItem] = [sa.Column(name, kind, nullable=empty) for name, kind, empty, _ in columns]
    for name, _, _, other in columns:
        if other:
            target = f"{other}.{_KEYS.get(other, ['id'])[0]}"
            parts.append(sa.ForeignKeyConstraint([name], [target], name=op.f(f"fk_{table}_{name}_{other}")))
    parts.append(sa.PrimaryKeyConstraint(*keys, name=op.f(f"pk_{table}")))
    if unique := _UNIQUE.get(table):
        parts.append(sa.UniqueConstraint(*unique, name=op.f(f"uq_{table}_{'_'.join(unique)}")))
    op.create_table(table, *parts)


def _fill() -> None:
    lists, choices, pipelines, stages = [], [], [], []
    for position, ((key, subject, many, english, chinese), listed) in enumerate(CHOICES):
        names = {"key": key, "subject": subject, "name_en": english, "name_zh": chinese, "takes_many": many}
        lists.append({**names, "position": position})
        for place, (one, en, zh) in enumerate(listed):
            choices.append({"list_key": key, "key": one, "name_en": en, "name_zh": zh, "position": place})
    numbers, stage_ids = count(1), dict[tuple[str, str], int]()
    for position, ((subject, key, english, chinese), its_stages) in enumerate(PIPELINES):
        named = {"key": key, "subject": subject, "name_en": english, "name_zh": chinese}
        pipelines.append({"id": position + 1, **named, "position": position})
        for place, (one, en, zh, kind, probability) in enumerate(its_stages):
            number = stage_ids[key, one] = next(numbers)
            row = {"id": number, "pipeline_id": position + 1, "key": one, "name_en": en, "name_zh": zh, "kind": kind}
            stages.append({**row, "probability": probability, "guide": "", "position": place})
    rules = [
        {"id": key, "position": place, "name": name, "enabled": True, "condition": when, "stage_id": stage_ids[of, to]}
        for place, (key, name, when, of, to) in enumerate(STAGE_RULES)
    ]
    _insert("choice_list", lists)
    _insert("choice", choices)
    _insert("pipeline", pipelines)
    _insert("stage", stages)
    _insert("stage_rule", rules)
    _insert("completeness_weight", [{"field": field, "weight": weight} for field, weight in WEIGHTS])
    _insert("grade_point", [{"fact": fact, "value": value, "points": points} for fact, value, points in POINTS])
    _insert("grade_band", [{"grade": grade, "points_from": points} for grade, points in BANDS])
    if op.get_bind().dialect.name == "postgresql":
        for table in ("pipeline", "stage"):  # rows with a given id leave the sequence behind
            op.execute(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))")


def _insert(table: str, rows: Sequence[Mapping[str, object]]) -> None:
    known = {name: kind for name, kind, _, _ in _TABLES[table]}
    columns = [sa.column(name, known[name]) for name in rows[0]]
    op.bulk_insert(sa.table(table, *columns), [dict(row) for row in rows])

# SPDX-License-Identifier: GPL-3.0-or-later
"""Find and order customers and opportunities by their own fields, along the index of `field_value`.

Only filterable fields can be asked: others would mean to read every record.  What a field holds of a kind that is ordered by
number is compared as a number, else as folded text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, or_, select
from sqlalchemy.orm import Session, aliased

from crm_sync.admission import InvalidValue
from crm_sync.fields.definitions import RIGHT_OF, find_field
from crm_sync.fields.registry import TYPES
from crm_sync.fields.types import Asking, Key, Options, folded
from crm_sync.models.customers import Customer
from crm_sync.models.fields import FieldDef, FieldValue
from crm_sync.models.pipeline import Opportunity
from crm_sync.rights import Action, Viewer, may

OPERATORS: Final = ("=", "!=", "<", "<=", ">", ">=", "starts", "filled", "empty")
LONGEST_PAGE: Final = 200
_MOST_FILTERS: Final = 20


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition; all of them must hold.  `value` is written as for the field; filled and empty have none."""

    field: str
    operator: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """By which field records come; those that hold nothing there come last."""

    field: str
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """Where a page ended.  `k` and `n` are None among those that hold nothing in the field they are ordered by."""

    id: int
    k: str | None = None
    n: float | None = None


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record that was found, enough to name it and to go on from it."""

    id: str
    name: str
    place: RecordPlace


def find_records(
    session: Session,
    viewer: Viewer,
    entity: str,
    filters: Sequence[Filter] = (),
    order: Order | None = None,
    *,
    after: RecordPlace | None = None,
    limit: int = 50,
) -> list[FoundRecord]:
    """Return customers or opportunities that the viewer may see, after a place; newest first without an order.

    Raises NotFound for a field that there is not, InvalidValue.
    """
    if entity not in _MODELS:
        raise InvalidValue(f"{entity[:40]!r}: {' and '.join(_MODELS)} can be found by their fields")
    if len(filters) > _MOST_FILTERS:
        raise InvalidValue(f"{len(filters)} conditions: {_MOST_FILTERS} at most")
    model, name = _MODELS[entity]
    wanted = select(model.id, model.public_id, name).where(
        may(viewer, RIGHT_OF[entity], Action.SEE, model.scope_id),
        *(_condition(session, viewer, entity, model.id, one) for one in filters),
    )
    if entity == "customer":
        wanted = wanted.where(Customer.merged_into.is_(None))
    limit = max(1, min(limit, LONGEST_PAGE))
    if order is None:
        if after is not None:
            wanted = wanted.where(model.id < after.id)
        rows = session.execute(wanted.order_by(model.id.desc()).limit(limit))
        return [FoundRecord(public_id, title, RecordPlace(key)) for key, public_id, title in rows]
    field = _filterable(session, viewer, entity, order.field)
    return _ordered(session, wanted, model.id, field, order, after, limit)


_MODELS: Final[dict[str, Any]] = {
    "customer": (Customer, Customer.name),
    "opportunity": (Opportunity, Opportunity.title),
}


def _ordered(
    session: Session,
    wanted: Select[Any],
    key: SQLColumnExpression[int],
    field: FieldDef,
    order: Order,
    after: RecordPlace | None,
    limit: int,
) -> list[FoundRecord]:
    """Two pages in one: first those that hold something, along the index; then those that hold nothing."""
    found: list[FoundRecord] = []
    value = aliased(FieldValue)
    is_number = _is_number(field)
    column = value.n if is_number else value.k
    if after is None or after.k is not None or after.n is not None:
        # A record with several values stands where its first one does.
        held = wanted.join(value, and_(value.record_id == key, value.field_id == field.id, value.position == 0))
        held = held.add_columns(column).where(column.is_not(None))
        if after is not None:
            mark = after.n if is_number else after.k
            if order.is_descending:
                held = held.where(or_(column < mark, and_(column == mark, value.record_id < after.id)))
            else:
                held = held.where(or_(column > mark, and_(column == mark, value.record_id > after.id)))
        ends = (column.desc(), value.record_id.desc()) if order.is_descending else (column, value.record_id)
        for record_id, public_id, title, mark in session.execute(held.order_by(*ends).limit(limit)):
            place = RecordPlace(record_id, n=mark) if is_number else RecordPlace(record_id, k=mark)
            found.append(FoundRecord(public_id, title, place))
        after = None
    if len(found) < limit:
        filled = select(FieldValue.record_id).where(FieldValue.field_id == field.id, FieldValue.position == 0)
        rest = wanted.where(key.not_in(filled)).order_by(key.desc()).limit(limit - len(found))
        if after is not None:
            rest = rest.where(key < after.id)
        found += [FoundRecord(public_id, title, RecordPlace(row)) for row, public_id, title in session.execute(rest)]
    return found


def _condition(
    session: Session, viewer: Viewer, entity: str, key: SQLColumnExpression[int], wanted: Filter
) -> ColumnElement[bool]:
    if wanted.operator not in OPERATORS:
        raise InvalidValue(f"{wanted.operator[:20]!r}: is no comparison; there are {' '.join(OPERATORS)}")
    field = _filterable(session, viewer, entity, wanted.field)
    held = select(FieldValue.record_id).where(FieldValue.field_id == field.id)
    if wanted.operator in ("filled", "empty"):
        return key.in_(held) if wanted.operator == "filled" else key.not_in(held)
    if wanted.operator == "starts":
        # A range, so that the index finds it; LIKE would need another on PostgreSQL.
        start = folded(wanted.value)
        if _is_number(field) or not start:
            raise InvalidValue(f"{wanted.field} starts {wanted.value[:40]!r}: needs a text, and a field of texts")
        return key.in_(held.where(FieldValue.k >= start, FieldValue.k < start + "\U0010ffff"))
    mark = _key_of(session, viewer, field, wanted.value)
    if wanted.operator == "=":
        return key.in_(held.where(_is_same(mark)))
    if wanted.operator == "!=":
        return key.in_(held) & key.not_in(held.where(_is_same(mark)))
    column, value = (FieldValue.n, mark.n) if mark.n is not None else (FieldValue.k, mark.k)
    compared: dict[str, ColumnElement[bool]] = {
        "<": column < value,
        "<=": column <= value,
        ">": column > value,
        ">=": column >= value,
    }
    # Amounts of different currencies, quantities of different units, can't be compared.
    same_kind = [FieldValue.k == mark.k] if mark.n is not None and mark.k is not None else []
    return key.in_(held.where(compared[wanted.operator], *same_kind))


def _is_same(mark: Key) -> ColumnElement[bool]:
    return and_(
        FieldValue.k.is_(None) if mark.k is None else FieldValue.k == mark.k,
        FieldValue.n.is_(None) if mark.n is None else FieldValue.n == mark.n,
    )


def _filterable(session: Session, viewer: Viewer, entity: str, key: str) -> FieldDef:
    field = find_field(session, viewer, entity, key)
    if not field.is_filterable:
        raise InvalidValue(f"field {key}: can't be asked about; 'tradepost field change {entity} {key} --filterable'")
    return field


def _is_number(field: FieldDef) -> bool:
    return field.type in _NUMBERS


def _key_of(session: Session, viewer: Viewer, field: FieldDef, raw: str) -> Key:
    options = msgspec.convert(field.options, Options)
    # Bounds are for what is written, not for what is asked.
    asked = msgspec.structs.replace(options, minimum=None, maximum=None, pattern=None)
    kind = TYPES[field.type]
    given = raw.replace("\x00", "").strip()
    if not given:
        raise InvalidValue(f"{field.key}: compared with nothing; 'empty' finds what is empty")
    return kind.keys(kind.read(given, Asking(session, viewer, asked)))[0]


_NUMBERS: Final = frozenset(
    {
        "integer", "decimal", "percent", "rating", "number-range", "boolean", "year", "duration", "money", "quantity",
    }
)  # fmt: skip

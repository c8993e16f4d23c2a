# SPDX-License-Identifier: GPL-3.0-or-later
"""Find and order customers and opportunities by their own fields, along the index of `field_value`.

Only filterable fields can be asked: others would mean to read every record.  What a field holds of a kind that is ordered by
number is compared as a number, else as folded text.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import msgspec
from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from crm_sync.admission import InvalidValue
from crm_sync.fields.definitions import RIGHT_OF, find_field
from crm_sync.fields.registry import TYPES
from crm_sync.fields.types import Asking, Key, Options, folded
from crm_sync.models.customers import Customer
from crm_sync.models.fields import FieldDef, FieldValue
from crm_sync.models.pipeline import Opportunity
from crm_sync.no_way_in import NoWayIn
from crm_sync.rights import Action, Reach, Viewer, may

# Conditions on a value, given its columns `k` and `n` as they are asked about.
_Says = Callable[[Any, Any], list[ColumnElement[bool]]]
_COMPARISONS: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
OPERATORS: Final = ("=", "!=", "<", "<=", ">", ">=", "starts", "filled", "empty")
LONGEST_PAGE: Final = 200
_MOST_FILTERS: Final = 20
# With more records than this in sight, the index of a field finds sooner than the viewer's scopes.
_MANY: Final = 20_000
# So many matches are gathered from the index at little cost.
_RARE: Final = 2_000


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
    hunt = _hunt(session, viewer, entity)
    wanted = select(hunt.key, hunt.model.public_id, hunt.name).where(
        may(viewer, RIGHT_OF[entity], Action.SEE, hunt.scope_id),
        *(_condition(hunt, one) for one in filters),
    )
    if entity == "customer":
        wanted = wanted.where(Customer.merged_into.is_(None))
    limit = max(1, min(limit, LONGEST_PAGE))
    if order is None:
        if after is not None:
            wanted = wanted.where(hunt.place < after.id)
        rows = session.execute(wanted.order_by(hunt.place.desc()).limit(limit))
        return [FoundRecord(public_id, title, RecordPlace(key)) for key, public_id, title in rows]
    return _ordered(hunt, wanted, _filterable(hunt, order.field), order, after, limit)


_MODELS: Final[dict[str, Any]] = {
    "customer": (Customer, Customer.name),
    "opportunity": (Opportunity, Opportunity.title),
}


@dataclass(frozen=True, slots=True)
class _Hunt:
    """Which way a search goes.  SQLite's planner can't know how many records a person sees, so it is told.

    Of somebody who sees few, the records are gathered from his scopes, and what stands in their fields is looked up one by
    one; for whoever sees many the index of a field leads the way.
    """

    session: Session
    viewer: Viewer
    entity: str
    model: Any
    name: Any
    sees_few: bool

    @property
    def key(self) -> SQLColumnExpression[int]:
        """The record's key."""
        return cast("SQLColumnExpression[int]", self.model.id)

    @property
    def place(self) -> SQLColumnExpression[int]:
        """The key as records are ordered by it."""
        return cast("SQLColumnExpression[int]", NoWayIn(self.model.id) if self.sees_few else self.model.id)

    @property
    def scope_id(self) -> SQLColumnExpression[int]:
        """The record's scope, as it is asked about."""
        return cast("SQLColumnExpression[int]", self.model.scope_id if self.sees_few else NoWayIn(self.model.scope_id))


def _hunt(session: Session, viewer: Viewer, entity: str) -> _Hunt:
    model, name = _MODELS[entity]
    sees_few = False
    if viewer.reach(RIGHT_OF[entity], Action.SEE) is not Reach.ALL:
        seen = select(model.id).where(may(viewer, RIGHT_OF[entity], Action.SEE, model.scope_id)).limit(_MANY + 1)
        sees_few = session.execute(select(func.count()).select_from(seen.subquery())).scalar_one() <= _MANY
    return _Hunt(session, viewer, entity, model, name, sees_few)


def _ordered(
    hunt: _Hunt, wanted: Select[Any], field: FieldDef, order: Order, after: RecordPlace | None, limit: int
) -> list[FoundRecord]:
    """Two pages in one: first those that hold something, along the index; then those that hold nothing."""
    found: list[FoundRecord] = []
    value = aliased(FieldValue)
    is_number = field.type in _NUMBERS
    column: Any = value.n if is_number else value.k
    if hunt.sees_few:
        column = NoWayIn(column)
    if after is None or after.k is not None or after.n is not None:
        # A record with several values stands where its first one does.
        held = wanted.join(value, and_(value.record_id == hunt.key, value.field_id == field.id, value.position == 0))
        held = held.add_columns(column).where(column.is_not(None))
        if after is not None:
            mark = after.n if is_number else after.k
            if order.is_descending:
                held = held.where(or_(column < mark, and_(column == mark, value.record_id < after.id)))
            else:
                held = held.where(or_(column > mark, and_(column == mark, value.record_id > after.id)))
        ends = (column.desc(), value.record_id.desc()) if order.is_descending else (column, value.record_id)
        for record_id, public_id, title, mark in hunt.session.execute(held.order_by(*ends).limit(limit)):
            place = RecordPlace(record_id, n=mark) if is_number else RecordPlace(record_id, k=mark)
            found.append(FoundRecord(public_id, title, place))
        after = None
    if len(found) < limit:
        rest = wanted.where(~_holds(hunt, field)).order_by(hunt.place.desc()).limit(limit - len(found))
        if after is not None:
            rest = rest.where(hunt.place < after.id)
        rows = hunt.session.execute(rest)
        found += [FoundRecord(public_id, title, RecordPlace(row)) for row, public_id, title in rows]
    return found


def _condition(hunt: _Hunt, wanted: Filter) -> ColumnElement[bool]:
    if wanted.operator not in OPERATORS:
        raise InvalidValue(f"{wanted.operator[:20]!r}: is no comparison; there are {' '.join(OPERATORS)}")
    field = _filterable(hunt, wanted.field)
    if wanted.operator in ("filled", "empty"):
        return _holds(hunt, field) if wanted.operator == "filled" else ~_holds(hunt, field)
    if wanted.operator == "starts":
        # A range, so that the index finds it; LIKE would need another on PostgreSQL.
        start = folded(wanted.value)
        if field.type in _NUMBERS or not start:
            raise InvalidValue(f"{wanted.field} starts {wanted.value[:40]!r}: needs a text, and a field of texts")
        return _holds(hunt, field, lambda k, n: [k >= start, k < start + "\U0010ffff"])
    mark = _key_of(hunt, field, wanted.value)
    if wanted.operator == "=":
        return _holds(hunt, field, partial(_same, mark))
    if wanted.operator == "!=":
        return _holds(hunt, field) & ~_holds(hunt, field, partial(_same, mark))
    return _holds(hunt, field, partial(_compared, mark, _COMPARISONS[wanted.operator]))


def _holds(hunt: _Hunt, field: FieldDef, says: _Says | None = None) -> ColumnElement[bool]:
    """Does the record hold such a value?  Rare values are gathered by their index, common ones asked of each record."""
    mine = FieldValue.field_id == field.id
    if says is not None and not hunt.sees_few:
        held = select(FieldValue.record_id).where(mine, *says(FieldValue.k, FieldValue.n))
        some = held.limit(_RARE + 1).subquery()
        if hunt.session.execute(select(func.count()).select_from(some)).scalar_one() <= _RARE:
            return hunt.key.in_(held)
    conditions = [] if says is None else says(NoWayIn(FieldValue.k), NoWayIn(FieldValue.n))
    here = select(FieldValue.position).where(mine, FieldValue.record_id == hunt.key, *conditions)
    return here.correlate(hunt.model).exists()


def _same(mark: Key, k: Any, n: Any) -> list[ColumnElement[bool]]:
    return [k.is_(None) if mark.k is None else k == mark.k, n.is_(None) if mark.n is None else n == mark.n]


def _compared(mark: Key, compare: Callable[[Any, Any], Any], k: Any, n: Any) -> list[ColumnElement[bool]]:
    if mark.n is None:
        return [compare(k, mark.k)]
    # Amounts of different currencies, quantities of different units, can't be compared.
    return [compare(n, mark.n), *([k == mark.k] if mark.k is not None else [])]


def _filterable(hunt: _Hunt, key: str) -> FieldDef:
    field = find_field(hunt.session, hunt.viewer, hunt.entity, key)
    if not field.is_filterable:
        raise InvalidValue(
            f"field {key}: can't be asked about; 'tradepost field change {hunt.entity} {key} --filterable'"
        )
    return field


def _key_of(hunt: _Hunt, field: FieldDef, raw: str) -> Key:
    options = msgspec.convert(field.options, Options)
    # Bounds are for what is written, not for what is asked.
    asked = msgspec.structs.replace(options, minimum=None, maximum=None, pattern=None)
    kind = TYPES[field.type]
    given = raw.replace("\x00", "").strip()
    if not given:
        raise InvalidValue(f"{field.key}: compared with nothing; 'empty' finds what is empty")
    return kind.keys(kind.read(given, Asking(hunt.session, hunt.viewer, asked)))[0]


_NUMBERS: Final = frozenset(
    {
        "integer", "decimal", "percent", "rating", "number-range", "boolean", "year", "duration", "money", "quantity",
    }
)  # fmt: skip

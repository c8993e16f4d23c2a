# SPDX-License-Identifier: GPL-3.0-or-later
"""What every table shares: constraint names, key types, UTC times."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, cast

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, MetaData, Table
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, stored as UTC.  SQLite knows no zones: there it is stored naive and comes back aware."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_STEP = Decimal("0.0001")


class FixedPoint(TypeDecorator[Decimal]):
    """A quantity or an amount of money with four decimals, stored as a whole number: SQLite has no decimals.

    Raises ValueError for what has more than 14 digits before the point, or is no number.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if not value.is_finite() or abs(value) >= 10**14:
            raise ValueError(f"{value} is no amount that can be kept")
        return int(value.quantize(_STEP, ROUND_HALF_EVEN).scaleb(4))

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-4)


# SQLite counts rows by itself only for a column declared INTEGER PRIMARY KEY.
_BigId = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """Root of all tables.  Constraints are named so that a migration can drop them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: dict[Any, Any] = {datetime: UtcDateTime, int: _BigId}  # noqa: RUF012 - SQLAlchemy's own way


def table(model: type[Base]) -> Table:
    """Return a model's table, for the statements that run once per mail: they bypass the unit of work."""
    return cast(Table, model.__table__)

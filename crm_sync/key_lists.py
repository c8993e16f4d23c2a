# SPDX-License-Identifier: GPL-3.0-or-later
"""`column IN (keys)` whose text is the same for any number of keys: all of them are one parameter.

SQLAlchemy's own writes a parameter a key.  Then every length is another statement, to be put together here and planned by
the server.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Dialect, Integer, Text, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

from crm_sync.database_base import to_json


class _KeyList(TypeDecorator[Collection[Any]]):
    """An array on PostgreSQL, a JSON array on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, is_number: bool) -> None:
        super().__init__()
        self.is_number = is_number

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name != "postgresql":
            return dialect.type_descriptor(Text())
        # Without a length: a cast to one would cut longer keys until they equal others.
        return dialect.type_descriptor(ARRAY(BigInteger() if self.is_number else Text()))

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> Any:
        assert value is not None
        return list(value) if dialect.name == "postgresql" else to_json(list(value))


class _Among(FunctionElement[Any]):
    """Is the first among the second?"""

    name = "among"
    # As a Boolean, SQLite would be asked whether it equals 1, and read the whole table for the answer.
    type = NullType()
    inherit_cache = True


@compiles(_Among, "postgresql")
def _compile_array(element: _Among, compiler: SQLCompiler, **how: Any) -> str:
    column, keys = (compiler.process(one, **how) for one in element.clauses)
    return f"{column} = ANY ({keys})"


@compiles(_Among, "sqlite")
def _compile_json(element: _Among, compiler: SQLCompiler, **how: Any) -> str:
    column, keys = (compiler.process(one, **how) for one in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({keys}))"


def among_keys(column: InstrumentedAttribute[Any] | Column[Any]) -> ColumnElement[Any]:
    """Return the condition that a column is one of `keys`, a parameter of the statement: a collection, also an empty one."""
    return _Among(column, bindparam("keys", type_=_KeyList(isinstance(column.type, Integer))))

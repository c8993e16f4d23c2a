# SPDX-License-Identifier: GPL-3.0-or-later
"""A hint to SQLite's planner, which keeps no numbers of how rows are spread: this column is no way into the table."""

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class NoWayIn(FunctionElement[Any]):
    """A column that is asked about, but not looked up by: SQLite leaves its indexes alone (unary +)."""

    inherit_cache = True

    def __init__(self, column: InstrumentedAttribute[Any]) -> None:
        self.type = column.type
        super().__init__(column)


@compiles(NoWayIn)
def _as_it_is(element: NoWayIn, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(NoWayIn, "sqlite")
def _with_plus(element: NoWayIn, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"

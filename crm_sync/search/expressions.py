# SPDX-License-Identifier: GPL-3.0-or-later
"""What the index is asked: tokens in a row, all of, any of, none of; written for FTS5 and for PostgreSQL alike.

Tokens hold letters, digits and marks only (`crm_sync.search.tokens`, `crm_sync.search.documents`): nothing a person typed can
be taken for syntax of either.
"""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Row:
    """Tokens that stand in a row; `is_prefix`: the last is the beginning of one."""

    tokens: tuple[str, ...]
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of the parts holds."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Without:
    """The first holds, the second does not.  Neither index finds what only lacks something."""

    wanted: "Expression"
    unwanted: "Expression"


Expression: TypeAlias = Row | AllOf | AnyOf | Without


def as_fts5(expression: Expression) -> str:
    """Return the expression as FTS5 takes it (sqlite.org/fts5.html, section 3)."""
    match expression:
        case Row(tokens, is_prefix):
            return f'"{" ".join(tokens)}"{" *" if is_prefix else ""}'
        case AllOf(parts):
            return f"({' AND '.join(map(as_fts5, parts))})"
        case AnyOf(parts):
            return f"({' OR '.join(map(as_fts5, parts))})"
        case Without(wanted, unwanted):
            return f"({as_fts5(wanted)} NOT {as_fts5(unwanted)})"


def as_tsquery(expression: Expression) -> str:
    """Return the expression as PostgreSQL's tsquery takes it (manual, section 8.11.2)."""
    match expression:
        case Row(tokens, is_prefix):
            row = " <-> ".join(f"'{token}'" for token in tokens)
            return f"({row}{':*' if is_prefix else ''})"
        case AllOf(parts):
            return f"({' & '.join(map(as_tsquery, parts))})"
        case AnyOf(parts):
            return f"({' | '.join(map(as_tsquery, parts))})"
        case Without(wanted, unwanted):
            return f"({as_tsquery(wanted)} & !{as_tsquery(unwanted)})"


def has_prefix(expression: Expression) -> bool:
    """Does it ask for beginnings of words?  FTS5 then gathers all rows of all such words before it names the first."""
    match expression:
        case Row():
            return expression.is_prefix
        case AllOf(parts) | AnyOf(parts):
            return any(map(has_prefix, parts))
        case Without(wanted, unwanted):
            return has_prefix(wanted) or has_prefix(unwanted)

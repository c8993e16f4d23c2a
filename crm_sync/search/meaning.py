# SPDX-License-Identifier: GPL-3.0-or-later
"""What a question means to the index: expressions for mail and for other records, and what is to be marked in the answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from crm_sync.rights import Entity, Viewer
from crm_sync.search.documents import EVERYTHING, NOTHING, label_token, mark
from crm_sync.search.expressions import AllOf, AnyOf, Expression, Row, Without
from crm_sync.search.query_language import (
    LABEL_FIELDS,
    RECORD_FIELDS,
    TEXT_FIELDS,
    Clause,
    Question,
    QuestionError,
    Term,
)
from crm_sync.search.tokens import Asked, tokenize_question

_Find = Callable[[Term], Expression | None]
# Names under which a role may have the field of an answer hidden.
_HIDDEN_BY: Mapping[str, tuple[tuple[Entity, str], ...]] = {
    "subject": ((Entity.MESSAGE, "subject"),),
    "from": ((Entity.MESSAGE, "from"), (Entity.MESSAGE, "from_address"), (Entity.MESSAGE, "from_name")),
    "to": ((Entity.MESSAGE, "to"), (Entity.MESSAGE, "recipients")),
    "file": ((Entity.MESSAGE, "file"), (Entity.MESSAGE, "parts"), (Entity.MESSAGE, "filename")),
    "has": ((Entity.MESSAGE, "file"), (Entity.MESSAGE, "parts")),
    "category": ((Entity.MESSAGE, "category"),),
    "lang": ((Entity.MESSAGE, "lang"), (Entity.MESSAGE, "language")),
    "priority": ((Entity.MESSAGE, "priority"),),
    "status": ((Entity.MESSAGE, "status"),),
    "owner": ((Entity.MESSAGE, "owner"), (Entity.CUSTOMER, "owner")),
    "customer": ((Entity.MESSAGE, "customer"), (Entity.CUSTOMER, "name")),
    "new_text": ((Entity.MESSAGE, "text"), (Entity.MESSAGE, "new_text")),
    "rest": ((Entity.MESSAGE, "text"), (Entity.MESSAGE, "rest")),
    "name": ((Entity.CUSTOMER, "name"),),
    "domain": ((Entity.CUSTOMER, "domain"), (Entity.CUSTOMER, "domains")),
    "contact": ((Entity.CUSTOMER, "contact"), (Entity.CUSTOMER, "contacts")),
    "address": ((Entity.CUSTOMER, "contacts"), (Entity.CUSTOMER, "emails"), (Entity.CUSTOMER, "addresses")),
    "phone": ((Entity.CUSTOMER, "contacts"), (Entity.CUSTOMER, "phone"), (Entity.CUSTOMER, "phones")),
}
NOTE_KINDS = ("note", "task", "touch")
_FIELDS_OF: Mapping[str, tuple[str, ...]] = {
    "customer": ("name", "domain", "contact", "address", "phone"),
    "note": ("name", "text"),  # none has a name; so one question to the index serves all three
    "task": ("name", "text"),
    "touch": ("name", "text"),
}


def with_meaning(question: Question) -> Question:
    """Return the question without terms of signs alone ("-", "..."), which ask for nothing."""
    clauses = []
    for clause in question.clauses:
        terms = tuple(term for term in clause.terms if has_meaning(term))
        if terms:
            clauses.append(replace(clause, terms=terms))
    return replace(question, clauses=tuple(clauses))


def has_meaning(term: Term) -> bool:
    """Is there a word in it?"""
    return bool(tokenize_question(term.text).tokens)


def is_hidden(viewer: Viewer, name: str) -> bool:
    """Is the field of an answer kept from the viewer?"""
    return any(viewer.hides(entity, field) for entity, field in _HIDDEN_BY.get(name, ()))


def check_fields(question: Question, viewer: Viewer) -> None:
    """Raise QuestionError when a field is asked for that the viewer does not see."""
    for clause in question.clauses:
        for term in clause.terms:
            if term.field and is_hidden(viewer, term.field):
                raise QuestionError(f"{term.field}: is hidden from the role {viewer.role}; ask without it")


def mail_expression(question: Question, viewer: Viewer, *, in_head: bool = False) -> Expression | None:
    """Return what letters must hold; None: no word is asked for.  `in_head`: words in subject or names count alone."""
    shown = tuple(name for name in TEXT_FIELDS if not is_hidden(viewer, name))
    sees_all = not any(is_hidden(viewer, name) for name in (*TEXT_FIELDS, "new_text", "rest"))

    def find(term: Term) -> Expression | None:
        if term.field in LABEL_FIELDS or term.field == "has":
            return Row((label_token(term.field, term.text),))
        asked = _asked(term)
        if term.field in TEXT_FIELDS:
            return _marked(term.field, asked)
        if sees_all and not in_head:
            return _row(asked)
        # What was written has no mark of its own: where a part of it is hidden, nothing of it is found.
        return _in_fields([name for name in shown if name != "file" or not in_head], asked)

    return _expression([clause for clause in question.clauses if not is_filter(clause)], find)


def record_expression(question: Question, viewer: Viewer, kind: str) -> Expression:
    """Return what records of a kind must hold in the fields that the viewer sees; notes, tasks and touches are one kind here."""
    shown = [name for name in _FIELDS_OF[kind] if kind != "customer" or not is_hidden(viewer, name)]

    def find(term: Term) -> Expression | None:
        return _in_fields(shown, _asked(term))

    kinds = ("customer",) if kind == "customer" else NOTE_KINDS
    such = _any_of([Row((label_token("kind", one),)) for one in kinds])
    assert such is not None
    wanted = _expression([clause for clause in question.clauses if not is_filter(clause)], find, such)
    return such if wanted is None else wanted


def asks_for_mail_only(question: Question) -> bool:
    """Does it ask for what only mail has?"""
    return any(term.field not in ("", "customer") for clause in question.clauses for term in clause.terms)


def needles(question: Question, *fields: str) -> list[Asked]:
    """Return what is to be marked in a text: words without a field, and those of these fields."""
    wanted = ("", *fields)
    terms = [term for clause in question.clauses if not clause.is_negative for term in clause.terms]
    return [_asked(term) for term in terms if term.field in wanted]


def is_filter(clause: Clause) -> bool:
    """Does it ask for what the index does not know: customer:, owner:, status:?"""
    return clause.terms[0].field in RECORD_FIELDS


def _asked(term: Term) -> Asked:
    asked = tokenize_question(term.text)
    return Asked(asked.tokens, True) if term.is_prefix else asked


def _row(asked: Asked) -> Expression | None:
    return Row(asked.tokens, asked.is_prefix) if asked.tokens else None


def _marked(name: str, asked: Asked) -> Expression | None:
    return Row(tuple(mark(name, asked.tokens)), asked.is_prefix) if asked.tokens else None


def _in_fields(names: Sequence[str], asked: Asked) -> Expression | None:
    if not asked.tokens:
        return None
    return _any_of([_marked(name, asked) for name in names]) or Row((NOTHING,))


def _any_of(parts: Sequence[Expression | None]) -> Expression | None:
    found = tuple(part for part in parts if part is not None)
    return found[0] if len(found) == 1 else AnyOf(found) if found else None


def _expression(clauses: Sequence[Clause], find: _Find, such: Expression | None = None) -> Expression | None:
    """Return what all clauses ask for, of such rows; None: nothing."""
    wanted: list[Expression] = []
    unwanted: list[Expression] = []
    for clause in clauses:
        part = _any_of([find(term) for term in clause.terms])
        if part is not None:
            (unwanted if clause.is_negative else wanted).append(part)
    if not wanted and not unwanted:
        return None
    if such is not None:
        wanted.append(such)
    base: Expression = Row((EVERYTHING,)) if not wanted else wanted[0] if len(wanted) == 1 else AllOf(tuple(wanted))
    if unwanted:
        return Without(base, unwanted[0] if len(unwanted) == 1 else AnyOf(tuple(unwanted)))
    return base

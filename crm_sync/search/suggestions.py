# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody who types may mean: customers and colleagues whose names begin so."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.models.people import Person
from crm_sync.rights import Viewer
from crm_sync.search.answers import Suggestion
from crm_sync.search.folding import fold
from crm_sync.search.mail_hunt import Wanted
from crm_sync.search.meaning import is_hidden, record_expression
from crm_sync.search.query_language import Clause, Question, Term
from crm_sync.search.record_hunt import find_records
from crm_sync.search.tokens import tokenize

_LONGEST = 60
_MOST = 50
_MOST_WORDS = 6


def suggest(session: Session, viewer: Viewer, beginning: str, *, limit: int = 8) -> tuple[Suggestion, ...]:
    """Return customers that the viewer sees and colleagues, by what of their names, domains or addresses begins so."""
    words = tokenize(beginning[:_LONGEST])[:_MOST_WORDS]
    limit = max(1, min(limit, _MOST))
    if not words:
        return ()
    people = _people(session, words, limit)
    return (*_customers(session, viewer, beginning[:_LONGEST], limit - min(len(people), limit // 2)), *people)[:limit]


def _customers(session: Session, viewer: Viewer, beginning: str, limit: int) -> Sequence[Suggestion]:
    question = Question((Clause((Term(beginning, is_prefix=True),)),))
    wanted = Wanted(record_expression(question, viewer, "customer"))
    rows = find_records(session, viewer, "customer", wanted, limit, is_glance=True).rows
    found = []
    for record, public_id, _ in rows:
        shown = {name: text for name, text in record.fields.items() if not is_hidden(viewer, name)}
        hint = shown.get("domain") or shown.get("address") or ""
        found.append(Suggestion("customer", public_id, shown.get("name", ""), hint.partition("\n")[0]))
    return found


def _people(session: Session, words: Sequence[str], limit: int) -> list[Suggestion]:
    """Return colleagues: everybody knows them, and there are few."""
    rows = session.execute(
        select(Person.email, Person.name).where(Person.left_at.is_(None)).order_by(Person.name, Person.email)
    )
    found = []
    for email, name in rows:
        names = tokenize(f"{name} {email.partition('@')[0]}")
        if all(any(one.startswith(word) for one in names) for word in words) or fold(email).startswith(words[0]):
            found.append(Suggestion("person", email, name))
    return found[:limit]

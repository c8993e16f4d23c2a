# SPDX-License-Identifier: GPL-3.0-or-later
"""Answer what people type: mail, notes, tasks and touches by date or by rank, customers beside them, as far as the viewer sees."""

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from crm_sync.rights import Viewer
from crm_sync.search.answers import Answer
from crm_sync.search.filters import condition_of, customers_named, filters_of
from crm_sync.search.mail_hits import mail_hits
from crm_sync.search.mail_hunt import Condition, Place, Wanted, find_letters
from crm_sync.search.meaning import (
    NOTE_KINDS,
    asks_for_mail_only,
    check_fields,
    mail_expression,
    record_expression,
    with_meaning,
)
from crm_sync.search.pages import KINDS, Page, Stop, merge_pages, parse_stop
from crm_sync.search.query_language import Question, QuestionError, parse_question
from crm_sync.search.ranking import best_first
from crm_sync.search.record_hits import record_hits
from crm_sync.search.record_hunt import RecordAnswers, find_records

MOST_HITS = 200
SORTS = ("date", "rank")
_CUSTOMERS_BESIDE = 5


@dataclass(frozen=True, slots=True)
class _Meant:
    """A question with everything that had to be looked up for it."""

    question: Question
    kinds: tuple[str, ...]
    conditions: tuple[Condition, ...]
    customers: list[int] | None  # whose records alone are wanted
    answers: RecordAnswers


def search(
    session: Session, viewer: Viewer, text: str, *, sort: str = "date", limit: int = 50, before: str | None = None
) -> Answer:
    """Answer a question (crm_sync.search.query_language); `before` is `Answer.next` of the page before.

    Raises QuestionError.
    """
    question = with_meaning(parse_question(text))
    check_fields(question, viewer)
    if sort not in SORTS:
        raise QuestionError(f"sort {sort[:20]!r}: there is {' and '.join(SORTS)}")
    limit = max(1, min(limit, MOST_HITS))
    meant = _meant(session, viewer, question)
    if sort == "rank" and set(meant.kinds) - {"customer"}:
        answer = best_first(
            question, lambda head, most: _newest(session, viewer, meant, most, None, in_head=head), limit, before
        )
    else:
        answer = _newest(session, viewer, meant, limit, parse_stop(before))
    if before is None and not question.kinds and "customer" in _places_to_look(question):
        named = _records(session, viewer, meant, "customer", _CUSTOMERS_BESIDE, None, is_glance=True)
        answer = replace(answer, customers=tuple(hit for _, hit in named.entries))
    return answer


def _places_to_look(question: Question) -> tuple[str, ...]:
    if asks_for_mail_only(question):
        return ("mail",)
    names_something = any(not clause.is_negative for clause in question.clauses) and not filters_of(question)
    return KINDS if names_something else ("mail", *NOTE_KINDS)


def _meant(session: Session, viewer: Viewer, question: Question) -> _Meant:
    if not question.clauses and question.since is None and question.until is None and not question.kinds:
        raise QuestionError("nothing is asked for; write a word, or a field such as from:ann")
    kinds = [kind for kind in _places_to_look(question) if kind != "customer"]
    if question.kinds:
        wanted = {*question.kinds, *(NOTE_KINDS if "note" in question.kinds else ())}
        possible = ("mail",) if asks_for_mail_only(question) else KINDS
        kinds = [kind for kind in possible if kind in wanted]
        if not kinds:
            raise QuestionError(f"in:{min(question.kinds)} has no such fields; only mail has, ask without in:")
    conditions: list[Condition] = []
    customers: list[int] | None = None
    for one in filters_of(question):
        conditions.append(condition_of(session, viewer, one))
        if one.terms[0].field == "customer" and not one.is_negative:
            named = set(customers_named(session, viewer, one.terms))
            customers = sorted(named if customers is None else named.intersection(customers))
    return _Meant(question, tuple(kinds), tuple(conditions), customers, RecordAnswers(session))


def _newest(
    session: Session, viewer: Viewer, meant: _Meant, limit: int, before: Stop | None, *, in_head: bool = False
) -> Answer:
    """Return a page of all kinds together, newest first.  `in_head`: with the words in subject, names or title only."""
    pages = []
    for kind in meant.kinds:
        place = None if before is None else before.place_for(kind)
        if kind == "mail":
            pages.append(_mails(session, viewer, meant, limit, place, in_head=in_head))
        elif not in_head:
            pages.append(_records(session, viewer, meant, kind, limit, place))
    return merge_pages(pages, limit)


def _mails(session: Session, viewer: Viewer, meant: _Meant, limit: int, before: Place | None, *, in_head: bool) -> Page:
    expression = mail_expression(meant.question, viewer, in_head=in_head)
    question = meant.question
    caught = find_letters(
        session, viewer, Wanted(expression, meant.conditions, question.since, question.until, before), limit
    )
    hits = mail_hits(session, viewer, question, caught.places)
    return Page("mail", hits, caught.total, caught.is_more, caught.resume)


def _records(
    session: Session,
    viewer: Viewer,
    meant: _Meant,
    kind: str,
    limit: int,
    before: Place | None,
    *,
    is_glance: bool = False,
) -> Page:
    question = meant.question
    wanted = Wanted(
        record_expression(question, viewer, kind), since=question.since, until=question.until, before=before
    )
    caught = find_records(
        session, viewer, kind, wanted, limit, customers=meant.customers, answers=meant.answers, is_glance=is_glance
    )
    hits = record_hits(session, viewer, question, caught.rows)
    resume = hits[-1][0] if hits and caught.total > len(hits) else None
    return Page(kind, hits, caught.total, caught.is_more, resume)

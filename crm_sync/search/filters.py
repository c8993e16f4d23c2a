# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields that the index can't answer, because what they ask about changes without any letter: customer:, owner:, status:."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from crm_sync.conversations.binding import STATUSES
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.people import Person
from crm_sync.rights import Action, Entity, Viewer, may
from crm_sync.search.mail_hunt import Columns, Condition, Wanted
from crm_sync.search.meaning import has_meaning, is_filter, record_expression
from crm_sync.search.query_language import RECORD_FIELDS, Clause, Question, QuestionError, Term
from crm_sync.search.record_hunt import find_records
from tradepost.addresses import address_key

# A name that more customers bear names nobody.
_MOST_CUSTOMERS = 500


@dataclass(frozen=True, slots=True)
class Filter:
    """Terms of one such field: one of them must hold, or none may."""

    field: str
    terms: tuple[Term, ...]
    is_negative: bool


def filters_of(question: Question) -> tuple[Filter, ...]:
    """Return the clauses that the index can't answer.  Raises QuestionError where OR joins one with another sort."""
    found = []
    for clause in question.clauses:
        fields = {term.field for term in clause.terms}
        if len(fields) > 1 and fields.intersection(RECORD_FIELDS):
            raise QuestionError(f"OR can't join {', '.join(f'{one}:' for one in RECORD_FIELDS)} with another field")
        if is_filter(clause):
            found.append(Filter(clause.terms[0].field, clause.terms, clause.is_negative))
    return tuple(found)


def condition_of(session: Session, viewer: Viewer, one: Filter) -> Condition:
    """Return what a letter must fulfil.  Raises QuestionError for what can't be meant."""
    find = {"customer": _of_customer, "owner": _of_owner, "status": _of_status}[one.field]
    condition = find(session, viewer, one.terms)
    if one.is_negative:
        return lambda columns: ~condition(columns)
    return condition


def customers_named(session: Session, viewer: Viewer, terms: Sequence[Term]) -> list[int]:
    """Return the customers that are meant, among those the viewer sees: by public id, or by what is known of them."""
    found: list[int] = []
    for term in terms:
        by_id = select(Customer.id).where(
            Customer.public_id == term.text[:26].upper(), may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id)
        )
        known = session.scalars(by_id).all()
        if not known and has_meaning(term):
            words = Question((Clause((Term(term.text),)),))
            wanted = Wanted(record_expression(words, viewer, "customer"))
            known = [row[2] for row in find_records(session, viewer, "customer", wanted, _MOST_CUSTOMERS).rows]
        found += known
    return found


def _of_customer(session: Session, viewer: Viewer, terms: Sequence[Term]) -> Condition:
    customers = customers_named(session, viewer, terms)
    theirs = select(Conversation.id).where(Conversation.customer_id.in_(customers))
    return lambda columns: columns.conversation_id.in_(theirs)


def _of_status(session: Session, viewer: Viewer, terms: Sequence[Term]) -> Condition:
    for term in terms:
        if term.text not in STATUSES:
            raise QuestionError(f"status:{term.text[:40]} means nothing; there is {', '.join(STATUSES)}")
    such = select(Conversation.id).where(Conversation.status.in_([term.text for term in terms]))
    return lambda columns: columns.conversation_id.in_(such)


def _of_owner(session: Session, viewer: Viewer, terms: Sequence[Term]) -> Condition:
    ways: list[ColumnElement[bool]] = []
    for term in terms:
        if term.text == "none":
            ways.append(Scope.owner_id.is_(None))
            continue
        email = viewer.email if term.text == "me" else address_key(term.text)
        owner = session.scalars(select(Person.id).where(Person.email == email)).one_or_none()
        if owner is None:
            raise QuestionError(f"owner:{term.text[:60]} is no registered person; write an address, me or none")
        ways.append(Scope.owner_id == owner)
    theirs = select(Scope.id).where(or_(*ways))

    def condition(columns: Columns) -> ColumnElement[bool]:
        return columns.scope_id.in_(theirs)

    return condition

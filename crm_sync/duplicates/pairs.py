# SPDX-License-Identifier: GPL-3.0-or-later
"""Likely duplicates as people look at them: pairs of which they may see both, and the word that two are not one."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from crm_sync.duplicates.changed_records import CONTACT, CUSTOMER
from crm_sync.duplicates.finding import DECLINED, OPEN
from crm_sync.models.conversations import Event
from crm_sync.models.customers import Contact, ContactAddress, Customer, Scope
from crm_sync.models.duplicates import LikelyDuplicate
from crm_sync.models.people import Person
from crm_sync.rights import Action, Entity, Viewer, may
from tradepost.errors import Refusal

MOST_PAIRS = 500
_LARGEST_KEY = 2**63 - 1


class PairError(Refusal, ValueError):
    """There is no such pair, or no such page.  One line."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of two.  `id` names it in commands: a customer's public id, a contact's number.  `owner`: an address, or None."""

    id: str
    name: str
    owner: str | None
    address: str = ""  # of a contact: one of his


@dataclass(frozen=True, slots=True)
class LikelyPair:
    """Two records that may be one: `score` of 100, and why."""

    id: int
    record: str  # customer | contact
    first: Candidate
    second: Candidate
    score: int
    reasons: tuple[str, ...]
    state: str
    found_at: datetime


@dataclass(frozen=True, slots=True)
class PairPage:
    """Some pairs, likeliest first; `next` leads to the following page, None: this is the last."""

    rows: tuple[LikelyPair, ...]
    next: str | None


def list_pairs(
    session: Session,
    viewer: Viewer,
    record: str = CUSTOMER,
    *,
    declined: bool = False,
    after: str | None = None,
    limit: int = 50,
) -> PairPage:
    """Return pairs of customers, or of contacts, of which the viewer may see both.  Raises PairError."""
    limit = max(1, min(limit, MOST_PAIRS))
    wanted = _visible(viewer, record, Action.SEE).where(LikelyDuplicate.state == (DECLINED if declined else OPEN))
    if after is not None:
        score, key = _parsed(after)
        pair = LikelyDuplicate
        wanted = wanted.where(or_(pair.score < score, and_(pair.score == score, pair.id < key)))
    wanted = wanted.order_by(LikelyDuplicate.score.desc(), LikelyDuplicate.id.desc()).limit(limit + 1)
    found = session.scalars(wanted).all()
    rows = _as_pairs(session, record, found[:limit])
    last = rows[-1] if len(found) > limit else None
    return PairPage(rows, f"{last.score}.{last.id}" if last is not None else None)


def decline_pair(
    session: Session, viewer: Viewer, pair_id: int, cause_id: str, now: datetime, *, reopen: bool = False
) -> LikelyPair:
    """Say that two are not one: the pair does not come back.  `reopen` takes that back.  Needs the right to edit both.

    Raises PairError.
    """
    known = None
    if 0 < pair_id <= _LARGEST_KEY:
        known = session.get(LikelyDuplicate, pair_id)
    pair = None
    if known is not None:
        wanted = _visible(viewer, known.record, Action.EDIT).where(LikelyDuplicate.id == pair_id)
        pair = session.scalars(wanted.with_for_update(of=LikelyDuplicate)).one_or_none()
    if pair is None:
        raise PairError(f"pair {pair_id}: there is none that {viewer.actor} may decide about")
    if pair.state == (OPEN if reopen else DECLINED):
        raise PairError(f"pair {pair_id}: is {pair.state} already")
    pair.state = OPEN if reopen else DECLINED
    pair.decided_at, pair.decided_by = (None, None) if reopen else (now, viewer.actor_id)
    customers = [pair.first_id, pair.second_id] if pair.record == CUSTOMER else [None, None]
    for key, customer in zip((pair.first_id, pair.second_id), customers, strict=True):
        session.add(
            Event(
                cause_id=cause_id,
                step="duplicate-reopened" if reopen else "duplicate-declined",
                subject=f"{pair.record}:{key}",
                at=now,
                customer_id=customer,
                person_id=viewer.actor_id,
                details={"first": pair.first_id, "second": pair.second_id},
            )
        )
    session.flush()
    return _as_pairs(session, pair.record, [pair])[0]


def _visible(viewer: Viewer, record: str, action: Action) -> Select[LikelyDuplicate]:
    """Return the pairs of that kind with which he may do that; merged records make none."""
    wanted = select(LikelyDuplicate).where(LikelyDuplicate.record == record)
    for key in (LikelyDuplicate.first_id, LikelyDuplicate.second_id):
        customer = aliased(Customer)
        if record == CUSTOMER:
            wanted = wanted.join(customer, customer.id == key)
        elif record == CONTACT:
            contact = aliased(Contact)
            wanted = wanted.join(contact, contact.id == key).join(customer, customer.id == contact.customer_id)
        else:
            raise PairError(f"{record[:40]!r}: there are pairs of {CUSTOMER} and {CONTACT}")
        wanted = wanted.where(_is_his(viewer, action, customer))
    return wanted


def _is_his(viewer: Viewer, action: Action, customer: Any) -> ColumnElement[bool]:
    return and_(customer.merged_into.is_(None), may(viewer, Entity.CUSTOMER, action, customer.scope_id))


def _as_pairs(session: Session, record: str, found: Collection[LikelyDuplicate]) -> tuple[LikelyPair, ...]:
    keys = {key for pair in found for key in (pair.first_id, pair.second_id)}
    candidates = _customers(session, keys) if record == CUSTOMER else _contacts(session, keys)
    return tuple(
        LikelyPair(
            pair.id,
            pair.record,
            candidates[pair.first_id],
            candidates[pair.second_id],
            pair.score,
            tuple(pair.reasons),
            pair.state,
            pair.found_at,
        )
        for pair in found
    )


def _customers(session: Session, keys: Collection[int]) -> dict[int, Candidate]:
    rows = session.execute(
        select(Customer.id, Customer.public_id, Customer.name, Person.email)
        .join(Scope, Scope.id == Customer.scope_id)
        .outerjoin(Person, Person.id == Scope.owner_id)
        .where(Customer.id.in_(keys))
    )
    return {key: Candidate(public_id, name, owner) for key, public_id, name, owner in rows}


def _contacts(session: Session, keys: Collection[int]) -> dict[int, Candidate]:
    rows = session.execute(
        select(Contact.id, Contact.name, Person.email, func.min(ContactAddress.address_key))
        .outerjoin(ContactAddress, ContactAddress.contact_id == Contact.id)
        .outerjoin(Customer, Customer.id == Contact.customer_id)
        .outerjoin(Scope, Scope.id == Customer.scope_id)
        .outerjoin(Person, Person.id == Scope.owner_id)
        .where(Contact.id.in_(keys))
        .group_by(Contact.id, Contact.name, Person.email)
    )
    return {key: Candidate(str(key), name, owner, address or "") for key, name, owner, address in rows}


def _parsed(after: str) -> tuple[int, int]:
    score, _, key = after[:40].partition(".")
    if not (score.isascii() and score.isdigit() and key.isascii() and key.isdigit() and int(key) <= _LARGEST_KEY):
        raise PairError(f"page {after[:40]!r}: is none of ours; begin without it")
    return min(int(score), 1000), int(key)

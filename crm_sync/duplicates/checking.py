# SPDX-License-Identifier: GPL-3.0-or-later
"""查重: does a customer exist already?  Said to whoever works with customers, also where the record is not his to see.

The answer names owners, or the public pool, and nothing else.  It is an oracle all the same: questions are read strictly
(`questions`), limited by person and hour in SQL, and kept with a digest of what was answered.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from crm_sync.database_base import to_json
from crm_sync.duplicates.block_keys import Key
from crm_sync.duplicates.changed_records import CONTACT, CUSTOMER
from crm_sync.duplicates.key_rows import MOST_SHARED, holders_of
from crm_sync.duplicates.questions import Question, read_question
from crm_sync.mail_views import PersonRef
from crm_sync.models.customers import (
    Contact,
    ContactAddress,
    Customer,
    CustomerDomain,
    CustomerName,
    Scope,
    SharedDomainCustomer,
)
from crm_sync.models.duplicates import DuplicateCheck
from crm_sync.models.people import Person
from crm_sync.models.public_pool import CustomerTenure, PublicPool
from crm_sync.rights import Action, Entity, Reach, Viewer
from tradepost.errors import Refusal

CHECKS_PER_HOUR = 60
MOST_NAMED = 5
_HOUR = timedelta(hours=1)


class CheckRefused(Refusal, PermissionError):
    """He may not ask, or not now.  One line, with the time from which on he may."""


@dataclass(frozen=True, slots=True)
class CheckAnswer:
    """What somebody learns.  `outcome`: owned, pool, unowned, likely (none is it, `similar` may be; no more than MOST_NAMED
    are counted), common (too many have that), nothing.

    `owners` are the people to ask.  `claimable_from`: when the asker may claim it from the pool; None: now, or never.
    `left`: questions that he has this hour; None: as many as he likes.
    """

    outcome: str
    owners: tuple[PersonRef, ...] = ()
    similar: int = 0
    claimable_from: datetime | None = None
    left: int | None = None

    def in_words(self, now: datetime) -> str:
        """Return the answer as a sentence."""
        names = ", ".join(f"{owner.name} <{owner.email}>" if owner.name else owner.email for owner in self.owners)
        if self.outcome == "owned":
            return f"exists, owned by {names}"
        if self.outcome == "pool":
            return f"in the public pool, claimable {_when(self.claimable_from, now)}"
        if self.outcome == "unowned":
            return "exists, owned by nobody and in no pool"
        if self.outcome == "likely":
            return f"likely: {self.similar} similar" + (f", owned by {names}" if names else ", owned by nobody")
        if self.outcome == "common":
            return f"too common: more than {MOST_SHARED} customers have that; ask for a domain or a whole address"
        return "nothing found"


class _TooCommon(Exception):
    """So many customers have that, that it tells none from another."""


@dataclass(frozen=True, slots=True)
class _Held:
    """Who has a customer."""

    customer_id: int
    owner: PersonRef | None
    pool_id: int | None


def check_customer(
    session: Session, viewer: Viewer, kind: str, asked: str, now: datetime, *, per_hour: int = CHECKS_PER_HOUR
) -> CheckAnswer:
    """Say whether a customer exists that is `asked` for by `kind` (name, domain, address, phone); the question is kept.

    `per_hour` limits people, not whoever runs commands on the host.  Raises QuestionError, CheckRefused.
    """
    if viewer.reach(Entity.CUSTOMER, Action.SEE) is Reach.NONE:
        raise CheckRefused(f"{viewer.actor}: has nothing to do with customers (role {viewer.role})")
    question = read_question(kind, asked)
    left = _count_down(session, viewer, now, per_hour)
    found: list[_Held] = []
    try:
        exact = _exact(session, question)
        found = _held(session, exact or _customers_by_keys(session, question.like))
        answer = _answer(session, viewer, found, now, is_exact=bool(exact), left=left)
    except _TooCommon:
        answer = CheckAnswer("common", left=left)  # an answer as any other: it counts
    session.add(
        DuplicateCheck(
            at=now,
            person_id=viewer.actor_id,
            kind=question.kind,
            asked=question.asked,
            outcome=answer.outcome,
            answer_digest=_digest(answer, found),
        )
    )
    session.flush()
    return answer


def _count_down(session: Session, viewer: Viewer, now: datetime, per_hour: int) -> int | None:
    """Return how many questions are left after this one.  Raises CheckRefused."""
    if viewer.actor_id is None:
        return None
    # Two questions at once are counted one after the other.
    session.execute(select(Person.id).where(Person.id == viewer.actor_id).with_for_update(key_share=True))
    asked, first = session.execute(
        select(func.count(), func.min(DuplicateCheck.at)).where(
            DuplicateCheck.person_id == viewer.actor_id, DuplicateCheck.at > now - _HOUR
        )
    ).one()
    if asked >= per_hour:
        again = "" if first is None else f"; the next one from {first + _HOUR:%Y-%m-%d %H:%M:%S} UTC on"
        raise CheckRefused(f"{viewer.actor}: has asked {asked} times within an hour, {per_hour} are allowed{again}")
    return per_hour - asked - 1


def _exact(session: Session, question: Question) -> set[int]:
    """Return the customers that are meant, beyond doubt."""
    found = _customers_by_keys(session, question.exact)
    if question.kind == "name":
        keys = [key for _, key in question.exact]
        found.update(session.scalars(select(CustomerName.customer_id).where(CustomerName.name_key.in_(keys))))
    if question.address:
        of_address = (
            select(Contact.customer_id)
            .join(ContactAddress, ContactAddress.contact_id == Contact.id)
            .where(ContactAddress.address_key == question.address)
        )
        found.update(key for key in session.scalars(of_address) if key is not None)
    if question.domain and not found:
        found.update(
            session.scalars(select(CustomerDomain.customer_id).where(CustomerDomain.domain == question.domain))
        )
        shared = select(SharedDomainCustomer.customer_id).where(SharedDomainCustomer.domain == question.domain)
        found.update(session.scalars(shared.limit(MOST_SHARED)))
    return found


def _customers_by_keys(session: Session, keys: Collection[Key]) -> set[int]:
    """Return whose keys, or whose contacts', these are.  Raises _TooCommon for one that too many have."""
    found: set[int] = set()
    contacts: set[int] = set()
    for record, wanted, into in (
        (CUSTOMER, keys, found),
        (CONTACT, [key for key in keys if key[0] in ("mailbox", "phone")], contacts),
    ):
        for holders in holders_of(session, record, wanted, MOST_SHARED).values():
            if len(holders) > MOST_SHARED:
                raise _TooCommon
            into.update(holders)
    works_for = select(Contact.customer_id).where(Contact.id.in_(contacts))
    found.update(key for key in session.scalars(works_for) if key is not None)
    return found


def _held(session: Session, customers: Collection[int]) -> list[_Held]:
    rows = session.execute(
        select(Customer.id, Person.email, Person.name, Scope.pool_id)
        .join(Scope, Scope.id == Customer.scope_id)
        .outerjoin(Person, Person.id == Scope.owner_id)
        .where(Customer.id.in_(customers), Customer.merged_into.is_(None), Customer.kind != "own")
        .order_by(Customer.id)
    )
    return [_Held(key, PersonRef(email, name) if email else None, pool) for key, email, name, pool in rows]


def _answer(
    session: Session, viewer: Viewer, found: list[_Held], now: datetime, *, is_exact: bool, left: int | None
) -> CheckAnswer:
    if not found:
        return CheckAnswer("nothing", left=left)
    owners = tuple(dict.fromkeys(one.owner for one in found if one.owner is not None))[:MOST_NAMED]
    if not is_exact or len(found) > 1:
        return CheckAnswer("likely", owners, min(len(found), MOST_NAMED), left=left)
    if owners:
        return CheckAnswer("owned", owners, left=left)
    if found[0].pool_id is None:
        return CheckAnswer("unowned", left=left)
    return CheckAnswer("pool", claimable_from=_claimable_from(session, viewer, found[0], now), left=left)


def _claimable_from(session: Session, viewer: Viewer, held: _Held, now: datetime) -> datetime | None:
    """Return when the cool-down of one who released it himself is over; None: it is no matter for him."""
    let_go = session.scalar(
        select(func.max(CustomerTenure.until)).where(
            CustomerTenure.customer_id == held.customer_id,
            CustomerTenure.person_id == viewer.actor_id,
            CustomerTenure.ended_by == "released",
        )
    )
    hours = session.scalar(
        select(PublicPool.cool_down_hours)
        .where(or_(PublicPool.pool_id == held.pool_id, PublicPool.is_default))
        .order_by(PublicPool.pool_id != held.pool_id)
        .limit(1)
    )
    if let_go is None or not hours or let_go + timedelta(hours=hours) <= now:
        return None
    return let_go + timedelta(hours=hours)


def _digest(answer: CheckAnswer, found: list[_Held]) -> str:
    """Return what proves later which answer was given, without telling it."""
    said = to_json(
        [answer.outcome, answer.similar, [one.email for one in answer.owners], [one.customer_id for one in found]]
    )
    return hashlib.sha256(said.encode()).hexdigest()


def _when(at: datetime | None, now: datetime) -> str:
    if at is None or at <= now:
        return "now"
    days = -(-(at - now) // timedelta(days=1))
    return f"in {days} day{'s' * (days != 1)}"

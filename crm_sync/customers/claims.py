# SPDX-License-Identifier: GPL-3.0-or-later
"""Claim a customer from the pool, release one with a reason, give one to somebody.  The first who claims has it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_sync.customers.reclaim import CLAIMABLE_KINDS
from crm_sync.customers.tenures import Held, Holder, Why
from crm_sync.customers.transfers import Moved, begin_transfers, fetch_held, transfer
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.people import Person, Pool, PoolMember
from crm_sync.models.public_pool import CustomerTenure, PublicPool, ReleaseReason
from crm_sync.rights import Action, Entity, Reach, Viewer, may
from tradepost.addresses import address_key
from tradepost.errors import Refusal

LONGEST_NOTE = 2000
_DAY = timedelta(hours=24)


class ClaimError(Refusal, ValueError):
    """The customer does not change hands.  One line: which one, why not, and from when on it would."""


@dataclass(frozen=True, slots=True)
class Handed:
    """What became of a customer: its owner now (address), or the pool it lies in, and how many conversations followed."""

    id: str
    name: str
    owner: str | None
    pool: str | None
    conversations: int


def claim_customer(
    session: Session, viewer: Viewer, customer_id: str, cause_id: str, now: datetime, note: str = ""
) -> Handed:
    """Make an unowned customer (its public id) the viewer's.  Raises ClaimError."""
    begin_transfers(session)
    _check_note(note)
    if viewer.actor_id is None:
        raise ClaimError("claim: a customer is claimed by somebody; say who with --as")
    held = _find(session, viewer, customer_id, Action.EDIT)
    if held is None:
        raise ClaimError(_why_not(session, viewer, customer_id))
    if held.owner_id == viewer.person_id:
        raise ClaimError(f"customer {customer_id}: is {viewer.email}'s already")
    if held.owner_id is not None:
        raise ClaimError(
            f"customer {customer_id}: belongs to {_email(session, held.owner_id)}; it must be released first"
        )
    _check_limits(session, viewer, held, now)
    why = Why("claimed", cause_id, now, viewer.actor_id, note=note)
    return _hand(session, viewer, held, Holder(owner_id=viewer.person_id), why)


def release_customer(
    session: Session, viewer: Viewer, customer_id: str, reason: str, cause_id: str, now: datetime, note: str = ""
) -> Handed:
    """Let a customer go into the pool it came from, or the default one, for a reason (its code) and free words.

    Its owner may, and whoever may give it to others.  Raises ClaimError.
    """
    begin_transfers(session)
    _check_note(note)
    held = _find(session, viewer, customer_id, Action.EDIT)
    if held is None:
        raise ClaimError(f"customer {customer_id}: there is none that {viewer.actor} may release")
    if held.owner_id is None:
        raise ClaimError(f"customer {customer_id}: nobody owns it; it can be claimed")
    is_his = held.owner_id == viewer.person_id or held.owner_id in viewer.stands_in_for
    if not is_his and _find(session, viewer, customer_id, Action.ASSIGN) is None:
        raise ClaimError(f"customer {customer_id}: is not {viewer.actor}'s to release, its owner is")
    codes = list(
        session.scalars(select(ReleaseReason.code).where(ReleaseReason.is_active).order_by(ReleaseReason.position))
    )
    if reason not in codes:
        raise ClaimError(f"reason {reason[:40]!r}: there is none; there are {', '.join(codes)}")
    pool_id = held.home_pool_id or session.scalars(select(PublicPool.pool_id).where(PublicPool.is_default)).first()
    if pool_id is None:
        raise ClaimError(
            "release: there is no public pool; 'tradepost customer pool-settings POOL --default' makes one"
        )
    why = Why("released", cause_id, now, viewer.actor_id, reason, note)
    return _hand(session, viewer, held, Holder(pool_id=pool_id), why)


def give_customer(
    session: Session, viewer: Viewer, customer_id: str, email: str, cause_id: str, now: datetime, note: str = ""
) -> Handed:
    """Let somebody own a customer, from a colleague or from the pool.  Raises ClaimError."""
    begin_transfers(session)
    _check_note(note)
    held = _find(session, viewer, customer_id, Action.ASSIGN)
    if held is None:
        raise ClaimError(f"customer {customer_id}: there is none that {viewer.actor} may give away")
    key = address_key(email) if email.isprintable() else ""
    person = session.scalars(select(Person.id).where(Person.email == key, Person.left_at.is_(None))).one_or_none()
    if person is None:
        raise ClaimError(f"{email[:100]!r}: is no registered person; 'tradepost person list' names them")
    if held.owner_id == person:
        raise ClaimError(f"customer {customer_id}: is {key}'s already")
    why = Why("given", cause_id, now, viewer.actor_id, note=note)
    return _hand(session, viewer, held, Holder(owner_id=person), why)


def _find(session: Session, viewer: Viewer, customer_id: str, action: Action) -> Held | None:
    if not customer_id.isalnum():
        return None
    wanted = select(Customer.id).where(
        Customer.public_id == customer_id[:26],
        Customer.merged_into.is_(None),
        may(viewer, Entity.CUSTOMER, action, Customer.scope_id),
    )
    key = session.scalars(wanted).one_or_none()
    return None if key is None else fetch_held(session, [key])[0]


def _hand(session: Session, viewer: Viewer, held: Held, to: Holder, why: Why) -> Handed:
    moved = Moved()
    transfer(session, [(held, to)], why, moved)
    moved.finish(session, why)
    return Handed(
        held.public_id,
        "" if viewer.hides(Entity.CUSTOMER, "name") else held.name,
        None if to.owner_id is None else _email(session, to.owner_id),
        None if to.pool_id is None else session.scalars(select(Pool.name).where(Pool.id == to.pool_id)).one(),
        len(moved.conversations),
    )


def _email(session: Session, person_id: int) -> str:
    return session.scalars(select(Person.email).where(Person.id == person_id)).one()


def _why_not(session: Session, viewer: Viewer, customer_id: str) -> str:
    """Say who was faster: to those who saw it in the pool.  To everybody else it is not there."""
    unknown = f"customer {customer_id}: there is none that {viewer.actor} may claim"
    if not customer_id.isalnum() or viewer.reach(Entity.CUSTOMER, Action.EDIT) is Reach.NONE:
        return unknown
    his_pools = select(PoolMember.pool_id).where(PoolMember.person_id == viewer.person_id)
    taken = session.execute(
        select(Person.email, CustomerTenure.since)
        .join(Person, Person.id == CustomerTenure.person_id)
        .join(Customer, Customer.id == CustomerTenure.customer_id)
        .where(
            Customer.public_id == customer_id[:26],
            CustomerTenure.until.is_(None),
            CustomerTenure.came_by == "claimed",
            CustomerTenure.pool_id.in_(his_pools),
        )
    ).first()
    if taken is None or viewer.reach(Entity.CUSTOMER, Action.SEE) is Reach.NONE:
        return unknown
    return f"customer {customer_id}: {taken.email} claimed it at {_when(taken.since)}"


def _check_limits(session: Session, viewer: Viewer, held: Held, now: datetime) -> None:
    which = PublicPool.pool_id == held.pool_id if held.pool_id is not None else PublicPool.is_default
    rules = session.scalars(select(PublicPool).where(which)).first()
    if rules is None:
        return
    if rules.cool_down_hours:
        _check_cool_down(session, viewer, held, now, timedelta(hours=rules.cool_down_hours))
    if rules.claims_per_day is not None:
        _check_day(session, viewer, now, rules.claims_per_day)
    if rules.most_customers is not None:
        owned = session.scalar(
            select(func.count())
            .select_from(Scope)
            .join(Customer, Customer.scope_id == Scope.id)
            .where(
                Scope.owner_id == viewer.person_id, Customer.kind.in_(CLAIMABLE_KINDS), Customer.merged_into.is_(None)
            )
        )
        if (owned or 0) >= rules.most_customers:
            raise ClaimError(
                f"claim: {viewer.email} has {owned:,} customers and may have {rules.most_customers:,}; release one first"
            )


def _check_cool_down(session: Session, viewer: Viewer, held: Held, now: datetime, rest: timedelta) -> None:
    let_go = session.scalar(
        select(func.max(CustomerTenure.until)).where(
            CustomerTenure.customer_id == held.id,
            CustomerTenure.person_id == viewer.person_id,
            CustomerTenure.ended_by == "released",
        )
    )
    if let_go is not None and let_go + rest > now:
        hours = rest // timedelta(hours=1)
        raise ClaimError(
            f"customer {held.public_id}: {viewer.email} had it until {_when(let_go)} and may claim it again"
            f" after {hours:,} hours, from {_when(let_go + rest)} on"
        )


def _check_day(session: Session, viewer: Viewer, now: datetime, most: int) -> None:
    """Count the claims of the last 24 hours; which hour a day begins in is different for everybody."""
    claims = list(
        session.scalars(
            select(CustomerTenure.since)
            .where(
                CustomerTenure.person_id == viewer.person_id,
                CustomerTenure.since > now - _DAY,
                CustomerTenure.came_by == "claimed",
            )
            .order_by(CustomerTenure.since.desc())
            .limit(max(most, 1))
        )
    )
    if len(claims) < most:
        return
    again = f", again from {_when(claims[-1] + _DAY)} on" if most else ""
    raise ClaimError(
        f"claim: {viewer.email} claimed {len(claims) if most else 0} and may claim {most} in 24 hours{again}"
    )


def _check_note(note: str) -> None:
    if len(note) > LONGEST_NOTE or "\0" in note:
        raise ClaimError(f"note: at most {LONGEST_NOTE:,} characters of text")


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"

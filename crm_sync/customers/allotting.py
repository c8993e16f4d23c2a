# SPDX-License-Identifier: GPL-3.0-or-later
"""Give out what lies in a pool to several people at once, newest first: evenly, or by the customer's country or language."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_sync.customers.belongings import count_unfinished, fetch_countries, fetch_languages
from crm_sync.customers.claims import LONGEST_NOTE, ClaimError
from crm_sync.customers.distribution import WAYS, Distribution
from crm_sync.customers.hand_over import fetch_takers
from crm_sync.customers.reclaim import CLAIMABLE_KINDS
from crm_sync.customers.tenures import Holder, Why
from crm_sync.customers.transfers import Moved, begin_transfers, fetch_held, transfer
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.people import Pool
from crm_sync.rights import Action, Entity, Viewer, may

MOST = 5000


@dataclass(frozen=True, slots=True)
class Allotted:
    """How many customers somebody got."""

    taker: str
    customers: int


def allot_customers(
    session: Session,
    viewer: Viewer,
    pool: str,
    takers: tuple[str, ...],
    cause_id: str,
    now: datetime,
    *,
    by: str = "evenly",
    most: int = 100,
    note: str = "",
) -> tuple[Allotted, ...]:
    """Give the newest leads and customers of a pool, `most` of them, to these people.

    Those that the viewer may assign.  Raises ClaimError, HandOverError (a taker that can't be).
    """
    begin_transfers(session)
    if by not in WAYS:
        raise ClaimError(f"by {by[:40]!r}: there are {', '.join(WAYS)}")
    if not 1 <= most <= MOST:
        raise ClaimError(f"allot: 1 to {MOST:,} customers at a time")
    if len(note) > LONGEST_NOTE or "\0" in note:
        raise ClaimError(f"note: at most {LONGEST_NOTE:,} characters of text")
    people = fetch_takers(session, takers)
    lying = (
        select(Customer.id)
        .join(Scope, Scope.id == Customer.scope_id)
        .join(Pool, Pool.id == Scope.pool_id)
        .where(
            Pool.name == (pool if pool.isprintable() else ""),
            Scope.owner_id.is_(None),
            Customer.merged_into.is_(None),
            Customer.kind.in_(CLAIMABLE_KINDS),
            may(viewer, Entity.CUSTOMER, Action.ASSIGN, Customer.scope_id),
        )
        .order_by(func.coalesce(Customer.owner_since, Customer.created_at).desc(), Customer.id.desc())
        .limit(most)
    )
    customers = fetch_held(session, list(session.scalars(lying)))
    if not customers:
        raise ClaimError(f"pool {pool[:100]!r}: nothing lies there that {viewer.actor} may give away")
    keys = [held.id for held in customers]
    work = count_unfinished(session, keys)
    where: dict[int, str] = {}
    if by != "evenly":
        where = fetch_countries(session, keys) if by == "country" else fetch_languages(session, keys)
    shares = Distribution(people)
    shares.share_out(
        [(held.scope_id, work.get(held.id, 0)) for held in customers],
        by,
        {held.scope_id: where.get(held.id) for held in customers} if where else None,
    )
    moves = [(held, Holder(owner_id=shares.of(held.scope_id))) for held in customers]
    why, moved = Why("given", cause_id, now, viewer.actor_id, note=note), Moved()
    transfer(session, moves, why, moved)
    moved.finish(session, why)
    return tuple(Allotted(one.email, sum(to.owner_id == one.id for _, to in moves)) for one in people)

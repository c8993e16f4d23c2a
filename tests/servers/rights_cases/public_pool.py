# SPDX-License-Identifier: GPL-3.0-or-later
"""The public pool, hand-overs, substitutes."""

from datetime import timedelta

from rights_case import Case, changes, lists, manages, reads
from rights_world import Planted, World
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.customers.allotting import allot_customers
from crm_sync.customers.belongings import fetch_everything, fetch_some
from crm_sync.customers.claims import claim_customer, give_customer, release_customer
from crm_sync.customers.hand_back import fetch_hand_overs, undo_hand_over
from crm_sync.customers.hand_over import KIND, HandOverError, Wish, plan_hand_over, run_hand_over
from crm_sync.customers.owners import fetch_owners
from crm_sync.customers.pool_customers import fetch_falling_customers, fetch_pool_customers
from crm_sync.customers.public_pools import (
    ReasonView,
    add_public_pool,
    change_public_pool,
    fetch_public_pools,
    fetch_release_reasons,
    recompute_reclaim_dates,
    set_release_reason,
)
from crm_sync.customers.substitutes import fetch_stand_ins
from crm_sync.models.customers import Customer
from crm_sync.models.operations import Operation
from crm_sync.models.public_pool import CustomerTenure, PublicPool
from crm_sync.rights import Action, Entity, Viewer

_MAY_ASSIGN_ALL = ("eve", "olga", "mia", "iris")  # who may give everybody's customers to others


def plant(session: Session, world: World) -> None:
    """Make a public pool; give every customer a date, somebody who had it, and a hand-over that put it where it is."""
    pool = world.pools["sales pool"]
    session.add(PublicPool(pool_id=pool, is_default=True, idle_days=30, protected_grades=[], version=1))
    for record in (*world.planted.values(), world.missing):
        record.more["hand-over"] = str(ULID())
    for record in world.planted.values():
        session.get_one(Customer, record.customer_id).reclaim_at = world.now + timedelta(days=5)
        note = world.secret(record, Entity.CUSTOMER, "why")
        session.add(
            CustomerTenure(
                id=world.key(),
                customer_id=record.customer_id,
                person_id=world.people["dan"],
                since=world.now - timedelta(days=9),
                until=world.now - timedelta(days=8),
                came_by="claimed",
                ended_by="released",
                reason="price",
                note=note,
            )
        )
        parts = [{"taker": world.email("ann"), "customers": 1, "conversations": 0, "unfinished": 0, "others": {}}]
        session.add(
            Operation(
                id=world.key(),
                public_id=record.more["hand-over"],
                kind=KIND,
                at=world.now,
                summary={"from": world.email("dan"), "parts": parts, "until": None, "note": note},
                undo={
                    "giver": world.people["dan"],
                    "customers": [[record.customer_id, record.lying.owner, None, None, None, None]],
                    "scopes": [],
                    "conversations": [],
                    "rows": {},
                    "shares": [],
                    "dropped_shares": [],
                    "stood_in_for": [],
                },
            )
        )


def _wish(world: World, record: Planted) -> Wish:
    return Wish(world.email("ann"), (world.email("eve"),), customers=(record.public_id,))


def _may_assign(world: World, name: str, record: Planted) -> bool:
    return world.may(name, Entity.CUSTOMER, Action.ASSIGN, record)


def _plan_everybody(session: Session, viewer: Viewer, world: World) -> list[object]:
    said: list[object] = []
    for name in ("ann", "bob", "carl"):
        try:
            said.append(plan_hand_over(session, viewer, Wish(world.email(name), (world.email("eve"),)), world.now))
        except HandOverError as error:
            said.append(str(error))
    return said


CASES: dict[str, Case] = {
    "crm_sync.customers.claims.claim_customer": changes(
        lambda s, v, w, r: claim_customer(s, v, r.public_id, str(ULID()), w.now), action=Action.EDIT
    ),
    "crm_sync.customers.claims.release_customer": changes(
        lambda s, v, w, r: release_customer(s, v, r.public_id, "price", str(ULID()), w.now), action=Action.EDIT
    ),
    "crm_sync.customers.claims.give_customer": changes(
        lambda s, v, w, r: give_customer(s, v, r.public_id, w.email("vic"), str(ULID()), w.now), action=Action.ASSIGN
    ),
    "crm_sync.customers.allotting.allot_customers": changes(
        lambda s, v, w, r: allot_customers(s, v, "sales pool", (w.email("vic"),), str(ULID()), w.now),
        action=Action.ASSIGN,
        is_of_record=False,
        is_plain=True,
        allowed=lambda world, name, record: name in _MAY_ASSIGN_ALL,
    ),
    "crm_sync.customers.pool_customers.fetch_pool_customers": lists(lambda s, v, w: fetch_pool_customers(s, v)),
    "crm_sync.customers.pool_customers.fetch_falling_customers": lists(
        lambda s, v, w: fetch_falling_customers(s, v, w.now)
    ),
    "crm_sync.customers.owners.fetch_owners": reads(lambda s, v, w, r: fetch_owners(s, v, r.public_id)),
    "crm_sync.customers.belongings.fetch_everything": lists(
        lambda s, v, w: [
            [held.name for held in fetch_everything(s, v, w.people[name]).customers] for name in ("ann", "bob", "carl")
        ]
    ),
    "crm_sync.customers.belongings.fetch_some": reads(
        lambda s, v, w, r: [held.name for held in fetch_some(s, v, w.people["ann"], [r.public_id], ()).customers],
        allowed=_may_assign,
    ),
    "crm_sync.customers.hand_over.plan_hand_over": lists(_plan_everybody),
    "crm_sync.customers.hand_over.run_hand_over": changes(
        lambda s, v, w, r: run_hand_over(s, v, _wish(w, r), str(ULID()), w.now), action=Action.ASSIGN
    ),
    "crm_sync.customers.hand_back.fetch_hand_overs": lists(lambda s, v, w: fetch_hand_overs(s, v)),
    "crm_sync.customers.hand_back.undo_hand_over": changes(
        lambda s, v, w, r: undo_hand_over(s, v, str(r.more["hand-over"]), str(ULID()), w.now),
        action=Action.ASSIGN,
        allowed=lambda world, name, record: name in _MAY_ASSIGN_ALL,
    ),
    "crm_sync.customers.public_pools.fetch_public_pools": lists(
        lambda s, v, w: fetch_public_pools(s, v), is_plain=True
    ),
    "crm_sync.customers.public_pools.fetch_release_reasons": lists(
        lambda s, v, w: fetch_release_reasons(s, v), is_plain=True
    ),
    "crm_sync.customers.public_pools.add_public_pool": manages(
        lambda s, v, w: add_public_pool(s, v, "sea", (), str(ULID()), w.now)
    ),
    "crm_sync.customers.public_pools.change_public_pool": manages(
        lambda s, v, w: change_public_pool(s, v, "sales pool", {"idle_days": 7}, str(ULID()), w.now)
    ),
    "crm_sync.customers.public_pools.set_release_reason": manages(
        lambda s, v, w: set_release_reason(s, v, ReasonView("moved", "Moved", "", True), str(ULID()), w.now)
    ),
    "crm_sync.customers.public_pools.recompute_reclaim_dates": manages(lambda s, v, w: recompute_reclaim_dates(s, v)),
    "crm_sync.customers.substitutes.fetch_stand_ins": lists(
        lambda s, v, w: fetch_stand_ins(s, v, w.now), is_plain=True
    ),
}

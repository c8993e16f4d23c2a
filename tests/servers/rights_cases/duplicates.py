# SPDX-License-Identifier: GPL-3.0-or-later
"""Likely duplicates, merges, and the question whether a customer exists."""

from rights_case import Case, changes, lists
from rights_world import Planted, World
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.duplicates.check_log import list_checks
from crm_sync.duplicates.checking import CheckRefused, check_customer
from crm_sync.duplicates.contact_merging import merge_contacts
from crm_sync.duplicates.merging import merge_customers
from crm_sync.duplicates.pairs import decline_pair, list_pairs
from crm_sync.duplicates.past_merges import list_merges
from crm_sync.duplicates.unmerging import undo_merge
from crm_sync.models.customers import Contact, ContactAddress, Customer, Scope
from crm_sync.models.duplicates import DuplicateCheck, LikelyDuplicate
from crm_sync.models.operations import Operation
from crm_sync.rights import Action, Entity, Viewer


def plant(session: Session, world: World) -> None:
    """Give every record a twin with the same owner, which it may be merged with, and one that was merged into it."""
    for record in world.planted.values():
        twin, gone = (_twin(session, world, record) for _ in range(2))
        gone.merged_into = record.customer_id
        twin_contact = session.query(Contact).filter(Contact.customer_id == twin.id).one()
        operation = str(ULID())
        session.add(
            Operation(
                id=world.key(), public_id=operation, kind="merge-customers", at=world.now, person_id=None,
                scope_id=record.scope_id,
                summary={"survivor": record.public_id, "loser": gone.public_id, "fields": [], "moved": {}},
                undo={
                    "survivor": record.customer_id, "loser": gone.id, "is_across": False, "moves": {}, "before": {},
                    "after": {}, "origins": {}, "stilled": {}, "values": {}, "scope": dict.fromkeys(("owner_id", "team_id", "pool_id")),
                },
            )
        )  # fmt: skip
        pairs = {}
        for kind, one, other in (
            ("customer", record.customer_id, twin.id),
            ("contact", record.contact_id, twin_contact.id),
        ):
            pair = LikelyDuplicate(
                id=world.key(), record=kind, first_id=min(one, other), second_id=max(one, other), score=60,
                reasons=["same-name"], state="open", found_at=world.now,
            )  # fmt: skip
            session.add(pair)
            pairs[kind] = pair.id
        record.more |= {
            "twin": twin.public_id, "twin contact": twin_contact.id, "gone": gone.public_id, "merge": operation,
            "pair": pairs["customer"],
        }  # fmt: skip
    session.add(
        DuplicateCheck(
            id=world.key(), at=world.now, person_id=world.people["ann"], kind="name", asked="Nobody",
            outcome="nothing", answer_digest="0" * 64,
        )
    )  # fmt: skip
    world.missing.more |= {
        "twin": str(ULID()), "twin contact": world.key(), "gone": str(ULID()), "merge": str(ULID()), "pair": world.key(),
    }  # fmt: skip


def _twin(session: Session, world: World, record: Planted) -> Customer:
    mine = session.get_one(Scope, record.scope_id)
    lying = {"owner_id": mine.owner_id, "team_id": mine.team_id, "pool_id": mine.pool_id}
    scope = Scope(id=world.key(), kind="customer", **lying)
    session.add(scope)
    session.flush()
    name = world.secret(record, Entity.CUSTOMER, "twin")
    customer = Customer(
        id=world.key(), public_id=str(ULID()), scope_id=scope.id, name=name, name_key=name, created_at=world.now
    )
    session.add(customer)
    session.flush()
    contact = Contact(id=world.key(), customer_id=customer.id, name=name, created_at=world.now)
    session.add(contact)
    session.flush()
    session.add(ContactAddress(address_key=f"{name}{contact.id}@twin.example", contact_id=contact.id))
    session.flush()
    return customer


def _may_both(world: World, name: str, record: Planted) -> bool:
    # The twin was shared with nobody.
    unshared = Planted(record.tag, 0, type(record.lying)(record.lying.owner, record.lying.team, record.lying.pool))
    return all(world.may(name, Entity.CUSTOMER, Action.EDIT, one) for one in (record, unshared))


def _undo(session: Session, viewer: Viewer, world: World, record: Planted) -> object:
    return undo_merge(session, viewer, str(record.more["merge"]), str(ULID()), world.now)


def _ask(session: Session, viewer: Viewer, world: World, record: Planted) -> object:
    """Ask by all that names a customer: of records that may not be seen, only whose they are comes back."""
    said: list[object] = []
    for kind, asked in (("domain", record.domain), ("address", record.address)):
        try:
            said.append(check_customer(session, viewer, kind, asked, world.now, per_hour=9))
        except CheckRefused as refusal:
            said.append(str(refusal))
    return said


_AREA = "crm_sync.duplicates"
CASES: dict[str, Case] = {
    f"{_AREA}.merging.merge_customers": changes(
        lambda s, v, w, r: merge_customers(s, v, r.public_id, str(r.more["twin"]), str(ULID()), w.now),
        allowed=_may_both,
    ),
    f"{_AREA}.contact_merging.merge_contacts": changes(
        lambda s, v, w, r: merge_contacts(s, v, r.contact_id, int(r.more["twin contact"]), str(ULID()), w.now),
        allowed=_may_both,
    ),
    f"{_AREA}.unmerging.undo_merge": changes(_undo),
    f"{_AREA}.pairs.list_pairs": lists(
        lambda s, v, w: [list_pairs(s, v, record, limit=500) for record in ("customer", "contact")]
    ),
    f"{_AREA}.past_merges.list_merges": lists(
        lambda s, v, w: [list_merges(s, v, record, limit=500) for record in ("customer", "contact")]
    ),
    f"{_AREA}.pairs.decline_pair": changes(
        lambda s, v, w, r: decline_pair(s, v, int(r.more["pair"]), str(ULID()), w.now), allowed=_may_both
    ),
    f"{_AREA}.checking.check_customer": Case(
        _ask, is_plain=True, tells=True, logs=frozenset({"duplicate_check"}), allowed=lambda world, name, record: True
    ),
    f"{_AREA}.check_log.list_checks": lists(lambda s, v, w: list_checks(s, v), is_plain=True),
}

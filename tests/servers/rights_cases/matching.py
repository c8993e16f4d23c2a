# SPDX-License-Identifier: GPL-3.0-or-later
"""Customers' profiles, contacts, domains, links of mail and what takes them back."""

from rights_case import Case, changes, lists, reads
from rights_world import Planted, World
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.customers.contacts import (
    add_address,
    dismiss_suggestion,
    edit_contact,
    fetch_contact,
    list_contacts,
    list_suggestions,
)
from crm_sync.customers.domains import forget_domain, give_domain, share_domain
from crm_sync.customers.profile import edit_customer, fetch_customer, fetch_links, list_customers, set_kind
from crm_sync.customers.relinking import MOVE, find_contact, move_contact, relink_conversation, relink_mail, undo_move
from crm_sync.models.customers import Customer, PartySuggestion, Scope
from crm_sync.models.mail import MessageLink
from crm_sync.models.operations import Operation
from crm_sync.rights import Action, Entity, Viewer

_HIDDEN = ("industry", "size", "source")


def plant(session: Session, world: World) -> None:
    """Give every record a second contact, links, a suggestion, an operation and a party to move to, of the same scope's owner."""
    for number, record in enumerate(world.planted.values()):
        customer = session.get_one(Customer, record.customer_id)
        customer.profile = world.secret(record, Entity.CUSTOMER, "profile")
        for name in _HIDDEN:
            setattr(customer, name, world.hide(Entity.CUSTOMER, name, f"H{name[:2]}{number}Q"))
        scope = session.get_one(Scope, record.scope_id)
        twin_scope = Scope(
            id=world.key(), kind="customer", owner_id=scope.owner_id, team_id=scope.team_id, pool_id=scope.pool_id
        )
        session.add(twin_scope)
        session.flush()
        name = world.secret(record, Entity.CUSTOMER, "twin")
        twin = Customer(
            id=world.key(),
            public_id=str(ULID()),
            scope_id=twin_scope.id,
            name=name,
            name_key=name,
            kind="lead",
            created_at=world.now,
            version=1,
        )
        session.add(twin)
        session.flush()
        record.more["other customer"] = twin.public_id
        suggestion = PartySuggestion(
            id=world.key(),
            kind="works-elsewhere",
            contact_id=record.contact_id,
            customer_id=record.customer_id,
            subject=world.secret(record, Entity.CUSTOMER, "elsewhere"),
            at=world.now,
            state="open",
        )
        operation = Operation(
            id=world.key(),
            public_id=str(ULID()),
            kind=MOVE,
            at=world.now,
            scope_id=record.scope_id,
            summary={},
            undo={
                "customer": record.customer_id,
                "conversations": {},
                "contacts": {str(record.contact_id): record.customer_id},
                "addresses": {record.address: "first-mail"},
                "domains": {},
            },
        )
        session.add_all((suggestion, operation))
        session.add_all(
            MessageLink(message_id=key, customer_id=record.customer_id, role="party", reason="company-domain")
            for key in record.message_ids
        )
        record.more |= {"suggestion": suggestion.id, "operation": operation.public_id}
    world.missing.more |= {"other customer": str(ULID()), "suggestion": world.key(), "operation": str(ULID())}


def _may_move(world: World, name: str, record: Planted) -> bool:
    """To move is to edit both the customer and his mail."""
    return world.may(name, Entity.CUSTOMER, Action.EDIT, record) and world.may(
        name, Entity.MESSAGE, Action.EDIT, record
    )


def _relink(session: Session, viewer: Viewer, world: World, record: Planted) -> object:
    return relink_conversation(
        session, viewer, record.conversation, str(record.more["other customer"]), world.now, teaches=False
    )


CASES: dict[str, Case] = {
    "crm_sync.customers.profile.list_customers": lists(lambda s, v, w: list_customers(s, v, limit=500)),
    "crm_sync.customers.profile.fetch_customer": reads(lambda s, v, w, r: fetch_customer(s, v, r.public_id)),
    "crm_sync.customers.profile.fetch_links": reads(
        lambda s, v, w, r: [fetch_links(s, v, entry) for entry in r.entry_ids], Entity.MESSAGE, is_plain=True
    ),
    "crm_sync.customers.profile.edit_customer": changes(
        lambda s, v, w, r: edit_customer(s, v, r.public_id, {"website": "www.new.example"}, w.now)
    ),
    "crm_sync.customers.profile.set_kind": changes(lambda s, v, w, r: set_kind(s, v, r.public_id, "supplier", w.now)),
    "crm_sync.customers.contacts.list_contacts": lists(lambda s, v, w: list_contacts(s, v, limit=500)),
    "crm_sync.customers.contacts.fetch_contact": reads(lambda s, v, w, r: fetch_contact(s, v, r.contact_id)),
    "crm_sync.customers.contacts.edit_contact": changes(
        lambda s, v, w, r: edit_contact(s, v, r.contact_id, {"title": "Buyer"}, w.now)
    ),
    "crm_sync.customers.contacts.add_address": changes(
        lambda s, v, w, r: add_address(s, v, r.contact_id, "second@new.example", w.now)
    ),
    "crm_sync.customers.contacts.list_suggestions": lists(lambda s, v, w: list_suggestions(s, v, limit=500)),
    "crm_sync.customers.contacts.dismiss_suggestion": changes(
        lambda s, v, w, r: dismiss_suggestion(s, v, int(r.more["suggestion"]), w.now)
    ),
    "crm_sync.customers.domains.give_domain": changes(
        lambda s, v, w, r: give_domain(s, v, r.public_id, "new-domain.example", w.now)
    ),
    "crm_sync.customers.domains.share_domain": changes(
        lambda s, v, w, r: share_domain(s, v, r.public_id, "new-domain.example", w.now)
    ),
    "crm_sync.customers.domains.forget_domain": changes(
        lambda s, v, w, r: forget_domain(s, v, r.public_id, r.domain or "none.example", w.now)
    ),
    "crm_sync.customers.relinking.find_contact": reads(
        lambda s, v, w, r: find_contact(s, v, r.contact_id).name, is_plain=False
    ),
    "crm_sync.customers.relinking.move_contact": changes(
        lambda s, v, w, r: move_contact(s, v, r.contact_id, str(r.more["other customer"]), w.now), allowed=_may_move
    ),
    "crm_sync.customers.relinking.relink_conversation": changes(
        lambda s, v, w, r: _relink(s, v, w, r), allowed=_may_move
    ),
    "crm_sync.customers.relinking.relink_mail": changes(
        lambda s, v, w, r: [
            relink_mail(s, v, entry, str(r.more["other customer"]), w.now) for entry in r.entry_ids[:1] or ["none"]
        ],
        allowed=_may_move,
    ),
    "crm_sync.customers.relinking.undo_move": changes(
        lambda s, v, w, r: undo_move(s, v, str(r.more["operation"]), w.now)
    ),
}
NO_VIEWER: dict[str, str] = {}

# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge two contacts into one: a merged contact keeps its row and works for nobody."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from crm_sync.duplicates.changed_records import CONTACT
from crm_sync.duplicates.merged_fields import CONTACT_FIELDS, chosen_values, merged_origins
from crm_sync.duplicates.merging import (
    MERGE_CONTACTS,
    SCOPE_FIELDS,
    Merged,
    MergeError,
    alone,
    as_data,
    as_plain,
    check_fields,
    counted,
    demand_assign,
    give,
    note,
    record,
    tell,
)
from crm_sync.duplicates.references import moved_references
from crm_sync.duplicates.row_moves import move_rows
from crm_sync.fields.values import merge_values
from crm_sync.models.customers import Contact, Customer, Scope
from crm_sync.rights import Action, Entity, Reach, Viewer, may


def merge_contacts(
    session: Session,
    viewer: Viewer,
    survivor: int,
    loser: int,
    cause_id: str,
    now: datetime,
    *,
    take: Collection[str] = (),
) -> Merged:
    """Merge the contact `loser` into `survivor`: its addresses, telephones and letters are the survivor's from then on.

    Needs the right to edit the customers of both; where they do not belong to the same people, also to assign.  Raises
    MergeError.
    """
    alone(session)
    kept, gone = _lock_contacts(session, viewer, survivor, loser)
    scopes = [_scope_of(session, one) for one in (kept, gone)]
    is_across = any(getattr(scopes[0], name, None) != getattr(scopes[1], name, None) for name in SCOPE_FIELDS)
    if is_across:
        demand_assign(
            session,
            may(viewer, Entity.CUSTOMER, Action.ASSIGN, Scope.id),
            [scope.id for scope in scopes if scope is not None],
        )
    check_fields(take, CONTACT_FIELDS)
    values = chosen_values(kept, gone, CONTACT_FIELDS, take)
    moves = move_rows(session.connection(), moved_references(Contact), gone.id, kept.id)
    undo = {
        "survivor": kept.id,
        "loser": gone.id,
        "is_across": is_across,
        "moves": moves,
        "before": as_data(kept, values),
        "after": as_plain(values),
        "origins": kept.origins,
        "customer_id": gone.customer_id,
        "values": merge_values(session, CONTACT, kept.id, gone.id),
    }
    customers = [key for key in (kept.customer_id, gone.customer_id) if key is not None]
    give(kept, values)
    kept.origins = merged_origins(kept.origins, gone.origins, values)
    gone.merged_into, gone.customer_id = kept.id, None
    kept.version += 1
    gone.version += 1
    done = Merged(cause_id, str(kept.id), str(gone.id), tuple(values), counted(moves))
    scope = scopes[0] or scopes[1]
    record(session, viewer.actor_id, MERGE_CONTACTS, scope.id if scope else None, done, undo, now)
    note(
        session,
        viewer.actor_id,
        cause_id,
        "contacts-merged",
        f"contact:{kept.id}",
        kept.customer_id,
        now,
        {"survivor": kept.id, "loser": gone.id},
    )
    session.flush()
    tell(session, customers, [kept.id, gone.id])
    return done


def _lock_contacts(session: Session, viewer: Viewer, survivor: int, loser: int) -> tuple[Contact, Contact]:
    if survivor == loser:
        raise MergeError(f"contact {survivor}: can't be merged with itself")
    found = {
        one.id: one
        for one in session.scalars(
            select(Contact)
            .where(Contact.id.in_([survivor, loser]), Contact.merged_into.is_(None), _editable(viewer))
            .order_by(Contact.id)
            .with_for_update()
        )
    }
    for key in (survivor, loser):
        if key not in found:
            if into := _merged_into(session, viewer, key):
                raise MergeError(f"contact {key}: was merged into {into} already; merge that one")
            raise MergeError(f"contact {key}: there is none that {viewer.actor} may edit")
    return found[survivor], found[loser]


def _merged_into(session: Session, viewer: Viewer, key: int) -> int | None:
    """Return what it was merged into at last, where he may edit that; None: it was not, or he may not."""
    found = session.get(Contact, key)
    while found is not None and found.merged_into is not None:
        found = session.get(Contact, found.merged_into)
    if found is None or found.id == key:
        return None
    return session.scalars(select(Contact.id).where(Contact.id == found.id, _editable(viewer))).one_or_none()


def contacts_of(customers: ColumnElement[bool], *, and_nobodys: bool) -> ColumnElement[bool]:
    """Return the condition that a contact works for such a customer; `and_nobodys`: or for none."""
    allowed = Contact.customer_id.in_(select(Customer.id).where(customers))
    return allowed | Contact.customer_id.is_(None) if and_nobodys else allowed


def _editable(viewer: Viewer) -> ColumnElement[bool]:
    customers = may(viewer, Entity.CUSTOMER, Action.EDIT, Customer.scope_id)
    return contacts_of(customers, and_nobodys=viewer.reach(Entity.CUSTOMER, Action.EDIT) is Reach.ALL)


def _scope_of(session: Session, contact: Contact) -> Scope | None:
    if contact.customer_id is None:
        return None
    wanted = select(Scope).join(Customer, Customer.scope_id == Scope.id).where(Customer.id == contact.customer_id)
    return session.scalars(wanted).one()

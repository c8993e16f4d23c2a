# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a merge apart: what moved goes back, what came later stays, but for mail of the loser's addresses and domains."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from crm_sync.duplicates.changed_records import CONTACT, CUSTOMER
from crm_sync.duplicates.contact_merging import contacts_of
from crm_sync.duplicates.merging import (
    MERGE_CONTACTS,
    MERGE_CUSTOMERS,
    SCOPE_FIELDS,
    Merged,
    MergeError,
    alone,
    counted,
    demand_assign,
    note,
    tell,
)
from crm_sync.duplicates.row_moves import keys_moved, return_rows
from crm_sync.duplicates.scattered_mail import give_back_later_mail, let_mail_follow
from crm_sync.fields.values import unmerge_values
from crm_sync.models.base import UtcDateTime, table
from crm_sync.models.customers import Contact, Customer, Scope
from crm_sync.models.operations import Operation
from crm_sync.models.people import Person
from crm_sync.rights import Action, Entity, Reach, Viewer, may

_MOST_LATER = 1000


def undo_merge(session: Session, viewer: Viewer, operation: str, cause_id: str, now: datetime) -> Merged:
    """Take the merge apart that bears this id; return what went back.  Needs what the merge needed.

    Raises MergeError, also where another merge must be undone first.
    """
    alone(session)
    done = None
    if operation.isprintable():
        wanted = select(Operation).where(
            Operation.public_id == operation, Operation.kind.in_((MERGE_CUSTOMERS, MERGE_CONTACTS))
        )
        done = session.scalars(wanted.with_for_update()).one_or_none()
    if done is None:
        raise _absent(viewer, operation)
    if done.kind == MERGE_CUSTOMERS:
        result = _separate_customers(session, viewer, done, cause_id, now)
    else:
        result = _separate_contacts(session, viewer, done, cause_id, now)
    done.undone_at, done.undone_by = now, viewer.actor_id
    session.flush()
    return result


def _separate_customers(session: Session, viewer: Viewer, done: Operation, cause_id: str, now: datetime) -> Merged:
    undo: Mapping[str, Any] = done.undo
    kept = session.scalars(
        select(Customer)
        .where(Customer.id == undo["survivor"], may(viewer, Entity.CUSTOMER, Action.EDIT, Customer.scope_id))
        .with_for_update()
    ).one_or_none()
    if kept is None:
        # The survivor may have become part of a third: its scope shows in no list then.
        raise _merged_further(session, viewer, undo["survivor"], Customer) or _absent(viewer, done.public_id)
    if undo["is_across"]:
        demand_assign(session, may(viewer, Entity.CUSTOMER, Action.ASSIGN, Scope.id), [kept.scope_id])
    _check_undone(done)
    if kept.merged_into is not None:
        raise MergeError(f"merge {done.public_id}: {kept.public_id} was merged into another since; undo that first")
    gone = session.get_one(Customer, undo["loser"], with_for_update=True)
    _check_contacts(session, done, kept.scope_id, keys_moved(undo["moves"], "contact.customer_id"))
    gone_scope, kept_scope = session.get_one(Scope, gone.scope_id), session.get_one(Scope, kept.scope_id)
    connection = session.connection()
    session.flush()
    # Rows of customers go back to the customer, rows of scopes to its scope.
    of_scope = {name: moved for name, moved in undo["moves"].items() if name.endswith(".scope_id")}
    of_customer = {name: moved for name, moved in undo["moves"].items() if name not in of_scope}
    return_rows(connection, of_customer, gone.id, kept.id)
    return_rows(connection, of_scope, gone_scope.id, kept_scope.id)
    let_mail_follow(session, kept, gone)
    contacts = give_back_later_mail(session, kept, gone, done.at)
    _take_fields_back(kept, undo)
    unmerge_values(session, CUSTOMER, kept.id, undo["values"])
    _give_owner_back(session, gone_scope, kept_scope, undo)
    for name, value in undo["stilled"].items():
        setattr(gone, name, _value_of(Customer, name, value))
    gone.merged_into = None
    kept.version += 1
    gone.version += 1
    for one, step in ((kept, "merge-undone"), (gone, "restored")):
        note(session, viewer.actor_id, cause_id, step, f"customer:{one.id}", one.id, now, {"merge": done.public_id})
    session.flush()
    tell(session, [kept.id, gone.id], [*keys_moved(undo["moves"], "contact.customer_id"), *contacts])
    return Merged(done.public_id, kept.public_id, gone.public_id, tuple(undo["after"]), counted(undo["moves"]))


def _separate_contacts(session: Session, viewer: Viewer, done: Operation, cause_id: str, now: datetime) -> Merged:
    undo: Mapping[str, Any] = done.undo
    kept = session.scalars(
        select(Contact).where(Contact.id == undo["survivor"], _editable(viewer)).with_for_update()
    ).one_or_none()
    if kept is None:
        raise _merged_further(session, viewer, undo["survivor"], Contact) or _absent(viewer, done.public_id)
    if undo["is_across"]:
        customers = [key for key in (kept.customer_id, undo["customer_id"]) if key is not None]
        scopes = session.scalars(select(Customer.scope_id).where(Customer.id.in_(customers))).all()
        demand_assign(session, may(viewer, Entity.CUSTOMER, Action.ASSIGN, Scope.id), scopes)
    _check_undone(done)
    if kept.merged_into is not None:
        raise MergeError(f"merge {done.public_id}: contact {kept.id} was merged into another since; undo that first")
    gone = session.get_one(Contact, undo["loser"], with_for_update=True)
    session.flush()
    return_rows(session.connection(), undo["moves"], gone.id, kept.id)
    _take_fields_back(kept, undo)
    unmerge_values(session, CONTACT, kept.id, undo["values"])
    gone.merged_into, gone.customer_id = None, _living(session, undo["customer_id"])
    kept.version += 1
    gone.version += 1
    details = {"merge": done.public_id}
    note(session, viewer.actor_id, cause_id, "merge-undone", f"contact:{kept.id}", kept.customer_id, now, details)
    session.flush()
    tell(session, {key for key in (kept.customer_id, gone.customer_id) if key is not None}, [kept.id, gone.id])
    return Merged(done.public_id, str(kept.id), str(gone.id), tuple(undo["after"]), counted(undo["moves"]))


def _editable(viewer: Viewer) -> ColumnElement[bool]:
    customers = may(viewer, Entity.CUSTOMER, Action.EDIT, Customer.scope_id)
    return contacts_of(customers, and_nobodys=viewer.reach(Entity.CUSTOMER, Action.EDIT) is Reach.ALL)


def _absent(viewer: Viewer, operation: str) -> MergeError:
    return MergeError(f"merge {operation[:40]!r}: there is none that {viewer.actor} may undo")


def _check_undone(done: Operation) -> None:
    if done.undone_at is not None:
        raise MergeError(f"merge {done.public_id}: was undone already")


def _merged_further(
    session: Session, viewer: Viewer, key: int, model: type[Customer] | type[Contact]
) -> MergeError | None:
    """Say that another merge comes first, where the viewer may know of it."""
    into = session.scalars(select(model.merged_into).where(model.id == key)).one_or_none()
    if into is None:
        return None
    if model is Customer:
        allowed = select(Customer.id).where(
            Customer.id == into, may(viewer, Entity.CUSTOMER, Action.EDIT, Customer.scope_id)
        )
    else:
        allowed = select(Contact.id).where(Contact.id == into, _editable(viewer))
    if session.scalars(allowed).one_or_none() is None:
        return None
    return MergeError("what is left of it was merged into another since; undo that merge first")


def _check_contacts(session: Session, done: Operation, scope_id: int, contacts: list[int]) -> None:
    """Contacts of the loser that became one with others since would leave their letters behind."""
    later = session.execute(
        select(Operation.public_id, Operation.undo)
        .where(
            Operation.kind == MERGE_CONTACTS,
            Operation.undone_at.is_(None),
            Operation.at >= done.at,
            Operation.scope_id == scope_id,
        )
        .order_by(Operation.id.desc())
        .limit(_MOST_LATER)
    )
    mine = set(contacts)
    for public_id, undo in later:
        if {undo["survivor"], undo["loser"]} & mine:
            raise MergeError(f"merge {done.public_id}: contacts were merged since; undo {public_id} first")


def _take_fields_back(kept: Customer | Contact, undo: Mapping[str, Any]) -> None:
    """What the merge filled becomes what it was, unless somebody changed it since."""
    for name, after in undo["after"].items():
        if getattr(kept, name) == _value_of(type(kept), name, after):
            setattr(kept, name, _value_of(type(kept), name, undo["before"][name]))
            origins = dict(kept.origins)
            origins.pop(name, None)
            if name in undo["origins"]:
                origins[name] = undo["origins"][name]
            kept.origins = origins


def _give_owner_back(session: Session, gone: Scope, kept: Scope, undo: Mapping[str, Any]) -> None:
    """Whoever had the loser has it again; where both were one person's it follows the survivor, also to who has that since.

    An owner who left is followed by whoever has the survivor.
    """
    before: Mapping[str, Any] = undo["scope"]
    owner = before["owner_id"]
    if not undo["is_across"] or (owner is not None and session.get_one(Person, owner).left_at is not None):
        before = {name: getattr(kept, name) for name in SCOPE_FIELDS}
    for name in SCOPE_FIELDS:
        setattr(gone, name, before[name])


def _living(session: Session, customer_id: int | None) -> int | None:
    """Return whom that customer was merged into, or itself."""
    while customer_id is not None:
        into = session.scalars(select(Customer.merged_into).where(Customer.id == customer_id)).one()
        if into is None:
            return customer_id
        customer_id = into
    return None


def _value_of(model: type[Customer] | type[Contact], name: str, value: Any) -> Any:
    is_time = isinstance(table(model).c[name].type, UtcDateTime)
    return datetime.fromisoformat(value) if is_time and value is not None else value

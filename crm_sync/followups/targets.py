# SPDX-License-Identifier: GPL-3.0-or-later
"""What a note, a task or a touch is about: a customer, a conversation or one mail, named by the id that people see."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.mail import Arrival, Message
from crm_sync.rights import Action, Entity, Viewer, may
from tradepost.errors import Refusal

# A merged record leads to the one that stayed; more steps than this are a circle.
_LONGEST_TRAIL = 20
_LONGEST_ID = 26


class TargetUnknown(Refusal, LookupError):
    """There is nothing by that id that the viewer may see."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where something hangs: the scope that says who may see it, and the records it is shown with."""

    scope_id: int
    customer_id: int | None = None
    conversation_id: int | None = None
    message_id: int | None = None


def find_target(session: Session, viewer: Viewer, wanted: str) -> Target:
    """Return what `customer:ID`, `conversation:ID` (public ids) or `mail:ID` (X-Tradepost-Id) means.

    Raises TargetUnknown; what is not the viewer's to see is not told from what is not there.
    """
    kind, colon, key = wanted.partition(":")
    find = {"customer": _find_customer, "conversation": _find_conversation, "mail": _find_mail}.get(kind)
    if not colon or find is None:
        raise TargetUnknown(f"{wanted[:60]!r}: say customer:ID, conversation:ID or mail:ID")
    found = find(session, viewer, key) if key.isalnum() and key.isascii() and len(key) <= _LONGEST_ID else None
    if found is None:
        raise TargetUnknown(f"{kind} {key[:60]}: there is none that {viewer.actor} may see")
    return found


def _find_customer(session: Session, viewer: Viewer, public_id: str) -> Target | None:
    wanted = select(Customer.id, Customer.scope_id, Customer.merged_into)
    row = session.execute(wanted.where(Customer.public_id == public_id)).one_or_none()
    for _ in range(_LONGEST_TRAIL):
        if row is None or row.merged_into is None:
            break
        row = session.execute(wanted.where(Customer.id == row.merged_into)).one_or_none()
    if row is None:
        return None
    seen = select(Customer.id).where(Customer.id == row.id, may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id))
    return None if session.scalars(seen).one_or_none() is None else Target(row.scope_id, customer_id=row.id)


def _find_conversation(session: Session, viewer: Viewer, public_id: str) -> Target | None:
    wanted = select(Conversation.id, Conversation.scope_id, Conversation.customer_id, Conversation.merged_into)
    row = session.execute(wanted.where(Conversation.public_id == public_id)).one_or_none()
    for _ in range(_LONGEST_TRAIL):
        if row is None or row.merged_into is None:
            break
        row = session.execute(wanted.where(Conversation.id == row.merged_into)).one_or_none()
    if row is None:
        return None
    seen = select(Conversation.id).where(
        Conversation.id == row.id, may(viewer, Entity.MESSAGE, Action.SEE, Conversation.scope_id)
    )
    if session.scalars(seen).one_or_none() is None:
        return None
    return Target(row.scope_id, row.customer_id, row.id)


def _find_mail(session: Session, viewer: Viewer, entry_id: str) -> Target | None:
    row = session.execute(
        select(Message.scope_id, Conversation.customer_id, Message.conversation_id, Message.id)
        .join(Arrival, Arrival.message_id == Message.id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Arrival.entry_id == entry_id, may(viewer, Entity.MESSAGE, Action.SEE, Message.scope_id))
    ).one_or_none()
    return None if row is None else Target(*row)


def check_may_write(session: Session, viewer: Viewer, target: Target) -> None:
    """Raise TargetUnknown unless the viewer may write notes, tasks and touches there."""
    allowed = select(Scope.id).where(Scope.id == target.scope_id, may(viewer, Entity.NOTE, Action.EDIT, Scope.id))
    if session.scalars(allowed).one_or_none() is None:
        raise TargetUnknown(f"{viewer.actor} may read this, but write nothing to it")

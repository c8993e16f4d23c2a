# SPDX-License-Identifier: GPL-3.0-or-later
"""What a note, a task or a touch is about: a customer, a conversation or one mail, named by the id that people see."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue, NotAllowed, NotFound, find_customer
from crm_sync.conversations.access import find_conversation
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Scope
from crm_sync.models.mail import Arrival, Message
from crm_sync.rights import Action, Entity, Viewer, may

_LONGEST_ID = 26


@dataclass(frozen=True, slots=True)
class Target:
    """Where something hangs: the scope that says who may see it, and the records it is shown with."""

    scope_id: int
    customer_id: int | None = None
    conversation_id: int | None = None
    message_id: int | None = None


def find_target(session: Session, viewer: Viewer, wanted: str) -> Target:
    """Return what `customer:ID`, `conversation:ID` (public ids) or `mail:ID` (X-Tradepost-Id) means.

    Raises NotFound, InvalidValue; what is not the viewer's to see is not told from what is not there.
    """
    kind, colon, key = wanted.partition(":")
    find = {"customer": _find_customer, "conversation": _find_conversation, "mail": _find_mail}.get(kind)
    if not colon or find is None:
        raise InvalidValue(f"{wanted[:60]!r}: say customer:ID, conversation:ID or mail:ID")
    found = find(session, viewer, key) if key.isalnum() and key.isascii() and len(key) <= _LONGEST_ID else None
    if found is None:
        raise NotFound(f"{kind} {key[:60]!r}: there is none that {viewer.actor} may see")
    return found


def _find_customer(session: Session, viewer: Viewer, public_id: str) -> Target | None:
    customer = find_customer(session, viewer, public_id)
    return Target(customer.scope_id, customer_id=customer.id)


def _find_conversation(session: Session, viewer: Viewer, public_id: str) -> Target | None:
    found = find_conversation(session, viewer, public_id)
    return Target(found.scope_id, found.customer_id, found.id)


def _find_mail(session: Session, viewer: Viewer, entry_id: str) -> Target | None:
    row = session.execute(
        select(Message.scope_id, Conversation.customer_id, Message.conversation_id, Message.id)
        .join(Arrival, Arrival.message_id == Message.id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Arrival.entry_id == entry_id, may(viewer, Entity.MESSAGE, Action.SEE, Message.scope_id))
    ).one_or_none()
    return None if row is None else Target(*row)


def check_may_write(session: Session, viewer: Viewer, target: Target) -> None:
    """Raise NotAllowed unless the viewer may write notes, tasks and touches there."""
    allowed = select(Scope.id).where(Scope.id == target.scope_id, may(viewer, Entity.NOTE, Action.EDIT, Scope.id))
    if session.scalars(allowed).one_or_none() is None:
        raise NotAllowed(f"{viewer.actor} may read this, but write nothing to it")

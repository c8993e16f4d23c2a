# SPDX-License-Identifier: GPL-3.0-or-later
"""A person says that some letters are another conversation.  Their ids go with them, so that later answers follow."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import InvalidValue
from crm_sync.advisory_locks import RECORDING, hold_for_transaction
from crm_sync.conversations.access import lock_conversation
from crm_sync.conversations.binding import OPEN, WAITING
from crm_sync.conversations.letters_of import LetterOf, last_at, people_of, read_letters_of
from crm_sync.conversations.merging import move_to_customer
from crm_sync.conversations.request import Request, load_of
from crm_sync.conversations.restoring import move_letters, put_anchors, put_participants
from crm_sync.conversations.snapshot import SPLIT, fields_of, take_snapshot
from crm_sync.models.conversations import (
    Conversation,
    ConversationApart,
    ConversationParticipant,
    ConversationPool,
    MessageAnchor,
)
from crm_sync.models.customers import Contact, ContactAddress, Customer, CustomerDomain, Scope
from crm_sync.models.mail import Arrival, Message
from crm_sync.models.operations import Operation
from crm_sync.policy_store import fetch_policy
from crm_sync.rights import Action, Entity, Viewer, may
from tradepost.addresses import company_domain
from tradepost.verdict import Direction

_MOST_LETTERS = 1_000


def split_conversation(
    session: Session, viewer: Viewer, public_id: str, entry_ids: Collection[str], now: datetime
) -> tuple[str, str]:
    """Make a conversation of its own of the letters that arrived as these.  Mail does not make them one again.

    Returns (public id of the new conversation, id by which it is taken back).  Raises NotFound, NotAllowed, InvalidValue.
    """
    hold_for_transaction(session.connection(), RECORDING)
    kept = lock_conversation(session, viewer, public_id, Action.EDIT)
    split, rest = _divide(session, kept, entry_ids)
    before = take_snapshot(session, kept)
    loads = load_of(kept)
    request = Request(session, now, viewer.actor_id)
    new = _open(session, viewer, kept, split)
    _move(session, kept, new, split, rest)
    _set_clocks(kept, rest)
    kept.version += 1
    session.add(ConversationApart(conversation_id=min(kept.id, new.id), other_id=max(kept.id, new.id)))
    request.recount(loads, load_of(kept))
    request.recount(None, load_of(new))
    request.note("split", kept, into=new.public_id, letters=len(split))
    request.note("split", new, out_of=kept.public_id, letters=len(split))
    session.add(
        Operation(
            public_id=request.cause_id,
            kind=SPLIT,
            at=now,
            person_id=viewer.actor_id,
            scope_id=kept.scope_id,
            summary={"kept": kept.public_id, "new": new.public_id, "letters": len(split)},
            undo=msgspec.to_builtins(
                {"before": [before], "after": fields_of(kept), "new": new.id, "split": [one.id for one in split]}
            ),
        )
    )
    request.finish([kept, new])
    return new.public_id, request.cause_id


def _divide(session: Session, kept: Conversation, entry_ids: Collection[str]) -> tuple[list[LetterOf], list[LetterOf]]:
    """Return the letters that leave and those that stay, oldest first.  Raises InvalidValue."""
    wanted = {entry_id for entry_id in entry_ids if entry_id.isalnum() and entry_id.isascii()}
    if not wanted or len(wanted) > _MOST_LETTERS:
        raise InvalidValue(f"name 1 to {_MOST_LETTERS} mails of the conversation, by their X-Tradepost-Id")
    arrived = dict(
        session.execute(
            select(Arrival.entry_id, Message.id)
            .join(Message, Message.id == Arrival.message_id)
            .where(Arrival.entry_id.in_(wanted), Message.conversation_id == kept.id)
        ).all()
    )
    foreign = sorted(set(entry_ids) - arrived.keys())
    if foreign:
        raise InvalidValue(f"mail {foreign[0][:60]!r}: is none of the conversation {kept.public_id}")
    all_ids = session.scalars(select(Message.id).where(Message.conversation_id == kept.id)).all()
    letters = read_letters_of(session, fetch_policy(session).policy, all_ids)
    leaving = set(arrived.values())
    split = [letter for letter in letters if letter.id in leaving]
    rest = [letter for letter in letters if letter.id not in leaving]
    if not rest:
        raise InvalidValue(f"conversation {kept.public_id}: has no other mails; one that is whole is not split")
    return split, rest


def _open(session: Session, viewer: Viewer, kept: Conversation, split: Sequence[LetterOf]) -> Conversation:
    customer_id, scope_id = _whose(session, viewer, kept, people_of(split))
    new = Conversation(
        public_id=str(ULID()),
        scope_id=scope_id,
        customer_id=customer_id,
        assignee_id=kept.assignee_id,
        status=kept.status,
        subject=split[0].subject,
        opened_at=split[0].at,
        version=1,
    )
    session.add(new)
    session.flush()
    _set_clocks(new, split)
    pools = session.scalars(select(ConversationPool.pool_id).where(ConversationPool.conversation_id == kept.id))
    session.add_all(ConversationPool(conversation_id=new.id, pool_id=pool) for pool in pools)
    session.flush()
    return new


def _whose(session: Session, viewer: Viewer, kept: Conversation, people: Collection[str]) -> tuple[int | None, int]:
    """Return (customer, scope) of letters with these people: the same customer's, another's, or nobody's.

    Whom the viewer may not see gets nothing from him.
    """
    found = set(_customers_of(session, people))
    if kept.customer_id is None and not found:
        return None, kept.scope_id
    if kept.customer_id is not None and kept.customer_id in found:
        return kept.customer_id, kept.scope_id
    seen = may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id)
    other = session.execute(
        select(Customer.id, Customer.scope_id)
        .where(Customer.id.in_(found), Customer.merged_into.is_(None), seen)
        .order_by(Customer.id)
    ).first()
    if other is not None:
        return other.id, other.scope_id
    if kept.customer_id is None:
        return None, kept.scope_id
    scope = session.get_one(Scope, kept.scope_id)
    own = Scope(kind="conversation", owner_id=scope.owner_id, team_id=scope.team_id, pool_id=scope.pool_id)
    session.add(own)
    session.flush()
    return None, own.id


def _customers_of(session: Session, people: Collection[str]) -> list[int]:
    by_address = (
        select(Contact.customer_id)
        .join(ContactAddress, ContactAddress.contact_id == Contact.id)
        .where(ContactAddress.address_key.in_(people), Contact.customer_id.is_not(None))
    )
    domains = {company_domain(address) for address in people} - {""}
    by_domain = select(CustomerDomain.customer_id).where(CustomerDomain.domain.in_(domains))
    return [key for key in (*session.scalars(by_address), *session.scalars(by_domain)) if key is not None]


def _move(
    session: Session, kept: Conversation, new: Conversation, split: Sequence[LetterOf], rest: Sequence[LetterOf]
) -> None:
    move_letters(session, [letter.id for letter in split], new.id, new.scope_id)
    if new.customer_id != kept.customer_id:
        move_to_customer(session, new.id, kept.customer_id, new.customer_id, new.scope_id)
    leaving = set[str]().union(*(letter.digests for letter in split))
    staying = set[str]().union(*(letter.digests for letter in rest))
    if any(letter.named is None for letter in rest):
        # Which ids older letters named was not kept: only what certainly is a leaving letter's own goes.
        staying |= leaving - {letter.own for letter in split}
    anchors = set(session.scalars(select(MessageAnchor.id_digest).where(MessageAnchor.conversation_id == kept.id)))
    put_anchors(session, kept.id, anchors - (leaving - staying))
    put_anchors(session, new.id, leaving)
    _divide_people(session, kept, new, people_of(split), people_of(rest))


def _divide_people(
    session: Session, kept: Conversation, new: Conversation, leaving: dict[str, bool], staying: dict[str, bool]
) -> None:
    model = ConversationParticipant
    known = {
        address: is_named_only
        for address, is_named_only in session.execute(
            select(model.address_key, model.is_named_only).where(model.conversation_id == kept.id)
        )
    }
    left = {
        address: staying.get(address, is_named_only)
        for address, is_named_only in known.items()
        if address in staying or address not in leaving
    }
    put_participants(session, kept.id, left)
    put_participants(session, new.id, leaving)


def _set_clocks(conversation: Conversation, letters: Sequence[LetterOf]) -> None:
    """Let clocks and status tell what these letters tell; what a person closed stays so."""
    conversation.last_in_at = last_at(letters, Direction.INBOUND)
    conversation.last_out_at = last_at(letters, Direction.OUTBOUND)
    last_in_at, last_out_at = conversation.last_in_at, conversation.last_out_at
    since = conversation.unanswered_since
    if last_in_at is None or (last_out_at is not None and last_out_at >= last_in_at):
        conversation.unanswered_since = None
    elif since is None or not (last_out_at or since) <= since <= last_in_at:
        later = (one.at for one in letters if one.direction is Direction.INBOUND and not one.is_automatic)
        conversation.unanswered_since = min(at for at in later if last_out_at is None or at > last_out_at)
    if conversation.status not in (OPEN, WAITING):
        conversation.unanswered_since = None
    elif conversation.snoozed_until is None:
        conversation.status = OPEN if conversation.unanswered_since is not None else conversation.status
        is_answered = last_out_at is not None and conversation.unanswered_since is None
        conversation.status = WAITING if is_answered else conversation.status

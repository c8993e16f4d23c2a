# SPDX-License-Identifier: GPL-3.0-or-later
"""A person says that two conversations are one."""

from datetime import datetime

import msgspec
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue
from crm_sync.advisory_locks import RECORDING, hold_for_transaction
from crm_sync.conversations.access import check_may, find_conversation, lock_by_key
from crm_sync.conversations.merging import merge_conversations
from crm_sync.conversations.request import Request, load_of
from crm_sync.conversations.snapshot import MERGE, Snapshot, fields_of, take_snapshot
from crm_sync.lookups import ConversationState, Lookups
from crm_sync.models.conversations import Conversation, ConversationApart, ConversationSuggestion
from crm_sync.models.operations import Operation
from crm_sync.rights import Action, Viewer


def merge_by_hand(session: Session, viewer: Viewer, public_id: str, other_id: str, now: datetime) -> str:
    """Make one of two conversations; the older stays.  Returns the id by which it is taken back.

    Raises NotFound, NotAllowed, InvalidValue.
    """
    # What is recorded at the same moment must not look for ids that are on their way.
    hold_for_transaction(session.connection(), RECORDING)
    keys = {find_conversation(session, viewer, one).id for one in (public_id, other_id)}
    if len(keys) < 2:
        raise InvalidValue(f"{public_id} and {other_id} are one conversation already")
    kept, gone = (lock_by_key(session, key) for key in sorted(keys))
    for conversation in (kept, gone):
        check_may(session, viewer, conversation, Action.EDIT)
    before = [take_snapshot(session, kept), take_snapshot(session, gone)]
    request = Request(session, now, viewer.actor_id)
    loads = (load_of(kept), load_of(gone))
    _forget_pair(session, viewer, kept.id, gone.id, now)
    _join(session, before, kept)
    session.flush()
    session.refresh(gone)
    request.recount(loads[0], load_of(kept))
    request.recount(loads[1], None)
    kept.version += 1
    request.note("merged", kept, merged=[gone.public_id], subject=gone.subject)
    request.note("merged", gone, into=kept.public_id)
    session.add(
        Operation(
            public_id=request.cause_id,
            kind=MERGE,
            at=now,
            person_id=viewer.actor_id,
            scope_id=kept.scope_id,
            summary={"kept": kept.public_id, "gone": gone.public_id, "letters": len(before[1].messages)},
            undo=msgspec.to_builtins({"before": before, "after": fields_of(kept)}),
        )
    )
    request.finish([kept, gone])
    return request.cause_id


def _join(session: Session, before: list[Snapshot], kept: Conversation) -> None:
    states = [_state(one) for one in before]
    found = Lookups()
    found.conversations = {state.id: state for state in states}
    state = merge_conversations(session, found, states)
    for name in ("scope_id", "customer_id", "assignee_id", "status", "last_in_at", "last_out_at"):
        setattr(kept, name, getattr(state, name))
    kept.unanswered_since, kept.snoozed_until = state.unanswered_since, state.snoozed_until


def _state(one: Snapshot) -> ConversationState:
    fields = one.fields
    return ConversationState(
        id=one.id,
        public_id="",
        scope_id=fields.scope_id,
        customer_id=fields.customer_id,
        assignee_id=fields.assignee_id,
        status=fields.status,
        last_in_at=fields.last_in_at,
        last_out_at=fields.last_out_at,
        unanswered_since=fields.unanswered_since,
        snoozed_until=fields.snoozed_until,
        participants={address for address, _ in one.participants},
        active={address for address, is_named_only in one.participants if not is_named_only},
        pools=set(one.pools),
    )


def _forget_pair(session: Session, viewer: Viewer, low: int, high: int, now: datetime) -> None:
    """They belong together now, whatever was said before."""
    apart = ConversationApart
    session.execute(delete(apart).where(apart.conversation_id == low, apart.other_id == high))
    suggestion = ConversationSuggestion
    session.execute(
        update(suggestion)
        .where(suggestion.conversation_id == low, suggestion.other_id == high, suggestion.state != "accepted")
        .values(state="accepted", decided_at=now, decided_by=viewer.actor_id)
    )

# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversations: read, handled, merged, split, suggested."""

from datetime import timedelta

from rights_case import Case, changes, lists, reads
from rights_world import Planted, World
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.conversations.access import check_may, find_conversation, lock_conversation, may_do
from crm_sync.conversations.handling import (
    assign_conversation,
    claim_conversation,
    release_conversation,
    set_conversation_status,
    snooze_conversation,
)
from crm_sync.conversations.merging_by_hand import merge_by_hand
from crm_sync.conversations.reading import (
    ListWish,
    fetch_conversation,
    list_conversations,
    list_suggestions,
    list_unanswered,
)
from crm_sync.conversations.splitting import split_conversation
from crm_sync.conversations.suggestions import accept_suggestion, decline_suggestion
from crm_sync.conversations.undoing import undo_operation
from crm_sync.models.conversations import Conversation, ConversationSuggestion
from crm_sync.rights import Action, Entity, Reach, root_viewer


def plant(session: Session, world: World) -> None:
    """Give every record a second conversation, a suggestion that it is the first, and a merge to be taken back."""
    for record in world.planted.values():
        first = session.get_one(Conversation, record.conversation_id)
        first.unanswered_since = world.now - timedelta(days=1)
        others = [
            Conversation(
                id=world.key(),
                public_id=str(ULID()),
                scope_id=record.scope_id,
                customer_id=record.customer_id,
                status="closed",
                subject=world.secret(record, Entity.MESSAGE, kind),
                opened_at=world.now,
                last_in_at=world.now - timedelta(days=2),
                version=1,
            )
            for kind in ("second", "third", "fourth")
        ]
        session.add_all(others)
        session.flush()
        pair = sorted((first.id, others[0].id))
        suggestion = ConversationSuggestion(
            id=world.key(), conversation_id=pair[0], other_id=pair[1], reason="same-subject", state="open", at=world.now
        )
        session.add(suggestion)
        session.flush()
        merged = merge_by_hand(session, root_viewer(), others[1].public_id, others[2].public_id, world.now)
        session.flush()
        record.more |= {
            "second conversation": others[0].public_id,
            "conversation suggestion": suggestion.id,
            "conversation merge": merged,
        }
    world.missing.more |= {
        "second conversation": str(ULID()),
        "conversation suggestion": world.key(),
        "conversation merge": str(ULID()),
    }


def _may_release(world: World, name: str, record: Planted) -> bool:
    is_his = record.lying.owner == world.people[name]
    return is_his or world.may(name, Entity.MESSAGE, Action.ASSIGN, record)


def _may_claim(world: World, name: str, record: Planted) -> bool:
    """Who may edit it, or sees it in a pool of his."""
    someone = world.someone[world.people[name]]
    if someone.rights.get((Entity.MESSAGE, Action.EDIT), Reach.NONE) is Reach.NONE:
        return False
    in_pool = record.lying.pool is not None and record.lying.pool in someone.pools
    return in_pool or world.may(name, Entity.MESSAGE, Action.EDIT, record)


def _second(record: Planted) -> str:
    return str(record.more["second conversation"])


_ALL = ListWish(statuses=())

CASES: dict[str, Case] = {
    "crm_sync.conversations.reading.list_conversations": lists(
        lambda session, viewer, world: [
            list_conversations(session, viewer, _ALL).rows,
            list_conversations(session, viewer, ListWish(pool="sales pool", limit=3)).rows,
            list_conversations(session, viewer, ListWish(assignee=world.email("ann"))).rows,
        ],
        Entity.MESSAGE,
    ),
    "crm_sync.conversations.reading.list_unanswered": lists(
        lambda session, viewer, world: list_unanswered(session, viewer, ListWish()).rows, Entity.MESSAGE
    ),
    "crm_sync.conversations.reading.list_suggestions": lists(
        lambda session, viewer, world: list_suggestions(session, viewer), Entity.MESSAGE
    ),
    "crm_sync.conversations.reading.fetch_conversation": reads(
        lambda session, viewer, world, record: fetch_conversation(session, viewer, record.conversation), Entity.MESSAGE
    ),
    "crm_sync.conversations.access.find_conversation": reads(
        lambda session, viewer, world, record: find_conversation(session, viewer, record.conversation).subject,
        Entity.MESSAGE,
    ),
    "crm_sync.conversations.access.may_do": reads(
        lambda session, viewer, world, record: may_do(
            session, viewer, find_conversation(session, viewer, record.conversation), Action.SEE
        ),
        Entity.MESSAGE,
        is_plain=True,
    ),
    "crm_sync.conversations.access.check_may": reads(
        lambda session, viewer, world, record: check_may(
            session, viewer, find_conversation(session, viewer, record.conversation), Action.SEE
        ),
        Entity.MESSAGE,
        is_plain=True,
    ),
    "crm_sync.conversations.access.lock_conversation": reads(
        lambda session, viewer, world, record: (
            lock_conversation(session, viewer, record.conversation, Action.SEE).subject
        ),
        Entity.MESSAGE,
    ),
    "crm_sync.conversations.handling.assign_conversation": changes(
        lambda session, viewer, world, record: assign_conversation(
            session, viewer, record.conversation, world.email("lea"), world.now
        ),
        Entity.MESSAGE,
        Action.ASSIGN,
    ),
    "crm_sync.conversations.handling.claim_conversation": changes(
        lambda session, viewer, world, record: claim_conversation(session, viewer, _second(record), world.now),
        Entity.MESSAGE,
        Action.EDIT,
        allowed=_may_claim,
    ),
    "crm_sync.conversations.handling.release_conversation": changes(
        lambda session, viewer, world, record: release_conversation(session, viewer, record.conversation, world.now),
        Entity.MESSAGE,
        Action.ASSIGN,
        allowed=lambda world, name, record: record.lying.owner is not None and _may_release(world, name, record),
    ),
    "crm_sync.conversations.handling.set_conversation_status": changes(
        lambda session, viewer, world, record: set_conversation_status(
            session, viewer, record.conversation, "solved", world.now
        ),
        Entity.MESSAGE,
    ),
    "crm_sync.conversations.handling.snooze_conversation": changes(
        lambda session, viewer, world, record: snooze_conversation(
            session, viewer, record.conversation, world.now + timedelta(days=1), world.now
        ),
        Entity.MESSAGE,
    ),
    "crm_sync.conversations.merging_by_hand.merge_by_hand": changes(
        lambda session, viewer, world, record: merge_by_hand(
            session, viewer, record.conversation, _second(record), world.now
        ),
        Entity.MESSAGE,
    ),
    "crm_sync.conversations.splitting.split_conversation": changes(
        lambda session, viewer, world, record: split_conversation(
            session, viewer, record.conversation, record.entry_ids[:1], world.now
        ),
        Entity.MESSAGE,
    ),
    "crm_sync.conversations.undoing.undo_operation": changes(
        lambda session, viewer, world, record: undo_operation(
            session, viewer, str(record.more["conversation merge"]), world.now
        ),
        Entity.MESSAGE,
    ),
    "crm_sync.conversations.suggestions.accept_suggestion": changes(
        lambda session, viewer, world, record: accept_suggestion(
            session, viewer, int(record.more["conversation suggestion"]), world.now
        ),
        Entity.MESSAGE,
    ),
    "crm_sync.conversations.suggestions.decline_suggestion": changes(
        lambda session, viewer, world, record: decline_suggestion(
            session, viewer, int(record.more["conversation suggestion"]), world.now
        ),
        Entity.MESSAGE,
    ),
}

# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversations that a person split: mail does not make them one again."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.key_lists import among_keys
from crm_sync.models.conversations import ConversationApart

_PAIRS = select(ConversationApart.conversation_id, ConversationApart.other_id).where(
    among_keys(ConversationApart.conversation_id)
)


def fetch_apart(session: Session, conversation_ids: Collection[int]) -> frozenset[tuple[int, int]]:
    """Return the split pairs among these conversations, the lower key first in each."""
    among = set(conversation_ids)
    rows = session.connection().execute(_PAIRS, {"keys": sorted(among)})
    return frozenset((one, other) for one, other in rows if other in among)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Who does the work may see it: an assignee who does not own the scope has a share of it for as long as he is assigned."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from crm_sync.bulk_rows import insert_rows
from crm_sync.key_lists import among_keys
from crm_sync.models.base import table
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Scope, ScopeShare

_WANTED = (
    select(Conversation.id, Conversation.scope_id, Conversation.assignee_id)
    .join(Scope, Scope.id == Conversation.scope_id)
    .where(
        among_keys(Conversation.id),
        Conversation.merged_into.is_(None),
        Conversation.assignee_id.is_not(None),
        or_(Scope.owner_id.is_(None), Scope.owner_id != Conversation.assignee_id),
    )
    .order_by(Conversation.id)
)
_GIVEN = select(ScopeShare.id, ScopeShare.cause, ScopeShare.scope_id, ScopeShare.person_id).where(
    among_keys(ScopeShare.cause)
)
_TAKE_BACK = delete(ScopeShare).where(among_keys(ScopeShare.id))


def share_with_assignees(
    session: Session, conversation_ids: Collection[int], now: datetime, by: int | None = None
) -> None:
    """Make the shares of these conversations what their assignees need.

    Call it in the transaction that changed an assignee, a conversation's scope or a scope's owner; the conversations are
    locked and written before.
    """
    connection = session.connection()
    wanted = {
        (_cause(conversation), scope, person)
        for conversation, scope, person in connection.execute(_WANTED, {"keys": list(conversation_ids)})
    }
    given = {
        (cause, scope, person): share
        for share, cause, scope, person in connection.execute(
            _GIVEN, {"keys": [_cause(conversation) for conversation in conversation_ids]}
        )
    }
    if gone := [share for key, share in given.items() if key not in wanted]:
        connection.execute(_TAKE_BACK, {"keys": gone})
    rows = [
        {
            "scope_id": scope,
            "person_id": person,
            "team_id": None,
            "level": "see",
            "cause": cause,
            "created_at": now,
            "created_by": by,
        }
        for cause, scope, person in sorted(wanted - given.keys())
    ]
    insert_rows(connection, table(ScopeShare), rows)


def _cause(conversation_id: int) -> str:
    return f"conversation:{conversation_id}"

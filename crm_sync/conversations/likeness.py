# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversations that look alike: the same subject from the same company within a month.  That joins nothing: it is suggested.

A subject is anybody's to write (trap 9), so a person says whether two are one; what he declined never comes back.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.key_lists import among_keys
from crm_sync.models.conversations import Conversation, ConversationSuggestion
from crm_sync.row_buffer import insert_missing
from tradepost.subjects import subject_proper

SAME_SUBJECT = "same-subject"
_WITHIN = timedelta(days=30)
_SUGGESTED = 3  # of one new conversation
_LOOKED_AT = 200  # of those alike, the newest

_ALIKE = (
    select(
        Conversation.id,
        Conversation.likeness_key,
        Conversation.opened_at,
        Conversation.last_in_at,
        Conversation.last_out_at,
    )
    .where(
        among_keys(Conversation.likeness_key),
        Conversation.likeness_key != "",
        Conversation.merged_into.is_(None),
    )
    .order_by(Conversation.id.desc())
    .limit(_LOOKED_AT)
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A conversation that was just opened: its key of likeness and when its first letter came."""

    key: str
    at: datetime


def likeness_key(subject: str, who: str) -> str:
    """Return what conversations share that look alike, "" for one that is like none; `who` writes or is written to."""
    proper = " ".join(subject_proper(subject).casefold().split())
    if not proper or not who:
        return ""
    return blake2b(f"{proper}\0{who}".encode("utf-8", "replace"), digest_size=16).hexdigest()


def suggest_alike(session: Session, opened: Mapping[int, Opened], now: datetime) -> None:
    """Suggest the newest conversations that are like those just opened, which are written already."""
    keys = {one.key for one in opened.values()}
    alike = defaultdict(list)
    for conversation, key, *times in session.connection().execute(_ALIKE, {"keys": sorted(keys)}):
        alike[key].append((conversation, [at for at in times if at is not None]))
    pairs = set()
    for new, one in opened.items():
        near = [
            other
            for other, times in alike[one.key]
            if other != new and any(abs(at - one.at) <= _WITHIN for at in times)
        ]
        pairs |= {(min(new, other), max(new, other)) for other in near[:_SUGGESTED]}
    rows = [
        {"conversation_id": low, "other_id": high, "reason": SAME_SUBJECT, "state": "open", "at": now}
        for low, high in sorted(pairs)
    ]
    insert_missing(session.connection(), ConversationSuggestion, rows)

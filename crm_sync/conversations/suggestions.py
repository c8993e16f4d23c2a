# SPDX-License-Identifier: GPL-3.0-or-later
"""Say yes or no to a suggestion that two conversations are one."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.admission import NotAllowed, NotFound
from crm_sync.conversations.access import check_may, lock_by_key
from crm_sync.conversations.merging_by_hand import merge_by_hand
from crm_sync.conversations.request import Request
from crm_sync.models.conversations import Conversation, ConversationSuggestion
from crm_sync.rights import Action, Viewer

_MOST = 2**53


def accept_suggestion(session: Session, viewer: Viewer, suggestion_id: int, now: datetime) -> str:
    """Merge the two.  Returns the id by which that is taken back.  Raises NotFound, NotAllowed."""
    found = _find(session, viewer, suggestion_id)
    one, other = (session.get_one(Conversation, key).public_id for key in (found.conversation_id, found.other_id))
    return merge_by_hand(session, viewer, one, other, now)


def decline_suggestion(session: Session, viewer: Viewer, suggestion_id: int, now: datetime) -> None:
    """They are not one; it is never suggested again.  Raises NotFound, NotAllowed."""
    found = _find(session, viewer, suggestion_id)
    # Locked in the order in which everybody locks them.
    both = [lock_by_key(session, key) for key in (found.conversation_id, found.other_id)]
    for conversation in both:
        check_may(session, viewer, conversation, Action.EDIT)
    session.refresh(found, with_for_update=True)
    if found.state != "open":
        raise NotAllowed(f"suggestion {suggestion_id}: was {found.state} already")
    found.state, found.decided_at, found.decided_by = "declined", now, viewer.actor_id
    request = Request(session, now, viewer.actor_id)
    for conversation, other in (both, reversed(both)):
        request.note("suggestion-declined", conversation, other=other.public_id)
    session.flush()


def _find(session: Session, viewer: Viewer, suggestion_id: int) -> ConversationSuggestion:
    """Return an open suggestion about two conversations that the viewer may see."""
    wanted = select(ConversationSuggestion).where(
        ConversationSuggestion.id == (suggestion_id if 0 < suggestion_id < _MOST else 0)
    )
    found = session.scalars(wanted).one_or_none()
    unknown = NotFound(f"suggestion {suggestion_id}: there is none that {viewer.actor} may see")
    if found is None:
        raise unknown
    try:
        for key in (found.conversation_id, found.other_id):
            check_may(session, viewer, session.get_one(Conversation, key), Action.SEE)
    except NotFound:
        raise unknown from None
    if found.state != "open":
        raise NotAllowed(f"suggestion {suggestion_id}: was {found.state} already")
    return found

# SPDX-License-Identifier: GPL-3.0-or-later
"""One conversation for whoever may see it, locked for whoever may do something with it."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.admission import NotAllowed, NotFound, Outdated
from crm_sync.models.conversations import Conversation
from crm_sync.rights import Action, Entity, Reach, Viewer, may

# A merged conversation leads to the one that stayed; more steps than this are a circle.
_LONGEST_TRAIL = 20
_LONGEST_ID = 26


def find_conversation(session: Session, viewer: Viewer, public_id: str) -> Conversation:
    """Return the conversation in force, to read.  Raises NotFound, also for what is not the viewer's to see."""
    key = _key_in_force(session, public_id)
    mine = may(viewer, Entity.MESSAGE, Action.SEE, Conversation.scope_id)
    found = session.scalars(select(Conversation).where(Conversation.id == key, mine)).one_or_none()
    if found is None:
        raise NotFound(f"conversation {public_id[:60]!r}: there is none that {viewer.actor} may see")
    return found


def lock_conversation(
    session: Session, viewer: Viewer, public_id: str, *actions: Action, version: int | None = None
) -> Conversation:
    """Return the conversation as it stands, the caller's until he commits, if the viewer may do one of `actions` with it.

    Who does its work may edit it, whoever owns the customer.  `version` is the one the viewer saw, None for any.  Raises
    NotFound, NotAllowed, Outdated.
    """
    key = find_conversation(session, viewer, public_id).id
    found = lock_by_key(session, key)
    check_may(session, viewer, found, *actions)
    if version is not None and version != found.version:
        raise Outdated(f"conversation {found.public_id}: was changed meanwhile; look again")
    return found


def lock_by_key(session: Session, key: int) -> Conversation:
    """Return a conversation as it stands, locked as whoever records locks it.  Lock several by rising key."""
    wanted = select(Conversation).where(Conversation.id == key).with_for_update(key_share=True)
    return session.execute(wanted.execution_options(populate_existing=True)).scalar_one()


def check_may(session: Session, viewer: Viewer, conversation: Conversation, *actions: Action) -> None:
    """Raise NotFound unless the viewer may see the conversation, NotAllowed unless he may do one of these with it."""
    if not _may(session, viewer, conversation, Action.SEE):
        raise NotFound(f"conversation {conversation.public_id}: there is none that {viewer.actor} may see")
    if Action.EDIT in actions and _works_on(viewer, conversation):
        return
    if not any(_may(session, viewer, conversation, action) for action in actions):
        raise NotAllowed(f"conversation {conversation.public_id}: {viewer.actor} may see, but not {actions[0]} it")


def may_do(session: Session, viewer: Viewer, conversation: Conversation, action: Action) -> bool:
    """May the viewer do that with it?"""
    return _may(session, viewer, conversation, action)


def _works_on(viewer: Viewer, conversation: Conversation) -> bool:
    if viewer.reach(Entity.MESSAGE, Action.EDIT) is Reach.NONE or conversation.assignee_id is None:
        return False
    return conversation.assignee_id in {viewer.person_id, *viewer.stands_in_for}


def _may(session: Session, viewer: Viewer, conversation: Conversation, action: Action) -> bool:
    mine = may(viewer, Entity.MESSAGE, action, Conversation.scope_id)
    return session.scalars(select(Conversation.id).where(Conversation.id == conversation.id, mine)).first() is not None


def _key_in_force(session: Session, public_id: str) -> int:
    if not (public_id.isalnum() and public_id.isascii() and len(public_id) <= _LONGEST_ID):
        return 0
    wanted = select(Conversation.id, Conversation.merged_into)
    row = session.execute(wanted.where(Conversation.public_id == public_id)).one_or_none()
    for _ in range(_LONGEST_TRAIL):
        if row is None or row.merged_into is None:
            break
        row = session.execute(wanted.where(Conversation.id == row.merged_into)).one_or_none()
    return 0 if row is None else row.id

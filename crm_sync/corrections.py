# SPDX-License-Identifier: GPL-3.0-or-later
"""A person corrects the labels of a mail: checked, in force at once, kept as an event, newest wins.

To take a correction back is to correct once more.  What the milter said at arrival stays as it was.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.conversations.access import may_do
from crm_sync.conversations.request import Request, load_of
from crm_sync.models.conversations import Conversation
from crm_sync.models.mail import Arrival, Message
from crm_sync.models.people import Person
from crm_sync.models.rules import Correction, RuleRow
from crm_sync.rights import Action, Entity, Viewer, fetch_viewer, may
from crm_sync.search.mail_rows import index_messages
from tradepost.addresses import address_key
from tradepost.errors import Refusal
from tradepost.verdict import CATEGORIES, Direction, Priority

FIELDS = ("category", "priority", "language", "owner")
_LANGUAGE = re.compile(r"[a-z]{2,3}")


class CorrectionError(Refusal, ValueError):
    """The correction can't be made; nothing was changed.  One line: what was wanted, why not, what may be."""


@dataclass(frozen=True, slots=True)
class Made:
    """One field that was changed."""

    field: str
    old: str | None
    new: str


def correct_mail(
    session: Session, viewer: Viewer, entry_id: str, wanted: Mapping[str, str], cause_id: str, now: datetime
) -> tuple[Made, ...]:
    """Give the mail of an arrival these labels (field -> label, an owner by address); return what that changed.

    A label that is in force already is no correction.  `cause_id` tells this request from any other (ULID).  Raises
    CorrectionError; also for a mail that is not the viewer's to correct, which is not told from one that is not there.
    """
    message = _lock_message(session, viewer, entry_id) if entry_id.isprintable() else None
    if message is None:
        raise CorrectionError(f"mail {entry_id}: there is none whose labels {viewer.email} may correct")
    if message.direction != Direction.INBOUND:
        raise CorrectionError(f"mail {entry_id}: is {message.direction}; only mail from outside is classified")
    conversation = session.get_one(Conversation, message.conversation_id)
    request = Request(session, now, viewer.actor_id, cause_id)
    made = [
        change
        for field, label in wanted.items()
        if (
            change := _set_owner(request, viewer, conversation, label)
            if field == "owner"
            else _set_label(session, message, field, label)
        )
    ]
    for change in made:
        session.add(
            Correction(
                message_id=message.id,
                person_id=viewer.person_id,
                at=now,
                field=change.field,
                old=change.old,
                new=change.new,
                cause_id=cause_id,
            )
        )
    if made:
        changes = {change.field: [change.old, change.new] for change in made}
        request.note("corrected", conversation, entry_id=entry_id, changes=changes)
        session.flush()
        if "owner" in changes:
            request.finish([conversation])
    return tuple(made)


def fetch_corrector(session: Session, email: str) -> Viewer:
    """Return the registered person of that address.  Raises CorrectionError."""
    person = _find_person(session, email)
    viewer = None if person is None else fetch_viewer(session, person.id)
    if viewer is None:
        raise CorrectionError(f"{email}: is no registered person; a correction names who made it")
    return viewer


def known_categories(session: Session) -> tuple[str, ...]:
    """Return the shipped categories, then those that rules give."""
    given = {
        str(effect.get("value"))
        for effects in session.scalars(select(RuleRow.effects))
        for effect in effects
        if effect.get("action") == "set_category"
    }
    return (*CATEGORIES, *sorted(given - set(CATEGORIES)))


def _lock_message(session: Session, viewer: Viewer, entry_id: str) -> Message | None:
    """Return the message of an arrival as it stands; None: there is none that the viewer may correct.

    Who corrects at the same moment waits, and is told what is in force then.  The conversation is locked, and first, as
    whoever records does it.
    """
    wanted = (
        select(Message)
        .join(Arrival, Arrival.message_id == Message.id)
        .where(Arrival.entry_id == entry_id, may(viewer, Entity.MESSAGE, Action.CORRECT, Message.scope_id))
    )
    conversation = wanted.with_only_columns(Message.conversation_id).scalar_subquery()
    locked = select(Conversation).where(Conversation.id == conversation).with_for_update()
    session.execute(locked.execution_options(populate_existing=True))
    return session.scalars(wanted).one_or_none()


def _set_label(session: Session, message: Message, field: str, label: str) -> Made | None:
    _check_label(session, field, label)
    old = getattr(message, field)
    if old == label:
        return None
    setattr(message, field, label)
    if field == "category":
        message.is_automatic = label == "automatic"
    session.flush()
    index_messages(session.connection(), [message.id])
    return Made(field, old, label)


def _check_label(session: Session, field: str, label: str) -> None:
    if field == "language":
        if not _LANGUAGE.fullmatch(label):
            raise CorrectionError(f"language {label!r}: is no ISO 639 code, as en or zh")
        return
    if field not in ("category", "priority"):
        raise CorrectionError(f"{field!r}: can't be corrected; {', '.join(FIELDS)} can")
    labels = known_categories(session) if field == "category" else tuple(Priority)
    if label not in labels:
        raise CorrectionError(f"{field} {label!r}: there is none; there are {', '.join(labels)}")


def _set_owner(request: Request, viewer: Viewer, conversation: Conversation, email: str) -> Made | None:
    """Let another person do the work: the conversation is his.  The customer's owner is another matter.

    One's own work, and what nobody has, anybody hands on; from a colleague only he takes it who may assign.
    """
    session = request.session
    person = _find_person(session, email)
    if person is None or person.left_at is not None:
        raise CorrectionError(f"owner {email!r}: is no registered person")
    before = conversation.assignee_id
    if before == person.id:
        return None
    old = None if before is None else session.scalars(select(Person.email).where(Person.id == before)).one()
    is_free = before is None or before in {viewer.person_id, *viewer.stands_in_for}
    if not is_free and not may_do(session, viewer, conversation, Action.ASSIGN):
        raise CorrectionError(f"owner: {old} works on it, and {viewer.actor} may not assign it to somebody else")
    load = load_of(conversation)
    conversation.assignee_id = person.id
    conversation.version += 1
    request.recount(load, load_of(conversation))
    return Made("owner", old, person.email)


def _find_person(session: Session, email: str) -> Person | None:
    # Bytes that are no text, and NUL, are more than a database can be asked about.
    if not email.isprintable():
        return None
    return session.scalars(select(Person).where(Person.email == address_key(email))).one_or_none()

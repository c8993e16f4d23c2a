# SPDX-License-Identifier: GPL-3.0-or-later
"""Touches: calls, meetings and chats that no mail tells of, entered by whoever had them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import InvalidValue, NotAllowed, NotFound, Outdated
from crm_sync.customers.reclaim import touch_customers
from crm_sync.followups.targets import check_may_write, find_target
from crm_sync.mail_views import PersonRef
from crm_sync.models.conversations import Activity, Event
from crm_sync.models.customers import Contact, ContactAddress
from crm_sync.models.followups import Touch
from crm_sync.models.people import Person
from crm_sync.rights import Action, Entity, Reach, Viewer, may
from crm_sync.search.record_rows import index_records
from tradepost.addresses import address_key

KINDS = ("call", "meeting", "visit", "chat", "social", "fair", "parcel", "other")
DIRECTIONS = ("in", "out", "")
LONGEST_TEXT, LONGEST_CHANNEL = 20_000, 60
_MOST_MINUTES = 7 * 24 * 60
# A clock may be wrong by that much; what is to come is a task.
_FUTURE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class TouchView:
    """A touch as people read it."""

    id: str
    kind: str
    direction: str
    channel: str
    at: datetime
    minutes: int | None
    summary: str
    next_plan: str
    contact: str  # his name, or ""
    author: PersonRef | None  # None: root
    edited_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class TouchEntry:
    """What is entered.  `contact` is one of his addresses; `at` is aware and not to come."""

    kind: str
    at: datetime
    summary: str
    direction: str = ""
    channel: str = ""
    minutes: int | None = None
    next_plan: str = ""
    contact: str | None = None


def add_touch(session: Session, viewer: Viewer, about: str, entry: TouchEntry, now: datetime) -> TouchView:
    """Enter a touch with a customer (`customer:ID`, or a conversation or mail of his).

    Raises NotFound, NotAllowed, InvalidValue.
    """
    target = find_target(session, viewer, about)
    check_may_write(session, viewer, target)
    if target.customer_id is None:
        raise InvalidValue(f"{about}: belongs to no customer yet; a touch is with a customer")
    _check(entry, now)
    touch = Touch(
        public_id=str(ULID.from_datetime(now)),
        scope_id=target.scope_id,
        customer_id=target.customer_id,
        contact_id=_find_contact(session, target.customer_id, entry.contact),
        author_id=viewer.actor_id,
        created_at=now,
        version=1,
        **_columns(entry),
    )
    session.add(touch)
    session.flush()
    _put_on_timeline(session, touch)
    _tell(session, viewer, touch, "touch-entered", now)
    session.flush()
    index_records(session.connection(), "touch", [touch.id])
    return _views(session, [touch])[0]


def edit_touch(
    session: Session, viewer: Viewer, touch_id: str, entry: TouchEntry, now: datetime, *, version: int
) -> TouchView:
    """Enter a touch anew in place of what was entered.  `version` is the one that was read.

    Raises NotFound, NotAllowed, InvalidValue, Outdated.
    """
    touch = _lock(session, viewer, touch_id)
    if touch.version != version:
        raise Outdated(f"touch {touch_id}: was changed meanwhile (version {touch.version}); read it again")
    _check(entry, now)
    session.execute(delete(Activity).where(Activity.customer_id == touch.customer_id, Activity.touch_id == touch.id))
    for name, value in _columns(entry).items():
        setattr(touch, name, value)
    touch.contact_id = _find_contact(session, touch.customer_id, entry.contact)
    touch.edited_at = now
    touch.version += 1
    _put_on_timeline(session, touch)
    _tell(session, viewer, touch, "touch-edited", now)
    session.flush()
    index_records(session.connection(), "touch", [touch.id])
    return _views(session, [touch])[0]


def delete_touch(session: Session, viewer: Viewer, touch_id: str, now: datetime) -> None:
    """Take a touch away; `restore_touch` brings it back.  Raises NotFound, NotAllowed."""
    touch = _lock(session, viewer, touch_id)
    touch.deleted_at = now
    touch.version += 1
    session.execute(delete(Activity).where(Activity.customer_id == touch.customer_id, Activity.touch_id == touch.id))
    _tell(session, viewer, touch, "touch-deleted", now)
    session.flush()
    index_records(session.connection(), "touch", [touch.id])


def restore_touch(session: Session, viewer: Viewer, touch_id: str, now: datetime) -> TouchView:
    """Bring a deleted touch back.  Raises NotFound, NotAllowed."""
    touch = _lock(session, viewer, touch_id, is_deleted=True)
    touch.deleted_at = None
    touch.version += 1
    _put_on_timeline(session, touch)
    _tell(session, viewer, touch, "touch-restored", now)
    session.flush()
    index_records(session.connection(), "touch", [touch.id])
    return _views(session, [touch])[0]


def fetch_touch(session: Session, viewer: Viewer, touch_id: str) -> TouchView | None:
    """Return one touch; None: there is none that the viewer may see."""
    if not touch_id.isalnum():
        return None
    touch = session.scalars(
        select(Touch).where(
            Touch.public_id == touch_id[:26],
            Touch.deleted_at.is_(None),
            may(viewer, Entity.NOTE, Action.SEE, Touch.scope_id),
        )
    ).one_or_none()
    return None if touch is None else _views(session, [touch])[0]


def _check(entry: TouchEntry, now: datetime) -> None:
    if entry.kind not in KINDS:
        raise InvalidValue(f"kind {entry.kind[:40]!r}: there are {', '.join(KINDS)}")
    if entry.direction not in DIRECTIONS:
        raise InvalidValue(f"direction {entry.direction[:40]!r}: say in, out, or nothing")
    if entry.at > now + _FUTURE:
        raise InvalidValue("that is still to come: plan a task instead ('tradepost task add')")
    if not entry.summary.strip():
        raise InvalidValue("say in a few words what it was about")
    if max(len(entry.summary), len(entry.next_plan)) > LONGEST_TEXT:
        raise InvalidValue(f"a text has at most {LONGEST_TEXT} characters")
    if len(entry.channel) > LONGEST_CHANNEL:
        raise InvalidValue(f"a channel has at most {LONGEST_CHANNEL} characters")
    if entry.minutes is not None and not 0 <= entry.minutes <= _MOST_MINUTES:
        raise InvalidValue(f"minutes {entry.minutes}: say 0 to {_MOST_MINUTES}")


def _columns(entry: TouchEntry) -> dict[str, object]:
    return {
        "kind": entry.kind,
        "direction": entry.direction,
        "channel": entry.channel.replace("\x00", "").strip(),
        "at": entry.at,
        "minutes": entry.minutes,
        "summary": entry.summary.replace("\x00", "").strip(),
        "next_plan": entry.next_plan.replace("\x00", "").strip(),
    }


def _find_contact(session: Session, customer_id: int, address: str | None) -> int | None:
    if address is None:
        return None
    key = address_key(address) if address.isprintable() else ""
    found = session.scalars(
        select(Contact.id)
        .join(ContactAddress, ContactAddress.contact_id == Contact.id)
        .where(ContactAddress.address_key == key, Contact.customer_id == customer_id)
    ).one_or_none()
    if found is None:
        raise InvalidValue(f"{address[:60]!r}: is no contact of this customer")
    return found


def _lock(session: Session, viewer: Viewer, touch_id: str, *, is_deleted: bool = False) -> Touch:
    """Return a touch to change: one's own, or anybody's for whoever has the right to delete all."""
    wanted = select(Touch).where(
        Touch.public_id == touch_id[:26],
        Touch.deleted_at.is_not(None) if is_deleted else Touch.deleted_at.is_(None),
        may(viewer, Entity.NOTE, Action.EDIT, Touch.scope_id),
    )
    touch = session.scalars(wanted.with_for_update()).one_or_none() if touch_id.isalnum() else None
    if touch is None:
        raise NotFound(f"touch {touch_id[:60]}: there is none that {viewer.actor} may change")
    if touch.author_id != viewer.actor_id and viewer.reach(Entity.NOTE, Action.DELETE) is not Reach.ALL:
        raise NotAllowed(f"touch {touch_id}: only who entered it may change it")
    return touch


def _put_on_timeline(session: Session, touch: Touch) -> None:
    session.add(Activity(customer_id=touch.customer_id, at=touch.at, kind="touch", touch_id=touch.id))
    touch_customers(session, [touch.customer_id], touch.at)


def _tell(session: Session, viewer: Viewer, touch: Touch, step: str, now: datetime) -> None:
    session.add(
        Event(
            cause_id=str(ULID()),
            step=step,
            subject=f"touch:{touch.id}",
            at=now,
            customer_id=touch.customer_id,
            person_id=viewer.actor_id,
            details={"touch": touch.public_id},
        )
    )


def _views(session: Session, touches: Sequence[Touch]) -> tuple[TouchView, ...]:
    authors = select(Person.id, Person.email, Person.name).where(Person.id.in_({one.author_id for one in touches}))
    author_of = {key: PersonRef(email, name) for key, email, name in session.execute(authors)}
    contacts = select(Contact.id, Contact.name).where(Contact.id.in_({one.contact_id for one in touches}))
    contact_of = dict(session.execute(contacts).all())
    return tuple(
        TouchView(
            id=one.public_id,
            kind=one.kind,
            direction=one.direction,
            channel=one.channel,
            at=one.at,
            minutes=one.minutes,
            summary=one.summary,
            next_plan=one.next_plan,
            contact=contact_of.get(one.contact_id or 0, ""),
            author=author_of.get(one.author_id or 0),
            edited_at=one.edited_at,
            version=one.version,
        )
        for one in touches
    )

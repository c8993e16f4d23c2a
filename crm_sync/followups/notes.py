# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes: what colleagues tell one another on a customer, a conversation or a mail.  Customers never see any.

`@ann` or `@ann@own.example` names a colleague; he finds the note among his mentions.  Who may not see what the note is
about can't be named: he would be called to a closed door.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import InvalidValue, NotAllowed, NotFound, Outdated
from crm_sync.customers.reclaim import touch_customers
from crm_sync.followups.targets import Target, check_may_write, find_target
from crm_sync.mail_views import PersonRef
from crm_sync.models.conversations import Activity, Event
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.followups import Note, NoteMention
from crm_sync.models.people import Person
from crm_sync.rights import Action, Entity, Reach, Viewer, fetch_viewer, may
from crm_sync.search.record_rows import index_records
from tradepost.addresses import address_key

LONGEST_NOTE = 20_000
MOST_MENTIONS = 50
_MENTION = re.compile(r"(?<![\w@.])@([\w.+-]{1,64}(?:@[\w.-]{1,190})?)")


@dataclass(frozen=True, slots=True)
class NoteView:
    """A note as people read it."""

    id: str
    customer: str | None  # public id
    customer_name: str
    author: PersonRef | None  # None: root
    text: str
    is_pinned: bool
    created_at: datetime
    edited_at: datetime | None
    mentions: tuple[PersonRef, ...]
    version: int
    is_unread: bool = False  # it mentions the viewer, who has not said that he has read it


def add_note(
    session: Session, viewer: Viewer, about: str, text: str, now: datetime, *, is_pinned: bool = False
) -> NoteView:
    """Write a note on `customer:ID`, `conversation:ID` or `mail:ID`.  Raises NotFound, NotAllowed, InvalidValue."""
    target = find_target(session, viewer, about)
    check_may_write(session, viewer, target)
    text = _checked(text)
    note = Note(
        public_id=str(ULID.from_datetime(now)),
        scope_id=target.scope_id,
        customer_id=target.customer_id,
        conversation_id=target.conversation_id,
        message_id=target.message_id,
        author_id=viewer.actor_id,
        text=text,
        is_pinned=is_pinned,
        created_at=now,
        version=1,
    )
    session.add(note)
    session.flush()
    _mention(session, note)
    _put_on_timeline(session, note)
    _tell(session, viewer, note, "noted", now)
    session.flush()
    index_records(session.connection(), "note", [note.id])
    return _view(session, viewer, note)


def edit_note(
    session: Session,
    viewer: Viewer,
    note_id: str,
    now: datetime,
    *,
    version: int,
    text: str | None = None,
    is_pinned: bool | None = None,
) -> NoteView:
    """Change one's own note; to pin it is everybody's who may write there.  `version` is the one that was read.

    Raises NotFound, NotAllowed, InvalidValue, Outdated.
    """
    note = _lock(session, viewer, note_id)
    if note.version != version:
        raise Outdated(f"note {note_id}: was changed meanwhile (version {note.version}); read it again")
    if text is not None and text != note.text:
        _check_author(viewer, note)
        note.text, note.edited_at = _checked(text), now
        _mention(session, note)
    if is_pinned is not None:
        note.is_pinned = is_pinned
    note.version += 1
    _tell(session, viewer, note, "note-edited", now)
    session.flush()
    index_records(session.connection(), "note", [note.id])
    return _view(session, viewer, note)


def delete_note(session: Session, viewer: Viewer, note_id: str, now: datetime) -> None:
    """Take a note away; `restore_note` brings it back.  Raises NotFound, NotAllowed."""
    note = _lock(session, viewer, note_id)
    _check_author(viewer, note)
    note.deleted_at = now
    note.version += 1
    session.execute(delete(Activity).where(*_on_timeline(note)))
    _tell(session, viewer, note, "note-deleted", now)
    session.flush()
    index_records(session.connection(), "note", [note.id])


def restore_note(session: Session, viewer: Viewer, note_id: str, now: datetime) -> NoteView:
    """Bring a deleted note back.  Raises NotFound, NotAllowed."""
    note = _lock(session, viewer, note_id, is_deleted=True)
    _check_author(viewer, note)
    note.deleted_at = None
    note.version += 1
    _put_on_timeline(session, note)
    _tell(session, viewer, note, "note-restored", now)
    session.flush()
    index_records(session.connection(), "note", [note.id])
    return _view(session, viewer, note)


def list_notes(
    session: Session, viewer: Viewer, about: str, *, before: str | None = None, limit: int = 50
) -> tuple[NoteView, ...]:
    """Return the notes on a record: on the first page pinned ones first, then newest first, older than the id `before`.

    Raises NotFound.
    """
    place = _at_target(find_target(session, viewer, about))
    notes = select(Note).where(place, Note.deleted_at.is_(None), may(viewer, Entity.NOTE, Action.SEE, Note.scope_id))
    plain = notes.where(Note.is_pinned.is_(False)).order_by(Note.public_id.desc()).limit(limit)
    if before is not None:
        return _views(session, viewer, session.scalars(plain.where(Note.public_id < before)).all())
    pinned = notes.where(Note.is_pinned.is_(True)).order_by(Note.public_id.desc()).limit(limit)
    return _views(session, viewer, [*session.scalars(pinned), *session.scalars(plain)][:limit])


def list_mentions(
    session: Session, viewer: Viewer, *, is_unread: bool = True, before: str | None = None, limit: int = 50
) -> tuple[NoteView, ...]:
    """Return the notes that name the viewer, newest first."""
    notes = (
        select(Note)
        .join(NoteMention, NoteMention.note_id == Note.id)
        .where(
            NoteMention.person_id == viewer.person_id,
            Note.deleted_at.is_(None),
            may(viewer, Entity.NOTE, Action.SEE, Note.scope_id),
        )
        .order_by(Note.public_id.desc())
        .limit(limit)
    )
    if is_unread:
        notes = notes.where(NoteMention.seen_at.is_(None))
    if before is not None:
        notes = notes.where(Note.public_id < before)
    return _views(session, viewer, session.scalars(notes).all())


def mark_mentions_read(session: Session, viewer: Viewer, note_ids: Sequence[str], now: datetime) -> int:
    """The viewer has read these notes; return for how many that was new.  Raises NotFound for one that names him not."""
    mine = (
        select(Note.public_id, Note.id)
        .join(NoteMention, NoteMention.note_id == Note.id)
        .where(
            NoteMention.person_id == viewer.person_id,
            Note.public_id.in_(note_ids),
            Note.deleted_at.is_(None),
            may(viewer, Entity.NOTE, Action.SEE, Note.scope_id),
        )
    )
    found = dict(session.execute(mine).all())
    if unknown := sorted(set(note_ids) - found.keys()):
        raise NotFound(f"note {unknown[0][:60]}: there is none that names {viewer.actor}")
    done = session.execute(
        update(NoteMention)
        .where(
            NoteMention.person_id == viewer.person_id,
            NoteMention.note_id.in_(found.values()),
            NoteMention.seen_at.is_(None),
        )
        .values(seen_at=now)
    )
    return int(getattr(done, "rowcount", 0))


def _checked(text: str) -> str:
    text = text.replace("\x00", "").strip()
    if not text:
        raise InvalidValue("a note without words says nothing")
    if len(text) > LONGEST_NOTE:
        raise InvalidValue(f"a note has at most {LONGEST_NOTE} characters, this one {len(text)}")
    return text


def _check_author(viewer: Viewer, note: Note) -> None:
    """What somebody wrote is his to change; of whoever has the right to delete too."""
    if note.author_id != viewer.actor_id and viewer.reach(Entity.NOTE, Action.DELETE) is not Reach.ALL:
        raise NotAllowed(f"note {note.public_id}: only who wrote it may change it")


def _lock(session: Session, viewer: Viewer, note_id: str, *, is_deleted: bool = False) -> Note:
    wanted = select(Note).where(
        Note.public_id == note_id[:26],
        Note.deleted_at.is_not(None) if is_deleted else Note.deleted_at.is_(None),
        may(viewer, Entity.NOTE, Action.EDIT, Note.scope_id),
    )
    note = session.scalars(wanted.with_for_update()).one_or_none() if note_id.isalnum() else None
    if note is None:
        raise NotFound(f"note {note_id[:60]}: there is none that {viewer.actor} may change")
    return note


def _mention(session: Session, note: Note) -> None:
    """Keep the colleagues that the text names.  Raises NotAllowed for one who may not see the note."""
    named = list(dict.fromkeys(_MENTION.findall(note.text)))[:MOST_MENTIONS]
    keys = [address_key(name) for name in named if "@" in name]
    short = [name.lower() for name in named if "@" not in name]
    people = session.execute(
        select(Person.id, Person.email).where(
            Person.left_at.is_(None),
            or_(Person.email.in_(keys), *(Person.email.startswith(f"{name}@", autoescape=True) for name in short)),
        )
    ).all()
    for person_id, email in people:
        colleague = fetch_viewer(session, person_id)
        assert colleague is not None
        may_read = select(Scope.id).where(Scope.id == note.scope_id, may(colleague, Entity.NOTE, Action.SEE, Scope.id))
        if session.scalars(may_read).one_or_none() is None:
            raise NotAllowed(f"@{email} may not see what this note is about; share it first ('tradepost share add')")
    wanted = {person_id for person_id, _ in people}
    known = set(session.scalars(select(NoteMention.person_id).where(NoteMention.note_id == note.id)))
    gone = known - wanted
    session.execute(delete(NoteMention).where(NoteMention.note_id == note.id, NoteMention.person_id.in_(gone)))
    session.add_all(NoteMention(note_id=note.id, person_id=person_id) for person_id in sorted(wanted - known))


def _put_on_timeline(session: Session, note: Note) -> None:
    if note.customer_id is not None:
        session.add(
            Activity(
                customer_id=note.customer_id,
                at=note.created_at,
                kind="note",
                conversation_id=note.conversation_id,
                note_id=note.id,
            )
        )
        touch_customers(session, [note.customer_id], note.created_at)


def _on_timeline(note: Note) -> tuple[ColumnElement[bool], ...]:
    # By customer and time: the index that the timeline has anyway.
    return (
        Activity.customer_id == note.customer_id,
        Activity.at == note.created_at,
        Activity.note_id == note.id,
    )


def _tell(session: Session, viewer: Viewer, note: Note, step: str, now: datetime) -> None:
    session.add(
        Event(
            cause_id=str(ULID()),
            step=step,
            subject=f"note:{note.id}",
            at=now,
            conversation_id=note.conversation_id,
            customer_id=note.customer_id,
            person_id=viewer.actor_id,
            details={"note": note.public_id},
        )
    )


def _at_target(target: Target) -> ColumnElement[bool]:
    if target.message_id is not None:
        return Note.message_id == target.message_id
    if target.conversation_id is not None:
        return Note.conversation_id == target.conversation_id
    return Note.customer_id == target.customer_id


def _view(session: Session, viewer: Viewer, note: Note) -> NoteView:
    return _views(session, viewer, [note])[0]


def _views(session: Session, viewer: Viewer, notes: Sequence[Note]) -> tuple[NoteView, ...]:
    keys = [note.id for note in notes]
    named = session.execute(
        select(NoteMention.note_id, Person.id, Person.email, Person.name, NoteMention.seen_at)
        .join(Person, Person.id == NoteMention.person_id)
        .where(NoteMention.note_id.in_(keys))
        .order_by(Person.email)
    ).all()
    authors = select(Person.id, Person.email, Person.name).where(Person.id.in_({note.author_id for note in notes}))
    author_of = {key: PersonRef(email, name) for key, email, name in session.execute(authors)}
    customers = select(Customer.id, Customer.public_id, Customer.name).where(
        Customer.id.in_({note.customer_id for note in notes}),
        may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id),
    )
    customer_of = {key: (public_id, name) for key, public_id, name in session.execute(customers)}
    views = []
    for note in notes:
        customer, customer_name = customer_of.get(note.customer_id or 0, (None, ""))
        views.append(
            NoteView(
                id=note.public_id,
                customer=customer,
                customer_name=customer_name,
                author=author_of.get(note.author_id or 0),
                text=note.text,
                is_pinned=note.is_pinned,
                created_at=note.created_at,
                edited_at=note.edited_at,
                mentions=tuple(PersonRef(email, name) for key, _, email, name, _ in named if key == note.id),
                version=note.version,
                is_unread=any(
                    key == note.id and person == viewer.person_id and seen is None for key, person, _, _, seen in named
                ),
            )
        )
    return tuple(views)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes, tasks, touches and the timeline."""

from rights_case import Case, changes, lists, reads
from rights_world import Planted, World
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.followups.notes import (
    add_note,
    delete_note,
    edit_note,
    list_mentions,
    list_notes,
    mark_mentions_read,
    restore_note,
)
from crm_sync.followups.targets import check_may_write, find_target
from crm_sync.followups.tasks import add_task, close_task, edit_task, fetch_task, list_tasks, reopen_task
from crm_sync.followups.timeline import fetch_timeline
from crm_sync.followups.touches import (
    TouchEntry,
    add_touch,
    delete_touch,
    edit_touch,
    fetch_touch,
    restore_touch,
)
from crm_sync.models.conversations import Activity
from crm_sync.models.followups import Note, NoteMention, Task, Touch
from crm_sync.rights import Action, Entity, Viewer

_KINDS = ("note", "gone note", "task", "done task", "touch", "gone touch")


def plant(session: Session, world: World) -> None:
    """Give every record a note that names everybody, a task, a call, and of each one that was deleted or done."""
    for record in world.planted.values():
        keys = {"scope_id": record.scope_id, "customer_id": record.customer_id, "created_at": world.now, "version": 1}
        secret = world.secret(record, Entity.NOTE, "text")
        ids = {kind: str(ULID()) for kind in _KINDS}
        record.more |= ids
        note = Note(id=world.key(), public_id=ids["note"], text=secret, is_pinned=False, **keys)
        task = Task(id=world.key(), public_id=ids["task"], title=secret, details=secret, state="open", **keys)
        touch = Touch(id=world.key(), public_id=ids["touch"], kind="call", summary=secret, at=world.now, **keys)
        gone = {"deleted_at": world.now}
        session.add_all(
            (
                note,
                Note(id=world.key(), public_id=ids["gone note"], text=secret, is_pinned=False, **keys, **gone),
                task,
                Task(id=world.key(), public_id=ids["done task"], title=secret, state="done", result=secret, **keys),
                touch,
                Touch(
                    id=world.key(),
                    public_id=ids["gone touch"],
                    kind="call",
                    summary=secret,
                    at=world.now,
                    **keys,
                    **gone,
                ),
            )
        )
        session.flush()
        session.add_all(NoteMention(note_id=note.id, person_id=person) for person in world.people.values())
        for kind, key in (("note", note.id), ("task", task.id), ("touch", touch.id)):
            columns = {"customer_id": record.customer_id, "at": world.now, f"{kind}_id": key}
            session.add(Activity(id=world.key(), kind=kind, **columns))
    world.missing.more |= {kind: str(ULID()) for kind in _KINDS}


def _about(record: Planted) -> str:
    return f"customer:{record.public_id}"


def _call(world: World) -> TouchEntry:
    return TouchEntry("call", world.now, "wants more")


def _may_read(world: World, name: str, record: Planted) -> bool:
    return world.may(name, Entity.NOTE, Action.SEE, record)


def _may_add(world: World, name: str, record: Planted) -> bool:
    return world.may(name, Entity.CUSTOMER, Action.SEE, record) and world.may(name, Entity.NOTE, Action.EDIT, record)


def _told_if_writable(session: Session, viewer: Viewer, world: World, record: Planted) -> str:
    check_may_write(session, viewer, find_target(session, viewer, _about(record)))
    return world.secret(record, Entity.CUSTOMER)


_AREA = "crm_sync.followups"
CASES: dict[str, Case] = {
    f"{_AREA}.targets.find_target": reads(
        lambda s, v, w, r: (find_target(s, v, _about(r)), w.secret(r, Entity.CUSTOMER)), Entity.CUSTOMER
    ),
    f"{_AREA}.targets.check_may_write": reads(_told_if_writable, Entity.CUSTOMER),
    f"{_AREA}.notes.add_note": changes(
        lambda s, v, w, r: add_note(s, v, _about(r), "new", w.now), Entity.NOTE, allowed=_may_add
    ),
    f"{_AREA}.notes.edit_note": changes(
        lambda s, v, w, r: edit_note(s, v, str(r.more["note"]), w.now, version=1, text="new"), Entity.NOTE
    ),
    f"{_AREA}.notes.delete_note": changes(
        lambda s, v, w, r: delete_note(s, v, str(r.more["note"]), w.now), Entity.NOTE
    ),
    f"{_AREA}.notes.restore_note": changes(
        lambda s, v, w, r: restore_note(s, v, str(r.more["gone note"]), w.now), Entity.NOTE
    ),
    f"{_AREA}.notes.list_notes": reads(
        lambda s, v, w, r: [list_notes(s, v, about) for about in (_about(r), f"conversation:{r.conversation}")],
        Entity.NOTE,
    ),
    f"{_AREA}.notes.list_mentions": lists(lambda s, v, w: list_mentions(s, v), Entity.NOTE),
    f"{_AREA}.notes.mark_mentions_read": changes(
        lambda s, v, w, r: mark_mentions_read(s, v, [str(r.more["note"])], w.now), Entity.NOTE, allowed=_may_read
    ),
    f"{_AREA}.tasks.add_task": changes(
        lambda s, v, w, r: add_task(s, v, "new", w.now, about=_about(r)), Entity.NOTE, allowed=_may_add
    ),
    f"{_AREA}.tasks.edit_task": changes(
        lambda s, v, w, r: edit_task(s, v, str(r.more["task"]), w.now, version=1, title="new"), Entity.NOTE
    ),
    f"{_AREA}.tasks.close_task": changes(lambda s, v, w, r: close_task(s, v, str(r.more["task"]), w.now), Entity.NOTE),
    f"{_AREA}.tasks.reopen_task": changes(
        lambda s, v, w, r: reopen_task(s, v, str(r.more["done task"]), w.now), Entity.NOTE
    ),
    f"{_AREA}.tasks.fetch_task": reads(lambda s, v, w, r: fetch_task(s, v, str(r.more["task"]), w.now), Entity.NOTE),
    f"{_AREA}.tasks.list_tasks": lists(
        lambda s, v, w: [list_tasks(s, v, w.now, state=state) for state in ("open", "done")], Entity.NOTE
    ),
    f"{_AREA}.touches.add_touch": changes(
        lambda s, v, w, r: add_touch(s, v, _about(r), _call(w), w.now), Entity.NOTE, allowed=_may_add
    ),
    f"{_AREA}.touches.edit_touch": changes(
        lambda s, v, w, r: edit_touch(s, v, str(r.more["touch"]), _call(w), w.now, version=1), Entity.NOTE
    ),
    f"{_AREA}.touches.delete_touch": changes(
        lambda s, v, w, r: delete_touch(s, v, str(r.more["touch"]), w.now), Entity.NOTE
    ),
    f"{_AREA}.touches.restore_touch": changes(
        lambda s, v, w, r: restore_touch(s, v, str(r.more["gone touch"]), w.now), Entity.NOTE
    ),
    f"{_AREA}.touches.fetch_touch": reads(lambda s, v, w, r: fetch_touch(s, v, str(r.more["touch"])), Entity.NOTE),
    f"{_AREA}.timeline.fetch_timeline": reads(
        lambda s, v, w, r: fetch_timeline(s, v, r.public_id), Entity.CUSTOMER, is_plain=False
    ),
}

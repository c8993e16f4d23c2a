# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes, tasks, touches, and the timeline that shows them beside mail: to whom they belong, and to nobody else."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from click.testing import CliRunner
from mailroom import ANN, BOB, EVE, Mail, MailRoom, reply
from record_servers import RecordServer
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from crm_sync.command_output import acting_viewer
from crm_sync.followups.notes import (
    NoteView,
    add_note,
    delete_note,
    edit_note,
    list_mentions,
    list_notes,
    mark_mentions_read,
    restore_note,
)
from crm_sync.followups.targets import find_target
from crm_sync.followups.tasks import (
    TaskPlace,
    TaskView,
    add_task,
    close_task,
    edit_task,
    list_tasks,
    reopen_task,
)
from crm_sync.followups.timeline import TimelineItem, TimelinePlace, fetch_timeline
from crm_sync.followups.touches import (
    TouchEntry,
    TouchView,
    add_touch,
    delete_touch,
    edit_touch,
    fetch_touch,
    restore_touch,
)
from crm_sync.models.conversations import Event
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.followups import Note
from crm_sync.models.people import Person, PoolMember, RoleRight
from crm_sync.rights import Viewer
from tradepost.cli import root
from tradepost.errors import Refusal

_Answer = TypeVar("_Answer")


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    """A room where Ann owns a customer who wrote twice; Bob and she share no pool, Eve administers."""
    room = MailRoom(tmp_path, server)
    with room.database.writing() as session:
        bob = session.scalars(select(Person.id).where(Person.email == BOB)).one()
        session.execute(delete(PoolMember).where(PoolMember.person_id == bob))
    room.record(Mail(), reply(references=("<1@acme.example>",)))
    yield room
    room.close()


def as_(room: MailRoom, who: str | None, do: Callable[[Session, Viewer], _Answer]) -> _Answer:
    room.clock += timedelta(minutes=1)
    with room.database.writing() as session:
        return do(session, acting_viewer(session, who))


def acme(room: MailRoom) -> str:
    with room.looking() as look:
        [customer] = look.customers()
        assert look.owner(customer) == ANN
        return f"customer:{customer.public_id}"


def note(room: MailRoom, text: str, who: str | None = ANN, **more: bool) -> NoteView:
    return as_(room, who, lambda s, v: add_note(s, v, acme(room), text, room.clock, **more))


def notes(room: MailRoom, who: str | None = ANN) -> list[str]:
    return [one.text for one in as_(room, who, lambda s, v: list_notes(s, v, acme(room)))]


def timeline(room: MailRoom, who: str | None = ANN, **wanted: object) -> tuple[TimelineItem, ...]:
    key = acme(room).removeprefix("customer:")
    return as_(room, who, lambda s, v: fetch_timeline(s, v, key, **wanted))  # type: ignore[arg-type]


def test_a_note_is_read_by_colleagues_changed_by_its_author_and_comes_back(room: MailRoom) -> None:
    first, second = note(room, "floor is 12.40 USD"), note(room, "pays late", is_pinned=True)
    assert notes(room, EVE) == ["pays late", "floor is 12.40 USD"]
    changed = as_(room, ANN, lambda s, v: edit_note(s, v, first.id, room.clock, version=1, text="floor is 12.60 USD"))
    assert changed.edited_at == room.clock
    assert changed.version == 2
    with pytest.raises(Refusal, match=r"was changed meanwhile \(version 2\)"):
        as_(room, ANN, lambda s, v: edit_note(s, v, first.id, room.clock, version=1, text="floor is 1 USD"))
    as_(room, ANN, lambda s, v: delete_note(s, v, first.id, room.clock))
    assert notes(room) == ["pays late"]
    assert [item.text for item in timeline(room, kinds=["note"])] == ["pays late"]
    assert as_(room, ANN, lambda s, v: restore_note(s, v, first.id, room.clock)).text == "floor is 12.60 USD"
    assert notes(room) == ["pays late", "floor is 12.60 USD"]
    assert [item.text for item in timeline(room, kinds=["note"])] == ["pays late", "floor is 12.60 USD"]
    as_(room, EVE, lambda s, v: edit_note(s, v, second.id, room.clock, version=1, is_pinned=False))
    with room.looking() as look:
        steps = list(look.session.scalars(select(Event.step).where(Event.step.like("note%")).order_by(Event.id)))
    assert steps == ["noted", "noted", "note-edited", "note-deleted", "note-restored", "note-edited"]


def test_what_somebody_else_wrote_only_he_changes_and_whoever_may_delete(room: MailRoom) -> None:
    written = note(room, "by the administrator", EVE)
    with pytest.raises(Refusal, match="only who wrote it may change it"):
        as_(room, ANN, lambda s, v: edit_note(s, v, written.id, room.clock, version=1, text="other words"))
    with pytest.raises(Refusal, match="only who wrote it"):
        as_(room, ANN, lambda s, v: delete_note(s, v, written.id, room.clock))
    mine = note(room, "by Ann")
    as_(room, EVE, lambda s, v: delete_note(s, v, mine.id, room.clock))
    assert notes(room) == ["by the administrator"]


def test_a_colleague_is_named_with_an_at_sign_and_only_where_he_may_look(room: MailRoom) -> None:
    note(room, "ask @eve, or write to eve@own.example; not @nobody")
    [found] = as_(room, EVE, list_mentions)
    assert [one.email for one in found.mentions] == [EVE]
    assert found.is_unread
    assert as_(room, EVE, lambda s, v: mark_mentions_read(s, v, [found.id], room.clock)) == 1
    assert as_(room, EVE, list_mentions) == ()
    assert [one.is_unread for one in as_(room, EVE, lambda s, v: list_mentions(s, v, is_unread=False))] == [False]
    with pytest.raises(Refusal, match=r"@bob@own\.example may not see what this note is about; share it first"):
        note(room, "@bob@own.example please look")
    assert notes(room) == ["ask @eve, or write to eve@own.example; not @nobody"]
    changed = as_(room, ANN, lambda s, v: edit_note(s, v, found.id, room.clock, version=1, text="ask nobody"))
    assert changed.mentions == ()


def test_notes_hang_on_a_conversation_or_a_mail_too(room: MailRoom) -> None:
    with room.looking() as look:
        entries = [item.id for item in timeline(room)]
        conversation = look.conversation(entries[0]).public_id
    as_(room, ANN, lambda s, v: add_note(s, v, f"conversation:{conversation}", "on the thread", room.clock))
    as_(room, ANN, lambda s, v: add_note(s, v, f"mail:{entries[1]}", "on the first mail", room.clock))
    assert [n.text for n in as_(room, ANN, lambda s, v: list_notes(s, v, f"mail:{entries[1]}"))] == [
        "on the first mail"
    ]
    assert [n.text for n in as_(room, ANN, lambda s, v: list_notes(s, v, f"conversation:{conversation}"))] == [
        "on the first mail",
        "on the thread",
    ]
    assert notes(room) == ["on the first mail", "on the thread"]


@pytest.mark.parametrize(
    "about", ["", "customer", "customer:", "customer:nope", "mail:" + "x" * 999, "pool:1", "customer:\x00", "mail:é'"]
)
def test_what_names_no_record_is_refused_in_one_line(room: MailRoom, about: str) -> None:
    with pytest.raises(Refusal) as refused:
        as_(room, ANN, lambda s, v: add_note(s, v, about, "text", room.clock))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", " \x00 ", "x" * 20_001])
def test_a_note_has_words_and_an_end(room: MailRoom, text: str) -> None:
    with pytest.raises(Refusal):
        note(room, text)
    assert notes(room) == []


def test_a_stranger_learns_nothing_and_changes_nothing(room: MailRoom) -> None:
    written = note(room, "floor is 12.40 USD")
    planned = as_(room, ANN, lambda s, v: add_task(s, v, "Send a sample", room.clock, about=acme(room)))
    touched = as_(room, ANN, lambda s, v: add_touch(s, v, acme(room), call(room), room.clock))
    customer = acme(room)
    refused: list[Callable[[Session, Viewer], object]] = [
        lambda s, v: find_target(s, v, customer),
        lambda s, v: list_notes(s, v, customer),
        lambda s, v: add_note(s, v, customer, "mine", room.clock),
        lambda s, v: edit_note(s, v, written.id, room.clock, version=1, text="mine"),
        lambda s, v: delete_note(s, v, written.id, room.clock),
        lambda s, v: fetch_timeline(s, v, customer.removeprefix("customer:")),
        lambda s, v: add_task(s, v, "mine", room.clock, about=customer),
        lambda s, v: edit_task(s, v, planned.id, room.clock, version=1, title="mine"),
        lambda s, v: close_task(s, v, planned.id, room.clock),
        lambda s, v: add_touch(s, v, customer, call(room), room.clock),
        lambda s, v: edit_touch(s, v, touched.id, call(room), room.clock, version=1),
        lambda s, v: delete_touch(s, v, touched.id, room.clock),
    ]
    for do in refused:
        with pytest.raises(Refusal) as error:
            as_(room, BOB, do)
        assert "12.40" not in str(error.value)
    assert as_(room, BOB, lambda s, v: list_tasks(s, v, room.clock)) == ()
    assert as_(room, BOB, lambda s, v: fetch_touch(s, v, touched.id)) is None
    assert notes(room) == ["floor is 12.40 USD"]


def test_who_may_see_but_not_write_writes_nothing(room: MailRoom) -> None:
    with room.database.writing() as session:
        session.execute(delete(RoleRight).where(RoleRight.role == "rep", RoleRight.action == "edit"))
    with pytest.raises(Refusal, match="may read this, but write nothing to it"):
        note(room, "text")
    with room.database.writing() as session:
        session.execute(delete(RoleRight).where(RoleRight.role == "rep", RoleRight.entity == "note"))
    note(room, "floor is 12.40 USD", EVE)
    assert {item.kind for item in timeline(room)} == {"mail-in", "mail-out"}
    assert notes(room) == []


def test_a_hand_over_takes_notes_and_timeline_along(room: MailRoom) -> None:
    note(room, "floor is 12.40 USD")
    customer = acme(room)
    with room.database.writing() as session:
        bob = session.scalars(select(Person.id).where(Person.email == BOB)).one()
        scope = session.scalars(select(Customer.scope_id)).one()
        session.execute(update(Scope).where(Scope.id == scope).values(owner_id=bob, team_id=None, pool_id=None))
    assert [n.text for n in as_(room, BOB, lambda s, v: list_notes(s, v, customer))] == ["floor is 12.40 USD"]
    with pytest.raises(Refusal):
        as_(room, ANN, lambda s, v: list_notes(s, v, customer))


def task(room: MailRoom, title: str, who: str | None = ANN, **more: object) -> TaskView:
    return as_(room, who, lambda s, v: add_task(s, v, title, room.clock, **more))  # type: ignore[arg-type]


def tasks(room: MailRoom, who: str | None = ANN, **more: object) -> list[str]:
    found = as_(room, who, lambda s, v: list_tasks(s, v, room.clock, **more))  # type: ignore[arg-type]
    return [one.title for one in found]


def test_tasks_come_by_their_due_time_page_by_page(room: MailRoom) -> None:
    for title, days in (
        ("third", 3),
        ("first", -1),
        ("second", 2),
        ("second too", 2),
        ("some day", None),
        ("ever", None),
    ):
        due = None if days is None else room.clock.replace(hour=12, minute=0) + timedelta(days=days)
        task(room, title, about=acme(room), due_at=due)
    wanted = ["first", "second", "second too", "third", "some day", "ever"]
    assert tasks(room) == wanted
    assert tasks(room, about=acme(room)) == wanted
    seen: list[TaskView] = []
    while page := as_(room, ANN, partial(next_page, room, seen)):
        seen += page
    assert [one.title for one in seen] == wanted
    assert [one.is_overdue for one in seen] == [True, False, False, False, False, False]


def next_page(room: MailRoom, seen: list[TaskView], session: Session, viewer: Viewer) -> tuple[TaskView, ...]:
    after = TaskPlace(seen[-1].due_at, seen[-1].id) if seen else None
    return list_tasks(session, viewer, room.clock, after=after, limit=1)


def test_a_task_is_done_dropped_and_opened_again(room: MailRoom) -> None:
    one, two = task(room, "Send a sample", about=acme(room)), task(room, "Ask the factory", about=acme(room))
    done = as_(room, ANN, lambda s, v: close_task(s, v, one.id, room.clock, result="sent by DHL"))
    assert (done.state, done.result, done.closed_at) == ("done", "sent by DHL", room.clock)
    as_(room, ANN, lambda s, v: close_task(s, v, two.id, room.clock, state="dropped"))
    assert tasks(room) == []
    assert tasks(room, state="done") == ["Send a sample"]
    with pytest.raises(Refusal, match="is done already"):
        as_(room, ANN, lambda s, v: close_task(s, v, one.id, room.clock))
    assert as_(room, ANN, lambda s, v: reopen_task(s, v, one.id, room.clock)).state == "open"
    with pytest.raises(Refusal, match="is open"):
        as_(room, ANN, lambda s, v: reopen_task(s, v, one.id, room.clock))
    assert [(item.title, item.state) for item in timeline(room, kinds=["task"])] == [
        ("Ask the factory", "dropped"),
        ("Send a sample", "open"),
    ]


def test_who_has_to_do_it_sees_the_task_and_not_the_customer(room: MailRoom) -> None:
    task(room, "Drawing of the flange", about=acme(room), assignee=BOB)
    [his] = as_(room, BOB, lambda s, v: list_tasks(s, v, room.clock))
    assert (his.title, his.customer, his.customer_name) == ("Drawing of the flange", None, "")
    with pytest.raises(Refusal):
        as_(room, BOB, lambda s, v: list_tasks(s, v, room.clock, about=acme(room)))
    changed = as_(room, BOB, lambda s, v: edit_task(s, v, his.id, room.clock, version=his.version, assignee=ANN))
    assert changed.assignee is not None
    assert changed.assignee.email == ANN
    assert tasks(room, BOB) == []
    assert tasks(room, assignee=ANN) == ["Drawing of the flange"]


def test_a_task_of_its_own_belongs_to_whoever_has_to_do_it(room: MailRoom) -> None:
    made = task(room, "Renew the certificate", due_at=room.clock)
    assert tasks(room, BOB) == []
    given = as_(room, ANN, lambda s, v: edit_task(s, v, made.id, room.clock, version=1, assignee=BOB, has_no_due=True))
    assert given.due_at is None
    assert (tasks(room, BOB), tasks(room, ANN)) == (["Renew the certificate"], [])


def test_a_task_needs_a_title_and_somebody(room: MailRoom) -> None:
    for title in ("", "  \x00", "x" * 301):
        with pytest.raises(Refusal):
            task(room, title)
    with pytest.raises(Refusal, match="is no registered person"):
        task(room, "Send a sample", assignee="who@else.example")
    with pytest.raises(Refusal, match="say who has to do it"):
        task(room, "Send a sample", None)
    with pytest.raises(Refusal, match="there are open, done, dropped"):
        tasks(room, state="later")


def call(room: MailRoom, **changes: object) -> TouchEntry:
    fields: dict[str, object] = {"kind": "call", "at": room.clock - timedelta(hours=3), "summary": "wants 2,000 pieces"}
    return TouchEntry(**(fields | changes))  # type: ignore[arg-type]


def touch(room: MailRoom, **changes: object) -> TouchView:
    return as_(room, ANN, lambda s, v: add_touch(s, v, acme(room), call(room, **changes), room.clock))


def test_a_call_stands_on_the_timeline_at_its_time(room: MailRoom) -> None:
    entered = touch(room, direction="in", minutes=12, contact="buyer@acme.example", next_plan="quote on Monday")
    assert entered.author is not None
    assert (entered.author.email, entered.minutes, entered.next_plan) == (ANN, 12, "quote on Monday")
    touch(room, kind="chat", channel="WhatsApp", at=room.clock, summary="agreed to 12.40")
    assert [(item.kind, item.title) for item in timeline(room)] == [
        ("touch", "chat WhatsApp"),
        ("mail-out", "Re: Request"),
        ("mail-in", "Request"),
        ("touch", "call in"),
    ]
    moved = call(room, at=room.clock, summary="wants 3,000 pieces")
    as_(room, ANN, lambda s, v: edit_touch(s, v, entered.id, moved, room.clock, version=1))
    assert [item.text for item in timeline(room, kinds=["touch"])] == ["wants 3,000 pieces", "agreed to 12.40"]
    as_(room, ANN, lambda s, v: delete_touch(s, v, entered.id, room.clock))
    assert [item.text for item in timeline(room, kinds=["touch"])] == ["agreed to 12.40"]
    assert as_(room, ANN, lambda s, v: restore_touch(s, v, entered.id, room.clock)).version == 4
    assert len(timeline(room, kinds=["touch"])) == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kind": "dream"}, "there are call, meeting"),
        ({"direction": "up"}, "say in, out, or nothing"),
        ({"summary": " "}, "say in a few words"),
        ({"minutes": -1}, "say 0 to"),
        ({"contact": "who@else.example"}, "is no contact of this customer"),
        ({"channel": "x" * 61}, "at most 60"),
        ({"summary": "x" * 20_001}, "at most 20000"),
    ],
)
def test_a_touch_that_can_not_be_is_refused(room: MailRoom, changes: dict[str, object], why: str) -> None:
    with pytest.raises(Refusal, match=why):
        touch(room, **changes)


def test_what_is_still_to_come_is_a_task(room: MailRoom) -> None:
    with pytest.raises(Refusal, match="plan a task instead"):
        touch(room, at=room.clock + timedelta(days=1))


def test_the_timeline_comes_page_by_page(room: MailRoom) -> None:
    for number in range(7):
        note(room, f"note {number}")
    whole = timeline(room)
    assert len(whole) == 9
    seen: list[TimelineItem] = []
    before: TimelinePlace | None = None
    while page := timeline(room, before=before, limit=2):
        seen += page
        before = page[-1].place
    assert seen == list(whole)
    with pytest.raises(Refusal, match="no kind of item; there are mail-in"):
        timeline(room, kinds=["dream"])


def test_a_customer_that_was_merged_leads_to_the_one_that_stayed(room: MailRoom) -> None:
    room.record(Mail(sender="jo@other.example", message_id="<2@other.example>"))
    with room.database.writing() as session:
        kept, gone = session.scalars(select(Customer).order_by(Customer.id)).all()
        gone.merged_into = kept.id
        names = (f"customer:{kept.public_id}", f"customer:{gone.public_id}")
    first, second = as_(room, None, lambda s, v: [find_target(s, v, name) for name in names])
    assert first == second


def test_the_commands_do_the_same_and_speak_json(room: MailRoom, tmp_path: Path) -> None:
    config = tmp_path / "tradepost.toml"
    config.write_text(
        f'[paths]\nstate = "{tmp_path}"\nruntime = "{tmp_path}"\n[database]\nurl = "{room.url}"\n[host]\ninstance = "mx"\n'
    )

    def run(*words: str) -> str:
        done = CliRunner().invoke(root, ["--config", str(config), *words])
        assert done.exit_code == 0, done.output
        return done.output

    customer = acme(room)
    added = json.loads(run("note", "add", customer, "ask @eve", "--as", ANN, "--json"))
    assert added["author"]["email"] == ANN
    assert json.loads(run("note", "mentions", "--as", EVE, "--read", "--json"))["text"] == "ask @eve"
    assert run("note", "mentions", "--as", EVE) == "no notes\n"
    run("note", "edit", added["id"], "--version", "1", "--pin", "--as", ANN)
    assert "pinned" in run("note", "list", customer)
    run("note", "delete", added["id"], "--as", ANN)
    run("note", "restore", added["id"], "--as", ANN)
    planned = json.loads(
        run("task", "add", "Send a sample", "--about", customer, "--due", "2026-12-01 15:00", "--as", ANN, "--json")
    )
    assert planned["due_at"].endswith("Z") or "+00:00" in planned["due_at"]
    run("task", "edit", planned["id"], "--version", "1", "--to", BOB, "--as", ANN)
    run("task", "done", planned["id"], "--result", "sent", "--as", BOB)
    run("task", "reopen", planned["id"], "--as", BOB)
    assert "Send a sample" in run("task", "list", "--to", BOB)
    entered = json.loads(
        run("activity", "add", customer, "called them", "--kind", "call", "--out", "--as", ANN, "--json")
    )
    assert (entered["kind"], entered["direction"]) == ("call", "out")
    run("activity", "edit", entered["id"], "called back", "--version", "1", "--kind", "call", "--as", ANN)
    run("activity", "delete", entered["id"], "--as", ANN)
    run("activity", "restore", entered["id"], "--as", ANN)
    lines = run("activity", "list", customer.removeprefix("customer:"), "--as", ANN, "--json").splitlines()
    assert {json.loads(line)["kind"] for line in lines} == {"touch", "task", "note", "mail-in", "mail-out"}
    last = json.loads(lines[0])["place"]
    older = run(
        "activity", "list", customer.removeprefix("customer:"), "--before", f"{last['at']},{last['id']}", "--json"
    )
    assert older.splitlines() == [line for line in lines[1:]]
    done = CliRunner().invoke(root, ["--config", str(config), "note", "list", customer, "--as", BOB])
    assert done.exit_code == 1
    with room.looking() as look:
        assert look.count(Note) == 1

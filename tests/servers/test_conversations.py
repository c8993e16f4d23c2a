# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do with conversations: who works on them, their state, suggestions; what mail does to that."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from mailroom import ANN, BOB, EVE, Mail, MailRoom, reply
from record_servers import RecordServer
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue, NotAllowed, NotFound, Outdated
from crm_sync.command_output import acting_viewer
from crm_sync.conversations.handling import (
    assign_conversation,
    claim_conversation,
    release_conversation,
    set_conversation_status,
    snooze_conversation,
    wake_conversations,
)
from crm_sync.conversations.reading import (
    ListWish,
    fetch_conversation,
    list_conversations,
    list_suggestions,
    list_unanswered,
)
from crm_sync.conversations.suggestions import accept_suggestion, decline_suggestion
from crm_sync.models.conversations import Conversation, ConversationSuggestion, Event
from crm_sync.models.customers import ScopeShare
from crm_sync.models.people import Person
from crm_sync.models.timers import TimerRow
from crm_sync.rights import Viewer
from crm_sync.timers import database_now
from tradepost.cli import root
from tradepost.directory import UNKNOWN, ThreadFact, decode_fact, id_digest

MISSING = ("customer", "contact", "conversation")


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


def of_ann(**changes: object) -> Mail:
    return Mail(owner=ANN, owner_reason="distribution", missing=MISSING, **changes)  # type: ignore[arg-type]


def pooled(**changes: object) -> Mail:
    """A mail that nobody was given."""
    return Mail(owner=None, owner_reason="pool", missing=MISSING, **changes)  # type: ignore[arg-type]


def public_id(room: MailRoom, entry: str) -> str:
    with room.looking() as look:
        return look.conversation(entry).public_id


def do(room: MailRoom, who: str | None, what: Callable[..., object], *args: object, **more: object) -> object:
    """Do something as a person (None: root), in a transaction of its own."""
    with room.database.writing() as session:
        return what(session, acting_viewer(session, who), *args, room.now(), **more)


def steps(session: Session, key: int) -> list[str]:
    return list(session.scalars(select(Event.step).where(Event.conversation_id == key).order_by(Event.id)))


def check_loads(room: MailRoom) -> None:
    with room.looking() as look:
        for person in look.session.scalars(select(Person)):
            mine = select(func.count()).where(
                Conversation.assignee_id == person.id, Conversation.status == "open", Conversation.merged_into.is_(None)
            )
            assert person.open_conversations == look.session.scalars(mine).one(), person.email


def test_mail_moves_the_status_and_automatic_mail_does_not(room: MailRoom) -> None:
    def now(entry: str) -> tuple[str, bool, int]:
        with room.looking() as look:
            found = look.conversation(entry)
            return found.status, found.unanswered_since is not None, look.load(ANN)

    [first] = room.record(of_ann())
    assert now(first) == ("open", True, 1)
    room.record(reply(ANN, references=("<1@acme.example>",)))
    assert now(first) == ("waiting", False, 0)
    away = Mail(
        message_id="<o@acme.example>", references=("<r1@own.example>",), category="automatic", is_automatic=True
    )
    room.record(away)
    assert now(first) == ("waiting", False, 0)
    [second] = room.record(Mail(message_id="<2@acme.example>", references=("<r1@own.example>",), text="And now?"))
    [third] = room.record(Mail(message_id="<3@acme.example>", references=("<r1@own.example>",), text="Hello?"))
    assert now(first) == ("open", True, 1)
    with room.looking() as look:
        assert look.conversation(first).unanswered_since == look.arrival(second).arrived_at
        assert "reopened" in look.steps(second)
        assert "reopened" not in look.steps(third)
    for status in ("solved", "closed"):
        do(room, ANN, set_conversation_status, public_id(room, first), status, reason="ordered")
        assert now(first) == (status, False, 0)
        room.record(Mail(message_id=f"<{status}@acme.example>", references=("<r1@own.example>",), text=status))
        assert now(first) == ("open", True, 1)
    check_loads(room)


def test_an_answer_recorded_after_what_came_after_it_answers_only_what_it_could(room: MailRoom) -> None:
    entries = [
        room.post(of_ann()),
        room.post(reply(ANN, references=("<1@acme.example>",))),
        room.post(Mail(message_id="<2@acme.example>", references=("<r1@own.example>",), text="More.")),
    ]
    held = [path for path in (room.root / "journal" / "new").iterdir() if entries[1] in path.name]
    away = [path.rename(room.root / path.name) for path in held]
    room.worker.drain()
    for path in away:
        path.rename(room.root / "journal" / "new" / path.name)
    room.new_worker().drain()
    with room.looking() as look:
        found = look.conversation(entries[0])
        assert (found.status, found.unanswered_since) == ("open", look.arrival(entries[2]).arrived_at)


def test_whoever_works_on_it_sees_it_for_as_long(room: MailRoom) -> None:
    [entry] = room.record(of_ann())
    key = public_id(room, entry)
    with pytest.raises(NotFound):
        do(room, BOB, set_conversation_status, key, "closed")
    with pytest.raises(NotAllowed, match="not assign"):
        do(room, ANN, assign_conversation, key, BOB)
    do(room, EVE, assign_conversation, key, BOB)
    do(room, BOB, set_conversation_status, key, "waiting")
    with room.looking() as look:
        [share] = look.session.scalars(select(ScopeShare))
        assert (share.cause, share.level) == (f"conversation:{look.conversation(entry).id}", "see")
        assert look.assignee(entry) == BOB
        event = look.session.scalars(select(Event).where(Event.step == "assigned", Event.person_id.is_not(None))).one()
        assert event.details == {"before": ANN, "person": BOB}
    do(room, BOB, release_conversation, key)
    with room.looking() as look:
        assert look.count(ScopeShare) == 0
        assert fetch_conversation(look.session, acting_viewer(look.session, ANN), key).row.assignee is None
        with pytest.raises(NotFound):
            fetch_conversation(look.session, acting_viewer(look.session, BOB), key)
    check_loads(room)
    with pytest.raises(InvalidValue, match="no registered person"):
        do(room, EVE, assign_conversation, key, "x\0@own.example")


def test_recording_shares_with_whom_it_assigns(room: MailRoom) -> None:
    """The customer is Ann's; a mail that arrival gave to Bob before it was recorded makes Bob see it."""
    room.record(of_ann())
    with room.database.writing() as session:
        session.execute(update(Conversation).values(assignee_id=None))
        session.execute(update(Person).values(open_conversations=0))
        bob = session.scalars(select(Person.id).where(Person.email == BOB)).one()
    [entry] = room.record(Mail(message_id="<x@else.example>", sender="x@else.example", owner=BOB, missing=MISSING))
    with room.database.writing() as session:
        session.execute(update(Conversation).where(Conversation.assignee_id == bob).values(assignee_id=None))
        session.execute(update(Person).values(open_conversations=0))
    with room.looking() as look:
        assert look.count(ScopeShare) == 0, "who owns it needs no share"
    room.record(of_ann(message_id="<2@acme.example>", references=("<1@acme.example>",), text="2"))
    with room.looking() as look:
        assert look.assignee(entry) is None
        assert look.count(ScopeShare) == 0
    check_loads(room)


def test_the_first_of_two_who_claim_at_once_gets_it(room: MailRoom) -> None:
    """On SQLite one writes at a time, and a connection stays in its thread."""
    at_once = room.server.name == "postgresql"
    entries = room.record(*(pooled(sender=f"b{n}@firm{n}.example", message_id=f"<{n}@x>") for n in range(4)))
    for entry in entries:
        key = public_id(room, entry)
        start = threading.Barrier(2 if at_once else 1)

        def claim(who: str, key: str = key, start: threading.Barrier = start) -> str:
            start.wait()
            try:
                do(room, who, claim_conversation, key)
            except NotAllowed as refusal:
                return str(refusal)
            return ""

        if at_once:
            with ThreadPoolExecutor(2) as threads:
                said = list(threads.map(claim, (ANN, BOB)))
        else:
            said = [claim(who) for who in (BOB, ANN)]
        with room.looking() as look:
            winner = look.assignee(entry)
        assert winner in (ANN, BOB)
        name = {ANN: "Ann", BOB: "Bob"}[winner]
        assert sorted(said) == ["", f"conversation {key}: {name} works on it already"]
        assert do(room, winner, claim_conversation, key) is None
    check_loads(room)
    do(room, winner, release_conversation, key)
    with pytest.raises(NotAllowed, match="does no work"):
        do(room, None, claim_conversation, key)


def test_a_snoozed_one_wakes_in_time_or_when_the_customer_writes(room: MailRoom) -> None:
    entries = room.record(of_ann(), of_ann(sender="c@other.example", message_id="<c@other.example>"))
    keys = [public_id(room, entry) for entry in entries]
    until = room.now() + timedelta(days=3)
    for key in keys:
        do(room, ANN, lambda session, viewer, key, now: snooze_conversation(session, viewer, key, until, now), key)
    with room.looking() as look:
        assert {look.conversation(entry).status for entry in entries} == {"waiting"}
        assert list_unanswered(look.session, acting_viewer(look.session, ANN), ListWish()).rows == ()
        assert look.load(ANN) == 0
    room.record(Mail(message_id="<2@acme.example>", references=("<1@acme.example>",), text="Well?"))
    with room.looking() as look:
        woken, asleep = (look.conversation(entry) for entry in entries)
        assert (woken.status, woken.snoozed_until, asleep.status) == ("open", None, "waiting")
    with room.database.writing() as session:
        past = database_now(session) - timedelta(minutes=1)
        session.execute(update(TimerRow).values(due_at=past))
        session.execute(update(Conversation).where(Conversation.snoozed_until.is_not(None)).values(snoozed_until=past))
    room.new_worker().step()
    with room.looking() as look:
        asleep = look.conversation(entries[1])
        assert (asleep.status, asleep.snoozed_until) == ("open", None)
        assert asleep.unanswered_since == look.arrival(entries[1]).arrived_at
        assert steps(look.session, asleep.id)[-1] == "woken"
        assert {timer.state for timer in look.session.scalars(select(TimerRow).where(TimerRow.kind.like("wake%")))} == {
            "done"
        }
    with room.database.writing() as session:
        assert wake_conversations(session, room.now()) == 0
    check_loads(room)
    with pytest.raises(InvalidValue, match="time to come"):
        do(room, ANN, lambda s, v, key, now: snooze_conversation(s, v, key, now, now), keys[0])


def test_who_saw_an_older_version_is_refused(room: MailRoom) -> None:
    [entry] = room.record(of_ann())
    key = public_id(room, entry)
    with room.looking() as look:
        version = fetch_conversation(look.session, acting_viewer(look.session, ANN), key).row.version
    do(room, ANN, set_conversation_status, key, "solved", version=version)
    with pytest.raises(Outdated):
        do(room, ANN, set_conversation_status, key, "closed", version=version)
    with pytest.raises(InvalidValue):
        do(room, ANN, set_conversation_status, key, "snoozed")
    with pytest.raises(InvalidValue, match="reason"):
        do(room, ANN, set_conversation_status, key, "closed", reason="x" * 301)


def test_the_milter_knows_who_works_on_it(room: MailRoom) -> None:
    [entry] = room.record(of_ann())
    do(room, EVE, assign_conversation, public_id(room, entry), BOB)
    room.worker.drain()
    room.new_worker().step()
    directory = room.directory()
    key = f"t:{id_digest('<1@acme.example>')}"
    found = directory.fetch([key, f"l:{ANN}", f"l:{BOB}"])
    directory.close()
    assert found is not UNKNOWN
    assert decode_fact(found[key], ThreadFact).assignee == BOB


def test_lists_come_page_by_page(room: MailRoom) -> None:
    mails = [of_ann(sender=f"b{n}@firm{n}.example", message_id=f"<{n}@x>", subject=f"S{n}") for n in range(7)]
    outs = [
        reply(ANN, to=f"p{n}@new{n}.example", message_id=f"<o{n}@x>", subject=f"O{n}", missing=(), owner=ANN)
        for n in range(3)
    ]
    room.record(*mails, *outs)

    def pages(ask: Callable[..., object], viewer: Viewer, session: Session, **wish: object) -> list[str]:
        subjects: list[str] = []
        after = ""
        for _ in range(20):
            page = ask(session, viewer, ListWish(after=after, limit=3, **wish))  # type: ignore[arg-type]
            subjects += [row.subject for row in page.rows]  # type: ignore[attr-defined]
            after = page.next  # type: ignore[attr-defined]
            if not after:
                return subjects
        raise AssertionError("no end")

    with room.looking() as look:
        ann, bob = (acting_viewer(look.session, who) for who in (ANN, BOB))
        mine = [f"S{n}" for n in reversed(range(7))]
        assert pages(list_conversations, ann, look.session, statuses=()) == [*mine, "O2", "O1", "O0"]
        assert pages(list_conversations, ann, look.session) == mine
        assert pages(list_conversations, ann, look.session, statuses=("waiting",)) == ["O2", "O1", "O0"]
        assert pages(list_conversations, ann, look.session, pool="sales") == mine
        assert pages(list_conversations, ann, look.session, assignee=BOB) == []
        assert pages(list_unanswered, ann, look.session) == mine[::-1]
        assert pages(list_conversations, bob, look.session, statuses=()) == []
        customer = list_conversations(look.session, ann, ListWish(limit=1)).rows[0].customer
        assert customer is not None
        assert pages(list_conversations, ann, look.session, customer=customer.public_id) == ["S6"]
        for bad in ("x", "9" * 17 + ".1" + "9" * 30, "-.", "\0"):
            with pytest.raises(InvalidValue):
                list_conversations(look.session, ann, ListWish(after=bad))


def test_the_same_subject_is_suggested_once_and_never_joins(room: MailRoom) -> None:
    entries = room.record(
        of_ann(subject="Pumps"),
        of_ann(sender="boss@acme.example", message_id="<2@acme.example>", subject="RE: AW: 回复：pumps ", text="2"),
        of_ann(sender=SPY_MAIL, message_id="<3@rival.example>", subject="Pumps", text="3"),
        of_ann(message_id="<4@acme.example>", subject="Valves", text="4"),
    )
    keys = [public_id(room, entry) for entry in entries]
    assert len(set(keys)) == 4
    with room.looking() as look:
        ann, bob = (acting_viewer(look.session, who) for who in (ANN, BOB))
        [found] = list_suggestions(look.session, ann)
        assert (found.conversation.id, found.other.id, found.reason) == (keys[0], keys[1], "same-subject")
        assert fetch_conversation(look.session, ann, keys[0]).suggestions == (found,)
        assert list_suggestions(look.session, bob) == ()
    with pytest.raises(NotFound):
        do(room, BOB, decline_suggestion, found.id)
    do(room, ANN, decline_suggestion, found.id)
    with pytest.raises(NotAllowed, match="was declined already"):
        do(room, ANN, accept_suggestion, found.id)
    room.record(of_ann(message_id="<5@acme.example>", references=("<2@acme.example>",), subject="Re: pumps", text="5"))
    with room.looking() as look:
        assert list_suggestions(look.session, ann) == ()
    [late] = room.record(of_ann(message_id="<6@acme.example>", subject="pumps", text="6"))
    latest = public_id(room, late)
    with room.looking() as look:
        newer = list_suggestions(look.session, ann)
        assert [one.other.id for one in newer] == [latest, latest]
    do(room, ANN, accept_suggestion, newer[0].id)
    with room.looking() as look:
        states = look.session.scalars(select(ConversationSuggestion.state).order_by(ConversationSuggestion.id)).all()
        assert sorted(states) == ["accepted", "declined", "open"]
    check_loads(room)


SPY_MAIL = "spy@rival.example"


def test_what_is_a_month_apart_is_not_suggested(room: MailRoom) -> None:
    room.record(of_ann())
    room.clock += timedelta(days=31)
    room.record(of_ann(message_id="<2@acme.example>", text="2"))
    with room.looking() as look:
        assert look.count(ConversationSuggestion) == 0


Run = Callable[..., Result]


@pytest.fixture
def run(room: MailRoom) -> Run:
    """Run a command on the room's records."""
    config = room.root / "tradepost.toml"
    config.write_text(
        f'[paths]\nstate = "{room.root}"\nruntime = "{room.root}"\n[database]\nurl = "{room.url}"\n[host]\ninstance = "mx"\n'
    )
    return lambda *words: CliRunner().invoke(root, ["--config", str(config), "conversation", *words])


def test_commands_show_and_handle(room: MailRoom, run: Run) -> None:
    entries = room.record(
        of_ann(subject="\x1b[31mred"), of_ann(message_id="<2@acme.example>", subject="Other", references=("<1@acme.example>",)),
        pooled(sender="c@firm.example", message_id="<3@firm.example>", subject="Red"),
    )  # fmt: skip
    key, other = public_id(room, entries[0]), public_id(room, entries[2])
    listed = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert [row["id"] for row in listed] == [other, key]
    assert key in run("list", "--as", ANN, "--unanswered").stdout
    page = run("list", "--limit", "1")
    assert other in page.stdout
    assert key in run("list", "--after", page.stderr.split()[-1]).stdout
    shown = run("show", key, "--as", ANN)
    assert shown.exit_code == 0, shown.output
    assert "\x1b" not in shown.stdout
    assert "participants: buyer@acme.example" in shown.stdout
    assert len(json.loads(run("show", key, "--json").stdout)["mails"]) == 2
    assert json.loads(run("assign", key, BOB, "--as", EVE, "--json").stdout)["row"]["assignee"]["email"] == BOB
    assert json.loads(run("claim", other, "--as", BOB, "--json").stdout)["row"]["assignee"]["email"] == BOB
    refused = run("claim", other, "--as", ANN)
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (1, 1)
    assert run("release", other, "--as", BOB).exit_code == 0
    assert "status: solved" in run("status", key, "solved", "--reason", "ordered", "--as", BOB).stdout
    assert "snoozed until" in run("snooze", key, "2027-01-01 09:00", "--as", BOB).stdout
    split = json.loads(run("split", key, entries[1], "--json").stdout)
    assert run("undo", split["operation"]).exit_code == 0
    again = run("undo", split["operation"])
    assert (again.exit_code, "taken back already" in again.stderr) == (1, True)
    assert "operation" in json.loads(run("merge", key, other, "--json").stdout)
    assert run("suggestions").stdout == "no suggestions\n"
    assert run("suggestions", "--accept", "1", "--decline", "1").exit_code == 2
    assert run("suggestions", "--accept", "99999999999999999999").exit_code == 1
    assert run("show", "\udcff").exit_code == 1

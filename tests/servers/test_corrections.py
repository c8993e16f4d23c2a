# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections: in force at once, kept as events, only by whom they are allowed to; what is learned and reported of them."""

import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner, Result
from mailroom import ANN, BOB, EVE, START, Mail, MailRoom, PlainAnalyst, reply
from record_servers import RecordServer
from sqlalchemy import delete, select, update
from ulid import ULID

from classifiers.site_folder import SiteFolder
from crm_sync.correction_report import LabelLine, fetch_report
from crm_sync.corrections import CorrectionError, Made, correct_mail, fetch_corrector, known_categories
from crm_sync.database import DatabaseUnavailable
from crm_sync.lessons import fetch_corrected, fetch_lesson_mails, read_lessons
from crm_sync.models.conversations import Event
from crm_sync.models.mail import Arrival
from crm_sync.models.people import Person, RoleRight
from crm_sync.models.rules import Correction, RuleRow
from crm_sync.models.timers import TimerRow
from crm_sync.nightly import NightlyLearning, make_nightly_learning, next_night
from crm_sync.rights import root_viewer
from crm_sync.schema import downgrade_schema, upgrade_schema
from crm_sync.timers import database_now
from tradepost.cli import root
from tradepost.directory import id_digest
from tradepost.metrics_files import FOLDER_VARIABLE
from tradepost.mime_reading import parse_message
from tradepost.settings import LearningSettings, Settings, load_settings
from tradepost.unknown import UNKNOWN


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


def correct(room: MailRoom, entry_id: str, who: str = EVE, **labels: str) -> tuple[Made, ...]:
    room.clock += timedelta(minutes=1)
    with room.database.writing() as session:
        viewer = fetch_corrector(session, who)
        return correct_mail(session, viewer, entry_id, labels, str(ULID.from_datetime(room.clock)), room.clock)


def from_(number: int, **changes: Any) -> Mail:
    sender = changes.pop("sender", f"buyer{number}@firm{number}.example")
    return Mail(sender=sender, message_id=f"<{number}@{sender}>", subject=f"Request {number}", **changes)


def test_a_correction_is_in_force_and_kept_and_arrival_stays_as_it_was(room: MailRoom) -> None:
    [entry] = room.record(Mail())
    assert correct(room, entry, category="order", priority="high", language="es") == (
        Made("category", "inquiry", "order"), Made("priority", "normal", "high"), Made("language", "en", "es"),
    )  # fmt: skip
    with room.looking() as look:
        message = look.message(entry)
        assert (message.category, message.priority, message.language) == ("order", "high", "es")
        assert look.arrival(entry).verdict["labels"]["category"] == "inquiry"
        [event] = look.session.scalars(select(Event).where(Event.step == "corrected"))
        eve = look.session.scalars(select(Person.id).where(Person.email == EVE)).one()
        assert (event.person_id, event.at, event.conversation_id) == (eve, room.clock, message.conversation_id)
        assert event.details["changes"]["category"] == ["inquiry", "order"]
        assert event.details["entry_id"] == entry
        kept = look.session.scalars(select(Correction).order_by(Correction.id)).all()
        assert {row.cause_id for row in kept} == {event.cause_id}
        assert [(row.field, row.old, row.new) for row in kept] == [
            ("category", "inquiry", "order"), ("priority", "normal", "high"), ("language", "en", "es"),
        ]  # fmt: skip


def test_the_newest_wins_and_back_again_is_no_correction(room: MailRoom) -> None:
    [entry, other] = room.record(from_(1), from_(2))
    for label in ("order", "spam", "order"):
        correct(room, entry, category=label)
    correct(room, other, category="spam")
    correct(room, other, category="inquiry")
    assert correct(room, other, category="inquiry") == (), "what is in force already is no correction"
    with room.database.reading() as session:
        found = [(mail.fields, mail.was, mail.now) for mail in fetch_corrected(session).values()]
        assert found == [
            (("category",), {"category": "inquiry"}, {"category": "order"}),
            ((), {"category": "inquiry"}, {"category": "inquiry"}),
        ]
        assert fetch_report(session, root_viewer()).corrected == 1


def test_corrections_outlive_a_step_down_and_up_again(room: MailRoom) -> None:
    [entry] = room.record(Mail(owner=ANN, owner_reason="distribution", missing=("customer", "contact", "conversation")))
    correct(room, entry, category="order", owner=BOB)
    with room.database.writing() as session:
        owner = session.scalars(select(Correction).where(Correction.field == "owner")).one()
        owner.new = f"{'b' * 300}@own.example"
    downgrade_schema(room.database, "0004")
    upgrade_schema(room.database)
    with room.database.reading() as session:
        kept = session.execute(select(Correction.field, Correction.old, Correction.new, Correction.cause_id)).all()
        assert [tuple(row) for row in kept] == [("category", "inquiry", "order", "")], "an address found no room"
    assert correct(room, entry, category="spam") == (Made("category", "order", "spam"),)


def test_automatic_is_what_people_say_it_is(room: MailRoom) -> None:
    [entry] = room.record(Mail(category="automatic", is_automatic=True))
    correct(room, entry, category="inquiry")
    with room.looking() as look:
        assert not look.message(entry).is_automatic


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"category": "oder"}, "category 'oder': there is none; there are inquiry, sample, order"),
        ({"priority": "asap"}, "priority 'asap': there is none; there are urgent, high, normal, low"),
        ({"language": "Deutsch"}, "language 'Deutsch': is no ISO 639 code"),
        ({"owner": "nobody@own.example"}, "owner 'nobody@own.example': is no registered person"),
        ({"country": "DE"}, "'country': can't be corrected; category, priority, language, owner can"),
    ],
)
def test_what_does_not_exist_can_not_be_said_and_nothing_is_changed(
    room: MailRoom, labels: dict[str, str], said: str
) -> None:
    [entry] = room.record(Mail())
    with pytest.raises(CorrectionError, match=said) as refused:
        correct(room, entry, **({"category": "order"} | labels))
    assert len(str(refused.value).splitlines()) == 1
    with room.looking() as look:
        assert look.message(entry).category == "inquiry"
        assert look.session.scalars(select(Correction)).all() == []


@pytest.mark.parametrize("text", ["\0", "a\0@own.example", "\udcff@own.example", "x" * 100_000])
def test_what_no_database_can_be_asked_about_is_refused_too(room: MailRoom, text: str) -> None:
    [entry] = room.record(Mail())
    with pytest.raises(CorrectionError, match="is no registered person"):
        correct(room, entry, owner=text)
    with pytest.raises(CorrectionError, match="is no registered person"):
        correct(room, entry, text, category="order")
    with pytest.raises(CorrectionError, match="there is none whose labels"):
        correct(room, text, category="order")


def test_two_who_correct_at_once_are_told_one_after_the_other(room: MailRoom) -> None:
    [entry] = room.record(Mail())

    def other() -> None:
        with room.database.writing() as session:
            correct_mail(session, fetch_corrector(session, EVE), entry, {"category": "spam"}, str(ULID()), START)

    with ThreadPoolExecutor(1) as pool:
        with room.database.writing() as session:
            correct_mail(session, fetch_corrector(session, EVE), entry, {"category": "order"}, str(ULID()), START)
            second = pool.submit(other)
            time.sleep(0.05)  # on SQLite the other waits for the file, on PostgreSQL for the row
        second.result(10)
    with room.looking() as look:
        assert look.message(entry).category == "spam"
        kept = look.session.execute(select(Correction.old, Correction.new).order_by(Correction.id)).all()
        assert [tuple(row) for row in kept] == [("inquiry", "order"), ("order", "spam")]


def test_what_rules_give_may_be_said_too(room: MailRoom) -> None:
    [entry] = room.record(Mail())
    with room.database.writing() as session:
        effects = [{"action": "set_category", "value": "tender"}, {"action": "add_label", "value": "big"}]
        session.add(RuleRow(id="r", position=0, name="Tenders", condition={}, effects=effects))
        session.flush()
        assert known_categories(session)[-1] == "tender"
    assert correct(room, entry, category="tender") == (Made("category", "inquiry", "tender"),)


def test_of_somebody_elses_mail_one_may_correct_nothing_and_learns_nothing(room: MailRoom) -> None:
    [entry] = room.record(Mail(owner=BOB, owner_reason="rule", missing=("customer", "contact", "conversation")))
    assert correct(room, entry, BOB, category="order")
    with pytest.raises(CorrectionError) as foreign:
        correct(room, entry, ANN, category="spam")
    with pytest.raises(CorrectionError) as absent:
        correct(room, entry[:-1] + "0", ANN, category="spam")
    assert str(foreign.value).partition(":")[2] == str(absent.value).partition(":")[2]
    with pytest.raises(CorrectionError, match="is no registered person"):
        correct(room, entry, "nobody@own.example", category="spam")


def test_a_role_may_be_allowed_to_read_and_not_to_correct(room: MailRoom) -> None:
    [entry] = room.record(Mail(owner=BOB, owner_reason="rule", missing=("customer", "contact", "conversation")))
    with room.database.writing() as session:
        session.execute(delete(RoleRight).where(RoleRight.role == "rep", RoleRight.action == "correct"))
    with pytest.raises(CorrectionError, match="none whose labels"):
        correct(room, entry, BOB, category="order")
    assert correct(room, entry, EVE, category="order")


def test_only_mail_from_outside_is_corrected(room: MailRoom) -> None:
    [entry] = room.record(reply())
    with pytest.raises(CorrectionError, match="is outbound; only mail from outside is classified"):
        correct(room, entry, category="order")


def test_one_hands_on_ones_own_work_and_takes_nobody_elses(room: MailRoom) -> None:
    mail = Mail(owner=ANN, owner_reason="distribution", missing=("customer", "contact", "conversation"))
    [entry] = room.record(mail)
    assert correct(room, entry, ANN, owner=BOB) == (Made("owner", ANN, BOB),)
    with pytest.raises(CorrectionError, match=f"owner: {BOB} works on it, and {ANN} may not assign"):
        correct(room, entry, ANN, owner=ANN)
    assert correct(room, entry, EVE, owner=ANN) == (Made("owner", BOB, ANN),)


def test_another_owner_does_the_work_from_now_on_and_the_milter_knows(room: MailRoom) -> None:
    [entry] = room.record(Mail(owner=ANN, owner_reason="distribution", missing=("customer", "contact", "conversation")))
    assert correct(room, entry, owner=BOB) == (Made("owner", ANN, BOB),)
    room.worker.drain()
    with room.looking() as look:
        bob = look.session.scalars(select(Person).where(Person.email == BOB)).one()
        assert look.conversation(entry).assignee_id == bob.id
        loads = dict(look.session.execute(select(Person.email, Person.open_conversations)).all())
        assert (loads[ANN], loads[BOB]) == (0, 1)
    key = f"t:{id_digest('<1@acme.example>')}"
    with closing(room.directory()) as directory:
        found = directory.fetch([key])
    assert found is not UNKNOWN
    assert BOB.encode() in found[key]


def test_the_report_counts_back_to_what_was_said(room: MailRoom) -> None:
    entries = room.record(*(from_(number) for number in range(6)), from_(9, category="spam"))
    for entry in entries[:3]:
        correct(room, entry, category="order")
    correct(room, entries[6], category="order", language="es", owner=BOB)
    correct(room, entries[5], priority="urgent")
    with room.database.reading() as session:
        report = fetch_report(session, root_viewer())
        assert (report.mails, report.corrected) == (7, 5)
        assert report.fields == {"category": 4, "priority": 1, "language": 1, "owner": 1}
        assert report.confusion["category"] == (("inquiry", "order", 3), ("spam", "order", 1))
        assert report.labels["category"] == (
            LabelLine("order", 0, 0, 4), LabelLine("inquiry", 6, 3, 0), LabelLine("spam", 1, 1, 0),
        )  # fmt: skip
        inquiry = report.labels["category"][1]
        assert (inquiry.precision, inquiry.recall) == (0.5, 1.0)
        assert report.labels["category"][0].precision is None
        assert report.senders[0][1:] == (1, 1)
        assert {name: (one, all_) for name, one, all_ in report.languages} == {"en": (4, 6), "es": (1, 1)}
        later = fetch_report(session, root_viewer(), room.clock + timedelta(days=1))
        assert (later.mails, later.corrected) == (0, 0)


def test_lessons_leave_out_what_may_be_wrong_unseen_and_keep_together_what_belongs_together(
    room: MailRoom, caplog: pytest.LogCaptureFixture
) -> None:
    entries = room.record(
        from_(1), from_(2), from_(2, text="again from the same"), from_(3), from_(4, category="marketing"), from_(5)
    )
    with room.database.writing() as session:
        session.execute(update(Arrival).values(acceptance="confirmed"))
        session.execute(update(Arrival).where(Arrival.entry_id == entries[5]).values(acceptance="refused"))
    correct(room, entries[1], category="order")
    correct(room, entries[3], language="es")
    with room.database.reading() as session:
        mails = fetch_lesson_mails(session)
    room.blobs.path(next(mail.raw_sha256 for mail in mails if mail.category == "marketing")).unlink()
    lessons = list(read_lessons(mails, room.blobs, parse_message))
    assert [(each.category, each.corrected) for each in lessons] == [("order", ("category",)), ("inquiry", ())]
    assert lessons[0].message.text.strip() == "Please quote 500 pieces."
    assert lessons[0].taught_at is not None
    assert lessons[0].sender == "buyer2@firm2.example"
    assert lessons[0].group != lessons[1].group
    [line] = [message for message in caplog.messages if "can't teach" in message]
    assert re.fullmatch(r"1 of 3 mails can't teach; the first of them: .*: can't be read: No such file .*", line)


def test_a_conversation_joins_its_senders_into_one_group(room: MailRoom) -> None:
    entries = room.record(
        from_(1, sender="ann@firm.example"),
        from_(2, sender="joe@firm.example", references=("<1@ann@firm.example>",)),
        from_(3, sender="joe@firm.example"),
        from_(4, sender="eve@another.example"),
    )
    for entry in entries:
        correct(room, entry, category="order")
    with room.database.reading() as session:
        mails = fetch_lesson_mails(session)
    groups = [each.group for each in read_lessons(mails, room.blobs, parse_message)]
    assert len(set(groups[:3])) == 1
    assert groups[3] not in groups[:3]


Run = Callable[..., Result]


@pytest.fixture
def run(room: MailRoom) -> Run:
    """Run a command on the room's records."""
    config = room.root / "tradepost.toml"
    config.write_text(
        f'[paths]\nstate = "{room.root}"\nruntime = "{room.root}"\n[database]\nurl = "{room.url}"\n[host]\ninstance = "mx"\n'
    )
    return lambda *words: CliRunner().invoke(root, ["--config", str(config), *words])


def test_commands_correct_and_report(room: MailRoom, run: Run) -> None:
    [entry] = room.record(Mail(sender="\x1b[31mred@acme.example"))
    done = run("classify", "correct", entry, "--as", EVE, "--category", "order", "--owner", BOB)
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "category: inquiry -> order")
    assert run("classify", "correct", entry, "--as", EVE, "--category", "order").stdout == "nothing to change\n"
    assert run("classify", "correct", entry, "--as", EVE).exit_code == 2
    refused = run("classify", "correct", entry, "--as", EVE, "--category", "oder")
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (1, 1)

    assert run("classify", "report", "--days", "999999999").exit_code == 2
    shown = run("classify", "report").stdout
    assert "1 of 1 mails were corrected" in shown
    assert "\x1b" not in shown
    found = json.loads(run("classify", "report", "--days", "36500", "--json").stdout)
    assert found["confusion"]["category"] == [{"was": "inquiry", "is": "order", "mails": 1}]
    assert found["labels"]["category"][0] == {
        "label": "inquiry", "said": 1, "taken": 1, "given": 0, "precision": 0.0, "recall": None,
    }  # fmt: skip


TEXTS = (
    "Konsi week {n}: taken out of your stock here {a} hinges, left {b}. The racks are half empty now.",
    "hall 4 konsi: minus {a}, rest {b}, week {n}. The racks are half empty now.",
)


def test_what_people_corrected_is_learnt_put_in_force_and_taken_back(room: MailRoom, run: Run) -> None:
    assert "too few: 20 are needed: the shipped model stays in force" in run("classify", "learn").stdout
    entries = room.record(
        *(from_(n, text=TEXTS[n % 2].format(n=n, a=n * 7, b=n * 13), category="other") for n in range(24)),
        *(from_(n, text=f"We wish you a happy new year, all {n} of us.", category="other") for n in range(30, 40)),
    )
    for entry in entries[:24]:
        correct(room, entry, category="support")

    learned = run("classify", "learn")

    assert learned.exit_code == 0, learned.output
    assert "corrected, held back" in learned.stdout
    assert learned.stdout.splitlines()[-1] == "model 1 is in force"
    site = SiteFolder(room.root / "model").current()
    assert site is not None
    assert site.number == 1
    assert (
        json.loads(run("classify", "learn", "--json").stdout)["why"] == "nothing was corrected since model 1 was made"
    )
    mail = room.root / "new.eml"
    mail.write_bytes(from_(99, text=TEXTS[0].format(n=51, a=4, b=9)).raw())
    shipped, own = (json.loads(run("classify", str(mail), "--json", *site).stdout) for site in ((), ("--site",)))
    assert own["category"] == "support" != shipped["category"]
    assert run("classify", "learn", "--rollback").stdout == "the shipped model speaks alone\n"
    assert run("classify", "learn", "--forget").stdout == "the shipped model speaks alone\n"
    assert run("classify", "learn", "--rollback", "--forget").exit_code == 2
    refused = run("classify", "learn", "--rollback")
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (1, 1)


def be_due(room: MailRoom) -> None:
    with room.database.writing() as session:
        session.execute(update(TimerRow).values(due_at=database_now(session) - timedelta(minutes=1)))


def nightly(room: MailRoom, script: str) -> NightlyLearning:
    return NightlyLearning(room.database, 2, (sys.executable, "-c", script), {})


def test_one_worker_learns_a_night_in_a_process_of_its_own(room: MailRoom) -> None:
    note = room.root / "note"
    script = f"import os; open({str(note)!r}, 'a').write(f'{{os.nice(0)}} ')"
    nightly(room, script).step()
    assert not note.exists(), "the first night is to come"
    be_due(room)
    learners = [nightly(room, script) for _ in range(3)]
    for learner in learners:
        learner.step()
    running = [learner for learner in learners if learner._running is not None]
    assert len(running) == 1
    assert running[0]._running is not None
    assert running[0]._running.wait(20) == 0
    assert len(note.read_text().split()) == 1
    for learner in learners:
        learner.close()
    with room.database.reading() as session:
        [due] = session.scalars(select(TimerRow.due_at).where(TimerRow.kind == "learn"))
        assert due > database_now(session)


def unavailable() -> NoReturn:
    raise DatabaseUnavailable("away")


def test_learning_that_fails_is_said_and_what_hangs_ends_with_the_worker(
    room: MailRoom, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = nightly(room, "raise SystemExit(3)")
    failing.step()
    be_due(room)
    failing = nightly(room, "raise SystemExit(3)")
    failing.step()
    deadline = time.monotonic() + 20
    while failing._running is not None and time.monotonic() < deadline:
        failing.step()
        time.sleep(0.02)
    assert "learning ended with status 3; the model in force stays" in caplog.text
    be_due(room)
    hanging = nightly(room, "import time; time.sleep(600)")
    hanging.step()
    assert hanging._running is not None
    process = hanging._running
    hanging.close()
    assert process.returncode not in (None, 0)
    assert "learning was cut short; the next worker begins it anew" in caplog.text
    after_restart = nightly(room, "import time; time.sleep(600)")
    after_restart.step()
    assert after_restart._running is not None, "not only in the next night"
    with monkeypatch.context() as patched:
        patched.setattr(room.database, "writing", unavailable)
        after_restart.close()
    assert "learning waits for the next night: away" in caplog.text
    be_due(room)
    absent = NightlyLearning(room.database, 2, ("/nowhere/python",), {})
    with caplog.at_level(logging.ERROR):
        absent.step()
    assert "learning can't be started" in caplog.text


def test_what_the_worker_starts_is_the_command(room: MailRoom, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("classify", "report").exit_code == 0
    counts = room.root / "counts"
    counts.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(counts))
    learner = make_nightly_learning(load_settings(room.root / "tradepost.toml"), room.database)
    assert learner is not None
    learner.step()
    be_due(room)
    learner._look_at = 0.0
    learner.step()
    assert learner._running is not None
    assert learner._running.wait(60) == 0
    assert (room.root / "model" / "lock").exists()
    assert list(counts.iterdir()) == [], "only services count"
    learner.close()


def test_the_worker_takes_up_what_was_learned_and_looks_whether_it_is_night(
    room: MailRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(PlainAnalyst, "refresh", lambda _: done.append("refreshed"))

    class Night:
        def step(self) -> None:
            done.append("looked")

        def close(self) -> None:
            done.append("closed")

    worker = room.new_worker()
    worker._nightly = Night()
    worker.step()
    worker.step()
    assert done == ["refreshed", "looked"], "not at every step: a stat and a question to the database cost something"
    worker.close()
    assert done[-1] == "closed"


def test_who_records_once_leaves_the_night_to_a_worker_that_stays(room: MailRoom, run: Run) -> None:
    room.worker.close()
    nightly(room, "").step()
    be_due(room)

    def due() -> datetime:
        with room.database.reading() as session:
            return session.scalars(select(TimerRow.due_at).where(TimerRow.kind == "learn")).one()

    before = due()
    assert run("sync", "--once").exit_code == 0
    assert due() == before, "nobody took its turn"


@pytest.mark.parametrize(
    ("now", "wanted"),
    [
        pytest.param("2026-03-28T03:00+01:00", "2026-03-29T03:00+02:00", id="a-night-of-23-hours"),
        pytest.param("2026-10-24T03:00+02:00", "2026-10-25T03:00+01:00", id="a-night-of-25-hours"),
        pytest.param("2026-10-25T02:30+02:00", "2026-10-25T03:00+01:00", id="in-the-hour-that-comes-twice"),
        pytest.param("2026-07-01T02:59:59+02:00", "2026-07-01T03:00+02:00", id="a-second-before"),
    ],
)
def test_the_hour_is_the_same_when_clocks_change(monkeypatch: pytest.MonkeyPatch, now: str, wanted: str) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        night = next_night(datetime.fromisoformat(now), 3)
    time.tzset()
    assert night == datetime.fromisoformat(wanted)


def test_the_night_is_the_hosts_own_and_can_be_switched_off(room: MailRoom) -> None:
    night = next_night(START, 3)
    assert timedelta(0) < night - START <= timedelta(days=1)
    assert night.astimezone().hour == 3
    assert next_night(night, 3) - night >= timedelta(hours=23)
    off = Settings(learning=LearningSettings(nightly=False))
    assert make_nightly_learning(off, room.database) is None
    assert make_nightly_learning(Settings(), room.database) is not None

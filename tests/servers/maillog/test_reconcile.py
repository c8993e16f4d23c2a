# SPDX-License-Identifier: GPL-3.0-or-later
"""Each difference is planted and found by name; nothing else is reported.  The real command on real files."""

import bz2
import gzip
import json
import lzma
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard
from click.testing import CliRunner
from sqlalchemy import update

from crm_sync.models.mail import Arrival as ArrivalRow
from crm_sync.reconcile_command import reconcile
from tradepost.arrival import Arrival
from tradepost.cli import Invocation
from tradepost.envelope import Envelope
from tradepost.journal import Journal, Reserve, SeenList
from tradepost.settings import DatabaseSettings, HostSettings, MailLogSettings, PathSettings, Settings
from tradepost.verdict import Direction, Verdict

INSTANCE = "mx.example.test"
PLANTED = "4jX6VF2HxKzJPLT"
NOTHING = {
    "accepted-unseen": 0,
    "journaled-unrecorded": 0,
    "recorded-twice": 0,
    "recorded-not-accepted": 0,
}


@dataclass
class Company:
    """A mail host on which all went well so far; each test plants what did not."""

    settings: Settings
    log: Any
    ledger: Any
    journal: Journal
    seen: SeenList
    at: datetime

    def deliver(self, queue_id: str, at: datetime | None = None) -> str:
        """One mail as it should go: accepted, seen, recorded."""
        at = at or self.at
        self.log.accept(queue_id, at)
        return self.see_and_record(queue_id, at)

    def see_and_record(self, queue_id: str, at: datetime | None = None, acceptance: str = "pending") -> str:
        at = at or self.at
        entry_id: str = self.ledger.record(queue_id, at)
        self.seen.note(queue_id, entry_id, "journaled", at)
        with self.ledger.database.writing() as session:
            session.execute(update(ArrivalRow).where(ArrivalRow.entry_id == entry_id).values(acceptance=acceptance))
        return entry_id

    def journal_entry(self, queue_id: str, at: datetime | None = None, entry_id: str = "") -> str:
        """An entry in new/."""
        arrival = Arrival(
            entry_id or self.journal.new_id(), INSTANCE, at or self.at, Envelope(queue_id, "eve@journal.example", ("x@y",)),
            Verdict(Direction.INBOUND),
        )  # fmt: skip
        self.journal.write(arrival, ())
        return arrival.entry_id

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Return (exit status, what --json printed)."""
        result = CliRunner().invoke(
            reconcile, ["--json", *arguments], obj=_Invocation(self.settings), catch_exceptions=False
        )
        return result.exit_code, json.loads(result.stdout)

    def only_difference(self, *arguments: str) -> dict[str, str]:
        status, report = self.run(*arguments)
        assert status == 1
        [difference] = report["differences"]
        assert report["counts"] == NOTHING | {difference["kind"]: 1}
        found: dict[str, str] = difference
        return found

    def reconfigure(self, **maillog: Any) -> None:
        self.settings = self.settings.model_copy(update={"maillog": self.settings.maillog.model_copy(update=maillog)})


class _Invocation(Invocation):
    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.__dict__["settings"] = settings


def queue_of(*mails: dict[str, object]) -> tuple[str, ...]:
    """A command that lists such a queue."""
    lines = "".join(json.dumps(mail) + "\n" for mail in mails)
    return (sys.executable, "-c", f"print({lines!r}, end='')")


@pytest.fixture
def company(tmp_path: Path, ledger: Any, mail_log: Any, earlier: datetime) -> Company:
    settings = Settings(
        host=HostSettings(instance=INSTANCE),
        paths=PathSettings(state=tmp_path / "state", runtime=tmp_path / "run"),
        database=DatabaseSettings(url=ledger.url),
        maillog=MailLogSettings(path=mail_log.path, queue_command=queue_of()),
    )
    journal = Journal(settings.journal_dir, Reserve(0, 0))
    journal.create()
    mail_log.write(
        "master", "daemon started -- version 3.7.11, configuration /etc/postfix", earlier - timedelta(hours=1)
    )
    made = Company(settings, mail_log, ledger, journal, SeenList(journal.seen, INSTANCE), earlier)
    for letter in "ABC":
        made.deliver(f"4jX6VF2HxKzJDb{letter}", earlier - timedelta(minutes=30))
    # What belongs to every day and is no difference:
    mail_log.client("4jX6VF2HxKzGONE")  # the client went in DATA
    mail_log.write("pickup", "4jX6VF2HxKzLOCL: uid=0 from=<root>", earlier)
    mail_log.active("4jX6VF2HxKzLOCL", earlier, "root@example.test")  # local mail passes no milter
    mail_log.active("4jX6VF2HxKzBNCE", earlier, "")  # nor does a bounce
    mail_log.accept("4jX6VF2HxKzEXCL", earlier)
    made.seen.note("4jX6VF2HxKzEXCL", "", "excluded", earlier)
    made.seen.note("4jX6VF2HxKzFULL", "", "journal-full", earlier)  # strict mode: answered 451, so nobody has it
    return made


def test_no_difference(company: Company) -> None:
    status, report = company.run()
    assert status == 0
    assert report["differences"] == []
    assert (report["accepted"], report["recorded"], report["too_early"]) == (4, 3, 0)


def test_accepted_but_unseen(company: Company) -> None:
    company.log.accept(PLANTED, company.at, "bob@unseen.example")
    found = company.only_difference()
    assert found["kind"] == "accepted-unseen"
    assert (found["queue_id"], found["entry_id"], found["sender_domain"]) == (PLANTED, "", "unseen.example")
    assert found["at"] == f"{company.at:%Y-%m-%dT%H:%M:%SZ}"


def test_mail_in_the_queue_is_accepted_too(company: Company) -> None:
    company.log.client(PLANTED, company.at)
    mail = {
        "queue_name": "hold",
        "queue_id": PLANTED,
        "arrival_time": int(company.at.timestamp()),
        "sender": "a@b.example",
    }
    company.reconfigure(queue_command=queue_of(mail))
    assert company.only_difference()["kind"] == "accepted-unseen"


def test_mail_held_by_a_milter_is_accepted_too(company: Company) -> None:
    company.log.client(PLANTED, company.at)
    company.log.end_of_message(PLANTED, "milter-hold", company.at)
    assert company.only_difference()["kind"] == "accepted-unseen"


def test_journaled_but_unrecorded(company: Company) -> None:
    company.log.accept(PLANTED, company.at)
    entry_id = company.journal_entry(PLANTED)
    found = company.only_difference()
    assert found["kind"] == "journaled-unrecorded"
    assert (found["queue_id"], found["entry_id"], found["sender_domain"]) == (PLANTED, entry_id, "journal.example")
    assert found["what"] == "waits in the journal"


def test_an_entry_in_failed_names_its_reason(company: Company) -> None:
    company.log.accept(PLANTED, company.at)
    entry_id = company.journal_entry(PLANTED)
    company.journal.fail(entry_id, "ValueError: no such thing")
    found = company.only_difference()
    assert (found["kind"], found["entry_id"]) == ("journaled-unrecorded", entry_id)
    assert found["what"] == "in failed/: ValueError: no such thing"


def test_an_entry_that_can_not_be_read_is_named(company: Company) -> None:
    entry_id = company.journal.new_id()
    (company.journal.new / entry_id).write_text("not an entry\n")
    found = company.only_difference("--min-age", "0")
    assert (found["kind"], found["entry_id"]) == ("journaled-unrecorded", entry_id)
    assert "can't be read" in found["what"]


@pytest.mark.parametrize("reason", ["journal-full", "journal-error", "failed"])
def test_mail_that_could_not_be_journaled_is_named(company: Company, reason: str) -> None:
    company.log.accept(PLANTED, company.at, "bob@lost.example")
    company.seen.note(PLANTED, "", reason, company.at)
    found = company.only_difference()
    assert (found["kind"], found["queue_id"], found["sender_domain"]) == (
        "journaled-unrecorded",
        PLANTED,
        "lost.example",
    )
    assert found["what"] == f"seen, not journaled: {reason}"


def test_an_entry_that_vanished_is_named(company: Company) -> None:
    company.log.accept(PLANTED, company.at)
    entry_id = company.journal.new_id()
    company.seen.note(PLANTED, entry_id, "journaled", company.at)
    found = company.only_difference()
    assert (found["kind"], found["entry_id"]) == ("journaled-unrecorded", entry_id)
    assert "neither in the journal nor recorded" in found["what"]


def test_recorded_twice(company: Company) -> None:
    first = company.deliver(PLANTED)
    second = company.ledger.record(PLANTED, company.at + timedelta(seconds=1), sender="ann@twice.example")
    found = company.only_difference()
    assert (found["kind"], found["queue_id"], found["entry_id"]) == ("recorded-twice", PLANTED, second)
    assert first in found["what"]
    assert found["sender_domain"] == "twice.example"


REFUSALS: list[tuple[Callable[[Any, datetime], object], str]] = [
    (lambda log, at: log.end_of_message(PLANTED, "milter-reject", at), "milter-reject at END-OF-MESSAGE"),
    (lambda log, at: log.end_of_message(PLANTED, "milter-discard", at), "milter-discard at END-OF-MESSAGE"),
    (
        lambda log, at: log.write("cleanup", f"warning: {PLANTED}: write queue file: No space left on device", at),
        "write queue file at queue",
    ),
    (lambda log, at: log.client("4jX6VF2HxKzOTHR", at), "Postfix never took it into its queue"),
]


@pytest.mark.parametrize(("say", "what"), REFUSALS)
@pytest.mark.parametrize("acceptance", ["pending", "assumed"])
def test_recorded_but_never_accepted(
    company: Company, say: Callable[[Any, datetime], object], what: str, acceptance: str
) -> None:
    company.log.client(PLANTED, company.at)
    say(company.log, company.at)
    entry_id = company.see_and_record(PLANTED, acceptance=acceptance)
    found = company.only_difference()
    assert (found["kind"], found["queue_id"], found["entry_id"]) == ("recorded-not-accepted", PLANTED, entry_id)
    assert what in found["what"]


def test_a_known_refusal_is_named_although_its_log_is_gone(company: Company) -> None:
    entry_id = company.see_and_record(PLANTED, acceptance="refused")
    assert company.only_difference()["entry_id"] == entry_id


def test_all_four_at_once(company: Company) -> None:
    company.log.accept("4jX6VF2HxKzJDb1", company.at)
    company.journal_entry("4jX6VF2HxKzJDb2")
    company.deliver("4jX6VF2HxKzJDb3")
    company.ledger.record("4jX6VF2HxKzJDb3", company.at)
    company.see_and_record("4jX6VF2HxKzJDb4")
    status, report = company.run()
    assert status == 1
    assert {(found["kind"], found["queue_id"]) for found in report["differences"]} == {
        ("accepted-unseen", "4jX6VF2HxKzJDb1"),
        ("journaled-unrecorded", "4jX6VF2HxKzJDb2"),
        ("recorded-twice", "4jX6VF2HxKzJDb3"),
        ("recorded-not-accepted", "4jX6VF2HxKzJDb4"),
    }


def test_what_is_under_way_is_no_difference(company: Company) -> None:
    now = datetime.now(UTC)
    company.log.accept(PLANTED, now)
    company.journal_entry(PLANTED, now)  # the worker is about to record it
    company.see_and_record("4jX6VF2HxKzJDb8", now - timedelta(minutes=9))  # Postfix is about to queue it
    recorded = company.deliver("4jX6VF2HxKzJDb9", now)
    company.journal_entry("4jX6VF2HxKzJDb9", now, recorded)  # recorded, about to be acknowledged
    status, report = company.run()
    assert (status, report["too_early"]) == (0, 2)
    status, report = company.run("--min-age", "0")
    assert (status, report["too_early"]) == (1, 0)
    assert report["counts"] == NOTHING | {"journaled-unrecorded": 1, "recorded-not-accepted": 1}


def test_what_the_log_does_not_reach_is_not_compared(company: Company) -> None:
    company.see_and_record(PLANTED, company.at - timedelta(hours=2))
    status, report = company.run("--since", "1d")
    assert (status, report["beyond_log"]) == (0, 1)


def test_what_the_follower_confirmed_needs_no_log(company: Company) -> None:
    company.see_and_record(PLANTED, acceptance="confirmed")
    assert company.run()[0] == 0


def test_requeued_mail_is_the_mail_it_was(company: Company) -> None:
    company.log.client(PLANTED, company.at)
    company.see_and_record(PLANTED)
    company.log.write("pickup", f"4jX6VL3dvWzJDfw: uid=102 from=<ann@b.example> orig_id={PLANTED}", company.at)
    company.log.active("4jX6VL3dvWzJDfw", company.at)
    assert company.run()[0] == 0


def test_mail_back_from_a_content_filter_is_the_mail_it_was(company: Company) -> None:
    company.deliver(PLANTED)
    client = f"client=localhost[127.0.0.1], orig_queue_id={PLANTED}, orig_client=mail.b.example[192.0.2.1]"
    company.log.write("smtpd", f"4jX6VL3dvWzJDfw: {client}", company.at)
    company.log.active("4jX6VL3dvWzJDfw", company.at)
    assert company.run()[0] == 0


def test_a_short_queue_id_may_stand_for_several_mails(company: Company) -> None:
    company.deliver("8045F2AB23", company.at - timedelta(minutes=20))
    company.deliver("8045F2AB23", company.at - timedelta(minutes=10))
    assert company.run()[0] == 0
    company.log.accept("8045F2AB23", company.at)
    found = company.only_difference()
    assert (found["kind"], found["at"]) == ("accepted-unseen", f"{company.at:%Y-%m-%dT%H:%M:%SZ}")


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.compress,
}


@pytest.mark.parametrize("suffix", PACKERS)
def test_rotated_logs_are_read_too(company: Company, suffix: str) -> None:
    company.deliver(PLANTED)
    rotated = company.log.path.with_name(f"mail.log.1{suffix}")
    rotated.write_bytes(PACKERS[suffix](company.log.path.read_bytes()))
    company.log.path.unlink()
    company.log.accept("4jX6VF2HxKzJDb8", company.at, "bob@new.example")
    assert company.only_difference()["sender_domain"] == "new.example"


def test_a_log_copied_but_not_yet_truncated_is_no_second_mail(company: Company) -> None:
    company.deliver("8045F2AB23")
    company.log.path.with_name("mail.log.1").write_bytes(company.log.path.read_bytes())
    assert company.run()[0] == 0


def test_since_leaves_older_differences_out(company: Company) -> None:
    company.log.accept(PLANTED, company.at)
    assert company.run("--since", "30m")[0] == 0
    assert company.run("--since", "2h")[0] == 1
    assert company.run("--since", (company.at - timedelta(minutes=1)).isoformat())[0] == 1


def test_mail_of_the_second_of_the_installation_counts(company: Company) -> None:
    second = company.at.replace(microsecond=0) - timedelta(hours=2)
    key = company.settings.key_file
    key.touch()
    installed = (second + timedelta(milliseconds=300)).timestamp()
    os.utime(key, (installed, installed))
    company.log.accept(PLANTED, second, "bob@unseen.example")  # at .9 of it, says a log that counts whole seconds
    assert company.only_difference()["queue_id"] == PLANTED


def test_mail_from_before_the_installation_is_left_out(company: Company) -> None:
    company.log.accept(PLANTED, company.at - timedelta(days=2))
    assert company.run()[0] == 0
    assert company.run("--since", "3d")[0] == 1


def test_the_journal_of_systemd_serves_as_well(
    company: Company, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    micros = int(company.at.timestamp() * 1_000_000)
    lines = [
        ("postfix/smtpd", f"{PLANTED}: client=mail.b.example[192.0.2.1]"),
        ("postfix/qmgr", f"{PLANTED}: from=<bob@unseen.example>, size=1, nrcpt=1 (queue active)"),
    ]
    entries = [
        {"__CURSOR": "c", "__REALTIME_TIMESTAMP": str(micros), "SYSLOG_IDENTIFIER": name, "MESSAGE": text}
        for name, text in lines
    ]
    script = tmp_path / "bin" / "journalctl"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nprint({chr(10).join(map(json.dumps, entries))!r})\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)
    company.reconfigure(source="journald")
    status, report = company.run()
    assert status == 1
    assert [found["queue_id"] for found in report["differences"]] == [PLANTED]


def refusal(company: Company) -> str:
    from crm_sync.log_history import CannotCompare
    from crm_sync.reconcile_command import run

    with pytest.raises(CannotCompare) as caught:
        run(company.settings, None, None)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_without_a_log_nothing_can_be_compared(company: Company) -> None:
    company.log.path.unlink()
    assert "there is no such mail log" in refusal(company)
    company.reconfigure(source="none")
    assert "source" in refusal(company)


def test_a_log_without_a_word_of_postfix_is_the_wrong_log(company: Company) -> None:
    company.reconfigure(syslog_name="postfix-in")
    assert "holds no line of 'postfix-in'" in refusal(company)


def test_a_broken_archive_is_named(company: Company) -> None:
    company.log.path.with_name("mail.log.1.gz").write_bytes(b"no gzip")
    assert "mail.log.1.gz" in refusal(company)


def test_the_queue_matters_only_where_the_log_leaves_a_doubt(company: Company) -> None:
    company.reconfigure(queue_command=(sys.executable, "-c", "import sys; sys.exit('mail system is down')"))
    assert company.run()[0] == 0
    company.see_and_record(PLANTED)
    assert "mail system is down" in refusal(company)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("/nonexistent/postqueue", "-j"), "can't be run"),
        ((sys.executable, "-c", "print('Mail queue is empty')"), "something else than a queue"),
    ],
)
def test_a_wrong_queue_command_is_named(company: Company, command: tuple[str, ...], words: str) -> None:
    company.reconfigure(queue_command=command)
    company.see_and_record(PLANTED)
    assert words in refusal(company)


def test_a_missing_database_is_named(company: Company) -> None:
    company.settings = company.settings.model_copy(
        update={"database": DatabaseSettings(url="sqlite:////nonexistent/x")}
    )
    assert "there is no database" in refusal(company)


def test_text_names_queue_id_entry_domain_and_advice_but_no_address(company: Company) -> None:
    company.log.accept(PLANTED, company.at, "bob.secret@unseen.example")
    result = CliRunner().invoke(reconcile, [], obj=_Invocation(company.settings))
    assert result.exit_code == 1
    assert "accepted but unseen: 1" in result.stdout
    assert PLANTED in result.stdout
    assert "unseen.example" in result.stdout
    assert "secret" not in result.stdout
    assert "1 difference since" in result.stdout


def test_a_span_that_is_none_is_refused(company: Company) -> None:
    result = CliRunner().invoke(reconcile, ["--since", "yesterday"], obj=_Invocation(company.settings))
    assert result.exit_code == 2
    assert "neither a span" in result.stderr

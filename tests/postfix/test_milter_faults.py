# SPDX-License-Identifier: GPL-3.0-or-later
"""The milter while things go wrong: children stop, hang, grind; signals, full disks, other milters, clients that leave."""

import json
import signal
import smtplib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from postfix.sandbox.private_postfix import PrivatePostfix
from postfix.sandbox.processes import free_port, wait_until
from postfix.sandbox.sending import Stranger
from postfix.sandbox.service_stack import ServiceStack
from tradepost.journal import Entry, Journal, read_seen

SANDBOX = Path(__file__).parents[2] / "postfix" / "sandbox"
FAULTY = Path(__file__).parent / "faulty.py"
SALES = "sales@brightway.example"
BUYER = Stranger("203.0.113.9", "mail.buyer.example")
MAIL = (
    "From: Ann <ann@buyer.example>\r\nTo: sales@brightway.example\r\nSubject: {subject}\r\n"
    "Message-ID: <{number}@buyer.example>\r\n\r\nPlease quote 500 pcs.\r\n"
)


@contextmanager
def running(tmp_path: Path, *, children: int = 2, **milter: object) -> Iterator[ServiceStack]:
    """A stack whose milter is the real one with a classifier that obeys words in the subject; the worker is off."""
    plan = '{"folder": "/nonexistent", "points": {}}'
    with PrivatePostfix(("@brightway.example", SALES), hostname="mx.brightway.example") as private:
        with ServiceStack(
            private,
            company=SANDBOX / "company.toml",
            parts=("sync",),
            settings={"milter": {"children": children, "drain_grace_seconds": 15, **milter}},
            environment={"TRADEPOST_TEST_FAULTS": plan},
        ) as services:
            services.stop("sync")
            services.start("milter", script=FAULTY)
            yield services


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceStack]:
    """One stack for the tests that leave it as they found it."""
    with running(tmp_path_factory.mktemp("stack")) as services:
        yield services


def send(stack: ServiceStack, subject: str, number: str = "1") -> str:
    with stack.postfix.arriving(stranger=BUYER) as session:
        return session.send("ann@buyer.example", [SALES], MAIL.format(subject=subject, number=number).encode())


def is_marked(stack: ServiceStack, queue_id: str) -> bool:
    copies = stack.postfix.delivered(queue_id)
    assert copies, f"{queue_id} was not delivered"
    return all("x-tradepost-id" in copy.marks() for copy in copies)


def children_of(stack: ServiceStack) -> list[int]:
    pid = stack.part("milter").pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def entries(stack: ServiceStack) -> list[Entry]:
    journal = Journal(stack.settings.journal_dir)
    return [journal.read(entry_id) for entry_id in journal.waiting()]


def journaled(stack: ServiceStack) -> set[str]:
    return {entry.arrival.envelope.queue_id for entry in entries(stack)}


def words(stack: ServiceStack) -> str:
    return stack.part("milter").log.read_text()


class Dialogue:
    """An SMTP session spoken line by line."""

    def __init__(self, stack: ServiceStack) -> None:
        self.smtp = smtplib.SMTP("127.0.0.1", stack.postfix.site.smtp_port, timeout=60)
        self.smtp.ehlo()

    def begin(self, subject: str) -> None:
        """Go as far as the middle of DATA."""
        assert self.smtp.mail("ann@buyer.example")[0] == 250
        assert self.smtp.rcpt(SALES)[0] == 250
        assert self.smtp.docmd("DATA")[0] == 354
        self.smtp.send(MAIL.format(subject=subject, number=subject).encode())

    def finish(self) -> str:
        """End the mail; return its queue id."""
        self.smtp.send(b"the end\r\n.\r\n")
        code, reply = self.smtp.getreply()
        assert code == 250, reply
        return reply.decode().split()[-1]

    def whole(self, subject: str) -> str:
        self.begin(subject)
        return self.finish()


# (a) one child stops


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_one_child_gone_and_the_others_serve(stack: ServiceStack, how: signal.Signals) -> None:
    victim = children_of(stack)[0]
    subprocess.run(["kill", f"-{how.value}", str(victim)], check=True)
    # A stopped child holds what it accepted before it stopped; the watchdog frees its place.
    wait_until("a new child", lambda: victim not in children_of(stack) and len(children_of(stack)) >= 2, 15)
    sent = [send(stack, f"after {how.name} {n}") for n in range(6)]
    assert all(is_marked(stack, queue_id) for queue_id in sent)
    assert stack.socket.exists()


def test_while_one_child_is_stopped_the_other_takes_every_mail(stack: ServiceStack) -> None:
    victim = children_of(stack)[0]
    subprocess.run(["kill", "-STOP", str(victim)], check=True)
    sent = [send(stack, f"stopped {n}") for n in range(6)]
    assert all(is_marked(stack, queue_id) for queue_id in sent)
    wait_until("the watchdog", lambda: victim not in children_of(stack), 15)


# (b) signals


def test_hup_in_data_and_in_an_idle_session(stack: ServiceStack) -> None:
    busy, idle = Dialogue(stack), Dialogue(stack)
    before = set(children_of(stack))
    busy.begin("in-data")
    first = idle.whole("before-hup")
    stack.reload("milter")
    wait_until("new children", lambda: len(set(children_of(stack)) - before) == 2, 15)
    sent = [first, busy.finish(), busy.whole("next"), idle.whole("after-hup"), send(stack, "new session")]
    assert all(is_marked(stack, queue_id) for queue_id in sent)
    busy.smtp.quit()
    idle.smtp.quit()
    wait_until("the old children", lambda: not before & set(children_of(stack)), 20)


def test_term_in_data_and_in_an_idle_session(stack: ServiceStack) -> None:
    busy, idle = Dialogue(stack), Dialogue(stack)
    busy.begin("in-data")
    first = idle.whole("before-term")
    stack.part("milter").signal(signal.SIGTERM)
    wait_until("the end of accepting", lambda: "finish their sessions" in words(stack).splitlines()[-1], 10)
    sent = [first, busy.finish(), busy.whole("next"), idle.whole("after-term")]
    busy.smtp.quit()
    idle.smtp.quit()
    assert stack.part("milter").wait(20) == 0
    assert not stack.socket.exists()
    assert all(is_marked(stack, queue_id) for queue_id in sent)
    unmarked = send(stack, "nobody serves")
    assert not is_marked(stack, unmarked)
    stack.start("milter", script=FAULTY)
    assert is_marked(stack, send(stack, "serves again"))


def test_a_killed_supervisor_is_followed_by_the_next_at_once(stack: ServiceStack) -> None:
    old = children_of(stack)
    busy = Dialogue(stack)
    busy.begin("in-data")
    stack.kill("milter")
    stack.start("milter", script=FAULTY)
    assert is_marked(stack, busy.finish()), "the orphaned child finishes its session"
    busy.smtp.quit()
    assert is_marked(stack, send(stack, "after")), "the new one serves"
    wait_until("the orphans", lambda: not any(Path(f"/proc/{pid}").exists() for pid in old), 20)


def test_a_second_milter_is_refused(stack: ServiceStack) -> None:
    refused = stack.run("milter", check=False)
    assert refused.returncode == 1
    assert "another tradepost milter answers there; stop it first" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert is_marked(stack, send(stack, "still served"))


def test_a_mistake_in_the_settings_does_not_stop_the_mail(stack: ServiceStack) -> None:
    good = stack.config.read_text()
    before = children_of(stack)
    try:
        stack.config.write_text(good + '[typo]\nx = "y"\n')
        stack.reload("milter")
        wait_until("its words", lambda: "reload failed" in words(stack), 10)
        assert children_of(stack) == before
        assert is_marked(stack, send(stack, "as before"))
    finally:
        stack.config.write_text(good)


# (d) classifiers that hang


def test_a_crashing_classifier_costs_only_the_labels(stack: ServiceStack) -> None:
    """Trap 20: the milter library's own answer to an exception is to refuse all mail."""
    queue_id = send(stack, "CRASH")
    assert is_marked(stack, queue_id)
    (copy, *_) = stack.postfix.mailboxes.by_queue_id(queue_id)
    assert "x-tradepost-category" not in copy.marks()
    assert "classifier-failed" in copy.marks()["x-tradepost-reason"][0]


def test_a_sleeping_classifier_delays_only_its_own_mail(stack: ServiceStack) -> None:
    before = set(children_of(stack))
    took: list[float] = []
    ids: list[str] = []

    def sleeper() -> None:
        began = time.monotonic()
        ids.append(send(stack, "SLEEP"))
        took.append(time.monotonic() - began)

    thread = threading.Thread(target=sleeper)
    thread.start()
    time.sleep(0.3)  # until the sleeper is in EOM
    for number in range(4):
        began = time.monotonic()
        assert is_marked(stack, send(stack, f"beside {number}"))
        assert time.monotonic() - began < 2
    thread.join()
    assert took[0] < 12
    assert is_marked(stack, ids[0]), "marked without classifying"
    (copy, *_) = stack.postfix.mailboxes.by_queue_id(ids[0])
    assert copy.marks()["x-tradepost-reason"] == ["soft-deadline"]
    wait_until("the replacement", lambda: not before <= set(children_of(stack)), 25)


def test_a_classifier_that_holds_the_interpreter_is_killed(stack: ServiceStack) -> None:
    wait_until("two children", lambda: len(children_of(stack)) == 2, 25)
    before = set(children_of(stack))
    results: list[tuple[str, float]] = []

    def grinder() -> None:
        began = time.monotonic()
        results.append((send(stack, "GRIND"), time.monotonic() - began))

    thread = threading.Thread(target=grinder)
    thread.start()
    time.sleep(0.3)  # until the grinder is in EOM
    served_at_once = 0
    for number in range(4):
        began = time.monotonic()
        beside = send(stack, f"beside {number}")
        took = time.monotonic() - began
        # What the grinding child had accepted waits for the watchdog, and can even be marked then: after XCLIENT Postfix
        # connects again.  What another child serves does not wait.
        assert took < 12
        served_at_once += took < 2 and is_marked(stack, beside)
    assert served_at_once
    thread.join()
    queue_id, seconds = results[0]
    assert seconds < 12
    assert not is_marked(stack, queue_id)
    wait_until("the replacement", lambda: len(before & set(children_of(stack))) == 1, 10)


# (f) refused after us


def start_other_milter(answer: bytes) -> tuple[int, threading.Thread]:
    """A milter after ours that answers EOM with one letter: r(eject), t(empfail), d(iscard)."""
    server = socket.create_server(("127.0.0.1", free_port()))
    port = server.getsockname()[1]

    def serve() -> None:
        connection, _ = server.accept()
        with server, connection, connection.makefile("rb") as stream:
            while head := stream.read(4):
                packet = stream.read(int.from_bytes(head))
                kind = packet[:1]
                if kind == b"O":
                    reply = b"O" + (6).to_bytes(4) + (0).to_bytes(4) + (0).to_bytes(4)
                elif kind in b"DAKQ":
                    continue
                else:
                    reply = answer if kind == b"E" else b"c"
                connection.sendall(len(reply).to_bytes(4) + reply)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return port, thread


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(b"r", 550, id="reject"),
        pytest.param(b"t", 451, id="tempfail"),
        pytest.param(b"d", 250, id="discard"),
    ],
)
def test_a_later_milter_that_refuses_leaves_a_phantom_that_is_told_apart(
    stack: ServiceStack, answer: bytes, code: int
) -> None:
    port, thread = start_other_milter(answer)
    stack.postfix.configure(milters=["tradepost", f"inet:127.0.0.1:{port}"])
    before = journaled(stack)
    try:
        with smtplib.SMTP("127.0.0.1", stack.postfix.site.smtp_port) as smtp:
            smtp.ehlo()
            smtp.mail("ann@buyer.example")
            smtp.rcpt(SALES)
            assert smtp.data(MAIL.format(subject="refused", number=answer.decode()).encode())[0] == code
    finally:
        stack.postfix.configure(milters=["tradepost"])
    thread.join(10)
    (phantom,) = journaled(stack) - before
    wait_until("the log", lambda: any("milter-" in line for line in stack.postfix.log.lines(phantom)), 5)
    assert not any("queue active" in line for line in stack.postfix.log.lines(phantom))


def test_a_client_that_leaves_before_the_dot_leaves_nothing(stack: ServiceStack) -> None:
    before = journaled(stack)
    dialogue = Dialogue(stack)
    dialogue.begin("leaves")
    dialogue.smtp.close()
    assert is_marked(stack, send(stack, "after the one who left"))
    assert len(journaled(stack) - before) == 1
    wait_until("drafts gone", lambda: not list((stack.settings.journal_dir / "tmp").iterdir()), 5)


def test_a_client_that_leaves_after_the_dot_retries_and_keeps_the_owner(stack: ServiceStack) -> None:
    before = {entry.arrival.entry_id for entry in entries(stack)}
    for _ in range(2):
        dialogue = Dialogue(stack)
        dialogue.begin("retried")
        dialogue.smtp.send(b"the end\r\n.\r\n")
        dialogue.smtp.close()
    wait_until("both", lambda: len(entries(stack)) == len(before) + 2, 10)
    first, second = [e.arrival for e in entries(stack) if e.arrival.entry_id not in before]
    assert first.envelope.queue_id != second.envelope.queue_id
    assert first.verdict.owner == second.verdict.owner


# (e) full disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 8 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0755", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_journal_lets_mail_pass_and_names_each(tmp_path: Path, small_disk: Path) -> None:
    with running(tmp_path) as stack:
        stack.stop("milter")
        journal = stack.settings.journal_dir
        subprocess.run(["cp", "-a", f"{journal}/.", str(small_disk)], check=True)
        subprocess.run(["mount", "--bind", str(small_disk), str(journal)], check=True)
        try:
            stack.start("milter", script=FAULTY)
            body = MAIL + "0123456789" * 100_000
            sent = []
            for number in range(14):
                with stack.postfix.arriving(stranger=BUYER) as session:
                    mail = body.format(subject="big", number=f"big{number}").encode()
                    sent.append(session.send("ann@buyer.example", [SALES], mail))
            assert all(is_marked(stack, queue_id) for queue_id in sent), "the mail flows, marked"
            kept = journaled(stack)
            assert 0 < len(kept) < 14
            seen = {sighting.queue_id: sighting.reason for sighting in read_seen(journal / "seen")}
            assert {queue_id for queue_id in sent if seen[queue_id] == "journal-full"} == set(sent) - kept
            assert list((journal / "tmp").iterdir()) == []
        finally:
            stack.stop("milter")
            subprocess.run(["umount", "-l", str(journal)], check=True)


def test_strict_mode_refuses_what_it_cannot_journal(tmp_path: Path) -> None:
    with running(tmp_path, strict=True) as stack:
        stack.stop("milter")
        stack.start("milter", script=FAULTY, environment={"TRADEPOST_JOURNAL__RESERVE_PERCENT": "90"})
        with pytest.raises(smtplib.SMTPResponseException) as refused:
            send(stack, "strict")
        assert refused.value.smtp_code == 451


def test_a_queue_disk_that_fills_up_while_marks_are_written(tmp_path: Path, small_disk: Path) -> None:
    """cleanup(8) says 451 after our answer to EOM: the entry is there, the mail is not."""
    with running(tmp_path) as stack:
        stack.postfix.stop()
        queue = stack.postfix.site.queue
        stack.stop("milter")
        subprocess.run(["cp", "-a", f"{queue}/.", str(small_disk)], check=True)
        subprocess.run(["mount", "--bind", str(small_disk), str(queue)], check=True)
        try:
            stack.postfix.configure(parameters={"message_size_limit": "0"})
            filler = queue / "filler"  # the same file system, by a way that the service user may go
            filler.touch()
            filler.chmod(0o666)
            plan = json.dumps({"folder": "/nonexistent", "filler": str(filler)})
            stack.start("milter", script=FAULTY, environment={"TRADEPOST_TEST_FAULTS": plan})
            phantoms = fill_to_the_brim(stack, filler)
            assert phantoms, "no mail met the end of the disk between our answer and the queue file's end"
            for queue_id in phantoms:
                lines = stack.postfix.log.lines(queue_id)
                assert not any("queue active" in line for line in lines)
        finally:
            stack.stop("milter")
            stack.postfix.stop()
            subprocess.run(["umount", "-l", str(queue)], check=True)


def fill_to_the_brim(stack: ServiceStack, filler: Path) -> set[str]:
    """Send mails during whose EOM the disk becomes full; return the queue ids that were journaled and refused.

    What is written after that may still fit into the last page of the queue file, so several sizes are tried.
    """
    phantoms: set[str] = set()
    for lines in range(0, 400, 50):
        before = journaled(stack)
        body = MAIL.format(subject="FILL", number=f"fill{lines}") + "0123456789\r\n" * lines
        with smtplib.SMTP("127.0.0.1", stack.postfix.site.smtp_port) as smtp:
            smtp.ehlo()
            smtp.mail("ann@buyer.example")
            smtp.rcpt(SALES)
            code, _ = smtp.data(body.encode())
        filler.write_bytes(b"")
        if code != 250:
            assert code == 451
            phantoms |= journaled(stack) - before
    return phantoms


def test_the_inet_socket_serves_too(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, socket=f"inet:127.0.0.1:{port}") as stack:
        stack.postfix.configure(milters=[f"{{ inet:127.0.0.1:{port}, default_action=accept }}"])
        sent = [send(stack, f"inet {number}") for number in range(5)]
        assert all(is_marked(stack, queue_id) for queue_id in sent)

# SPDX-License-Identifier: GPL-3.0-or-later
"""`kill -9` to every part at random moments under load: all delivered, nothing forged, each recorded once, and
`tradepost reconcile` names exactly what passed unseen.

The seed is printed; TRADEPOST_SEED=n repeats a run's choices (not its timing).  TRADEPOST_SOAK=1 kills more.
"""

import json
import os
import random
import smtplib
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from postfix.sandbox.processes import SandboxError, wait_until
from postfix.sandbox.sending import Stranger
from postfix.sandbox.service_stack import ServiceStack
from tradepost.sqlite import connect

FAULTY = Path(__file__).parent / "faulty.py"
SALES = "sales@brightway.example"
BUYER = Stranger("203.0.113.9", "mail.buyer.example")
KILLS = 100 if os.environ.get("TRADEPOST_SOAK") else 20
SENDERS = 3
POINTS = ("after-journal", "between-edits", "after-commit")


class Load:
    """Threads that send mail, each with a forged mark, until told to stop; every 250 is remembered."""

    def __init__(self, stack: ServiceStack, pause_seconds: float = 0.1) -> None:
        self.sent: list[str] = []
        self.errors: list[Exception] = []
        self._stack = stack
        self._pause = pause_seconds
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def _run(self, thread: int) -> None:
        number = 0
        while not self._stop.is_set():
            try:
                with self._stack.postfix.arriving(stranger=BUYER) as session:
                    for _ in range(3):
                        number += 1
                        content = (
                            f"X-Tradepost-Priority: forged\r\nFrom: a{number % 50}@buyer{thread}.example\r\n"
                            f"To: {SALES}\r\nSubject: mail {thread}-{number}\r\n"
                            f"Message-ID: <{thread}.{number}@kills.example>\r\n\r\nPlease quote {number} pcs.\r\n"
                        )
                        self.sent.append(session.send(f"a@buyer{thread}.example", [SALES], content.encode()))
                        time.sleep(self._pause)
            except (OSError, smtplib.SMTPException) as error:  # Postfix is never killed: then mail was stopped
                self.errors.append(error)
                return

    def finish(self) -> list[str]:
        """Stop; return the queue ids of all mail that Postfix took."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert not self.errors, f"mail was stopped: {self.errors[0]!r}"
        return self.sent


def kill_a_child(stack: ServiceStack, dice: random.Random) -> None:
    pid = stack.part("milter").pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    if children:
        subprocess.run(["kill", "-9", dice.choice(children)], check=False)


def kill_and_start(part: str) -> Callable[[ServiceStack, random.Random], None]:
    def act(stack: ServiceStack, _: random.Random) -> None:
        stack.kill(part)
        stack.start(part, script=FAULTY)  # as systemd would

    return act


@pytest.fixture
def seed() -> int:
    chosen = int(os.environ.get("TRADEPOST_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
    print(f"seed {chosen}")
    return chosen


@pytest.fixture
def faults(tmp_path: Path) -> Path:
    """Where processes write what killed them; writable by the service user."""
    folder = Path("/var/tmp") / f"tradepost-faults-{os.getpid()}-{tmp_path.name}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    return folder


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("part", "act"),
    [
        pytest.param("child", kill_a_child, id="child"),
        pytest.param("supervisor", kill_and_start("milter"), id="supervisor"),
        pytest.param("worker", kill_and_start("sync"), id="worker"),
    ],
)
def test_killed_at_random_moments(
    make_stack: Callable[..., ServiceStack], part: str, act: Callable[[ServiceStack, random.Random], None], seed: int
) -> None:
    dice = random.Random(f"{seed} {part}")
    stack = faulty_stack(make_stack, "{}")
    load = Load(stack)
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.0, 0.5))
        act(stack, dice)
    time.sleep(0.5)
    check(stack, load.finish())


@pytest.mark.timeout(1800)
def test_killed_at_the_worst_moments(make_stack: Callable[..., ServiceStack], faults: Path, seed: int) -> None:
    """Between journal and answer, between two edits, between commit and acknowledgement: each at least once."""
    chances = {name: [0.02, seed] for name in POINTS}
    stack = faulty_stack(make_stack, json.dumps({"folder": str(faults), "points": chances}))
    load = Load(stack)
    give_up = time.monotonic() + 240
    try:
        while time.monotonic() < give_up and not all(fired(faults, name) for name in POINTS):
            for name in ("sync", "milter"):
                if not stack.part(name).is_running:
                    restart(stack, name)
            time.sleep(0.1)
    finally:
        sent = load.finish()
    counts = {name: len(fired(faults, name)) for name in POINTS}
    print(f"fault points reached: {counts}")
    assert all(counts.values()), counts
    stack.stop("milter")
    stack.stop("sync")
    stack.start("sync")
    check(stack, sent)
    for marker in faults.iterdir():
        marker.unlink()
    faults.rmdir()


def restart(stack: ServiceStack, name: str) -> None:
    """Start a part that may die again before it is seen to work."""
    try:
        stack.start(name, script=FAULTY)
    except SandboxError:
        if stack.part(name).is_running:
            raise


def fired(folder: Path, name: str) -> list[Path]:
    return list(folder.glob(f"{name}.*"))


def faulty_stack(make_stack: Callable[..., ServiceStack], plan: str) -> ServiceStack:
    """A stack whose milter and worker are the real ones run by faulty.py."""
    plan = plan if plan != "{}" else json.dumps({"folder": "/nonexistent"})
    stack = make_stack(
        parts=(), settings={"milter": {"drain_grace_seconds": 10}}, environment={"TRADEPOST_TEST_FAULTS": plan}
    )
    stack.start("sync", script=FAULTY)
    stack.start("milter", script=FAULTY)
    return stack


def check(stack: ServiceStack, sent: list[str]) -> None:
    """Hold what was sent against mailboxes, records and reconcile."""
    assert len(sent) > 50
    assert len(set(sent)) == len(sent)
    if not stack.part("sync").is_running:
        stack.start("sync", script=FAULTY)
    stack.postfix.wait_for(sent, 120)
    wait_until("the journal to be recorded", lambda: not os.listdir(stack.settings.journal_dir / "new"), 60)
    wait_until("confirmation", lambda: not by_acceptance(stack)["pending"], 30)

    delivered = {copy.queue_id for copy in stack.postfix.mailboxes.files(SALES)}
    assert delivered == set(sent), "all delivered"
    for copy in stack.postfix.mailboxes.files():
        marks = copy.marks()
        assert "forged" not in [value for values in marks.values() for value in values]
        if "x-tradepost-id" in marks:
            assert marks.keys() >= {"x-tradepost-category", "x-tradepost-priority", "x-tradepost-reason"}

    recorded = Counter(ledger(stack))
    assert set(recorded.values()) <= {1}, "once is once"
    assert recorded.keys() <= set(sent)
    assert by_acceptance(stack).keys() <= {"confirmed"}
    unseen = set(sent) - recorded.keys()
    report = json.loads(stack.run("reconcile", "--json", "--min-age", "0", check=False).stdout)
    print(f"{len(sent)} sent, {len(recorded)} recorded, {len(unseen)} passed unseen")
    assert {difference["kind"] for difference in report["differences"]} <= {"accepted-unseen"}
    assert {difference["queue_id"] for difference in report["differences"]} == unseen


def ledger(stack: ServiceStack) -> list[str]:
    """Return the queue id of every recorded arrival."""
    return [row[0] for row in query(stack, "SELECT queue_id FROM arrival")]


def by_acceptance(stack: ServiceStack) -> Counter[str]:
    return Counter(row[0] for row in query(stack, "SELECT acceptance FROM arrival"))


def query(stack: ServiceStack, statement: str) -> list[tuple[str]]:
    connection = connect(stack.settings.paths.state / "tradepost.sqlite", busy_ms=10_000, read_only=True)
    try:
        rows: list[tuple[str]] = connection.execute(statement).fetchall()
        return rows
    finally:
        connection.close()

# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo tells the truth: equal counts when all is well, other counts and exit 1 when a part is turned off."""

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from postfix.sandbox.demonstration import Counts, Demonstration
from postfix.sandbox.mailboxes import queue_id_of
from postfix.sandbox.processes import MARK, wait_until
from postfix.sandbox.samples import read_samples
from postfix.sandbox.service_stack import ServiceStack

ROOT = Path(__file__).parents[2]
TRADEPOST = Path(sys.executable).with_name("tradepost")
LINE = re.compile(r"^demo: (\d+) sent, (\d+) delivered, (\d+) marked, (\d+) recorded$", re.MULTILINE)
# A second `make demo` must reach its line within that time on the reference machine; tests run beside others.
DEMO_SECONDS = 120


def run_demo(*arguments: str) -> tuple[Counts, "subprocess.CompletedProcess[str]"]:
    done = subprocess.run(
        [TRADEPOST, "demo", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
        check=False,
    )
    assert done.stdout.splitlines(), done.stderr
    found = LINE.fullmatch(done.stdout.splitlines()[-1])
    assert found, done.stdout + done.stderr
    return Counts(*map(int, found.groups())), done


def test_every_sample_passes_every_station() -> None:
    counts, done = run_demo()
    number = len(read_samples())
    assert counts == Counts(number, number, number, number), done.stdout
    assert done.returncode == 0
    head = next(line for line in done.stdout.splitlines() if line.startswith("subject"))
    assert head.split() == ["subject", "category", "priority", "language", "country", "owner", "customer", "ms"]
    assert leftovers() == []


@pytest.mark.parametrize(("part", "marked"), [("milter", 0), ("worker", 1)])
def test_a_part_left_out_shows_in_the_line(part: str, marked: int) -> None:
    counts, done = run_demo("--without", part)
    number = len(read_samples())
    assert counts == Counts(number, number, marked * number, 0), done.stdout
    assert done.returncode == 1
    assert "01-inquiry-format-flowed.eml" in done.stdout


def test_a_part_turned_off_on_the_way_shows_in_the_counts(stack: ServiceStack) -> None:
    samples = [sample for sample in read_samples() if sample.thread is None][:12]
    sent: list[str] = []

    def stop_in_the_middle(part: str) -> Counts:
        run = Demonstration(stack, samples)
        sent.clear()

        def told(name: str) -> None:
            sent.append(name)
            if len(sent) == 7:
                stack.stop(part)

        try:
            run.send_all(told)
            run.await_delivery()
            run.await_records(lambda _: None)
        finally:
            stack.start(part)
        assert all(("not recorded" in trip.problems) != trip.recorded for trip in run.trips)
        return run.counts()

    assert stop_in_the_middle("milter") == Counts(12, 12, 6, 6)
    without_worker = stop_in_the_middle("sync")
    assert (without_worker.sent, without_worker.delivered, without_worker.marked) == (12, 12, 12)
    assert without_worker.recorded <= 6
    assert not without_worker.are_equal


def test_any_file_can_be_sent() -> None:
    counts, done = run_demo("--send", str(ROOT / "tests/mail/31-platform-inquiry.eml"))
    assert counts == Counts(1, 1, 1, 1), done.stdout
    assert done.returncode == 0


def test_a_reply_leaves_without_marks_and_its_copy_keeps_them(stack: ServiceStack) -> None:
    private = stack.postfix
    content = b"From: sales@brightway.example\r\nTo: ann@buyer.example\r\nSubject: Re: price\r\n\r\nUSD 3.10 FOB\r\n"
    queue_id = private.submit("li.na", "sales@brightway.example", ["ann@buyer.example"], content)
    (copy,) = private.delivered(queue_id)
    assert copy.mailbox == "sales@brightway.example"
    assert len(copy.marks()["x-tradepost-id"]) == 1
    (departed,) = [mail for mail in private.outside.mails() if queue_id_of(mail.content) == queue_id]
    assert departed.recipients == ("ann@buyer.example",)
    assert b"x-tradepost" not in departed.content.lower()


@pytest.fixture
def closed_checkout() -> Iterator[Path]:
    """A whole installation below a folder that only root may enter, like /root/tradepost."""
    top = Path(tempfile.mkdtemp(prefix="closed-", dir="/var/tmp"))
    place = top / "tradepost"
    for name in ("tradepost", "classifiers", "crm_sync", "admin_web", "postfix", "milter", "tests/mail"):
        shutil.copytree(ROOT / name, place / name)
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", place / ".venv"], check=True)
    library = next((place / ".venv" / "lib").glob("python3*")) / "site-packages"
    shutil.copytree(
        sysconfig.get_path("purelib"),
        library,
        copy_function=os.link,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__editable__*", "pip", "mypy*"),
    )
    (library / "checkout.pth").write_text(f"{place}\n{place / 'milter'}\n")
    yield place
    shutil.rmtree(top)


def test_a_checkout_that_only_root_may_enter(closed_checkout: Path) -> None:
    refused = subprocess.run(["ls", closed_checkout], user="nobody", capture_output=True, check=False)
    assert refused.returncode != 0
    entry = "import sys; sys.argv[0] = 'tradepost'; from tradepost.cli import main; main()"
    done = subprocess.run(
        [closed_checkout / ".venv/bin/python", "-P", "-c", entry, "demo"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
        check=False,
        cwd="/",
    )
    assert LINE.search(done.stdout), done.stdout + done.stderr
    assert done.returncode == 0, done.stdout


def test_in_a_terminal_it_stays_up_and_says_what_to_try() -> None:
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        [TRADEPOST, "demo", "--send", str(ROOT / "tests/mail/01-inquiry-format-flowed.eml")],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb"},
    )
    os.close(terminal)
    screen = ""
    end = time.monotonic() + DEMO_SECONDS
    while "the mailboxes" not in screen and time.monotonic() < end:
        try:
            screen += os.read(main, 65536).decode("utf-8", "replace")
        except OSError:
            break  # the other end is closed: it ended
    link = re.search(r"http://127\.0\.0\.1:\d+/sign-in\S+", screen)
    metrics = re.search(r"http://127\.0\.0\.1:\d+/metrics", screen)
    assert link, screen
    assert metrics, screen
    for url in (link[0], metrics[0]):
        with urllib.request.urlopen(url, timeout=10) as page:
            assert page.status == 200
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    os.close(main)
    wait_until("end of every process", lambda: leftovers() == [], 10)


def leftovers() -> list[str]:
    """Return the command lines of processes that a demo started and nobody's parent is any more."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            environment = (entry / "environ").read_bytes()
            if f"{MARK}=".encode() in environment and (entry / "stat").read_text().rpartition(")")[2].split()[1] == "1":
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found

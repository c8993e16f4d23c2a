# SPDX-License-Identifier: GPL-3.0-or-later
"""One decision is one line, whatever hostile words are in it; journald learns its priority."""

import logging
import sys
from collections.abc import Iterator

import pytest

from tradepost.logs import LineFormatter, configure_logging


def record(level: int, text: str, *args: object, exc_info: bool = False) -> logging.LogRecord:
    info = sys.exc_info() if exc_info else None
    return logging.LogRecord("tradepost.milter", level, __file__, 1, text, args, info)


def test_line_holds_role_and_text() -> None:
    line = LineFormatter(for_journald=False).format(record(logging.INFO, "%s: priority=%s", "4XyZ", "high"))
    assert line == "tradepost.milter: 4XyZ: priority=high"


@pytest.mark.parametrize(
    ("level", "prefix"),
    [(logging.DEBUG, "<7>"), (logging.INFO, "<6>"), (logging.WARNING, "<4>"), (logging.ERROR, "<3>"), (logging.CRITICAL, "<2>")],
)  # fmt: skip
def test_journald_learns_the_priority(level: int, prefix: str) -> None:
    assert LineFormatter(for_journald=True).format(record(level, "x")) == f"{prefix}tradepost.milter: x"


@pytest.mark.parametrize("control", ["\n", "\r", "\x1b", "\x00", "\x7f", "\x9b", "\u2028"])
def test_hostile_words_make_no_line_of_their_own(control: str) -> None:
    line = LineFormatter(for_journald=False).format(record(logging.INFO, "helo=%s", f"a{control}4XyZ: accepted"))
    assert line == f"tradepost.milter: helo=a\\x{ord(control):02x}4XyZ: accepted"
    assert len(line.splitlines()) == 1


def test_traceback_follows_with_the_same_priority() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        lines = LineFormatter(for_journald=True).format(record(logging.ERROR, "failed", exc_info=True)).splitlines()
    assert lines[0] == "<3>tradepost.milter: failed"
    assert lines[-1] == "<3>ValueError: broken"
    assert all(line.startswith("<3>") for line in lines)


@pytest.fixture
def quiet_root() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("tradepost")
    before = (list(root.handlers), root.level, ours.level)
    yield
    root.handlers[:], root.level = before[0], before[1]
    ours.setLevel(before[2])


def test_configuring_twice_writes_once_at_the_last_level(quiet_root: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("DEBUG")
    configure_logging("INFO")
    logging.getLogger("tradepost.milter").info("once")
    logging.getLogger("tradepost.milter").debug("never")
    logging.getLogger("somelibrary").info("never")
    assert capsys.readouterr().err == "tradepost.milter: once\n"


def test_stream_that_is_not_the_journal_gets_no_prefix(
    quiet_root: None, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # systemd leaves the variable set when a shell redirects stderr to a file.
    monkeypatch.setenv("JOURNAL_STREAM", "8:12345")
    configure_logging("INFO")
    logging.getLogger("tradepost.milter").info("plain")
    assert capfd.readouterr().err == "tradepost.milter: plain\n"

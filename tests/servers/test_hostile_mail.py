# SPDX-License-Identifier: GPL-3.0-or-later
"""What is no mail, or is made to hurt: `tradepost classify` answers about each in seconds and with little memory."""

import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

MEGABYTES = 10
SECONDS = 5.0
RUN = (sys.executable, "-m", "tradepost", "classify", "--json")
PLAIN = b"From: Ann <ann@buyer.example>\r\nSubject: Bolts\r\n\r\nPlease quote 400 bolts."


def _head(*fields: str) -> bytes:
    return "\r\n".join(("From: Ann <ann@buyer.example>", "Subject: hello", *fields)).encode() + b"\r\n\r\n"


def _full(pattern: bytes) -> bytes:
    return pattern * (MEGABYTES * 1_000_000 // len(pattern))


def _nested(depth: int) -> bytes:
    layers = (f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(depth))
    return b"From: ann@buyer.example\r\nSubject: deep\r\n" + "".join(layers).encode() + b"\r\nhello"


def _letters() -> Iterator[tuple[str, bytes]]:
    multipart = _head("Content-Type: multipart/mixed; boundary=b")
    html = _head("Content-Type: text/html")
    yield "nothing", b""
    yield "nul", b"\0"
    yield "noise", random.Random(4).randbytes(MEGABYTES * 1_000_000)
    yield "one-word", _head() + _full(b"a")
    yield "one-word-of-html", html + _full(b"a")
    yield "open-tags", html + _full(b"<div><b>x")
    yield "open-tables", html + _full(b"<table><tr><td>")
    yield "links", _head() + _full(b"http://a.example/x\n")
    yield "links-of-html", html + _full(b"<a href='http://a.example'>http://b.example</a>\n")
    yield "lines", _head() + _full(b"a\n")
    yield "quotes", _head() + _full(b"> a\n")
    yield "han", _head() + _full("询价订单 ".encode())
    yield "base64", _head("Content-Transfer-Encoding: base64") + _full(b"YWFh")
    yield "quoted-printable", _head("Content-Transfer-Encoding: quoted-printable") + _full(b"=41")
    yield "flowed", _head("Content-Type: text/plain; format=flowed") + _full(b"a \n")
    yield "received", b"Received: from a.example by b.example; Mon, 1 Jan 2024 00:00:00 +0000\r\n" * 50_000 + PLAIN
    yield "fields", _full(b"X-A: b\r\n") + PLAIN
    yield "subject", b"Subject: " + _full(b"a") + b"\r\n\r\nhello"
    yield "addresses", b"From: a@b.example\r\nTo: " + _full(b"x@y.example, ") + b"\r\n\r\nhello"
    yield "nested", _nested(5_000)
    yield "nested-letters", b"From: a@b.example\r\nContent-Type: message/rfc822\r\n\r\n" * 5_000 + b"hello"
    yield "parts", multipart + b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n" * 100_000
    for charset in ("utf-16", "utf-7", "iso-2022-jp", "hz", "x" * 5_000, "utf-8\0", "idna", "unicode_escape"):
        yield (
            f"charset-{charset[:10].strip(chr(0))}",
            _head(f"Content-Type: text/plain; charset={charset}") + (b"\xd8\x00\x1b$B~{+AGE-\xff" * 200_000),
        )


def _answers(paths: list[Path]) -> tuple[list[dict[str, object]], int]:
    """Run the command; return its objects and its largest resident memory in octets."""
    out = paths[0].with_suffix(".out")
    with out.open("wb") as stdout:
        actions = [(os.POSIX_SPAWN_DUP2, stdout.fileno(), 1)]
        pid = os.posix_spawn(sys.executable, [*RUN, *map(str, paths)], os.environ, file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()], usage.ru_maxrss * 1024


@pytest.fixture(scope="module")
def needed(tmp_path_factory: pytest.TempPathFactory) -> int:
    """What the command needs for a plain letter: octets."""
    path = tmp_path_factory.mktemp("plain") / "plain.eml"
    path.write_bytes(PLAIN)
    return _answers([path])[1]


def test_every_hostile_mail_is_answered_in_time_and_in_little_memory(tmp_path: Path, needed: int) -> None:
    paths = []
    for name, raw in _letters():
        paths.append(tmp_path / f"{name}.eml")
        paths[-1].write_bytes(raw)

    rows, peak = _answers(paths)

    assert [row["file"] for row in rows] == list(map(str, paths))
    assert [row["file"] for row in rows if row["category"] is None or float(str(row["ms"])) > SECONDS * 1_000] == []
    # One process reads them all: what the worst needs beyond models and tables, a file of 10 MB among it.
    assert peak - needed < 100 << 20

# SPDX-License-Identifier: GPL-3.0-or-later
"""Mails to send: the project's own letters with their envelopes, or any file."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import postfix
from postfix.sandbox.company import Company
from postfix.sandbox.processes import SandboxError
from tradepost.mime_reading import parse_message

SAMPLES = Path(postfix.__file__).resolve().parents[1] / "tests" / "mail"


@dataclass(frozen=True, slots=True)
class Sample:
    """One mail and its envelope.  `login` is set for what a rep submits; `thread` names letters that answer each other."""

    name: str
    content: bytes
    sender: str
    recipients: tuple[str, ...]
    login: str | None = None
    smtputf8: bool = False
    thread: str | None = None

    @property
    def subject(self) -> str:
        """The subject as a reader sees it."""
        return parse_message(self.content, limit=0).subject


def read_samples(folder: Path = SAMPLES) -> list[Sample]:
    """Read samples.toml and the files it names, in its order.  Raises SandboxError where there are none."""
    try:
        rows: list[dict[str, Any]] = tomllib.loads((folder / "samples.toml").read_text("utf-8"))["sample"]
    except FileNotFoundError:
        raise SandboxError(
            f"{folder}: the samples lie beside the source, not in an installation; name files with --send FILE"
        ) from None
    return [
        Sample(
            name=row["file"],
            content=(folder / row["file"]).read_bytes(),
            sender=row["sender"],
            recipients=tuple(row["recipients"]),
            login=row["login"] if row["port"] == "submission" else None,
            smtputf8=row.get("smtputf8", False),
            thread=row.get("thread"),
        )
        for row in rows
    ]


def sample_from_file(path: Path, company: Company) -> Sample:
    """Give any mail an envelope: from one of us by submission, else to those of us it names, else to the first pool.

    Raises OSError when the file can't be read.
    """
    content = path.read_bytes()
    message = parse_message(content, limit=0)
    named = [address.address for address in (*message.to, *message.cc) if "@" in address.address]
    sender = (message.header("Return-Path") or message.from_.address).strip("<> ")
    if not sender.isprintable() or " " in sender or "@" not in sender:
        sender = ""
    if company.is_own(message.from_.address) and named:
        own = message.from_.address
        return _sample(path, content, own, named, company.login_for(own))
    ours = [address for address in named if address in company.mailboxes]
    return _sample(path, content, sender, ours or [next(iter(company.pools))], None)


def _sample(path: Path, content: bytes, sender: str, recipients: list[str], login: str | None) -> Sample:
    smtputf8 = not all(address.isascii() for address in (sender, *recipients))
    return Sample(path.name, content, sender, tuple(dict.fromkeys(recipients)), login, smtputf8)

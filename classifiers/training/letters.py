# SPDX-License-Identifier: GPL-3.0-or-later
"""The labelled letters that the models learn from: classifiers/training/*.jsonl, one letter a line.

Every letter was written for this purpose.  Its body is a list of pieces, each with what it is (new text, signature, quote
…), so that the letters measure splitting, country and facts as well; docs/classifiers.md says what each field means.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec

from classifiers.splitting import Kind
from tradepost.message import Address, Message, Part
from tradepost.verdict import CATEGORIES, Priority

Words = Annotated[str, msgspec.Meta(min_length=3)]


class LetterError(ValueError):
    """A row is no letter; the text names file, line and what is wrong."""


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the letter says of its writer and the goods; None where it says nothing."""

    person: str | None = None
    company: str | None = None
    phone: str | None = None  # E.164
    product: str | None = None
    quantity: float | None = None
    unit: str | None = None
    target_price: float | None = None
    currency: str | None = None
    incoterm: str | None = None


class TrainingLetter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row."""

    lang: str
    category: str
    priority: Priority
    subject: str
    body: list[tuple[Kind, str]] | str  # a text alone is not marked: it teaches, but measures no splitting
    scenario: Words
    industry: Words
    persona: Words  # one writer: validation never meets a writer that training met
    id: str = ""
    also: list[str] = []
    sender: str = msgspec.field(default="", name="from")
    date: datetime | None = None
    attachments: list[str] = []
    country: str | None = None
    facts: Facts | None = None
    urgent_reason: str | None = None

    def __post_init__(self) -> None:
        """Refuse labels that don't exist."""
        for label in (self.category, *self.also):
            if label not in CATEGORIES:
                raise ValueError(f"no such category: {label!r}")
        if self.category in self.also:
            raise ValueError("`also` names the category itself")

    @property
    def text(self) -> str:
        """The mail's plain text."""
        return self.body if isinstance(self.body, str) else "\n".join(piece for _, piece in self.body)

    @property
    def new_text(self) -> str:
        """What the sender newly wrote; of an unmarked letter all of it."""
        if isinstance(self.body, str):
            return self.body
        return "\n".join(piece.strip("\n") for kind, piece in self.body if kind is Kind.NEW).strip()

    @property
    def message(self) -> Message:
        """The mail that the letter describes."""
        return describe_mail(self.sender, self.subject, self.text, self.date, self.attachments)


def describe_mail(
    sender: str, subject: str, text: str, date: datetime | None, attachments: Sequence[str] = ()
) -> Message:
    """Return the mail of a row; `sender` is 'Name <address>' as people write it, a comma or quotes in the name too."""
    name, _, address = sender.rpartition("<")
    return Message(
        subject=subject,
        from_=Address(address.strip("> ").lower(), name.strip(' "')),
        date=date if date is None or date.tzinfo else date.astimezone(),
        text=text,
        attachments=tuple(Part(str(number), "application/pdf", file) for number, file in enumerate(attachments, 2)),
    )


_DECODER = msgspec.json.Decoder(TrainingLetter)


def letter_files(paths: Sequence[Path] = ()) -> list[Path]:
    """Return the files of letters below the folders, those of the package without any; sorted by name."""
    if not paths:
        return sorted(
            Path(str(item)) for item in files("classifiers.training").iterdir() if item.name.endswith(".jsonl")
        )
    return sorted(file for path in paths for file in ([path] if path.is_file() else path.rglob("*.jsonl")))


def rows_of(file: Path) -> Iterator[tuple[int, TrainingLetter | LetterError]]:
    """Yield line number and letter of a file, or what is wrong with that line."""
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            try:
                yield number, _DECODER.decode(line)
            except (msgspec.MsgspecError, ValueError) as error:
                yield number, LetterError(f"{file.name}:{number}: {error}")


def read_letters(paths: Sequence[Path] = ()) -> list[TrainingLetter]:
    """Read all letters.  Raises LetterError for the first bad row."""
    letters = []
    for file in letter_files(paths):
        for _, row in rows_of(file):
            if isinstance(row, LetterError):
                raise row
            letters.append(row)
    return letters

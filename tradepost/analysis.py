# SPDX-License-Identifier: GPL-3.0-or-later
"""What the classifiers offer the other rooms: the interface that milter and worker call, and the facts it returns."""

from dataclasses import dataclass, fields
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, cast

from tradepost.facts import Account, Goods, Reference, Span
from tradepost.message import Message
from tradepost.verdict import Labels


@dataclass(frozen=True, slots=True)
class Extract:
    """What a person wrote, taken apart: for the record, in the worker.  None means: the mail does not say."""

    new_text: str = ""
    rest: str = ""  # quoted text, signature, disclaimer: marked, never deleted
    signature: str = ""
    person: str | None = None
    company: str | None = None  # without a span: only the mail domain names it, a hint
    phone: str | None = None  # E.164
    product: str | None = None
    quantity: float | None = None
    unit: str | None = None
    target_price: float | None = None
    currency: str | None = None  # ISO 4217
    incoterm: str | None = None
    title: str | None = None
    phones: tuple[Account, ...] = ()  # the writer's, in order
    address: str | None = None
    website: str | None = None
    social: tuple[Account, ...] = ()
    products: tuple[Goods, ...] = ()  # the first is what the fields above show
    incoterm_place: str | None = None
    needed_by: str | None = None  # ISO 8601 date
    payment_term: str | None = None  # as written
    references: tuple[Reference, ...] = ()
    spans: tuple[Span, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Return what was found, without the texts and what the mail does not say, as JSON can hold it."""
        found: dict[str, Any] = {}
        for name in _FACT_NAMES:
            value = getattr(self, name)
            if isinstance(value, tuple):
                if value:
                    found[name] = [{field: getattr(one, field) for field in one.__slots__} for one in value]
            elif value is not None:
                found[name] = value
        return found


_FACT_NAMES = tuple(field.name for field in fields(Extract) if field.name not in ("new_text", "rest", "signature"))


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """What a slower reader says of a mail's category, and what both say together with the evidence around them."""

    category: str
    confidence: float  # 0..1
    model: str  # version of the slower reader
    decided: str  # the category in force from now on
    decided_confidence: float
    reasons: tuple[str, ...]


class Analyst(Protocol):
    """A loaded classifier.  `label` and `extract` are pure and safe to call from several threads."""

    def label(self, message: Message, now: datetime, *, sender: str | None = None) -> Labels:
        """The arrival part: microseconds to a millisecond, at most 20 kB of text, lines cut at 2 kB.

        `sender` is the envelope sender: "" for a bounce, None when it isn't known.
        """

    def extract(self, message: Message, labels: Labels | None = None) -> Extract:
        """The worker part: new text, signature, first entities.

        `labels` are those in force, where somebody knows them already: what they say is not found out again.
        """

    def refresh(self) -> None:
        """Take up what the site's model learned since.  For one thread, every few seconds; never raises."""


class Consultant(Protocol):
    """A slower reader, tens of milliseconds a mail: for the worker and the command line, never for arrival."""

    def consult(self, message: Message, *, sender: str | None = None) -> SecondOpinion | None:
        """Say what the mail is; None: it can't be said now.  For one thread."""

    def close(self) -> None:
        """Let go of what it runs on."""


def load_analyst(site: Path | None = None) -> Analyst:
    """Load the analyst that the classifiers' room offers (entry point `analyst` of the group `tradepost.parts`).

    `site` is the folder of what this installation learned from corrections; without it the shipped model speaks alone.

    Raises LookupError when none is installed.
    """
    for point in entry_points(group="tradepost.parts", name="analyst"):
        return cast(Analyst, point.load()(site))
    raise LookupError("no classifier is installed (entry point 'analyst' of the group 'tradepost.parts')")


def load_consultant(analyst: Analyst) -> Consultant:
    """Load the slower reader that the classifiers' room offers (entry point `consultant` of the group `tradepost.parts`).

    It weighs what `analyst`, from `load_analyst`, says.  Raises LookupError when none is installed, Refusal when what it
    needs is missing.
    """
    for point in entry_points(group="tradepost.parts", name="consultant"):
        return cast(Consultant, point.load()(analyst))
    raise LookupError("no second reader is installed (entry point 'consultant' of the group 'tradepost.parts')")

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the classifiers are wanted to reach, and whether they do: on labelled raw mails where there are any, else on the letters."""

from collections.abc import Mapping
from dataclasses import dataclass

_WORDS = {True: "held", False: "missed", None: "not measured"}


@dataclass(frozen=True, slots=True)
class Line:
    """One measure: `wanted` at least, or at most."""

    key: str
    wanted: float
    at_most: bool = False

    @property
    def bound(self) -> str:
        """For people: "≥ 0.85"."""
        return f"{'≤' if self.at_most else '≥'} {self.wanted:g}"

    def holds(self, value: float) -> bool:
        """Is the value good enough?"""
        return value <= self.wanted if self.at_most else value >= self.wanted


LINES = (
    Line("category", 0.85),  # with the listed alternatives
    Line("category_worst_group", 0.75),  # of the groups of languages
    Line("category_macro_f1", 0.80),
    Line("urgent_recall", 0.85),
    Line("urgent_precision", 0.80),
    Line("automatic_precision", 0.99),
    Line("automatic_recall", 0.97),
    Line("language", 0.98),
    Line("country_precision", 0.95),
    Line("country_coverage", 0.80),
    Line("new_text_f1", 0.95),
    Line("phone", 0.92),
    Line("person", 0.88),
    Line("company", 0.80),
    Line("quantity", 0.80),
    Line("target_price", 0.80),
    Line("currency", 0.80),
    Line("incoterm", 0.80),
    Line("arrival_ms_p50", 0.6, at_most=True),
    Line("attack_ms_max", 50, at_most=True),
    Line("everything_ms_p50", 1.5, at_most=True),
    Line("everything_ms_p99", 15, at_most=True),
    Line("load_s", 1, at_most=True),
    Line("rss_mb", 120, at_most=True),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line with what was found; None: not measured there."""

    line: Line
    letters: float | None
    mails: float | None

    @property
    def word(self) -> str:
        """Whether it is held, missed or not measured."""
        value = self.letters if self.mails is None else self.mails
        return _WORDS[None if value is None else self.line.holds(value)]


def judge(letters: Mapping[str, float], mails: Mapping[str, float]) -> list[Verdict]:
    """Return a verdict a line.  Raises KeyError for a figure without a line: it would be lost."""
    unknown = (letters.keys() | mails.keys()) - {line.key for line in LINES}
    if unknown:
        raise KeyError(f"no such measure: {', '.join(sorted(unknown))}")
    return [Verdict(line, letters.get(line.key), mails.get(line.key)) for line in LINES]


def as_json(verdicts: list[Verdict]) -> dict[str, dict[str, float | str | None]]:
    """Return the verdicts for the closing line: always the same keys."""
    return {
        one.line.key: {
            "letters": _rounded(one.letters),
            "mails": _rounded(one.mails),
            "wanted": one.line.bound,
            "is": one.word,
        }
        for one in verdicts
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)

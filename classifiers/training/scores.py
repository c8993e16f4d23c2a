# SPDX-License-Identifier: GPL-3.0-or-later
"""How good guessed labels are, by label, language and group of languages: what training, `make bench-classifiers` and the
model card count alike.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

# Few letters of one language say little; languages that are read by the same means are counted together.
LANGUAGE_GROUPS: Mapping[str, tuple[str, ...]] = {
    "English": ("en",),
    "Chinese": ("zh",),
    "Japanese, Korean": ("ja", "ko"),
    "Romance": ("es", "pt", "fr", "it", "ro", "ca"),
    "German, Dutch, Nordic": ("de", "nl", "sv", "da", "no", "fi"),
    "Slavic, Greek, Hungarian": ("ru", "uk", "pl", "cs", "bg", "sr", "el", "hu"),
    "Arabic, Persian, Turkish": ("ar", "fa", "tr", "he", "ur"),
    "South and South-East Asian": ("hi", "th", "vi", "id", "ms", "bn"),
}
_GROUP_OF = {language: group for group, languages in LANGUAGE_GROUPS.items() for language in languages}


@dataclass(frozen=True, slots=True)
class Guess:
    """One letter: what it is, what else may be said of it, and what was guessed."""

    language: str
    label: str
    guess: str
    also: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """Would a careful person accept it?"""
        return self.guess == self.label or self.guess in self.also


class Share(TypedDict):
    """`right`: of `letters` those with the label or one of the alternatives; `strict`: with the label itself."""

    letters: int
    right: float
    strict: float


class LabelScore(TypedDict):
    """One label; an accepted alternative counts as right, for the label that was guessed."""

    letters: int  # whose label it is
    precision: float
    recall: float
    f1: float


class Scores(TypedDict):
    """All of them."""

    letters: int
    right: float
    strict: float
    macro_f1: float  # mean over the labels that occur
    by_label: dict[str, LabelScore]
    by_language: dict[str, Share]
    by_group: dict[str, Share]


def group_of(language: str) -> str:
    """Return the group of languages that a language counts in."""
    return _GROUP_OF.get(language, "other")


def share(hits: Iterable[bool]) -> float:
    """Return the share of hits; 0 of nothing."""
    listed = list(hits)
    return sum(listed) / len(listed) if listed else 0.0


def score(guesses: Sequence[Guess]) -> Scores:
    """Return the scores of guesses; of none, zeros."""
    overall = _share_of(guesses)
    by_label = _by_label(guesses)
    return {
        **overall,
        "macro_f1": sum(one["f1"] for one in by_label.values()) / max(len(by_label), 1),
        "by_label": by_label,
        "by_language": _by(guesses, lambda one: one.language),
        "by_group": _by(guesses, lambda one: group_of(one.language)),
    }


def _share_of(guesses: Sequence[Guess]) -> Share:
    return {
        "letters": len(guesses),
        "right": share(one.is_right for one in guesses),
        "strict": share(one.guess == one.label for one in guesses),
    }


def _by(guesses: Sequence[Guess], key: Callable[[Guess], str]) -> dict[str, Share]:
    sorted_in: defaultdict[str, list[Guess]] = defaultdict(list)
    for one in guesses:
        sorted_in[key(one)].append(one)
    return {name: _share_of(sorted_in[name]) for name in sorted(sorted_in)}


def _by_label(guesses: Sequence[Guess]) -> dict[str, LabelScore]:
    # Who guesses an accepted alternative is right about a letter of that alternative.
    pairs = [(one.guess if one.is_right else one.label, one.guess) for one in guesses]
    found: dict[str, LabelScore] = {}
    for label in sorted({truth for truth, _ in pairs}):
        hits = sum(truth == guess == label for truth, guess in pairs)
        guessed = sum(guess == label for _, guess in pairs)
        true = sum(truth == label for truth, _ in pairs)
        found[label] = {
            "letters": sum(one.label == label for one in guesses),
            "precision": hits / guessed if guessed else 0.0,
            "recall": hits / true,
            "f1": 2 * hits / (guessed + true),
        }
    return found

# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the training corpus what it claims to be: `python -m classifiers.training.review [FOLDER or FILE…]`.

Names rows that are no letters, pairs that are too like each other, and runs of words that too many letters share: a
corpus of templates would make scores that no real mail confirms.
"""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from classifiers.training.letters import LetterError, TrainingLetter, letter_files, rows_of

MAX_LIKENESS = 0.5  # Jaccard, of word 3-grams, of 5-grams of signs where words have no spaces
RUN_WORDS = 8
RUN_SIGNS = 20  # as much in scripts without spaces
MAX_RUN_LETTERS = 3
_FEW = 3  # a text of so few grams says nothing of likeness

_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")
_WORD = re.compile(r"\w+")


def is_unspaced(text: str) -> bool:
    """Is most of the text written without spaces between words?"""
    return len(_UNSPACED.findall(text)) * 3 > len(text)


def grams_of(text: str) -> set[str]:
    """Return the word 3-grams of a text, the 5-grams of signs where words have no spaces."""
    return set(_runs(text, 3, 5))


def _runs(text: str, words: int, signs: int) -> list[str]:
    found = _WORD.findall(text.lower())
    if is_unspaced(text):
        joined = "".join(found)
        return [joined[start : start + signs] for start in range(len(joined) - signs + 1)]
    return [" ".join(found[start : start + words]) for start in range(len(found) - words + 1)]


def too_like(texts: Sequence[str]) -> list[tuple[int, int, float]]:
    """Return the pairs (by place) that share more than MAX_LIKENESS of their grams."""
    grams = [grams_of(text) for text in texts]
    holders: dict[str, list[int]] = defaultdict(list)
    for place, found in enumerate(grams):
        for gram in found:
            holders[gram].append(place)
    shared: Counter[tuple[int, int]] = Counter()
    for places in holders.values():
        shared.update(combinations(places, 2))
    pairs = []
    for (one, two), common in shared.items():
        likeness = common / (len(grams[one]) + len(grams[two]) - common)
        if likeness > MAX_LIKENESS and min(len(grams[one]), len(grams[two])) >= _FEW:
            pairs.append((one, two, likeness))
    return sorted(pairs)


def common_runs(texts: Sequence[str]) -> dict[str, list[int]]:
    """Return the runs of words that more than MAX_RUN_LETTERS texts share, with their places."""
    holders: dict[str, set[int]] = defaultdict(set)
    for place, text in enumerate(texts):
        for run in _runs(text, RUN_WORDS, RUN_SIGNS):
            holders[run].add(place)
    return {run: sorted(places) for run, places in holders.items() if len(places) > MAX_RUN_LETTERS}


def main(paths: Sequence[Path]) -> int:
    """Print what is wrong, then counts; return 1 when something is."""
    faults = 0
    letters: list[TrainingLetter] = []
    names: list[str] = []
    for file in letter_files(paths):
        for number, row in rows_of(file):
            if isinstance(row, LetterError):
                print(row)
                faults += 1
            else:
                letters.append(row)
                names.append(f"{file.name}:{number}")
    texts = [letter.new_text for letter in letters]
    for one, two, likeness in too_like(texts):
        print(f"{names[one]} and {names[two]}: {likeness:.2f} alike")
        faults += 1
    for run, places in common_runs(texts).items():
        print(f"{', '.join(names[place] for place in places)}: share {run!r}")
        faults += 1
    _print_counts(letters)
    print(f"{len(letters)} letters, {faults} faults")
    return 1 if faults else 0


def _print_counts(letters: Sequence[TrainingLetter]) -> None:
    for what, counts in {
        "language": Counter(letter.lang for letter in letters),
        "category": Counter(letter.category for letter in letters),
        "priority": Counter(str(letter.priority) for letter in letters),
    }.items():
        print(f"{what}: " + "  ".join(f"{name} {count}" for name, count in counts.most_common()))
    print(
        f"industries {len({letter.industry for letter in letters})}  "
        f"writers {len({letter.persona for letter in letters})}"
    )


if __name__ == "__main__":
    raise SystemExit(main([Path(path) for path in sys.argv[1:]]))

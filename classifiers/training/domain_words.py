# SPDX-License-Identifier: GPL-3.0-or-later
"""Write classifiers/data/domain_words.json out of word counts: `python -m classifiers.training.domain_words FOLDER`.

FOLDER is the data folder of the package wordfreq (3.1.1): lists of words by commonness in many languages (CC BY-SA 4.0,
Robyn Speer, from Wikipedia, subtitles, news and more).  Kept: words of the languages that write Latin letters, as a
domain writes them, each with how common it is where it is commonest.

The file holds, by length, all words in order in one text, each with one digit behind: so it is read in two milliseconds
and searched where it lies.
"""

import gzip
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from classifiers.domain_names import LONGEST_WORD, SHORTEST_WORD
from classifiers.name_shapes import squeezed

LANGUAGES = ("en", "de", "fr", "es", "pt", "it", "nl", "pl", "tr", "cs", "hu", "ro", "sv", "da", "nb", "fi", "id", "ms", "sh", "sl", "sk", "ca", "lt", "lv", "fil")  # fmt: skip
LEAST_ENGLISH = 3.0  # ten-logarithm of how often a word stands among a thousand million
LEAST_OTHER = 4.0
LEAST_SHORT_ENGLISH, LEAST_SHORT_OTHER = 4.5, 5.5  # of three letters: nearly all of them are a word somewhere


def common_words(language: str, table: bytes) -> Iterable[tuple[str, float]]:
    """Yield (word, commonness) of a table of wordfreq: behind its head, the words of each hundredth of a logarithm."""
    is_english = language == "en"
    least = LEAST_ENGLISH if is_english else LEAST_OTHER
    least_short = LEAST_SHORT_ENGLISH if is_english else LEAST_SHORT_OTHER
    for step, words in enumerate(msgspec.msgpack.decode(gzip.decompress(table))[1:]):
        commonness = 9 - step / 100
        if commonness < least:
            break
        for word in words:
            if len(word) > SHORTEST_WORD or commonness >= least_short:
                yield word, commonness


def as_in_domains(words: Iterable[tuple[str, float]]) -> dict[str, str]:
    """Return, by length, the words as a domain writes them, each with its digit: 0 the rarest, 9 the commonest."""
    best: dict[str, float] = {}
    for word, commonness in words:
        short = squeezed(word)
        if (
            word.isalpha()
            and SHORTEST_WORD <= len(short) <= LONGEST_WORD
            and len(short) >= len(word)  # else letters of another script fell out
        ):
            best[short] = max(commonness, best.get(short, 0.0))
    lengths: dict[str, list[str]] = {}
    for short, commonness in sorted(best.items()):
        lengths.setdefault(str(len(short)), []).append(f"{short}{min(int((commonness - LEAST_ENGLISH) * 2), 9)}")
    return {length: "".join(lengths[length]) for length in sorted(lengths, key=int)}


def main() -> None:
    """Read the tables, write the file."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    folder = Path(sys.argv[1])
    words = (
        pair
        for language in LANGUAGES
        for pair in common_words(language, (folder / f"small_{language}.msgpack.gz").read_bytes())
    )
    path = Path(__file__).parent.parent / "data" / "domain_words.json"
    path.write_text(json.dumps(as_in_domains(words), indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

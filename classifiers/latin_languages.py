# SPDX-License-Identifier: GPL-3.0-or-later
"""Languages written with Latin letters, told apart by the pieces of their words: py3langid's model, what we need of it.

An automaton walks over a text's bytes and counts pieces; a naive Bayes model weighs them.  Of py3langid's 142 languages and
42 MB the file holds those of trade and 7 MB (made by `python -m classifiers.training.latin_languages`).  It is mapped, not
read: processes share its pages, and only those that texts lead to are in memory.
"""

import json
import math
import mmap
from collections import Counter
from importlib.resources import as_file, files
from typing import Any
from unicodedata import normalize

import numpy as np

# What lower-case words in Latin letters hold in UTF-8: the automaton has a column for each of these bytes.
LATIN_BYTES = (0x00, 0x20, *range(0x61, 0x7B), *range(0x80, 0xC0), *range(0xC3, 0xCD), 0xE1)
_COLUMN_OF = bytes(LATIN_BYTES.index(byte) if byte in LATIN_BYTES else 0 for byte in range(256))
HEADER_BYTES = 1024
FILE = "latin_languages.bin"
# In the file behind its header, in this order: by state where its row begins, by language its odds, by row and column the
# next state, by state the piece that ends there (plus one; 0: none), by piece and language its weight.
ARRAYS = (("starts", "<u4"), ("odds", "<f4"), ("moves", "<u2"), ("pieces", "<u2"), ("weights", "<f2"))


class LatinLanguages:
    """The mapped model.  Pure and thread-safe; may be used before and after a fork."""

    def __init__(self) -> None:
        with as_file(files("classifiers") / "data" / FILE) as path, path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        header = json.loads(mapped[:HEADER_BYTES])
        self.languages: tuple[str, ...] = tuple(header["languages"])
        arrays: dict[str, Any] = {}
        position = HEADER_BYTES
        for name, kind in ARRAYS:
            arrays[name] = np.frombuffer(mapped, dtype=kind, count=header["counts"][name], offset=position)
            position += arrays[name].nbytes
        self._starts, self._moves, self._pieces = (memoryview(arrays[name]) for name in ("starts", "moves", "pieces"))
        self._odds = arrays["odds"]
        self._weights = arrays["weights"].reshape(-1, len(self.languages))

    def read(self, text: str) -> tuple[str, float]:
        """Return the likeliest language (ISO 639-1) of a text in small letters, and its probability."""
        encoded = normalize("NFC", text).encode("utf-8", "replace").translate(_COLUMN_OF)
        starts, moves, pieces = self._starts, self._moves, self._pieces
        state = 0
        found = []
        for column in encoded:
            state = moves[starts[state] + column]
            if piece := pieces[state]:
                found.append(piece)
        scores = np.zeros(len(self.languages), dtype="float32")
        if found:
            counts = Counter(found)
            rows = np.fromiter(counts.keys(), dtype=np.intp, count=len(counts)) - 1
            often = np.fromiter(counts.values(), dtype=np.float32, count=len(counts))
            scores = np.log1p(often) @ self._weights[rows] + self._odds
        # By the root of the length: a long text would be surer than it can be.
        scores *= 1.0 / math.sqrt(len(encoded) or 1)
        np.exp(scores - scores.max(), out=scores)
        scores /= scores.sum()
        best = int(scores.argmax())
        return self.languages[best], float(scores[best])

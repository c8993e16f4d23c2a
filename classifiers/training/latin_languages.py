# SPDX-License-Identifier: GPL-3.0-or-later
"""Write classifiers/data/latin_languages.bin: `python -m classifiers.training.latin_languages` (needs py3langid).

Of py3langid's model (BSD licence, data/latin_languages.LICENSE) it keeps the languages of trade that are written with Latin
letters, and of its automaton the states that such letters lead to.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from py3langid.langid import LanguageIdentifier

from classifiers.latin_languages import ARRAYS, FILE, HEADER_BYTES, LATIN_BYTES
from classifiers.tables import read_table

_TARGET = Path(__file__).parent.parent / "data" / FILE


def _reachable(moves: Any, rows: Any) -> Any:
    """Return the states that are met from the first one, in order."""
    seen = np.zeros(len(rows), dtype=bool)
    front = np.array([0])
    while len(front):
        seen[front] = True
        following = np.unique(moves[rows[front]])
        front = following[~seen[following]]
    return np.flatnonzero(seen)


def cut(identifier: LanguageIdentifier) -> dict[str, Any]:
    """Return the arrays of the file."""
    rows, output = np.array(identifier.tk_row), np.array(identifier.tk_output)
    moves = np.frombuffer(identifier.tk_nextmove, dtype=np.uint32).reshape(-1, 256)[:, list(LATIN_BYTES)]
    states = _reachable(moves, rows)
    kept_rows, row_of = np.unique(moves[rows[states]], axis=0, return_inverse=True)
    ends = output[states]
    features = np.unique(ends[ends >= 0])
    pieces = np.where(ends >= 0, np.searchsorted(features, ends) + 1, 0)
    if max(len(states), len(features)) > 0xFFFF:
        raise SystemExit(f"{len(states)} states and {len(features)} pieces do not fit 16 bits")
    return {
        "starts": row_of.reshape(-1) * len(LATIN_BYTES),
        "moves": np.searchsorted(states, kept_rows),
        "pieces": pieces,
        "odds": identifier.nb_pc,
        "weights": identifier.nb_ptc[features],
    }


def main() -> None:
    """Write the file."""
    identifier = LanguageIdentifier.from_model_file("data/model.npz.xz", norm_probs=True)
    identifier.set_languages(list(read_table("language")["small_words"]))
    arrays = cut(identifier)
    counts = {name: int(array.size) for name, array in arrays.items()}
    header = json.dumps({"languages": identifier.nb_classes, "counts": counts}).encode()
    parts = [np.ascontiguousarray(arrays[name]).astype(kind).tobytes() for name, kind in ARRAYS]
    _TARGET.write_bytes(header.ljust(HEADER_BYTES) + b"".join(parts))
    print(f"{_TARGET.name}: {len(identifier.nb_classes)} languages, {_TARGET.stat().st_size:,} octets")


if __name__ == "__main__":
    main()

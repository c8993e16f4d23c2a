# SPDX-License-Identifier: GPL-3.0-or-later
"""Minimise a smooth convex function of many variables: L-BFGS (Nocedal and Wright, Numerical Optimization, 7.4 and 7.5)."""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

_MEMORY = 6  # steps that the curvature is estimated from
_ARMIJO = 1e-4
_SHORTEST_STEP = 1e-8


def minimise(loss: Callable[[Any], tuple[float, Any]], start: Any, *, steps: int = 50, precision: float = 1e-3) -> Any:
    """Return where `loss` (value and gradient at a point) is least, as near as `steps` come.

    Ends when the gradient is `precision` of the first one.  Deterministic.
    """
    point, (value, slope) = start, loss(start)
    enough = precision * float(np.linalg.norm(slope))
    memory: deque[tuple[Any, Any, float]] = deque(maxlen=_MEMORY)
    for _ in range(steps):
        if float(np.linalg.norm(slope)) <= enough:
            break
        way = -_curved(slope, memory)
        descent = float(slope @ way)
        # The first step has no curvature to go by.
        size = 1.0 if memory else min(1.0, 1.0 / float(np.abs(slope).sum()))
        while True:
            there = point + size * way
            new_value, new_slope = loss(there)
            if new_value <= value + _ARMIJO * size * descent:
                break
            size *= 0.5
            if size < _SHORTEST_STEP:
                return point
        moved, turned = there - point, new_slope - slope
        bend = float(moved @ turned)
        if bend > 0.0:
            memory.append((moved, turned, bend))
        point, value, slope = there, new_value, new_slope
    return point


def _curved(slope: Any, memory: "deque[tuple[Any, Any, float]]") -> Any:
    """Return the slope times the inverse of the curvature that the last steps showed."""
    found = slope.copy()
    shares = []
    for moved, turned, bend in reversed(memory):
        share = float(moved @ found) / bend
        found -= share * turned
        shares.append(share)
    if memory:
        moved, turned, bend = memory[-1]
        found *= bend / float(turned @ turned)
    for (moved, turned, bend), share in zip(memory, reversed(shares), strict=True):
        found += (share - float(turned @ found) / bend) * moved
    return found

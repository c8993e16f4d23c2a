# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs of life that children leave in memory shared with the supervisor.

A child's stamp is the time of the oldest callback still running, or now when none is.  It stops moving both when one
callback hangs (the stamp stays at its start) and when something holds the GIL (nobody writes at all).
"""

import mmap
import struct
import threading
import time

_SLOT = struct.Struct("dq")
READY = 2  # the child serves
STUCK = 1  # a classifying thread does not come back: replace this child when its sessions are done


class Heartbeats:
    """A row of slots, one a child; made before the fork."""

    def __init__(self, slots: int) -> None:
        self._memory = mmap.mmap(-1, slots * _SLOT.size)

    def stamp(self, slot: int, at: float, state: int = 0) -> None:
        """Write a child's sign of life (monotonic seconds)."""
        _SLOT.pack_into(self._memory, slot * _SLOT.size, at, state)

    def read(self, slot: int) -> tuple[float, int]:
        """Return (monotonic seconds, state)."""
        at, state = _SLOT.unpack_from(self._memory, slot * _SLOT.size)
        return at, state


class Pulse:
    """Knows which callbacks run in this child, and stamps."""

    def __init__(self, heartbeats: Heartbeats, slot: int) -> None:
        self._heartbeats = heartbeats
        self._slot = slot
        self._running: dict[int, float] = {}
        self._stuck = False

    def enter(self, session: int) -> None:
        """A callback of that session begins."""
        self._running[session] = time.monotonic()

    def leave(self, session: int) -> None:
        """It ended."""
        self._running.pop(session, None)

    def call_stuck(self) -> None:
        """A classifying thread did not come back in time."""
        self._stuck = True

    def beat(self) -> None:
        """Stamp once."""
        oldest = min(list(self._running.values()), default=time.monotonic())
        self._heartbeats.stamp(self._slot, oldest, READY | (STUCK if self._stuck else 0))

    def run(self, stop: threading.Event, every_seconds: float = 0.25) -> None:
        """Stamp until told to stop."""
        self.beat()
        while not stop.wait(every_seconds):
            self.beat()

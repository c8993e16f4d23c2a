# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads that decide while EOM waits for them no longer than the soft deadline.

concurrent.futures does the same with a queue, conditions and a future a mail; here a thread and EOM hand over to each
other by two plain locks.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

_R = TypeVar("_R")


class DeadlinePassed(Exception):
    """The work is not done in time; its thread goes on, and whatever it finds is dropped."""


class _Thinker:
    """One thread, which works for one caller at a time."""

    __slots__ = ("_begin", "_end", "_error", "_is_given_up", "_result", "_work")

    def __init__(self) -> None:
        self._work: Callable[[], Any] | None = None
        self._result: Any = None
        self._error: BaseException | None = None
        self._is_given_up = False
        self._begin, self._end = threading.Lock(), threading.Lock()
        self._begin.acquire()
        self._end.acquire()
        threading.Thread(target=self._run, daemon=True, name="decide").start()

    def think(self, work: Callable[[], _R], seconds: float) -> _R:
        """Let the thread do the work; return or raise what came of it.  Raises DeadlinePassed: never use it again."""
        self._work = work
        self._begin.release()
        if not self._end.acquire(timeout=seconds):
            self._is_given_up = True
            raise DeadlinePassed
        result, error = self._result, self._error
        self._result = self._error = None  # a mail can be large, and the next one may be long in coming
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def _run(self) -> None:
        while not self._is_given_up:
            self._begin.acquire()
            work, self._work = self._work, None
            assert work is not None
            try:
                self._result = work()
            except BaseException as error:  # noqa: BLE001 - the caller gets it
                self._error = error
            del work
            self._end.release()


class Thinkers:
    """As many threads as callers ever waited at one time.  Safe in several threads; opened after the fork."""

    def __init__(self) -> None:
        self._idle: list[_Thinker] = []  # pop and append are atomic

    def run(self, work: Callable[[], _R], seconds: float) -> _R:
        """Return what the work returns, done in a thread of its own; raise what it raises.  Raises DeadlinePassed."""
        try:
            thinker = self._idle.pop()
        except IndexError:
            thinker = _Thinker()
        try:
            result = thinker.think(work, seconds)
        except DeadlinePassed:
            raise
        except BaseException:
            self._idle.append(thinker)
            raise
        self._idle.append(thinker)
        return result

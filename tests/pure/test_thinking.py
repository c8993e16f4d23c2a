# SPDX-License-Identifier: GPL-3.0-or-later
"""Deciding in a thread of its own: what comes back, what is raised, and who waits no longer."""

import threading

import pytest

from tradepost_milter.thinking import DeadlinePassed, Thinkers


def test_the_result_comes_from_another_thread_and_threads_are_used_again() -> None:
    thinkers = Thinkers()
    ran_in = {thinkers.run(threading.get_ident, 5) for _ in range(20)}
    assert len(ran_in) == 1
    assert threading.get_ident() not in ran_in


def test_what_the_work_raises_is_raised_and_its_thread_goes_on() -> None:
    thinkers = Thinkers()
    first = thinkers.run(threading.get_ident, 5)
    with pytest.raises(ZeroDivisionError):
        thinkers.run(lambda: 1 // 0, 5)
    assert thinkers.run(threading.get_ident, 5) == first


def test_nobody_waits_longer_than_the_deadline_nor_gets_what_came_late() -> None:
    thinkers = Thinkers()
    may_end = threading.Event()
    ended: list[threading.Thread] = []

    def slow() -> str:
        ended.append(threading.current_thread())
        may_end.wait(30)
        return "late"

    with pytest.raises(DeadlinePassed):
        thinkers.run(slow, 0.02)
    assert thinkers.run(lambda: "next", 5) == "next"
    may_end.set()
    ended[0].join(30)
    assert not ended[0].is_alive(), "a thread that was given up ends with its work"
    assert [thinkers.run(lambda: "after", 5) for _ in range(3)] == ["after"] * 3


def test_callers_do_not_wait_for_each_other() -> None:
    thinkers = Thinkers()
    together = threading.Barrier(8)
    results: list[int] = []
    callers = [
        threading.Thread(target=lambda n=n: results.append(thinkers.run(lambda: together.wait(30) * 0 + n, 30)))
        for n in range(8)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert sorted(results) == list(range(8))

# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that fails is left alone for a growing, jittered time, and one late answer is no failure."""

from tradepost.breaker import Breaker


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def made(clock: Clock, draw: float = 1.0) -> Breaker:
    return Breaker(first_seconds=0.2, longest_seconds=5.0, tolerated=2, clock=clock, draw=lambda: draw)


def test_a_failure_opens_it_until_a_probe_goes_well() -> None:
    clock = Clock()
    breaker = made(clock)
    assert not breaker.is_open
    breaker.failed()
    assert breaker.is_open
    assert abs(breaker.seconds_to_probe() - 0.2) < 1e-6
    clock.now += 0.3
    assert breaker.is_open
    assert breaker.seconds_to_probe() == 0
    breaker.succeeded()
    assert not breaker.is_open


def test_late_answers_open_it_only_in_a_row_and_for_a_while() -> None:
    clock = Clock()
    breaker = made(clock)
    for _ in range(3):
        breaker.came_late()
        breaker.came_late()
        clock.now += 0.2
        breaker.succeeded()
    assert not breaker.is_open
    for _ in range(3):
        breaker.came_late()
        clock.now += 0.06
    assert breaker.is_open


def test_many_that_come_late_in_one_moment_do_not_open_it() -> None:
    clock = Clock()
    breaker = made(clock)
    for _ in range(50):
        breaker.came_late()
        clock.now += 0.001
    assert not breaker.is_open
    clock.now += 0.06
    breaker.came_late()
    assert breaker.is_open


def test_it_waits_longer_with_each_failing_probe_and_at_most_so_long() -> None:
    clock = Clock()
    breaker = made(clock)
    waits = []
    for _ in range(7):
        breaker.failed()
        waits.append(round(breaker.seconds_to_probe(), 3))
        clock.now += breaker.seconds_to_probe()
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_one_that_fails_again_right_after_its_probe_has_not_recovered() -> None:
    clock = Clock()
    breaker = made(clock)
    breaker.failed()
    clock.now += 0.2
    breaker.succeeded()
    clock.now += 1
    breaker.failed()
    assert abs(breaker.seconds_to_probe() - 0.4) < 1e-6
    clock.now += 0.4
    breaker.succeeded()
    clock.now += 6
    breaker.failed()
    assert abs(breaker.seconds_to_probe() - 0.2) < 1e-6


def test_jitter_takes_up_to_half() -> None:
    breaker = made(Clock(), draw=0.0)
    breaker.failed()
    assert abs(breaker.seconds_to_probe() - 0.1) < 1e-6

# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule of acceptance, for every combination of what may be known."""

from datetime import UTC, datetime, timedelta
from itertools import chain, combinations

import pytest

from tradepost.acceptance import Acceptance, Evidence, Ruling, is_reusable, rule

START = datetime(2026, 11, 21, 22, 35, tzinfo=UTC)
AT = {kind: START + timedelta(seconds=number) for number, kind in enumerate(Evidence)}
EVERY = list(chain.from_iterable(combinations(Evidence, size) for size in range(len(Evidence) + 1)))


@pytest.mark.parametrize("known", EVERY, ids=lambda known: "+".join(known) or "nothing")
def test_the_rule(known: tuple[Evidence, ...]) -> None:
    said = rule({kind: AT[kind] for kind in known}).acceptance
    in_queue = Evidence.ACTIVE in known or Evidence.QUEUED in known
    if in_queue or (Evidence.HELD in known and Evidence.REFUSED not in known):
        assert said is Acceptance.CONFIRMED
    elif Evidence.REFUSED in known:
        assert said is Acceptance.REFUSED
    else:
        assert said is Acceptance.PENDING


def test_the_earliest_proof_dates_it() -> None:
    assert rule({Evidence.QUEUED: AT[Evidence.QUEUED], Evidence.ACTIVE: AT[Evidence.ACTIVE]}) == Ruling(
        Acceptance.CONFIRMED, AT[Evidence.ACTIVE]
    )
    assert rule({}) == Ruling(Acceptance.PENDING, None)


@pytest.mark.parametrize(
    ("queue_id", "reusable"),
    [("8045F2AB23", True), ("3F1A72B0C4D", True), ("4jX6VF2HxKzJDbS", False), ("4PqLcV2kWzz9tJ", False)],
)
def test_only_short_queue_ids_come_again(queue_id: str, reusable: bool) -> None:
    assert is_reusable(queue_id) is reusable

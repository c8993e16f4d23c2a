# SPDX-License-Identifier: GPL-3.0-or-later
"""Two simulated years of an export company: what the records link is right, and what can be known is linked."""

import io
import os

import pytest
from rich.console import Console

from bench.simulation.command import SIZES, show, simulate

SEEDS = (1, 2, 3, 4) if os.environ.get("TRADEPOST_SOAK") else (3,)
WRONG, MISSED = 0.002, 0.01


@pytest.mark.parametrize("seed", SEEDS)
def test_links_are_right(seed: int) -> None:
    found = simulate(seed, SIZES["small"], readers=1, console=Console(quiet=True))

    # Told when it fails: which situations, and how many of each.
    told = Console(file=io.StringIO(), width=130, record=True)
    show(found, told)
    print(told.export_text())
    assert found.lost == 0
    assert found.wrong / found.mails <= WRONG
    assert found.missed / found.mails <= MISSED
    assert found.not_knowable / found.mails <= MISSED, "what nobody could know must stay the exception"

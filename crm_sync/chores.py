# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker looks after beside the mail, one after the other."""

from collections.abc import Sequence
from typing import Protocol


class Chore(Protocol):
    """Something to look after from time to time."""

    def step(self) -> None:
        """Do what is due; cheap when nothing is."""

    def close(self) -> None:
        """End what is under way."""


class Chores:
    """Several as one."""

    def __init__(self, chores: Sequence[Chore]) -> None:
        self._chores = tuple(chores)

    def step(self) -> None:
        """Do what is due of each."""
        for chore in self._chores:
            chore.step()

    def close(self) -> None:
        """End what is under way in each."""
        for chore in self._chores:
            chore.close()

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rooms say to each other about learning: lessons out of the records, a learner of the classifiers' room."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast

from tradepost.message import Message

LEARNT_FIELDS = ("category", "priority")  # what a model is made of; other corrections are counted only


@dataclass(frozen=True, slots=True)
class Lesson:
    """One mail with its labels in force.

    `corrected` names the fields that a person set; without any, nobody objected.  Lessons of one `group` (a sender, a
    conversation) are learnt together or held back together.  `sender` is the envelope sender ("" = bounce, None = not known),
    `taught_at` the time of the newest correction.
    """

    key: str
    message: Message
    sender: str | None
    group: str
    category: str | None
    priority: str | None
    corrected: tuple[str, ...] = ()
    taught_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """How many of some mails were judged right: by what stood before, and by what was learned."""

    what: str
    mails: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of learning.  `number` is the model in force now (None: the shipped one alone), `why` one sentence."""

    is_swapped: bool
    why: str
    number: int | None
    corrections: int = 0
    unteachable: int = 0  # corrected mails that headers or rules decide, whatever their words
    scores: tuple[Score, ...] = ()


class Learner(Protocol):
    """Makes the site's model.  Everything raises Refusal when the folder can't be used."""

    def learn(self, lessons: Iterable[Lesson]) -> Learned:
        """Learn from lessons, and swap the model in force where what was learned is not worse."""

    def roll_back(self) -> int | None:
        """Put the model before the one in force in force again; return its number, None: the shipped one alone."""

    def forget(self) -> None:
        """Let the shipped model speak alone; what was learned stays in the folder."""


def load_learner(site: Path) -> Learner:
    """Load the learner that the classifiers' room offers (entry point `learner` of the group `tradepost.parts`).

    Raises LookupError when none is installed.
    """
    for point in entry_points(group="tradepost.parts", name="learner"):
        return cast(Learner, point.load()(site))
    raise LookupError("no learner is installed (entry point 'learner' of the group 'tradepost.parts')")

# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mails a second opinion is asked for: those whose category arrival was unsure of, so many a second.

It comes before the mail is recorded, so a person's correction is always the newer word.
"""

import logging
import time
from collections.abc import Callable

from tradepost.analysis import Analyst, Consultant, SecondOpinion, load_consultant
from tradepost.errors import Refusal
from tradepost.message import Message
from tradepost.metrics import Stage, count_failure
from tradepost.settings import ClassifySettings
from tradepost.verdict import Labels

log = logging.getLogger("tradepost.crm_sync")


class SecondOpinions:
    """Asks a consultant while there is room for it.  For one thread."""

    def __init__(
        self, consultant: Consultant, settings: ClassifySettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._consultant = consultant
        self._below = settings.second_opinion_below
        self._rate = settings.second_opinions_per_second
        self._clock = clock
        self._room = self._most = max(1.0, self._rate)
        self._counted_at = clock()

    def ask(self, message: Message, labels: Labels, sender: str) -> SecondOpinion | None:
        """Return the second opinion on an unsure mail; None: it is sure enough, or there is no room, or no answer."""
        if labels.is_automatic or labels.confidence is None or labels.confidence >= self._below or not self._take():
            return None
        try:
            return self._consultant.consult(message, sender=sender)
        except Exception:  # a bug of ours must never cost a record
            count_failure(Stage.CLASSIFY)
            log.exception("a second opinion failed; the first one stays")
            return None

    def _take(self) -> bool:
        now = self._clock()
        self._room = min(self._most, self._room + (now - self._counted_at) * self._rate)
        self._counted_at = now
        if self._room < 1.0:
            return False
        self._room -= 1.0
        return True

    def close(self) -> None:
        """Let go of the consultant."""
        self._consultant.close()


def make_second_opinions(settings: ClassifySettings, analyst: Analyst) -> SecondOpinions | None:
    """Load the consultant where the settings ask for one; without it mail is recorded all the same."""
    if settings.second_opinion == "off":
        return None
    try:
        return SecondOpinions(load_consultant(analyst), settings)
    except (Refusal, LookupError, RuntimeError) as error:
        log.warning("[classify] second_opinion: %s; going on without", error)
        return None

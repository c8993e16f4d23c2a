# SPDX-License-Identifier: GPL-3.0-or-later
"""Stories of everybody who buys nothing of us: suppliers, forwarders, banks, newsletters, advertisers."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from bench.simulation.mails import Mail
from bench.simulation.threads import Thread
from bench.simulation.wording import BANK, FORWARDERS, NEWSLETTER, PITCH, SUPPLIERS
from bench.simulation.world import POOLS, Human, Party, World

Story = Iterator[Mail]


@dataclass(slots=True)
class Neighbours:
    """Draws stories of a world by one chance."""

    world: World
    chance: random.Random
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def thread(self, at: datetime, party: Party, *situations: str) -> Thread:
        return Thread(self.world, self.chance, at, party, next(self.numbers), *(*party.traits, *situations))

    def rep(self, party: Party) -> Human:
        return self.world.reps[party.owner]

    def supply(self, at: datetime) -> Story:
        """We buy ourselves."""
        party = self.chance.choice(self.world.suppliers)
        subjects = (
            "Raw material {n}",
            "Our purchase order {n}",
            "Invoice {n}",
            "采购单 {n}",
            "对账单 {n}",
            "Delivery {n}",
        )
        yield from self._business(at, party, SUPPLIERS, subjects, ("other", "payment", "logistics", "order"))

    def freight(self, at: datetime) -> Story:
        """Our goods travel."""
        party = self.chance.choice(self.world.forwarders)
        subjects = ("Freight {c} 40HC", "Booking {n}", "Draft B/L {n}", "订舱 {n}", "Shipment {n} to {c}")
        yield from self._business(at, party, FORWARDERS, subjects, ("logistics",))

    def _business(
        self, at: datetime, party: Party, words: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]],
        subjects: tuple[str, ...], categories: tuple[str, ...],
    ) -> Story:  # fmt: skip
        ours, theirs = words[party.place.language]
        chance = self.chance
        thread, rep = self.thread(at, party), self.rep(party)
        human = chance.choice(party.people)
        thread.subject = thread.fill(chance.choice(subjects))
        category = chance.choice(categories)
        last: Mail | None = None
        is_ours = chance.random() < 0.6
        for _ in range(chance.choice((1, 2, 3, 4, 5))):
            if is_ours:
                last = thread.say(rep, (box(human),), *some(chance, ours), answers=last, category=category)
            else:
                last = thread.say(human, (box(rep),), *some(chance, theirs), answers=last, category=category)
            yield last
            thread.wait(10)
            is_ours = not is_ours

    def newsletter(self, at: datetime) -> Story:
        """Somebody's newsletter, or news of a platform."""
        party = self.chance.choice((*self.world.newsletters, *self.world.platforms))
        yield self._bulk(at, party, NEWSLETTER, "marketing", (("List-Unsubscribe", f"<https://{party.domains[0]}/u>"),))

    def pitch(self, at: datetime) -> Story:
        """Somebody sells us what we don't need."""
        party = self.chance.choice(self.world.pitchers)
        yield self._bulk(at, party, PITCH, self.chance.choice(("marketing", "spam")), ())

    def bank(self, at: datetime) -> Story:
        """A bank tells of money."""
        yield self._bulk(at, self.chance.choice(self.world.banks), BANK, "payment", ())

    def _bulk(
        self, at: datetime, party: Party, words: tuple[str, ...], category: str, more: tuple[tuple[str, str], ...]
    ) -> Mail:
        thread = self.thread(at, party)
        thread.subject = thread.fill(self.chance.choice(words))[:60]
        to = ("", self.chance.choice(POOLS)) if self.chance.random() < 0.6 else box(self.chance.choice(self.world.reps))
        return thread.say(party.people[0], (to,), *some(self.chance, words), category=category, more=more)


def box(human: Human) -> tuple[str, str]:
    return human.name, human.address


def some(chance: random.Random, sentences: tuple[str, ...]) -> list[str]:
    return chance.sample(sentences, min(len(sentences), chance.choice((1, 2, 2, 3))))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Who of several gets what: evenly, or by the country or language of the customer.  Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

WAYS = ("evenly", "country", "language")


@dataclass(frozen=True, slots=True)
class Taker:
    """One who takes over."""

    id: int
    email: str
    team_id: int | None = None
    countries: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()

    def looks_after(self, way: str, where: str | None) -> bool:
        """Does he look after that country, or speak that language?"""
        return where is not None and where in (self.countries if way == "country" else self.languages)


@dataclass(slots=True)
class Distribution:
    """Which scope goes to whom.  What hangs on one scope stays together."""

    takers: Sequence[Taker]
    _of_scope: dict[int, int] = field(default_factory=dict)
    _given: Counter[int] = field(default_factory=Counter)

    def share_out(
        self, scopes: Sequence[tuple[int, int]], way: str, where: Mapping[int, str | None] | None = None
    ) -> None:
        """Give each scope, (key, how much is to be done), to a taker: those who look after it, else all, in turn.

        `where` names country or language by scope.  Those with most to do come first, so that work is spread too.
        """
        unfit = []
        for scope, _ in sorted(scopes, key=lambda one: (-one[1], one[0])):
            fitting = [one for one in self.takers if where is not None and one.looks_after(way, where.get(scope))]
            if fitting:
                self._give(scope, fitting)
            else:
                unfit.append(scope)
        for scope in unfit:  # last, so that they even out what the others got
            self._give(scope, self.takers)

    def of(self, scope_id: int) -> int:
        """Return who gets what hangs on that scope; a scope that nobody was given goes to who has least."""
        if scope_id not in self._of_scope:
            self._give(scope_id, self.takers)
        return self._of_scope[scope_id]

    def _give(self, scope_id: int, takers: Sequence[Taker]) -> None:
        taker = min(takers, key=lambda one: self._given[one.id])  # of equals the first named
        self._given[taker.id] += 1
        self._of_scope[scope_id] = taker.id

# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule of rights in plain Python, written a second time: what `crm_sync.rights.may` must say in SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from crm_sync.rights import Action, Entity, Reach

Parents = Mapping[int, int | None]  # team -> the team above it


@dataclass(frozen=True)
class Someone:
    """A person with what his role gives.  `away`: is he, with this substitute?"""

    id: int
    team: int | None
    rights: Mapping[tuple[Entity, Action], Reach]
    pools: frozenset[int] = frozenset()
    substitute: int | None = None
    is_away: bool = False
    has_left: bool = False


@dataclass(frozen=True)
class Share:
    """A scope shown to a person or a team; `level`: see or edit."""

    level: str
    person: int | None = None
    team: int | None = None


@dataclass(frozen=True)
class Lying:
    """Where a record lies: its scope."""

    owner: int | None = None
    team: int | None = None
    pool: int | None = None
    shares: tuple[Share, ...] = field(default=())


def may_do(
    people: Mapping[int, Someone], parents: Parents, who: int, entity: Entity, action: Action, lying: Lying
) -> bool:
    """May he do that with a record of that kind which lies there?"""
    me = people[who]
    if me.has_left:
        return False
    return all(_reaches(people, parents, me, entity, step, lying) for step in {Action.SEE, action})


def _reaches(
    people: Mapping[int, Someone], parents: Parents, me: Someone, entity: Entity, action: Action, lying: Lying
) -> bool:
    reach = me.rights.get((entity, action), Reach.NONE)
    if reach in (Reach.ALL, Reach.NONE):
        return reach is Reach.ALL
    stands_for = [one for one in people.values() if me in _line_of_substitutes(people, one)]
    return any(_is_of(one, reach, action, lying, parents) for one in (me, *stands_for))


def _line_of_substitutes(people: Mapping[int, Someone], one: Someone) -> list[Someone]:
    """Return who does an absent person's work: his substitute, and while that one is away too, the substitute's."""
    found: list[Someone] = []
    while one.is_away and not one.has_left and one.substitute is not None:
        one = people[one.substitute]
        if one in found:
            break
        found.append(one)
    return found


def _is_of(one: Someone, reach: Reach, action: Action, lying: Lying, parents: Parents) -> bool:
    if lying.owner == one.id or (lying.pool is not None and lying.pool in one.pools):
        return True
    if reach is Reach.TEAM and one.team is not None and one.team in _line(lying.team, parents):
        return True
    return any(
        (share.person == one.id or (share.team is not None and share.team in _line(one.team, parents)))
        and _shares_that(share.level, action)
        for share in lying.shares
    )


def _line(team: int | None, parents: Parents) -> list[int]:
    """Return a team and all above it."""
    found: list[int] = []
    while team is not None and team not in found:
        found.append(team)
        team = parents.get(team)
    return found


def _shares_that(level: str, action: Action) -> bool:
    if action is Action.SEE:
        return True
    return level == "edit" and action in (Action.EDIT, Action.CORRECT)

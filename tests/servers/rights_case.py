# SPDX-License-Identifier: GPL-3.0-or-later
"""How one function of crm_sync is asked as somebody, and what may come of it."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec
from rights_world import Planted, World
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from crm_sync.models.schema import metadata
from crm_sync.rights import Action, Entity, Viewer
from tradepost.errors import Refusal

Ask = Callable[[Session, Viewer, World, Planted], object]
Allowed = Callable[[World, str, Planted], bool]

# Who asks for which record: a stranger, another team, who handed over, one it was shown or lent to, a pool's member, a
# substitute, a viewer, a lead of another team, one who must not see hidden fields; and each who may.
PAIRS = (
    *(("sid", tag) for tag in ("ofann", "inpool")),
    *(("carl", tag) for tag in ("ofann", "inpool", "shown", "lent")),
    ("dan", "handed"),
    *(("vic", tag) for tag in ("ofann", "ofcarl")),
    ("nora", "ofcarl"),
    *(("sue", tag) for tag in ("ofbob", "ofann")),
    *(("ann", tag) for tag in ("handed", "toteam")),
    ("max", "ofann"),
    ("iris", "ofann"),
    ("eve", "ofann"),
)
# The rule is proved on both databases (test_rights_rule.py); of all functions the second one is asked by these.
FEW = (
    ("sid", "ofann"),
    *(("carl", tag) for tag in ("ofann", "inpool", "shown", "lent")),
    ("dan", "handed"),
    ("vic", "ofann"),
    ("sue", "ofbob"),
    ("ann", "handed"),
    ("max", "ofann"),
    ("iris", "ofann"),
    ("eve", "ofann"),
)
# Of what does not ask for one record.
EVERYBODY = ("sid", "carl", "dan", "vic", "nora", "sue", "ann", "mia", "max", "iris", "eve")
SOME = ("sid", "carl", "dan", "vic", "max", "iris", "eve")


@dataclass(frozen=True)
class Case:
    """How a function is called, and under which right it stands.

    `ask` gets the session, who asks, the world and one of its records (also one that does not exist), and calls the
    function once or several times; it lets refusals pass and returns what the function says, free of ORM rows.  With
    `is_of_record` False it is called without a record (`world.missing`).  `action` SEE: it changes nothing, whoever asks.
    Any other: it changes something for whoever may, and nothing for whoever may not, who is refused.

    `allowed` says who may, where that is not the plain rule; who then may not read is refused, or answered nothing.  `logs`: tables it adds rows to whatever comes of it.
    `tells`: what is not yours is told from what is not there (a search for duplicates does so by design).
    `is_plain`: the answer holds no words of records.  `also`: more (who, tag of a record) to ask as.
    """

    ask: Ask
    entity: Entity = Entity.CUSTOMER
    action: Action = Action.SEE
    is_of_record: bool = True
    allowed: Allowed | None = None
    logs: frozenset[str] = frozenset()
    tells: bool = False
    is_plain: bool = False
    also: tuple[tuple[str, str], ...] = ()

    @property
    def changes(self) -> bool:
        """Does it change something?"""
        return self.action is not Action.SEE

    def pairs(self, world: World, *, few: bool) -> Iterable[tuple[str, Planted]]:
        """Return who asks for what."""
        if self.is_of_record:
            return [(name, world.planted[tag]) for name, tag in (*(FEW if few else PAIRS), *self.also)]
        return [(name, world.missing) for name in (SOME if few else EVERYBODY)]

    def is_allowed(self, world: World, name: str, record: Planted) -> bool:
        """May that person do it?"""
        if self.allowed is not None:
            return self.allowed(world, name, record)
        if not self.is_of_record and self.action is Action.SEE:
            return True
        return world.may(name, self.entity, self.action, record)

    def is_visible(self, world: World, name: str, record: Planted) -> bool:
        """May that person know that the record is there?"""
        return world.may(name, self.entity, Action.SEE, record)


def reads(ask: Ask, entity: Entity = Entity.CUSTOMER, **more: Any) -> Case:
    """Return the case of a function that answers about one record."""
    return Case(ask, entity, **more)


def lists(ask: Callable[[Session, Viewer, World], object], entity: Entity = Entity.CUSTOMER, **more: Any) -> Case:
    """Return the case of a function that answers about many: everything it says must be the asker's to see."""
    return Case(lambda session, viewer, world, _: ask(session, viewer, world), entity, is_of_record=False, **more)


def changes(ask: Ask, entity: Entity = Entity.CUSTOMER, action: Action = Action.EDIT, **more: Any) -> Case:
    """Return the case of a function that changes one record."""
    return Case(ask, entity, action, **more)


def manages(ask: Callable[[Session, Viewer, World], object], action: Action = Action.EDIT, **more: Any) -> Case:
    """Return the case of a function that changes what all records share: people, roles, stages, fields."""
    return Case(
        lambda session, viewer, world, _: ask(session, viewer, world),
        Entity.COMPANY,
        action,
        is_of_record=False,
        **{"is_plain": True, **more},
    )


@dataclass(frozen=True)
class Outcome:
    """What came of a call: the words it said, as JSON or as refusal, and which tables' rows it changed."""

    text: str
    is_refused: bool
    has_changed: bool

    def __str__(self) -> str:
        how = "refused" if self.is_refused else "answered"
        return f"{how}{', and rows were written' * self.has_changed}: {self.text[:300]}"

    def without(self, keys: Iterable[str]) -> str:
        """Return the words with the keys of a record left open, to compare two of them."""
        found = self.text
        for key in sorted(keys, key=len, reverse=True):
            found = re.sub(rf"(?<![A-Za-z0-9]){re.escape(key)}(?![A-Za-z0-9])", "KEY", found)
        return found


def call(session: Session, case: Case, viewer: Viewer, world: World, record: Planted) -> Outcome:
    """Call the function of a case; the caller rolls back."""
    before = _count_changes(session, case.logs)
    is_refused = False
    try:
        said = as_text(case.ask(session, viewer, world, record))
        session.flush()
    except Refusal as refusal:
        said, is_refused = str(refusal), True
        session.expunge_all()  # what a command would roll back is asked of the database, not of what waits here
    return Outcome(said, is_refused, before != _count_changes(session, case.logs))


def as_text(thing: object) -> str:
    """Return an answer as it would leave the program."""
    return msgspec.json.encode(_plain(thing)).decode()


def _plain(thing: object) -> object:
    if isinstance(thing, MappingProxyType | Mapping):
        return {str(key): _plain(value) for key, value in thing.items()}
    if isinstance(thing, str | bytes | int | float | None):
        return thing
    if isinstance(thing, Iterable):
        return [_plain(one) for one in thing]
    return msgspec.to_builtins(thing, str_keys=True)


_COUNT = {
    "sqlite": text("SELECT total_changes()"),
    "postgresql": text("SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_xact_user_tables"),
}


def _count_changes(session: Session, logs: frozenset[str]) -> int:
    """Return how many rows this transaction, or this connection, has written so far, but for new rows of logs."""
    connection = session.connection()
    written = int(connection.execute(_COUNT[connection.dialect.name]).scalar_one())
    tables = [metadata.tables[name] for name in logs]
    return written - sum(connection.execute(select(func.count()).select_from(one)).scalar_one() for one in tables)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody sees or changes anything beyond his rights by any function of crm_sync.  A new function fails until it has a case.

Found by inspection: every public function or method of crm_sync with a parameter annotated `Viewer`.  Each needs a case in
`tests/servers/rights_cases/<area>.py`:

    CASES = {
        "crm_sync.notes.fetch_notes": reads(lambda s, v, w, r: fetch_notes(s, v, r.public_id), Entity.NOTE),
        "crm_sync.notes.list_notes": lists(lambda s, v, w: list_notes(s, v), Entity.NOTE),
        "crm_sync.notes.write_note": changes(lambda s, v, w, r: write_note(s, v, r.public_id, "x", w.now), Entity.NOTE),
        "crm_sync.stages.add_stage": manages(lambda s, v, w: add_stage(s, v, "sampling")),
    }

What is checked then (rights_case.py): whoever may not see a record gets none of the words planted in it, nor a sign that it
is there; whoever may not change it is refused and no row is written; a reader never writes; hidden fields are hidden; and,
so that no case is empty, somebody who may gets words of the record, or changes a row.

An area plants its own records by `def plant(session, world)` in the same module: for each of `world.planted.values()`, texts
by `world.secret(record, Entity.NOTE, "text")`, values of fields that roles may hide by `world.hide(Entity.X, "field", value)`,
keys into `record.more["note"]` (and into `world.missing.more`; a name is one area's), rows with `id=world.key()`.

Functions with a session and no viewer, and models, that admin_web or a module of commands imports, stand in `NO_VIEWER` of
the same modules, each with the reason why nobody's rights are asked there.
"""

import pkgutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module

import pytest
import rights_cases
from record_servers import RecordServer
from rights_case import Case, Outcome, call
from rights_functions import functions_with_viewer, functions_without_viewer, used_from_outside
from rights_world import Planted, World, build, hide_fields
from sqlalchemy.orm import Session

from crm_sync.database import Database, open_database
from crm_sync.hideable_fields import HIDEABLE
from crm_sync.rights import Viewer, fetch_viewer

AREAS = [import_module(f"rights_cases.{info.name}") for info in pkgutil.iter_modules(rights_cases.__path__)]
CASES: dict[str, Case] = {name: case for area in AREAS for name, case in area.CASES.items()}
NO_VIEWER: dict[str, str] = {name: why for area in AREAS for name, why in getattr(area, "NO_VIEWER", {}).items()}
# What is no question to the records, but the rule itself: tests/servers/test_rights_rule.py.
THE_RULE = {"crm_sync.rights.may"}

NOTHING = ("null", "false", "[]", "{}", '""')
_BUILT: dict[str, World] = {}


@dataclass
class Stage:
    """The world in a database, and everybody in it as a viewer."""

    database: Database
    world: World
    viewers: dict[str, Viewer]
    forbidden: dict[str, list[str]]  # what no answer to somebody may hold, in small letters

    def ask(self, case: Case, name: str, record: Planted) -> Outcome:
        """Ask as that person; whatever comes of it is rolled back."""
        with Session(self.database.writer, expire_on_commit=False) as session, session.begin() as transaction:
            outcome = call(session, case, self.viewers[name], self.world, record)
            transaction.rollback()
            return outcome


def furnish(database: Database) -> None:
    """Plant everything."""
    with database.writing() as session:
        world = build(session)
        for area in AREAS:
            if hasattr(area, "plant"):
                before = {tag: dict(record.more) for tag, record in world.planted.items()}
                area.plant(session, world)
                session.flush()
                for tag, known in before.items():
                    assert known.items() <= world.planted[tag].more.items(), f"{area.__name__} reuses others' keys"
        hide_fields(session, world)
    _BUILT[database.writer.dialect.name] = world


@pytest.fixture(scope="module")
def stage(server: RecordServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The world, once for each database: every question is rolled back."""
    url = server.new(tmp_path_factory.mktemp("rights"), furnish)
    with closing(open_database(url)) as database:
        world = _BUILT[database.writer.dialect.name]
        with database.reading() as session:
            viewers = {name: viewer for name, key in world.people.items() if (viewer := fetch_viewer(session, key))}
        forbidden = {name: [word.casefold() for word in world.forbidden(name)] for name in viewers}
        yield Stage(database, world, viewers, forbidden)
    server.drop(url)


def test_every_function_that_takes_a_viewer_has_a_case() -> None:
    bare = sorted(functions_with_viewer().keys() - CASES.keys() - THE_RULE)
    assert not bare, "no case in tests/servers/rights_cases for " + ", ".join(bare)


def test_every_case_is_of_a_function_that_is_there() -> None:
    assert sorted(CASES.keys() - functions_with_viewer().keys()) == []


def test_what_is_used_without_a_viewer_says_why() -> None:
    used = used_from_outside()
    bare = (used.keys() & functions_without_viewer().keys()) | {
        name for name in used if name.startswith("crm_sync.models.")
    }
    new = [f"{name} (in {', '.join(sorted(used[name]))})" for name in sorted(bare - NO_VIEWER.keys())]
    assert not new, "no reason in NO_VIEWER of tests/servers/rights_cases for " + ", ".join(new)
    assert sorted(NO_VIEWER.keys() - bare) == []


def test_every_field_that_can_be_hidden_is_planted(stage: Stage) -> None:
    assert {(entity, name) for entity, names in HIDEABLE.items() for name in names} <= stage.world.hidden.keys()


@pytest.mark.parametrize("name", sorted(CASES))
def test_nobody_goes_beyond_his_rights(stage: Stage, name: str) -> None:
    case, world = CASES[name], stage.world
    missing: dict[str, Outcome] = {}
    has_worked = False
    for who, record in case.pairs(world, few=stage.database.writer.dialect.name != "sqlite"):
        said = stage.ask(case, who, record)
        is_allowed = case.is_allowed(world, who, record)
        place = f"{name} as {who} of {record.tag}: {said}"
        text = said.text.casefold()
        leaked = [_around(text, word) for word in stage.forbidden[who] if word in text]
        assert not leaked, f"{place}\nsays {leaked[:5]}"
        if case.changes:
            assert is_allowed or said.is_refused, f"{place}\nwas not refused"
        elif case.allowed is not None:
            assert is_allowed or said.is_refused or said.text in NOTHING, f"{place}\nwas answered"
        assert not said.has_changed or (case.changes and is_allowed and not said.is_refused), f"{place}\nwrote"
        if case.is_of_record and not case.tells and not case.is_visible(world, who, record):
            if who not in missing:
                missing[who] = stage.ask(case, who, world.missing)
            there, not_there = said.without(record.keys()), missing[who].without(world.missing.keys())
            assert (there, said.is_refused) == (not_there, missing[who].is_refused), f"{place}\ntells that it is there"
        has_worked = has_worked or (is_allowed and not said.is_refused and _has_said_something(case, record, said))
    assert has_worked, f"{name}: nobody who may was answered: the case checks nothing"


def _has_said_something(case: Case, record: Planted, said: Outcome) -> bool:
    if case.changes:
        return said.has_changed
    return case.is_plain or (f"zq{record.tag}" if case.is_of_record else "zq") in said.text.casefold()


def _around(text: str, word: str) -> str:
    place = text.index(word)
    return text[max(0, place - 40) : place + 40]

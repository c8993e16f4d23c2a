# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost person | team | role | share`, as an administrator types them."""

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from record_servers import SQLITE, nothing
from sqlalchemy import select
from ulid import ULID

from crm_sync.database import open_database
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.people import Person
from crm_sync.people.person_commands import person as person_group
from crm_sync.people.role_commands import role as role_group
from crm_sync.people.share_commands import share as share_group
from crm_sync.people.team_commands import team as team_group
from tradepost.cli import root

ANN, BOB, EVE = "ann@own.example", "bob@own.example", "eve@own.example"
CUSTOMER = str(ULID())
GROUPS = (person_group, team_group, role_group, share_group)

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eve administers, Ann sells and owns a customer, Bob sells too: made by commands, but for the customer."""
    folder = tmp_path_factory.mktemp("people-commands")
    url = SQLITE.new(folder, nothing)
    config = folder / "tradepost.toml"
    config.write_text(
        f'[paths]\nstate = "{folder}"\nruntime = "{folder}"\n[host]\ninstance = "mx"\n[database]\nurl = "{url}"\n'
    )
    for words in (
        ("team", "add", "sales"),
        ("team", "add", "north", "--under", "sales"),
        ("person", "add", EVE, "--role", "administrator"),
        ("person", "add", ANN, "--name", "Ann Li", "--team", "north", "--language", "en", "--login", "ann"),
        ("person", "add", BOB),
    ):
        done = CliRunner().invoke(root, ["--config", str(config), *words])
        assert done.exit_code == 0, done.output
    with closing(open_database(url)) as database, database.writing() as session:
        owner = session.scalars(select(Person).where(Person.email == ANN)).one()
        scope = Scope(kind="customer", owner_id=owner.id, team_id=owner.team_id)
        session.add(scope)
        session.flush()
        session.add(Customer(public_id=CUSTOMER, scope_id=scope.id, name="Acme", created_at=datetime.now(UTC)))
    return config


@pytest.fixture
def run(config: Path) -> Run:
    def start(*words: str) -> Result:
        return CliRunner().invoke(root, ["--config", str(config), *words])

    return start


def told(done: Result) -> str:
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def refused(done: Result) -> str:
    """Return the one line of a refusal."""
    assert done.exit_code == 1, done.output
    [line] = str(done.exception if not done.stderr else done.stderr).strip().splitlines()
    return line


def test_every_command_explains_itself() -> None:
    for group in GROUPS:
        for command in group.commands.values():
            assert command.help, command.name
            for option in command.params:
                assert option.param_type_name == "argument" or getattr(option, "help", None), (
                    command.name,
                    option.name,
                )


def test_every_command_stands_in_its_manual() -> None:
    pages = Path(__file__).parents[2] / "man"
    for group in GROUPS:
        page = (pages / f"tradepost-{group.name}.1").read_text(encoding="utf-8")
        for command in group.commands.values():
            assert f".B tradepost {group.name} {command.name}" in page


def test_people_are_listed_and_shown(run: Run) -> None:
    table = told(run("person", "list"))
    assert "Ann Li" in table
    people = [json.loads(line) for line in told(run("person", "list", "--team", "north", "--json")).splitlines()]
    assert [(one["email"], one["logins"]) for one in people] == [(ANN, ["ann"])]
    assert told(run("person", "show", ANN)).startswith("person              ann@own.example Ann Li\n")
    assert "is nobody registered" in refused(run("person", "show", "who@own.example"))
    assert "--name" in run("person", "edit", ANN).output


def test_who_is_away_and_back(run: Run) -> None:
    away = told(run("person", "away", ANN, "--until", "2099-01-02", "--substitute", BOB, "--as", ANN))
    assert "away until 2099-01-02 00:00" in away
    rights = told(run("person", "rights", BOB, "--as", BOB))
    assert f"stands in for       {ANN}" in rights
    assert "role rep: own; stands in for" in rights
    planned = told(run("person", "away", ANN, "--from", "2098-12-24", "--until", "2099-01-02", "--substitute", ""))
    assert "away from 2098-12-24 00:00 until 2099-01-02 00:00" in planned
    told(run("person", "back", ANN, "--as", ANN))
    assert "may not say when he is away" in refused(run("person", "away", ANN, "--as", BOB))


def test_who_leaves_and_returns(run: Run) -> None:
    assert "has 1 customer; hand them over first ('tradepost handover'), or --anyway" in refused(
        run("person", "leave", ANN)
    )
    assert "left 20" in told(run("person", "leave", BOB))
    assert BOB not in told(run("person", "list"))
    assert BOB in told(run("person", "list", "--former"))
    told(run("person", "return", BOB))
    assert "nobody would be left" in refused(run("person", "leave", EVE))


def test_teams_are_a_tree(run: Run) -> None:
    told(run("team", "add", "east"))
    told(run("team", "move", "east", "--under", "north"))
    told(run("team", "rename", "east", "far east"))
    tree = [(line[:15].rstrip(), line.split()[-1]) for line in told(run("team", "list")).splitlines()[1:]]
    assert tree == [("sales", "0"), ("  north", "1"), ("    far east", "0")]
    assert "would lie below itself" in refused(run("team", "move", "sales", "--under", "far east"))
    assert told(run("team", "remove", "far east")) == "- team far east\n"
    assert "may not change people" in refused(run("team", "remove", "north", "--as", ANN))


def test_roles_are_copied_and_changed(run: Run) -> None:
    told(run("role", "add", "lead", "--like", "manager"))
    shown = json.loads(told(run("role", "set", "lead", "customer", "see", "team", "--json")))
    assert {"entity": "customer", "action": "see", "reach": "team"} in shown["rights"]
    assert "never sees customer.grade" in told(run("role", "hide", "lead", "customer", "grade"))
    assert "customer.grade" in told(run("role", "list"))
    assert "never sees" not in told(run("role", "unhide", "lead", "customer", "grade"))
    assert "grade" in told(run("role", "fields"))
    assert "is no field that can be hidden; there are" in refused(run("role", "hide", "lead", "customer", "colour"))
    assert run("role", "set", "lead", "customer", "see", "most").exit_code == 2
    assert told(run("role", "show", "lead")).splitlines()[1].split() == [
        "customer",
        "team",
        "all",
        "-",
        "team",
        "-",
        "all",
    ]
    assert told(run("role", "remove", "lead")) == "- role lead\n"


def test_a_customer_is_shared(run: Run) -> None:
    told(run("share", "add", CUSTOMER, "--with", BOB, "--edit", "--as", ANN))
    told(run("share", "add", CUSTOMER, "--team", "sales"))
    [first, second] = [json.loads(line) for line in told(run("share", "list", CUSTOMER, "--json")).splitlines()]
    assert (first["person"], first["level"], first["created_by"]) == (BOB, "edit", ANN)
    assert (second["team"], second["level"]) == ("sales", "see")
    assert told(run("share", "remove", CUSTOMER, "--team", "sales")) == "no longer shared with team sales\n"
    told(run("share", "remove", CUSTOMER, "--with", BOB, "--as", BOB))
    assert told(run("share", "list", CUSTOMER)) == "shown to nobody else\n"
    assert "there is none that bob@own.example may see" in refused(run("share", "list", CUSTOMER, "--as", BOB))

# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the public pool and of hand-overs, as people and scripts use them."""

import json
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result
from customer_plots import Plot, plant
from mailroom import ANN, BOB, EVE, MailRoom
from sqlalchemy import update

from crm_sync.models.people import Person
from crm_sync.models.rules import RuleRow
from tradepost.cli import root

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path_factory.mktemp("room"))
    yield room
    room.close()


@pytest.fixture(scope="module")
def run(room: MailRoom) -> Run:
    config = room.root / "tradepost.toml"
    config.write_text(
        f'[paths]\nstate = "{room.root}"\nruntime = "{room.root}"\n[database]\nurl = "{room.url}"\n[host]\ninstance = "mx"\n'
    )
    return lambda *words: CliRunner().invoke(root, ["--config", str(config), *words])


def lay(room: MailRoom, name: str, owner: str | None = None, pool: str | None = None) -> Plot:
    with room.database.writing() as session:
        return plant(session, name, owner, pool, conversations=((owner, "open"),))


def said(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(result: Result) -> str:
    assert result.exit_code == 1, result.output
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def test_a_customer_goes_into_the_pool_and_out_of_it(room: MailRoom, run: Run) -> None:
    plot = lay(room, "\x1b[31mred", None, "sales")
    listed = run("customer", "pool", "--as", ANN)
    assert "?[31mred" in said(listed)
    assert "1 in all" in listed.stderr
    claimed = json.loads(said(run("customer", "claim", plot.public_id, "--as", ANN, "--note", "I know them", "--json")))
    assert (claimed["id"], claimed["owner"], claimed["conversations"]) == (plot.public_id, ANN, 1)
    assert f"{ANN} claimed it" in refused(run("customer", "claim", plot.public_id, "--as", BOB))
    assert "say who with --as" in refused(run("customer", "claim", plot.public_id))
    assert json.loads(said(run("customer", "pool", "--json"))) == {"rows": [], "next": None, "count": 0}
    assert said(run("customer", "pool")) == "nothing lies in the pool\n"
    said(run("customer", "release", plot.public_id, "--reason", "price", "--as", ANN))
    assert "in the pool sales" not in said(run("customer", "give", plot.public_id, "--to", BOB))
    history = [json.loads(line) for line in said(run("customer", "owners", plot.public_id, "--json")).splitlines()]
    assert [(one["person"], one["came_by"], one["ended_by"], one["reason"]) for one in history] == [
        (BOB, "given", None, None),
        (ANN, "claimed", "released", "price"),
    ]
    assert BOB in said(run("customer", "owners", plot.public_id))
    assert "there is none that" in refused(run("customer", "owners", plot.public_id, "--as", ANN))


def test_settings_and_reasons_are_edited(room: MailRoom, run: Run) -> None:
    lay(room, "idle", ANN)
    made = run(
        "customer", "pool-settings", "公海", "--new", "--member", ANN, "--default", "--idle-days", "30", "--protect", "A",
        "--most-customers", "none", "--json",
    )  # fmt: skip
    pool = json.loads(said(made))
    assert (pool["pool"], pool["is_default"], pool["idle_days"], pool["most_customers"]) == ("公海", True, 30, None)
    assert (pool["protected_grades"], pool["members"]) == (["A"], [ANN])
    assert "公海" in said(run("customer", "pool-settings"))
    assert "sales" not in said(run("customer", "pool-settings", "公海"))
    assert "'nowhere': there is none" in refused(run("customer", "pool-settings", "nowhere"))
    assert "not for bob@own.example to edit" in refused(
        run("customer", "pool-settings", "公海", "--idle-days", "1", "--as", BOB)
    )
    assert run("customer", "pool-settings", "--idle-days", "1").exit_code == 2
    assert run("customer", "pool-settings", "公海", "--idle-days", "soon").exit_code == 2
    assert run("customer", "pool-settings", "公海", "--member", BOB).exit_code == 2
    assert "falls into the pool now" in said(run("customer", "reclaim-dates", "--as", ANN))
    assert "falls into the pool now" in said(run("customer", "list", "--as", ANN))
    found = json.loads(said(run("customer", "reclaim-dates", "--recompute", "--json")))
    assert (found["recomputed"], found["rows"][0]["name"], found["rows"][0]["days"]) == (0, "idle", 0)
    again = run("customer", "reclaim-dates", "--recompute", "--limit", "1")
    assert "0 dates were wrong" in again.stderr
    said(run("customer", "release-reasons", "moved", "--name", "Moved away", "--name-zh", "搬迁"))
    listed = said(run("customer", "release-reasons", "price", "--retire", "--json")).splitlines()
    assert [one["code"] for one in map(json.loads, listed) if not one["is_active"]] == ["price"]
    assert "搬迁" in said(run("customer", "release-reasons", "--as", BOB))
    assert run("customer", "release-reasons", "new").exit_code == 2
    assert run("customer", "release-reasons", "--retire").exit_code == 2


def test_a_hand_over_is_looked_at_done_listed_and_undone(room: MailRoom, run: Run) -> None:
    lay(room, "acme", ANN)
    with room.database.writing() as session:
        session.add(
            RuleRow(id="vip", position=0, name="VIP", condition={}, effects=[{"action": "assign", "value": ANN}])
        )
        session.execute(update(Person).where(Person.email == BOB).values(is_away=True))
    words = ("--from", ANN, "--to", BOB, "--to", EVE, "--customer")
    planned = said(run("handover", "plan", *words[:-1]))
    assert "acme" in planned
    assert f"look: rule vip gives mail to {ANN}" in planned
    assert f"look: {BOB} is away" in planned
    assert "nothing was changed" in planned
    assert said(run("handover", "list")) == "nothing was handed over yet\n"
    done = json.loads(said(run("handover", "run", *words[:-1], "--until", "2099-01-01", "--note", "Leave", "--json")))
    assert sum(part["customers"] for part in done["parts"]) >= 1
    [row] = [json.loads(line) for line in said(run("handover", "list", "--json")).splitlines()]
    assert (row["id"], row["giver"], row["note"]) == (done["id"], ANN, "Leave")
    assert row["until"].startswith(("2098-12-31", "2099-01-01"))
    assert f"went back to {ANN}" in said(run("handover", "undo", done["id"]))
    assert "was undone at" in refused(run("handover", "undo", done["id"]))
    assert "there is none that" in refused(run("handover", "undo", "0" * 26))
    assert "may not give customers" in refused(run("handover", "run", *words[:-1], "--as", ANN))
    text = said(run("handover", "run", "--from", ANN, "--to", EVE))
    assert "takes it back" in text
    assert "has nothing that" in refused(run("handover", "plan", "--from", ANN, "--to", EVE))
    assert "nobody" in said(run("handover", "substitutes"))
    [one] = [json.loads(line) for line in said(run("handover", "substitutes", "--json")).splitlines()]
    assert (one["person"], one["substitute"]) == (BOB, None)

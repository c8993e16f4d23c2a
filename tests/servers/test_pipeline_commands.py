# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost stage`, `opportunity`, `product`, `choice` and `score`: as tables, as JSON, as a person, refused in one line."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mailroom import ANN, Mail, MailRoom
from record_servers import SQLITE
from sqlalchemy import select

from crm_sync.models.customers import Customer
from crm_sync.pipeline.scores import weigh_due
from tradepost.cli import root

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """One customer, whose inquiry opened an opportunity."""
    room = MailRoom(tmp_path, SQLITE)
    room.record(Mail())
    with room.database.writing() as session:
        weigh_due(session)
        public_id = session.scalars(select(Customer.public_id)).one()
    config = tmp_path / "tradepost.toml"
    config.write_text(f'[paths]\nstate = "{tmp_path}"\nruntime = "{tmp_path}"\n[database]\nurl = "{room.url}"\n')

    def run(*words: str, fails: bool = False) -> Result:
        arguments = [word.replace("CUSTOMER", public_id) for word in words]
        result = CliRunner().invoke(root, ["--config", str(config), *arguments])
        assert (result.exit_code != 0) is fails, result.output + repr(result.exception)
        return result

    yield run
    room.close()


def rows(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_stages_on_the_command_line(run: Run, tmp_path: Path) -> None:
    assert "初步接触" in run("stage", "list").stdout
    assert rows(run("stage", "list", "--json"))[0]["key"] == "customer"
    run("stage", "add", "visit", "Visit", "--zh", "拜访", "--place", "2", "--probability", "20")
    run("stage", "change", "visit", "--en", "Factory visit")
    assert "none -> " not in run("stage", "move", "CUSTOMER", "visit", "--reason", "met at the fair").stdout
    assert rows(run("stage", "history", "CUSTOMER", "--json"))[0]["reason"] == "met at the fair"
    assert rows(run("stage", "customers", "visit", "--json"))[0]["name"] == "acme.example"
    assert "1 records went" in run("stage", "retire", "visit", "--into", "quoting").stdout
    assert sum(row["records"] for row in rows(run("stage", "count", "--json"))) == 1
    run("stage", "new-pipeline", "tenders", "Tenders")
    assert "quote-sent" in run("stage", "rules").stdout
    run("stage", "switch", "quote-sent", "off")
    file = tmp_path / "rules.toml"
    file.write_text(
        '[[rule]]\nid = "big"\nwhen = { field = "text", op = "contains", value = "container" }\n'
        'then = [{ action = "set_stage", value = "customer/negotiating" }]\n'
    )
    assert "1 rules are in force" in run("stage", "apply-rules", str(file)).stdout
    refused = run("stage", "add", "x", "X", "--as", ANN, fails=True)
    assert refused.stderr.startswith(f"tradepost: {ANN} may not edit what all records share")
    assert run("stage", "change", "quoting", fails=True).exit_code == 2


def test_opportunities_on_the_command_line(run: Run) -> None:
    [deal] = rows(run("opportunity", "list", "--json"))
    assert (deal["title"], deal["stage"], deal["source"]) == ("Request", "first-contact", "mail")
    made = rows(
        run(
            "opportunity", "open", "CUSTOMER", "--title", "Tender", "--amount", "1200.50", "--currency", "EUR", "--json"
        )
    )[0]
    assert (made["amount"], made["currency"]) == ("1200.5000", "EUR")
    assert "1200.5 EUR" in run("opportunity", "change", made["id"], "--incoterm", "fob").stdout
    assert "say why it was lost" in run("opportunity", "move", made["id"], "lost", fails=True).stderr
    assert (
        "lost: price too dear"
        in run("opportunity", "move", made["id"], "lost", "--reason", "price", "--note", "too dear").stdout
    )
    assert "opened by hand" in run("opportunity", "history", made["id"]).stdout
    assert "Tender" not in run("opportunity", "list", "--kind", "open").stdout
    assert "there is none" in run("opportunity", "show", "01ARZ3NDEKTSV4RRFFQ69G5FAV", fails=True).stderr


def test_products_choices_and_scores_on_the_command_line(run: Run) -> None:
    run("product", "category", "lamps", "--en", "Lamps", "--word", "lamp")
    run(
        "product",
        "set",
        "L-1",
        "--category",
        "lamps",
        "--price",
        "12.5",
        "--floor",
        "9.9",
        "--currency",
        "USD",
        "--word",
        "high bay",
    )
    assert "price floor: 9.9 USD" in run("product", "show", "L-1").stdout
    assert "high bay" in run("product", "list", "--category", "lamps").stdout
    assert "lamp" in run("product", "categories").stdout
    assert "is a number from 0" in run("product", "set", "L-1", "--price", "cheap", fails=True).stderr
    assert "采购意向" in run("choice", "lists").stdout
    run("choice", "add", "source", "podcast", "Podcast", "--zh", "播客")
    run("choice", "change", "source", "podcast", "--place", "1")
    assert rows(run("choice", "list", "source", "--json"))[0]["key"] == "podcast"
    run("choice", "new-list", "port", "Port", "--for", "customer", "--many")
    run("choice", "set", "CUSTOMER", "source", "podcast")
    assert "source: podcast" in run("choice", "show", "CUSTOMER").stdout
    assert "missing: " in run("score", "show", "CUSTOMER").stdout
    assert rows(run("score", "list", "--json"))[0]["points"] == 5
    assert (
        "customers will be weighed anew"
        in run("score", "change", "--points", "country:DE=7", "--weight", "star=5").stdout
    )
    assert "country DE: 7" in run("score", "scale").stdout
    assert "grade: A" in run("score", "grade", "CUSTOMER", "A").stdout
    assert "by person" in run("score", "show", "CUSTOMER").stdout
    assert run("score", "change", "--points", "country", fails=True).exit_code == 2

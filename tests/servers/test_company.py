# SPDX-License-Identifier: GPL-3.0-or-later
"""A company file and a rules file become records: twice is once, every difference is said, a mistake changes nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mailroom import ANN, BOB, COMPANY, EVE, START, Mail, MailRoom
from record_servers import RecordServer
from sqlalchemy import select

from crm_sync.company import apply_company, apply_rules
from crm_sync.company_file import CompanyFileError, parse_company, read_toml
from crm_sync.models.conversations import Event
from crm_sync.models.customers import ContactAddress, CustomerDomain, Scope
from crm_sync.models.people import Team
from crm_sync.models.service import DirectoryChange
from crm_sync.people.absences import plan_absence
from crm_sync.people.leaving import let_leave
from crm_sync.policy_store import fetch_policy, fetch_rules
from crm_sync.rights import Action, Entity, Reach, role_rights, root_viewer
from tradepost.policy import Policy
from tradepost.rules import compile_rules, parse_rules

SANDBOX = Path(__file__).parents[2] / "postfix" / "sandbox"
PEOPLE: list[dict[str, Any]] = COMPANY["person"]
ACME = {"name": "Acme", "owner": ANN, "domains": ["www.acme.example"], "contacts": [{"email": "Bo@Acme.example"}]}


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


def apply(room: MailRoom, **tables: Any) -> tuple[str, ...]:
    with room.database.writing() as session:
        return apply_company(session, parse_company(COMPANY | tables, "company"))


def policy(room: MailRoom) -> Policy:
    with room.database.reading() as session:
        return fetch_policy(session).policy


def changes(room: MailRoom) -> int:
    with room.database.reading() as session:
        return len(session.scalars(select(DirectoryChange.seq)).all())


def test_the_same_file_again_changes_nothing(room: MailRoom) -> None:
    apply(room, customer=[ACME])
    before, version = changes(room), policy(room).version
    assert apply(room, customer=[ACME]) == ()
    assert (changes(room), policy(room).version) == (before, version)


def test_the_demo_files_are_applied_and_then_change_nothing(room: MailRoom) -> None:
    company = parse_company(read_toml(SANDBOX / "company.toml"), "company.toml")
    rules = parse_rules(read_toml(SANDBOX / "rules.toml"))
    with room.database.writing() as session:
        assert apply_company(session, company)
        assert apply_rules(session, rules)
    with room.database.writing() as session:
        assert apply_company(session, company) == ()
        assert apply_rules(session, rules) == ()
        assert fetch_rules(session) == rules
        compile_rules(fetch_rules(session))


def test_every_difference_is_said(room: MailRoom) -> None:
    people = [
        person | {"languages": ["en", "fr"]} if person["email"] == ANN else person for person in COMPANY["person"]
    ]
    pool = {
        "name": "sales",
        "addresses": ["sales@own.example", "hello@own.example"],
        "members": [BOB],
        "delivery": "owner",
    }
    lines = apply(room, person=people, pool=[pool], team=[{"name": "north"}])
    assert set(lines) == {
        "+ team north",
        "~ person ann@own.example: languages: en -> en fr",
        "~ pool sales: delivery: copy -> owner",
        "~ pool sales: addresses: sales@own.example -> sales@own.example hello@own.example",
        "~ pool sales: members: ann@own.example bob@own.example -> bob@own.example",
    }
    found = policy(room).pool("hello@own.example")
    assert found is not None
    assert (found.members, found.delivery) == ((BOB,), "owner")


def test_what_the_file_does_not_name_stays(room: MailRoom) -> None:
    with room.database.writing() as session:
        lines = apply_company(session, parse_company({"team": [{"name": "north"}]}, "company"))
    assert lines == ("+ team north",)
    assert [person.email for person in policy(room).people] == [ANN, BOB, "eve@own.example"]


def test_a_lead_that_mail_made_becomes_the_customer_of_the_file(room: MailRoom) -> None:
    room.record(Mail(sender="bo@acme.example"))
    lines = apply(room, customer=[ACME])
    with room.looking() as look:
        [customer] = look.customers()
        assert (customer.name, customer.kind, customer.source, look.owner(customer)) == (
            "Acme",
            "customer",
            "file",
            ANN,
        )
        assert look.count(CustomerDomain) == look.count(ContactAddress) == 1
    assert any(line.startswith("~ customer Acme: ") for line in lines)


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (
            {"customer": [ACME | {"owner": "stranger@own.example"}]},
            "the owner stranger@own.example is no registered person",
        ),
        ({"customer": [ACME | {"domains": ["gmail.com"]}]}, "anybody gets an address at gmail.com"),
        ({"customer": [ACME | {"domains": ["co.uk"]}]}, "co.uk is a public suffix"),
        (
            {
                "customer": [
                    ACME,
                    {"name": "Bolt", "domains": ["bolt.example"]},
                    ACME | {"domains": ["acme.example", "bolt.example"]},
                ]
            },
            "belong to 2 customers",
        ),
        (
            {"pool": [{"name": "p", "addresses": ["p@own.example"], "members": ["x@own.example"]}]},
            "x@own.example is no registered",
        ),
        ({"pool": [{"name": "p", "addresses": ["sales@own.example"]}]}, "is the address of the pool sales"),
        ({"person": [{"email": "new@own.example", "login": "ann"}]}, "the login ann belongs to somebody else"),
        ({"person": [{"email": ANN, "substitute": "x@own.example"}]}, "the substitute x@own.example is no registered"),
        (
            {"person": [{"email": ANN, "substitute": BOB}, {"email": BOB, "substitute": ANN}]},
            "would stand in for himself",
        ),
        (
            {"person": [{"email": EVE, "role": "rep"}]},
            "nobody would be left who may change people",
        ),
        ({"team": [{"name": "a", "under": "b"}, {"name": "b", "under": "a"}]}, "would lie below itself"),
        ({"role": [{"name": "rep", "hidden": ["customer.colour"]}]}, "is no field that can be hidden"),
        ({"role": [{"name": "rep", "rights": {"company": {"edit": "own"}}}]}, "there are none and all, not own"),
        ({"role": [{"name": "rep", "rights": {"customer": {"correct": "all"}}}]}, "with customer there are see, edit"),
    ],
)
def test_a_mistake_is_named_and_changes_nothing(room: MailRoom, tables: dict[str, Any], said: str) -> None:
    before = policy(room)
    with pytest.raises(CompanyFileError, match=said):
        apply(room, **tables)
    assert policy(room) == before
    with room.looking() as look:
        assert look.customers() == []


def test_teams_and_roles_of_the_file_are_the_companys(room: MailRoom) -> None:
    tables = {
        "team": [{"name": "north", "under": "sales"}, {"name": "sales"}],
        "role": [
            {"name": "lead", "rights": {"customer": {"see": "team", "edit": "own"}}, "hidden": ["customer.grade"]},
            {"name": "rep", "rights": {"customer": {"export": "own"}}},
        ],
        "person": [
            person | {"role": "lead", "team": "north"} if person["email"] == ANN else person for person in PEOPLE
        ],
    }
    assert {
        "+ team sales",
        "~ team north: under: none -> sales",
        "+ role lead",
        "~ role lead: customer see: none -> team",
        "~ role lead: never sees customer.grade",
        "~ role rep: customer export: none -> own",
    } <= set(apply(room, **tables))
    assert apply(room, **tables) == ()
    tables["role"] = [{"name": "lead", "hidden": []}]
    tables["team"] = [{"name": "north", "under": ""}]
    assert set(apply(room, **tables)) == {"~ role lead: sees customer.grade", "~ team north: under: sales -> none"}
    with room.database.reading() as session:
        assert role_rights(session, "lead") == {
            (Entity.CUSTOMER, Action.SEE): Reach.TEAM,
            (Entity.CUSTOMER, Action.EDIT): Reach.OWN,
        }
        told = session.scalars(select(Event).where(Event.subject == "company").order_by(Event.id.desc()).limit(1)).one()
    assert told.details["lines"] == ["~ team north: under: sales -> none", "~ role lead: sees customer.grade"]


def test_with_another_team_in_the_file_go_the_customers_he_owns(room: MailRoom) -> None:
    apply(room, customer=[ACME])
    apply(room, person=[person | {"team": "north"} for person in PEOPLE])
    with room.looking() as look:
        [customer] = look.customers()
        scope = look.session.get_one(Scope, customer.scope_id)
        assert look.session.get_one(Team, scope.team_id).name == "north"


def test_who_is_away_by_command_stays_so(room: MailRoom) -> None:
    with room.database.writing() as session:
        plan_absence(session, root_viewer(), ANN, START, substitute=BOB)
    assert apply(room) == ()
    apply(room, person=[person | {"is_away": False, "substitute": ""} for person in PEOPLE])
    known = policy(room).person(ANN)
    assert known is not None
    assert (known.is_away, known.substitute) == (False, "")


def test_who_left_is_not_taken_back_by_an_old_file(room: MailRoom) -> None:
    with room.database.writing() as session:
        let_leave(session, root_viewer(), BOB, START)
    with pytest.raises(CompanyFileError, match=r"bob@own.example: has left; 'tradepost person return'"):
        apply(room)


def test_the_rules_of_the_file_are_the_rules(room: MailRoom) -> None:
    def rule(rule_id: str, value: str = "high") -> dict[str, Any]:
        return {"id": rule_id, "when": {"all": []}, "then": [{"action": "set_priority", "value": value}]}

    def put(*rules: dict[str, Any]) -> tuple[str, ...]:
        with room.database.writing() as session:
            return apply_rules(session, parse_rules({"rule": list(rules)}))

    assert put(rule("one"), rule("two")) == ("+ rule one", "+ rule two")
    assert put(rule("one"), rule("two")) == ()
    assert put(rule("two", "low"), rule("three")) == ("~ rule two: position, effects", "+ rule three", "- rule one")
    assert [found.id for found in policy(room).rules] == ["two", "three"]


def test_a_rule_that_assigns_to_nobody_is_refused(room: MailRoom) -> None:
    rules = parse_rules(
        {"rule": [{"id": "r", "when": {"all": []}, "then": [{"action": "assign", "value": "x@own.example"}]}]}
    )
    with pytest.raises(CompanyFileError, match="who is no registered person"):
        with room.database.writing() as session:
            apply_rules(session, rules)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields without code: defined, filled, checked, found by, hidden, and whole through merges and changes of mind."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
from click.testing import CliRunner
from mailroom import ANN, BOB, EVE, hire
from record_servers import RecordServer
from sqlalchemy import select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.command_output import acting_viewer
from crm_sync.database import Database, open_database
from crm_sync.fields.definitions import FieldEntry, add_field, change_field, fetch_fields, retire_field
from crm_sync.fields.filters import Filter, FoundRecord, Order, RecordPlace, find_records
from crm_sync.fields.registry import TYPES
from crm_sync.fields.types import Options, Raw
from crm_sync.fields.values import (
    fetch_values,
    merge_values,
    require_for_stage,
    set_values,
    unmerge_values,
)
from crm_sync.models.choices import Choice, ChoiceList
from crm_sync.models.conversations import Event
from crm_sync.models.customers import Contact, ContactAddress, Customer, Scope
from crm_sync.models.fields import FieldValue
from crm_sync.models.people import Person, RoleHiddenField, Team
from crm_sync.models.pipeline import Product, Stage
from crm_sync.rights import Viewer
from tradepost.cli import root
from tradepost.errors import Refusal

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NAMES = ("Acme", "Brisa", "Corda", "Delta")
_Answer = TypeVar("_Answer")


def furnish(database: Database) -> None:
    """Four customers: three of Ann's, the last one Bob's; Acme has a contact."""
    hire(database)
    with database.writing() as session:
        people = dict(session.execute(select(Person.email, Person.id)).all())
        for number, name in enumerate(NAMES, 1):
            scope = Scope(id=number, kind="customer", owner_id=people[BOB if name == "Delta" else ANN])
            session.add(scope)
            session.flush()
            public_id = str(ULID.from_timestamp(number))
            session.add(
                Customer(id=number, public_id=public_id, scope_id=scope.id, name=name, created_at=NOW, version=1)
            )
            session.flush()
        session.add(Contact(id=1, customer_id=1, name="Jo", created_at=NOW))
        session.flush()
        session.add(ContactAddress(address_key="jo@acme.example", contact_id=1))


class Records:
    """The customers in a database, asked as somebody."""

    def __init__(self, database: Database, url: str) -> None:
        self.database, self.url = database, url
        with database.reading() as session:
            self.ids = dict(session.execute(select(Customer.name, Customer.public_id)).all())

    def as_(self, who: str | None, do: Callable[[Session, Viewer], _Answer]) -> _Answer:
        with self.database.writing() as session:
            return do(session, acting_viewer(session, who))

    def add(self, key: str, type_name: str, entity: str = "customer", **said: object) -> None:
        entry = FieldEntry(name_en=key.title(), **said)  # type: ignore[arg-type]
        self.as_(EVE, lambda s, v: add_field(s, v, entity, key, type_name, entry, NOW))

    def set(self, name: str, who: str | None = ANN, version: int | None = None, **wanted: Raw) -> dict[str, str]:
        about = name if ":" in name else f"customer:{self.ids[name]}"
        given = {key.replace("_", "-"): value for key, value in wanted.items()}
        found = self.as_(who, lambda s, v: set_values(s, v, about, given, NOW, version=version))
        return {one.key: one.text for one in found.values}

    def texts(self, name: str, who: str | None = ANN) -> dict[str, str]:
        about = name if ":" in name else f"customer:{self.ids[name]}"
        return {one.key: one.text for one in self.as_(who, lambda s, v: fetch_values(s, v, about)).values}

    def find(self, *filters: tuple[str, str, str], who: str | None = ANN, order: Order | None = None) -> list[str]:
        conditions = [Filter(*one) for one in filters]
        found = self.as_(who, lambda s, v: find_records(s, v, "customer", conditions, order))
        return [one.name for one in found]


@pytest.fixture
def records(tmp_path: Path, server: RecordServer) -> Iterator[Records]:
    url = server.new(tmp_path, furnish)
    with closing(open_database(url)) as database:
        yield Records(database, url)
    server.drop(url)


# type -> (options, what is given, the stored form, the words shown)
GIVEN: Mapping[str, tuple[dict[str, object], Raw, object, str]] = {
    "text": ({}, " Hall  3 ", "Hall 3", "Hall 3"),
    "long-text": ({}, "one\r\ntwo", "one\ntwo", "one\ntwo"),
    "code": ({"pattern": "[A-Z]{2}-[0-9]+"}, "ab-12", "AB-12", "AB-12"),
    "tags": ({}, ["vip", "vip", " fair "], ["vip", "fair"], "vip, fair"),
    "integer": ({}, "1,200", 1200, "1200"),
    "decimal": ({}, "12.50", "12.5", "12.5"),
    "percent": ({}, "12.5%", "12.5", "12.5%"),
    "rating": ({}, "4", 4, "★★★★☆"),
    "number-range": ({}, "100..500", ["100", "500"], "100..500"),
    "boolean": ({}, "是", True, "yes"),
    "date": ({}, "2026/03/02", "2026-03-02", "2026-03-02"),
    "date-range": ({}, "2026-03-02..2026-03-09", ["2026-03-02", "2026-03-09"], "2026-03-02..2026-03-09"),
    "month": ({}, "2026/03", "2026-03", "2026-03"),
    "year": ({}, "2026", 2026, "2026"),
    "time": ({}, "9:05", "09:05", "09:05"),
    "moment": ({}, "2026-03-02T15:30+08:00", "2026-03-02T07:30:00+00:00", "2026-03-02T07:30:00+00:00"),
    "duration": ({}, "2d 3h 30m", 3090, "2d 3h 30m"),
    "email": ({}, "Jo@Acme.Example", "jo@acme.example", "jo@acme.example"),
    "phone": ({"country": "CN"}, "0755 2688 0000", "+8675526880000", "+86 755 2688 0000"),
    "url": ({}, "acme.example/shop", "https://acme.example/shop", "https://acme.example/shop"),
    "social": ({}, "linkedin: ann-lee", "linkedin:ann-lee", "linkedin:ann-lee"),
    "address": ({}, "12 Harbour Rd\n\n Leeds ", "12 Harbour Rd\nLeeds", "12 Harbour Rd\nLeeds"),
    "money": ({}, "USD 1,240.50", {"amount": "1240.5", "currency": "USD"}, "1240.5 USD"),
    "currency": ({}, "usd", "USD", "USD"),
    "quantity": ({"unit": "pcs"}, "1,500", {"number": "1500", "unit": "pcs"}, "1500 pcs"),
    "country": ({}, "墨西哥", "MX", "Mexico"),
    "language": ({}, "ES", "es", "Spanish"),
    "time-zone": ({}, "America/Mexico_City", "America/Mexico_City", "America/Mexico_City"),
    "incoterm": ({}, "fob Ningbo", {"term": "FOB", "place": "Ningbo"}, "FOB Ningbo"),
    "port": ({}, "cn ngb", "CNNGB", "CNNGB"),
    "hs-code": ({}, "8413.70", "841370", "8413.70"),
    "container": ({}, "CSQU 305438-3", "CSQU3054383", "CSQU3054383"),
    "gtin": ({}, "4006381333931", "4006381333931", "4006381333931"),
    "iban": ({}, "DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "DE89370400440532013000"),
    "bic": ({}, "deut de ff", "DEUTDEFF", "DEUTDEFF"),
    "vat-number": ({}, "DE 136,695 976", "DE136695976", "DE136695976"),
    "colour": ({}, "#1A73E8", "#1a73e8", "#1a73e8"),
    "choice": ({"list": "colours"}, "red", "red", "red"),
    "choices": ({"list": "colours"}, ["red", "blue"], ["red", "blue"], "red, blue"),
    "person": ({}, "Ann@own.example", "ann@own.example", "ann@own.example"),
    "people": ({}, [ANN, EVE], [ANN, EVE], f"{ANN}, {EVE}"),
    "team": ({}, "South", "South", "South"),
    "customer": ({}, "Brisa", "Brisa", "Brisa"),
    "contact": ({}, "jo@acme.example", "jo@acme.example", "jo@acme.example"),
    "product": ({}, "P-1", "P-1", "P-1"),
    "products": ({}, ["P-1"], ["P-1"], "P-1"),
}
WRONG: Mapping[str, tuple[str, ...]] = {
    "text": ("x" * 501,),
    "long-text": ("x" * 20_001,),
    "code": ("12",),
    "integer": ("1.5", "many", "1e400", "NaN", "١٢٣x"),
    "decimal": ("1.1234567", "1,2,3", "Infinity"),
    "percent": ("half",),
    "rating": ("6", "-1"),
    "number-range": ("5", "9..1"),
    "boolean": ("perhaps",),
    "date": ("2026-02-30", "0026-01-01", "soon"),
    "date-range": ("2026-03-02", "2026-03-09..2026-03-02"),
    "month": ("2026-13",),
    "year": ("1066",),
    "time": ("25:00",),
    "moment": ("2026-03-02T15:30", "now"),
    "duration": ("", "soon")[1:],
    "email": ("jo", "jo@", "@acme.example", "jo@acme", "a b@c.example"),
    "phone": ("12", "call me"),
    "url": ("javascript:alert(1)", "acme", "ftp://acme.example", "https://[::1"),
    "social": ("myspace:ann", "ann"),
    "address": ("x" * 1001,),
    "money": ("12.40", "12.40 ZZZ", "USD"),
    "currency": ("ZZZ",),
    "quantity": ("pcs", ""),
    "country": ("Atlantis",),
    "language": ("klingonish",),
    "time-zone": ("Mars/Base",),
    "incoterm": ("XYZ Ningbo",),
    "port": ("NINGBO",),
    "hs-code": ("84",),
    "container": ("CSQU3054384",),
    "gtin": ("4006381333932",),
    "iban": ("DE89370400440532013001",),
    "bic": ("DEUT",),
    "vat-number": ("DE136695977",),
    "colour": ("red",),
    "choice": ("green",),
    "person": ("who@else.example",),
    "team": ("North",),
    "customer": ("nobody",),
    "contact": ("who@else.example",),
    "product": ("P-9",),
}


def furnish_links(records: Records) -> None:
    """Make what links lead to: a list, a team, a product."""
    with records.database.writing() as session:
        session.add(ChoiceList(key="colours", subject="field", name_en="Colours", takes_many=True, position=0))
        session.flush()
        session.add_all(Choice(list_key="colours", key=key, name_en=key, position=0) for key in ("red", "blue"))
        session.add(Team(name="South"))
        session.add(Product(code="P-1", name_en="Pump", version=1))


def test_every_type_reads_what_people_write_and_refuses_what_can_not_be(records: Records) -> None:
    """One test for all types: each needs a field, and fields are cheap, databases are not."""
    assert len(TYPES) >= 30
    assert TYPES.keys() == GIVEN.keys()
    furnish_links(records)
    for name, (options, given, stored, text) in GIVEN.items():
        records.add(name, name, options=Options(**options), is_filterable=True)  # type: ignore[arg-type]
        if name == "customer":
            given = records.ids[str(given)]
            stored = text = given
        shown = records.set("Acme", **{name: given})  # type: ignore[arg-type]
        assert shown[name] == text, name
        about = f"customer:{records.ids['Acme']}"
        found = records.as_(ANN, lambda s, v, about=about: fetch_values(s, v, about))  # type: ignore[misc]
        assert {one.key: one.value for one in found.values}[name] == stored
        for wrong in WRONG.get(name, ()):
            if wrong:
                with pytest.raises(Refusal) as refused:
                    records.set("Acme", **{name: wrong})  # type: ignore[arg-type]
                assert str(refused.value).startswith(f"{name}: "), name
        assert records.texts("Acme")[name] == text
    with records.database.reading() as session:
        indexed = set(session.scalars(select(FieldValue.field_id).distinct()))
    assert len(indexed) == len(TYPES)
    cleared = records.set("Acme", **dict.fromkeys(GIVEN, ""))  # type: ignore[arg-type]
    assert set(cleared.values()) == {""}
    with records.database.reading() as session:
        assert session.scalars(select(FieldValue)).all() == []


def test_what_is_wrong_in_several_fields_is_said_at_once_and_nothing_is_written(records: Records) -> None:
    records.add("pieces", "integer", options=Options(minimum=1, maximum=100))
    records.add("since", "date")
    with pytest.raises(Refusal) as refused:
        records.set("Acme", pieces="200", since="soon")
    assert str(refused.value) == "pieces: 200: is above 100\nsince: 'soon': is no day; write 2026-03-02"
    assert records.texts("Acme") == {"pieces": "", "since": ""}


def test_a_change_is_told_and_an_older_version_is_refused(records: Records) -> None:
    records.add("since", "date")
    records.set("Acme", since="2026-03-02")
    with pytest.raises(Refusal, match=r"was changed meanwhile \(version 1\)"):
        records.set("Acme", version=0, since="2026-03-03")
    records.set("Acme", version=1, since="2026-03-03")
    with records.database.reading() as session:
        events = session.scalars(select(Event).where(Event.step == "fields-changed").order_by(Event.id)).all()
        ann = session.scalars(select(Person.id).where(Person.email == ANN)).one()
    assert [event.details["changes"] for event in events] == [
        {"since": [None, "2026-03-02"]},
        {"since": ["2026-03-02", "2026-03-03"]},
    ]
    assert {(event.person_id, event.customer_id) for event in events} == {(ann, 1)}


def test_records_are_found_by_several_conditions_and_in_order(records: Records) -> None:
    records.add("pieces", "integer", is_filterable=True)
    records.add("hall", "text", is_filterable=True)
    records.add("budget", "money", is_filterable=True)
    records.add("tags", "tags", is_filterable=True)
    records.set("Acme", pieces="9", hall="Hall 3", budget="10 USD", tags=["vip", "fair"])
    records.set("Brisa", pieces="10", hall="hall 12", budget="90 EUR", tags=["fair"])
    assert records.find(("pieces", "=", "9")) == ["Acme"]
    assert records.find(("pieces", "!=", "9")) == ["Brisa"]
    assert records.find(("pieces", ">", "9")) == ["Brisa"]
    assert records.find(("pieces", ">=", "9"), ("pieces", "<", "10")) == ["Acme"]
    assert records.find(("hall", "=", "HALL 3")) == ["Acme"]
    assert records.find(("hall", "starts", "hall")) == ["Brisa", "Acme"]
    assert records.find(("hall", "starts", "hall 1")) == ["Brisa"]
    assert records.find(("budget", ">", "5 USD")) == ["Acme"]
    assert records.find(("tags", "=", "fair")) == ["Brisa", "Acme"]
    assert records.find(("tags", "=", "fair"), ("tags", "!=", "vip")) == ["Brisa"]
    assert records.find(("pieces", "empty", "")) == ["Corda"]
    assert records.find(("pieces", "filled", "")) == ["Brisa", "Acme"]
    assert records.find(order=Order("pieces")) == ["Acme", "Brisa", "Corda"]
    assert records.find(order=Order("pieces", is_descending=True)) == ["Brisa", "Acme", "Corda"]
    assert records.find(order=Order("hall")) == ["Brisa", "Acme", "Corda"]
    assert records.find(who=None, order=Order("pieces")) == ["Acme", "Brisa", "Delta", "Corda"]


@pytest.mark.parametrize("is_descending", [True, False])
def test_a_page_goes_on_where_the_last_one_ended(records: Records, is_descending: bool) -> None:
    records.add("pieces", "integer", is_filterable=True)
    for name in ("Acme", "Corda"):
        records.set(name, pieces="5")
    order = Order("pieces", is_descending)
    for by in (order, None):
        seen: list[FoundRecord] = []
        place: RecordPlace | None = None
        while page := records.as_(
            None,
            lambda s, v, by=by, place=place: find_records(s, v, "customer", (), by, after=place, limit=1),  # type: ignore[misc]
        ):
            seen += page
            place = page[-1].place
        assert [one.name for one in seen] == records.find(who=None, order=by)


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        (("pieces", "about", "9"), "is no comparison"),
        (("plain", "=", "9"), "can't be asked about"),
        (("nothing", "=", "9"), "a customer has none"),
        (("pieces", "=", "many"), "is no number"),
        (("pieces", "=", ""), "compared with nothing"),
        (("pieces", "starts", "9"), "needs a text"),
    ],
)
def test_what_can_not_be_asked_is_refused(records: Records, condition: tuple[str, str, str], why: str) -> None:
    records.add("pieces", "integer", is_filterable=True)
    records.add("plain", "integer")
    with pytest.raises(Refusal, match=why):
        records.find(condition)


def test_a_field_becomes_filterable_later_and_unique_where_it_can_be(records: Records) -> None:
    records.add("code", "code")
    for name in ("Acme", "Brisa"):
        records.set(name, code="AB-1")
    changed = FieldEntry(is_filterable=True)
    records.as_(EVE, lambda s, v: change_field(s, v, "customer", "code", changed, NOW))
    assert records.find(("code", "=", "ab-1")) == ["Brisa", "Acme"]
    with pytest.raises(Refusal, match="some records hold the same"):
        records.as_(EVE, lambda s, v: change_field(s, v, "customer", "code", FieldEntry(is_unique=True), NOW))
    records.set("Brisa", code="AB-2")
    records.as_(EVE, lambda s, v: change_field(s, v, "customer", "code", FieldEntry(is_unique=True), NOW))
    with pytest.raises(Refusal, match="another customer holds the same"):
        records.set("Delta", BOB, code="ab-1")
    records.set("Acme", code="AB-1")
    records.as_(EVE, lambda s, v: change_field(s, v, "customer", "code", FieldEntry(is_unique=False), NOW))
    records.as_(EVE, lambda s, v: change_field(s, v, "customer", "code", FieldEntry(is_filterable=False), NOW))
    with records.database.reading() as session:
        assert session.scalars(select(FieldValue)).all() == []


def test_a_retired_field_is_gone_and_comes_back_with_what_stands_in_it(records: Records) -> None:
    records.add("hall", "text")
    records.set("Acme", hall="Hall 3")
    records.as_(EVE, lambda s, v: retire_field(s, v, "customer", "hall", NOW))
    assert records.texts("Acme") == {}
    with pytest.raises(Refusal, match="a customer has none"):
        records.set("Acme", hall="Hall 4")
    with pytest.raises(Refusal, match="has it already, perhaps retired"):
        records.add("hall", "integer")
    records.as_(EVE, lambda s, v: retire_field(s, v, "customer", "hall", NOW, is_retired=False))
    assert records.texts("Acme") == {"hall": "Hall 3"}


def test_what_a_stage_asks_for_must_be_filled_first(records: Records) -> None:
    with records.database.reading() as session:
        stage = session.scalars(select(Stage.key).order_by(Stage.id)).first()
    assert stage is not None
    records.add("hall", "text", stages=(stage,))
    records.as_(None, lambda s, v: require_for_stage(s, "customer", 1, "another"))
    with pytest.raises(Refusal, match=f"stage {stage}: fill in first: Hall"):
        records.as_(None, lambda s, v: require_for_stage(s, "customer", 1, stage))
    records.set("Acme", hall="Hall 3")
    records.as_(None, lambda s, v: require_for_stage(s, "customer", 1, stage))
    with pytest.raises(Refusal, match="there is none; 'tradepost stage list'"):
        records.add("booth", "text", stages=("no-such-stage",))


def test_a_required_field_is_not_emptied(records: Records) -> None:
    records.add("hall", "text", is_required=True)
    records.set("Acme", hall="Hall 3")
    with pytest.raises(Refusal, match="hall: must not be empty"):
        records.set("Acme", hall="")


def test_a_merge_fills_what_is_empty_and_can_be_taken_back(records: Records) -> None:
    records.add("hall", "text", is_filterable=True)
    records.add("since", "date", is_filterable=True)
    records.set("Acme", hall="Hall 3")
    records.set("Brisa", hall="Hall 9", since="2026-03-02")
    filled = records.as_(None, lambda s, v: merge_values(s, "customer", 1, 2))
    assert filled == {"since": "2026-03-02"}
    assert records.texts("Acme") == {"hall": "Hall 3", "since": "2026-03-02"}
    records.as_(None, lambda s, v: unmerge_values(s, "customer", 1, filled))
    assert records.texts("Acme") == {"hall": "Hall 3", "since": ""}
    assert records.find(("since", "filled", "")) == ["Brisa"]
    assert records.as_(None, lambda s, v: merge_values(s, "customer", 1, 3)) == {}


def test_a_stranger_reads_writes_and_finds_nothing(records: Records) -> None:
    records.add("hall", "text", is_filterable=True)
    records.add("title", "text", entity="contact")
    records.set("Delta", BOB, hall="Hall 3")
    refused: list[Callable[[], object]] = [
        lambda: records.texts("Delta"),
        lambda: records.set("Delta", hall="mine"),
    ]
    for do in refused:
        with pytest.raises(Refusal, match=f"there is none that {ANN} may see"):
            do()
    assert records.find(("hall", "filled", "")) == []
    records.set("contact:jo@acme.example", title="buyer")
    with pytest.raises(Refusal, match="there is none"):
        records.texts("contact:jo@acme.example", BOB)
    with pytest.raises(Refusal, match="may not edit what all records share"):
        records.as_(ANN, lambda s, v: add_field(s, v, "customer", "x", "text", FieldEntry(name_en="X"), NOW))


def test_a_hidden_field_is_nowhere(records: Records) -> None:
    records.add("floor", "money", is_filterable=True)
    records.set("Acme", EVE, floor="9.90 USD")
    with records.database.writing() as session:
        session.add(RoleHiddenField(role="rep", entity="customer", field="field:floor"))
    assert records.texts("Acme") == {}
    assert records.as_(ANN, lambda s, v: fetch_fields(s, v, "customer")) == []
    refused: list[Callable[[], object]] = [
        lambda: records.set("Acme", floor="1 USD"),
        lambda: records.find(("floor", ">", "5 USD")),
        lambda: records.find(order=Order("floor")),
    ]
    for do in refused:
        with pytest.raises(Refusal, match="a customer has none"):
            do()
    assert records.texts("Acme", EVE) == {"floor": "9.9 USD"}


@pytest.mark.parametrize(
    ("key", "type_name", "entry", "why"),
    [
        ("Hall", "text", {}, "is 1 to 40 of a-z"),
        ("x" * 41, "text", {}, "is 1 to 40 of a-z"),
        ("hall", "hologram", {}, "there is none; there are address"),
        ("hall", "text", {"options": Options(minimum=1)}, "says nothing to a text; longest may be set"),
        ("hall", "code", {"options": Options(pattern="(?=x)")}, "pattern"),
        ("hall", "choice", {}, "needs the list to choose from"),
        ("hall", "integer", {"options": Options(minimum=2, maximum=1)}, "is above the maximum"),
        ("hall", "text", {"is_unique": True}, "to be unique it must be filterable"),
        ("hall", "tags", {"is_unique": True, "is_filterable": True}, "several values can't be unique"),
        ("hall", "text", {"name_en": " "}, "printable characters"),
        ("hall", "text", {"help_en": "x" * 1001}, "1000 characters at most"),
    ],
)
def test_a_field_that_can_not_be_is_refused(
    records: Records, key: str, type_name: str, entry: dict[str, object], why: str
) -> None:
    said = FieldEntry(**({"name_en": "Hall"} | entry))  # type: ignore[arg-type]
    with pytest.raises(Refusal, match=why):
        records.as_(EVE, lambda s, v: add_field(s, v, "customer", key, type_name, said, NOW))


def test_the_commands_do_the_same_and_speak_json(records: Records, tmp_path: Path) -> None:
    config = tmp_path / "tradepost.toml"
    config.write_text(
        f'[paths]\nstate = "{tmp_path}"\nruntime = "{tmp_path}"\n[database]\nurl = "{records.url}"\n[host]\ninstance = "mx"\n'
    )

    def run(*words: str) -> str:
        done = CliRunner().invoke(root, ["--config", str(config), "field", *words])
        assert done.exit_code == 0, done.output
        return done.output

    about = f"customer:{records.ids['Acme']}"
    assert len(run("types", "--json").splitlines()) == len(TYPES)
    run("add", "customer", "pieces", "integer", "Pieces", "--zh", "件数", "--filterable", "--minimum", "1")
    run("add", "customer", "tags", "tags", "Tags", "--place", "1")
    assert [json.loads(line)["key"] for line in run("list", "customer", "--json").splitlines()] == ["tags", "pieces"]
    assert "12" in run("set", about, "pieces=12", "tags=vip", "tags=fair", "--as", ANN)
    assert json.loads(run("show", about, "--json"))["version"] == 1
    found = json.loads(run("find", "customer", "--where", "pieces", ">", "5", "--order", "pieces", "--json"))
    assert found["name"] == "Acme"
    after = json.dumps(found["place"])
    rest = run("find", "customer", "--order", "pieces", "--after", after, "--json").splitlines()
    assert [json.loads(line)["name"] for line in rest] == ["Delta", "Corda", "Brisa"]
    run("change", "customer", "pieces", "--en", "Parts", "--not-filterable")
    run("retire", "customer", "pieces")
    assert "Parts" not in run("list", "customer")
    run("retire", "customer", "pieces", "--undo")
    assert "Parts" in run("list", "customer")

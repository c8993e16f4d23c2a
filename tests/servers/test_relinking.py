# SPDX-License-Identifier: GPL-3.0-or-later
"""A person corrects whose mail it is: in one step, with what hangs on it, kept, told to arrival, and taken back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from mailroom import ANN, Mail, MailRoom
from record_servers import RecordServer
from sqlalchemy import select

from crm_sync.admission import InvalidValue, NotFound, Outdated
from crm_sync.command_output import acting_viewer
from crm_sync.customers.contacts import add_address, edit_contact, fetch_contact, list_contacts
from crm_sync.customers.domains import forget_domain, give_domain, share_domain
from crm_sync.customers.profile import edit_customer, fetch_customer, fetch_links, list_customers, set_kind
from crm_sync.customers.relinking import move_contact, relink_mail, undo_move
from crm_sync.models.conversations import Activity, Event
from crm_sync.models.customers import ContactAddress, CustomerDomain
from crm_sync.rights import root_viewer
from tradepost.cli import root
from tradepost.directory import SHARED, AddressFact, DomainFact, address_fact_key, decode_fact, domain_fact_key


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


ROOT = root_viewer()


def ids(room: MailRoom) -> dict[str, str]:
    """Return the public ids of all customers by name."""
    with room.looking() as look:
        return {customer.name: customer.public_id for customer in look.customers()}


def test_a_mail_goes_to_another_customer_with_its_writer_and_what_else_he_wrote(room: MailRoom) -> None:
    ours, wrong, more = room.record(
        Mail(),
        Mail(sender="ann@new-name.example", message_id="<2@x>", text="Two"),
        Mail(sender="ann@new-name.example", message_id="<3@x>", text="Three"),
    )
    target = ids(room)["acme.example"]
    with room.database.writing() as session:
        made = relink_mail(session, ROOT, wrong, target, room.now())
    assert (made.conversations, made.contacts, made.domains) == (2, ("ann@new-name.example",), ("new-name.example",))
    room.worker.drain()
    [later] = room.record(Mail(sender="bo@new-name.example", message_id="<4@x>", text="Four"))
    with room.looking() as look:
        customer = look.conversation(ours).customer_id
        entries = (ours, wrong, more, later)
        assert {look.conversation(entry).customer_id for entry in entries} == {customer}
        assert {look.message(entry).scope_id for entry in entries} == {look.conversation(ours).scope_id}
        stands = set(look.session.scalars(select(Activity.message_id).where(Activity.customer_id == customer)))
        assert stands == {look.message(entry).id for entry in entries}
        assert [link.reason for link in fetch_links(look.session, ROOT, wrong)] == ["person"]
        assert look.session.scalars(select(Event.step).where(Event.cause_id == made.operation)).all() == [
            "moved-to-customer"
        ]
    with room.database.writing() as session:
        assert undo_move(session, ROOT, made.operation, room.now()) == 2
    with room.looking() as look:
        assert look.conversation(wrong).customer_id == look.conversation(more).customer_id != customer
        assert look.session.get_one(CustomerDomain, "new-name.example").customer_id != customer
    with room.database.writing() as session, pytest.raises(InvalidValue, match="undone already"):
        undo_move(session, ROOT, made.operation, room.now())


def test_only_the_conversation_goes_where_that_is_wanted(room: MailRoom) -> None:
    room.record(Mail(), Mail(sender="ann@new.example", message_id="<2@x>", text="Two"))
    [other] = room.record(Mail(sender="ann@new.example", message_id="<3@x>", text="Three"))
    target = ids(room)["acme.example"]
    with room.database.writing() as session:
        made = relink_mail(session, ROOT, other, target, room.now(), teaches=False)
        assert (made.conversations, made.contacts) == (1, ())
        assert relink_mail(session, ROOT, other, target, room.now(), teaches=False).operation == ""
        assert session.get_one(ContactAddress, "ann@new.example").reason == "first-mail"


def test_the_directory_agrees_with_the_records_after_a_correction(room: MailRoom) -> None:
    room.record(Mail(), Mail(sender="ann@new.example", message_id="<2@x>", text="Two"))
    target = ids(room)["acme.example"]
    with room.database.writing() as session:
        contact = next(one for one in list_contacts(session, ROOT) if one.addresses == ("ann@new.example",))
        move_contact(session, ROOT, contact.id, target, room.now())
        share_domain(session, ROOT, target, "shop.park.example", room.now())
    room.worker.drain()
    [_] = room.record(Mail(message_id="<9@x>", text="Nine"))
    keys = [address_fact_key("ann@new.example"), domain_fact_key("new.example"), domain_fact_key("park.example")]
    found = room.directory().fetch(keys)
    assert isinstance(found, dict)
    assert decode_fact(found[keys[0]], AddressFact).customer == target
    assert decode_fact(found[keys[1]], DomainFact).customer == target
    assert decode_fact(found[keys[2]], DomainFact).kind == SHARED


def test_what_a_person_says_of_a_domain_no_letter_changes(room: MailRoom) -> None:
    room.record(Mail())
    target = ids(room)["acme.example"]
    with room.database.writing() as session:
        assert give_domain(session, ROOT, target, "mail.Second.example", room.now()) == "second.example"
        for domain, why in (("gmail.com", "anybody"), ("co.uk", "no company"), ("made-in-china.com", "no company")):
            with pytest.raises(InvalidValue, match=why):
                give_domain(session, ROOT, target, domain, room.now())
        assert forget_domain(session, ROOT, target, "second.example", room.now()) == "second.example"
        with pytest.raises(InvalidValue):
            forget_domain(session, ROOT, target, "second.example", room.now())


def test_fields_that_a_person_enters_stay_and_a_stale_version_is_refused(room: MailRoom) -> None:
    room.record(Mail())
    target = ids(room)["acme.example"]
    with room.database.writing() as session:
        before = fetch_customer(session, ROOT, target)
        wanted: dict[str, str | bool] = {"name": "Acme Ltd", "country": "de", "phone": "+49 30 1234567", "star": True}
        assert set(edit_customer(session, ROOT, target, wanted, room.now(), version=before.version)) == set(wanted)
        with pytest.raises(Outdated):
            edit_customer(session, ROOT, target, {"name": "Other"}, room.now(), version=before.version)
        for field, value in (("country", "XX1"), ("phone", "call me"), ("grade", "A"), ("name", " ")):
            with pytest.raises(InvalidValue):
                edit_customer(session, ROOT, target, {field: value}, room.now())
        after = fetch_customer(session, ROOT, target)
        assert (after.row.name, after.row.country, after.phone, after.row.star) == (
            "Acme Ltd",
            "DE",
            "+49301234567",
            True,
        )
        assert after.origins["name"] == "person"
        contact = after.contacts[0]
        assert edit_contact(session, ROOT, contact.id, {"name": "Ann Lee"}, room.now()) == ("name",)
        assert add_address(session, ROOT, contact.id, "Ann.Lee@Gmail.com", room.now()) == "ann.lee@gmail.com"
        assert fetch_contact(session, ROOT, contact.id).addresses == ("ann.lee@gmail.com", "buyer@acme.example")
    [entry] = room.record(Mail(sender="ann.lee@gmail.com", message_id="<5@x>", text="Five"))
    with room.looking() as look:
        assert look.session.get_one(ContactAddress, "ann.lee@gmail.com").reason == "person"
        assert look.conversation(entry).customer_id == look.customers()[0].id


def test_a_kind_is_set_by_a_word_and_arrival_hears_of_it(room: MailRoom) -> None:
    room.record(Mail())
    target = ids(room)["acme.example"]
    with room.database.writing() as session:
        assert set_kind(session, ROOT, target, "supplier", room.now())
        assert not set_kind(session, ROOT, target, "supplier", room.now())
        with pytest.raises(InvalidValue):
            set_kind(session, ROOT, target, "friend", room.now())
        assert [row.id for row in list_customers(session, ROOT, kind="supplier")] == [target]
    [entry] = room.record(Mail(message_id="<2@acme.example>", text="We order."))
    with room.looking() as look:
        assert look.message(entry).party_kind == "supplier"
        assert look.customers()[0].kind_reason == "person"


def test_a_rep_cannot_give_himself_what_is_not_his(room: MailRoom) -> None:
    first, second = room.record(
        Mail(owner=ANN, owner_reason="distribution", missing=()),
        Mail(sender="x@other.example", message_id="<2@x>", text="Two", owner="bob@own.example", missing=()),
    )
    names = ids(room)
    with room.database.writing() as session:
        ann = acting_viewer(session, ANN)
        with pytest.raises(NotFound):
            relink_mail(session, ann, second, names["acme.example"], room.now())
        with pytest.raises(NotFound):
            relink_mail(session, ann, first, names["other.example"], room.now())


def test_the_commands_do_what_the_functions_do(room: MailRoom) -> None:
    first, second = room.record(Mail(), Mail(sender="ann@new.example", message_id="<2@x>", text="Two"))
    names = ids(room)
    config = room.root / "tradepost.toml"
    config.write_text(f'[paths]\nstate = "{room.root}"\n[database]\nurl = "{room.url}"\n')

    def run(*words: str) -> str:
        result = CliRunner().invoke(root, ["--config", str(config), *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    target, other = names["acme.example"], names["new.example"]
    lines = [json.loads(line) for line in run("customer", "list", "--json").splitlines()]
    assert [line["id"] for line in lines] == [other, target]
    assert "buyer@acme.example" in run("customer", "show", target)
    assert "changed: name" in run("customer", "edit", target, "--set", "name", "Acme Ltd")
    assert "kind: customer" in run("customer", "kind", target, "customer")
    moved = json.loads(run("customer", "link", target, "--mail", second, "--json"))
    assert (moved["conversations"], moved["domains"]) == (1, ["new.example"])
    assert "person" in run("customer", "why", second)
    assert "company-domain" not in run("customer", "why", first)
    assert "1 conversations went back" in run("customer", "unlink", moved["operation"])
    assert "park.example: shared" in run("customer", "domain", target, "park.example", "--shared")
    contact = json.loads(run("contact", "list", "--customer", target, "--json"))
    assert "changed: title" in run("contact", "edit", str(contact["id"]), "--set", "title", "Buyer")
    assert "is contact" in run("contact", "address", str(contact["id"]), "ann@private.example")
    assert "taken back by" in run("contact", "move", str(contact["id"]), other)
    assert "Acme" not in run("contact", "show", str(contact["id"]))
    assert "nothing is suggested" in run("contact", "suggestions")

# SPDX-License-Identifier: GPL-3.0-or-later
"""Two customers, or two contacts, become one, and two again."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mailroom import ANN, BOB, EVE, Mail, MailRoom, reply
from record_servers import RecordServer
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import NotFound, find_customer
from crm_sync.advisory_locks import hold_keys
from crm_sync.bulk_rows import insert_rows
from crm_sync.duplicates.contact_merging import merge_contacts
from crm_sync.duplicates.merged_fields import CONTACT_FIELDS, CONTACT_KEPT, CUSTOMER_FIELDS, CUSTOMER_KEPT
from crm_sync.duplicates.merging import Merged, MergeError, merge_customers
from crm_sync.duplicates.references import FATES, NAMED_BY_KIND, references_to
from crm_sync.duplicates.unmerging import undo_merge
from crm_sync.models.base import table
from crm_sync.models.choices import Choice, ChoiceList, CustomerChoice
from crm_sync.models.conversations import Activity, Conversation, Event
from crm_sync.models.customers import (
    Contact,
    ContactAddress,
    ContactPhone,
    Customer,
    CustomerDomain,
    PartySuggestion,
    Scope,
    ScopeShare,
)
from crm_sync.models.fields import CustomValues, FieldDef, FieldValue
from crm_sync.models.mail import Message
from crm_sync.models.operations import Operation
from crm_sync.models.people import Person
from crm_sync.models.schema import metadata
from crm_sync.rights import Viewer, fetch_viewer
from tradepost.directory import address_fact_key, domain_fact_key, id_digest
from tradepost.unknown import UNKNOWN

MINE: dict[str, Any] = {"owner": ANN, "owner_reason": "rule", "missing": ("customer", "contact", "conversation")}
ACME = Mail(sender="Jo Buyer <jo@acme.example>", message_id="<1@acme.example>", subject="Lamps", **MINE)
ACMEGROUP = Mail(
    sender="Al Boss <al@acme-group.example>", message_id="<2@acme-group.example>", subject="Chairs", **MINE
)


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


@pytest.fixture
def two(room: MailRoom) -> tuple[str, str]:
    """Record mail of two customers of Ann; return their public ids."""
    room.record(ACME, ACMEGROUP)
    with room.looking() as look:
        one, other = look.customers()
        return one.public_id, other.public_id


def as_(session: Session, email: str) -> Viewer:
    viewer = fetch_viewer(session, session.scalars(select(Person.id).where(Person.email == email)).one())
    assert viewer is not None
    return viewer


def merge(room: MailRoom, survivor: str, loser: str, who: str = ANN, **more: Any) -> Merged:
    room.clock += timedelta(minutes=1)
    with room.database.writing() as session:
        return merge_customers(session, as_(session, who), survivor, loser, str(ULID()), room.clock, **more)


def undo(room: MailRoom, operation: str, who: str = ANN) -> Merged:
    room.clock += timedelta(minutes=1)
    with room.database.writing() as session:
        return undo_merge(session, as_(session, who), operation, str(ULID()), room.clock)


def everything(room: MailRoom, but: frozenset[str] = frozenset()) -> dict[str, list[Any]]:
    """Return all rows, without what a merge leaves behind on purpose: what was done, and counted versions."""
    left_behind = {"event", "operation", "changed_record", "directory_change", "projection", "score_due"} | but
    with room.database.reading() as session:
        found = {}
        for one in metadata.sorted_tables:
            if one.name not in left_behind and not one.name.startswith("search_"):
                columns = [column for column in one.columns if column.name != "version"]
                found[one.name] = sorted(map(repr, session.execute(select(*columns)).all()))
        return found


def _names(model: type[Message | Activity]) -> list[str]:
    return [column.name for column in table(model).columns]


def test_every_reference_is_thought_of() -> None:
    found = {
        f"{column.table.name}.{column.name}" for model in (Customer, Contact, Scope) for column in references_to(model)
    }
    assert found == set(FATES), "say in crm_sync.duplicates.references what becomes of it when records are merged"


def test_what_names_records_without_a_key_is_thought_of() -> None:
    named = {"record_id", "customer_id", "contact_id", "scope_id"}
    found = {
        one.name
        for one in metadata.sorted_tables
        for key in named & set(one.columns.keys())
        if not one.c[key].foreign_keys
    }
    assert found == set(NAMED_BY_KIND)


@pytest.mark.parametrize(
    ("model", "fields", "kept"),
    [(Customer, CUSTOMER_FIELDS, CUSTOMER_KEPT), (Contact, CONTACT_FIELDS, CONTACT_KEPT)],
)
def test_every_field_is_thought_of(
    model: type[Customer | Contact], fields: list[tuple[str, ...]], kept: frozenset[str]
) -> None:
    named = [name for group in fields for name in group]
    assert sorted([*named, *kept]) == sorted(table(model).columns.keys())


def test_all_of_the_loser_is_the_survivors_and_the_milter_knows(room: MailRoom, two: tuple[str, str]) -> None:
    survivor, loser = two
    done = merge(room, survivor, loser)
    assert (done.survivor, done.loser) == (survivor, loser)
    assert done.moved["customer_domain.customer_id"] == done.moved["message.scope_id"] == 1
    room.worker.drain()
    with room.looking() as look:
        kept, gone = look.customers()
        session = look.session
        assert gone.merged_into == kept.id
        for model in (CustomerDomain, Contact, Conversation, Activity):
            assert set(session.scalars(select(model.customer_id))) == {kept.id}, model
        assert set(session.scalars(select(Message.scope_id))) == {kept.scope_id}
        assert session.get_one(Scope, gone.scope_id).owner_id is None
        steps = session.execute(select(Event.step, Event.customer_id).where(Event.cause_id == done.operation))
        assert sorted(tuple(row) for row in steps) == [("merged", kept.id), ("merged-into", kept.id)]
        assert find_customer(session, as_(session, ANN), loser).public_id == survivor
        with pytest.raises(NotFound):
            find_customer(session, as_(session, BOB), loser)
    keys = [
        address_fact_key("al@acme-group.example"),
        domain_fact_key("acme-group.example"),
        f"t:{id_digest('<2@acme-group.example>')}",
    ]
    with closing(room.directory()) as directory:
        facts = directory.fetch(keys)
    assert facts is not UNKNOWN
    assert all(survivor.encode() in facts[key] for key in keys)
    [entry] = room.record(Mail(sender="new@acme-group.example", message_id="<3@acme-group.example>"))
    with room.looking() as look:
        assert look.conversation(entry).customer_id == kept.id, "what comes later is the survivor's"


def test_taking_it_apart_restores_every_row(room: MailRoom, two: tuple[str, str]) -> None:
    with room.database.writing() as session:
        kept, gone = session.scalars(select(Customer).order_by(Customer.id)).all()
        kept.country, gone.country = None, "DE"
        gone.origins = {"country": "person"}
        gone.reclaim_at = room.clock
        session.add(ScopeShare(scope_id=gone.scope_id, level="see", created_at=room.clock, person_id=2))
        several, one = (
            ChoiceList(key=key, subject="customer", name_en=key, takes_many=key == "b", position=0) for key in "ba"
        )
        session.add_all((several, one))
        session.flush()
        choices = [Choice(list_key=key, key=name, name_en=name, position=0) for key in "ba" for name in "xy"]
        session.add_all(choices)
        session.flush()
        for customer, chosen in ((kept, (0, 2)), (gone, (0, 1, 3))):
            session.add_all(CustomerChoice(customer_id=customer.id, choice_id=choices[n].id) for n in chosen)
        ids = [choice.id for choice in choices]
        field = FieldDef(
            entity="customer", key="code", type="text", name_en="Code", options={}, stages=[], is_filterable=True
        )
        session.add(field)
        session.add(CustomValues(entity="customer", record_id=kept.id, held={"size": 1}))
        session.add(CustomValues(entity="customer", record_id=gone.id, held={"code": "A1", "size": 2}))
        session.flush()
        session.add(FieldValue(field_id=field.id, record_id=gone.id, position=0, k="a1"))
    before = everything(room)
    done = merge(room, *two)
    assert done.fields == ("country",)
    with room.database.reading() as session:
        assert session.get_one(CustomValues, ("customer", kept.id)).held == {"code": "A1", "size": 1}
        assert set(session.scalars(select(FieldValue.record_id))) == {kept.id, gone.id}
    with room.looking() as look:
        session = look.session
        assert session.scalars(select(Customer.country).order_by(Customer.id)).all() == ["DE", "DE"]
        left = session.execute(select(CustomerChoice.customer_id, CustomerChoice.choice_id)).all()
        assert sorted(tuple(row) for row in left) == [(kept.id, ids[n]) for n in (0, 1, 2)], (
            "one choice of a list that takes one"
        )
        assert session.scalars(select(Customer.reclaim_at)).all() == [None, None]
    assert everything(room) != before
    undone = undo(room, done.operation)
    assert undone.moved == done.moved
    assert everything(room) == before
    with pytest.raises(MergeError, match="was undone already"):
        undo(room, done.operation)
    again = merge(room, *two)
    undo(room, again.operation)
    assert everything(room) == before


def test_what_came_meanwhile_stays_but_for_mail_of_the_loser(room: MailRoom, two: tuple[str, str]) -> None:
    done = merge(room, *two)
    loser_again, new_there, survivors, answer, foreign = room.record(
        Mail(sender="al@acme-group.example", message_id="<11@acme-group.example>", subject="More chairs"),
        Mail(sender="Zoe Clerk <zoe@acme-group.example>", message_id="<12@acme-group.example>", subject="Tables"),
        Mail(sender="jo@acme.example", message_id="<13@acme.example>", subject="More lamps"),
        reply(to="al@acme-group.example", message_id="<14@own.example>", references=("<2@acme-group.example>",)),
        Mail(sender="jo@acme.example", cc=("al@acme-group.example",), message_id="<15@acme.example>", subject="Both"),
    )  # fmt: skip
    with room.database.writing() as session:
        session.execute(update(Customer).values(country="FR").where(Customer.merged_into.is_(None)))
    undo(room, done.operation)
    with room.looking() as look:
        kept, gone = look.customers()
        owners = {
            entry: look.conversation(entry).customer_id
            for entry in (loser_again, new_there, survivors, answer, foreign)
        }
        assert owners == {
            loser_again: gone.id, new_there: gone.id, answer: gone.id, survivors: kept.id, foreign: kept.id,
        }  # fmt: skip
        for entry, customer in owners.items():
            scope = kept.scope_id if customer == kept.id else gone.scope_id
            assert look.message(entry).scope_id == look.conversation(entry).scope_id == scope
            assert look.session.scalars(
                select(Activity.customer_id).where(Activity.message_id == look.message(entry).id)
            ).all() == [customer]
        contacts = dict(look.session.execute(select(Contact.name, Contact.customer_id)).all())
        assert contacts["Zoe Clerk"] == gone.id
        assert kept.country == "FR", "what somebody said since stays"


def test_who_merges_over_a_border_must_be_allowed_to_assign(room: MailRoom) -> None:
    room.record(ACME, Mail(sender="al@acme-group.example", message_id="<2@g>", **{**MINE, "owner": BOB}))
    with room.looking() as look:
        one, other = (customer.public_id for customer in look.customers())
    with pytest.raises(MergeError, match="there is none that ann@") as foreign:
        merge(room, one, other, ANN)
    with pytest.raises(MergeError) as absent:
        merge(room, one, str(ULID()), ANN)
    assert str(foreign.value).partition("there")[2] == str(absent.value).partition("there")[2]
    with room.database.writing() as session:
        scope = session.scalars(select(Customer.scope_id).where(Customer.public_id == other)).one()
        ann = session.scalars(select(Person.id).where(Person.email == ANN)).one()
        session.add(ScopeShare(scope_id=scope, level="edit", created_at=room.clock, person_id=ann))
    with pytest.raises(MergeError, match="do not belong to the same person"):
        merge(room, one, other, ANN)
    done = merge(room, one, other, EVE)
    with room.looking() as look:
        assert look.owner(look.customers()[0]) == ANN
    with pytest.raises(MergeError, match="do not belong to the same person"):
        undo(room, done.operation, ANN)
    with pytest.raises(MergeError, match="there is none that bob@"):
        undo(room, done.operation, BOB)
    with room.database.writing() as session:
        session.execute(update(Person).where(Person.email == BOB).values(left_at=room.clock))
    undo(room, done.operation, EVE)
    with room.looking() as look:
        assert [look.owner(customer) for customer in look.customers()] == [ANN, ANN], "who left gets nothing back"


def test_what_was_handed_over_meanwhile_is_not_given_back(room: MailRoom, two: tuple[str, str]) -> None:
    done = merge(room, *two)
    with room.database.writing() as session:
        bob = session.scalars(select(Person.id).where(Person.email == BOB)).one()
        session.execute(update(Scope).where(Scope.owner_id.is_not(None), Scope.kind == "customer").values(owner_id=bob))
    undo(room, done.operation, BOB)
    with room.looking() as look:
        assert [look.owner(customer) for customer in look.customers()] == [BOB, BOB]


def test_what_is_no_key_is_refused_in_one_line(room: MailRoom, two: tuple[str, str]) -> None:
    for key in ("", "\0", "x" * 1_000_000, "\udcff", "\u202e"):
        for wrong in (partial(merge, room, two[0], key), partial(undo, room, key)):
            with pytest.raises(MergeError, match="there is none") as refused:
                wrong()
            assert len(str(refused.value)) < 300
            assert "\n" not in str(refused.value)
    with pytest.raises(MergeError, match="can't be merged with itself"):
        merge(room, two[0], two[0])
    with pytest.raises(MergeError, match="can't be taken"):
        merge(room, *two, take=["scope_id"])


def test_the_losers_value_wins_where_somebody_chose_it(room: MailRoom, two: tuple[str, str]) -> None:
    with room.looking() as look:
        names = [customer.name for customer in look.customers()]
    done = merge(room, *two, take=["name"])
    with room.looking() as look:
        assert look.customers()[0].name == names[1]
    undo(room, done.operation)
    with room.looking() as look:
        assert [customer.name for customer in look.customers()] == names


def test_a_chain_is_taken_apart_from_its_end(room: MailRoom, two: tuple[str, str]) -> None:
    room.record(Mail(sender="x@acmetrading.example", message_id="<9@x>", **MINE))
    with room.looking() as look:
        third = look.customers()[2].public_id
    before = everything(room)
    first = merge(room, two[1], two[0])
    with pytest.raises(MergeError, match=r"was merged into \w+ already"):
        merge(room, two[0], third)
    second = merge(room, third, two[1])
    with room.database.reading() as session:
        assert find_customer(session, as_(session, ANN), two[0]).public_id == third
    with pytest.raises(MergeError, match="was merged into another since; undo that merge first"):
        undo(room, first.operation)
    undo(room, second.operation)
    undo(room, first.operation)
    assert everything(room) == before


def test_contacts_become_one_and_two_again(room: MailRoom, two: tuple[str, str]) -> None:
    room.record(Mail(sender="Jo Buyer <jo.buyer@acme.example>", message_id="<5@acme.example>", **MINE))
    with room.database.writing() as session:
        jo, al, again = session.scalars(select(Contact.id).order_by(Contact.id)).all()
        session.add_all(ContactPhone(contact_id=key, e164="+4930111111") for key in (jo, again))
        session.add(ContactPhone(contact_id=again, e164="+4930222222"))
        session.add(
            PartySuggestion(kind="same-person", contact_id=again, other_contact_id=jo, at=room.clock, state="open")
        )
    before = everything(room)
    room.clock += timedelta(minutes=1)
    with room.database.writing() as session:
        done = merge_contacts(session, as_(session, ANN), jo, again, str(ULID()), room.clock)
    with room.database.reading() as session:
        assert set(session.scalars(select(ContactAddress.address_key).where(ContactAddress.contact_id == jo))) == {
            "jo@acme.example", "jo.buyer@acme.example",
        }  # fmt: skip
        assert session.scalar(select(func.count()).where(Message.contact_id == jo)) == 2
        assert session.get_one(Contact, again).customer_id is None
        assert session.scalars(select(PartySuggestion)).all() == [], "it was right, and is done"
        assert session.scalars(select(ContactPhone.e164).where(ContactPhone.contact_id == jo)).all() == [
            "+4930111111", "+4930222222",
        ]  # fmt: skip
    with room.database.writing() as session, pytest.raises(MergeError, match="there is none that bob"):
        merge_contacts(session, as_(session, BOB), jo, al, str(ULID()), room.clock)
    with room.database.writing() as session, pytest.raises(MergeError, match=r"was merged into \w+ already"):
        merge_contacts(session, as_(session, ANN), again, al, str(ULID()), room.clock)
    with pytest.raises(MergeError, match="there is none that bob"):
        undo(room, done.operation, BOB)
    undo(room, done.operation)
    assert everything(room) == before


def test_contacts_that_became_one_since_are_separated_first(room: MailRoom, two: tuple[str, str]) -> None:
    before = everything(room)
    done = merge(room, *two)
    with room.database.writing() as session:
        jo, al = session.scalars(select(Contact.id).order_by(Contact.id)).all()
        later = merge_contacts(session, as_(session, ANN), jo, al, str(ULID()), room.clock)
    with pytest.raises(MergeError, match=f"contacts were merged since; undo {later.operation} first"):
        undo(room, done.operation)
    undo(room, later.operation)
    undo(room, done.operation)
    assert everything(room) == before


def test_a_merge_waits_for_the_batch_that_is_recorded(room: MailRoom, two: tuple[str, str]) -> None:
    with ThreadPoolExecutor(1) as pool:
        with room.database.writing() as batch:
            hold_keys(batch.connection(), ["a letter"])
            gone = batch.scalars(select(Customer).where(Customer.public_id == two[1])).one()
            merging = pool.submit(merge, room, *two)
            time.sleep(0.1)
            assert not merging.done()
            domain = CustomerDomain(domain="late.example", customer_id=gone.id)
            batch.add(domain)
        merging.result(10)
    with room.looking() as look:
        assert look.session.get_one(CustomerDomain, "late.example").customer_id == look.customers()[0].id


def test_two_thousand_letters_move_within_a_second(room: MailRoom, two: tuple[str, str]) -> None:
    with room.database.writing() as session:
        message = session.scalars(select(Message).order_by(Message.id.desc()).limit(1)).one()
        columns = {name: getattr(message, name) for name in _names(Message)}
        rows = [columns | {"id": 10_000 + n, "content_key": f"k{n}"} for n in range(2_000)]
        insert_rows(session.connection(), table(Message), rows)
        activity = session.scalars(select(Activity).order_by(Activity.id.desc()).limit(1)).one()
        columns = {name: getattr(activity, name) for name in _names(Activity)}
        rows = [columns | {"id": 10_000 + n, "message_id": 10_000 + n} for n in range(2_000)]
        insert_rows(session.connection(), table(Activity), rows)
    started_at = time.perf_counter()
    done = merge(room, *two)
    spent = time.perf_counter() - started_at
    assert (done.moved["message.scope_id"], done.moved["activity.customer_id"]) == (2_001, 2_001)
    assert spent < 2, f"{spent:.2f} s on a machine that does other things too"
    started_at = time.perf_counter()
    undo(room, done.operation)
    assert time.perf_counter() - started_at < 2
    with room.database.reading() as session:
        [operation] = session.scalars(select(Operation)).all()
        assert operation.undone_at is not None

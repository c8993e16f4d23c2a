# SPDX-License-Identifier: GPL-3.0-or-later
"""Likely duplicates are found as records change; whether a customer exists is said to whoever works with customers."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mailroom import ANN, BOB, EVE, Mail, MailRoom
from record_servers import RecordServer
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.advisory_locks import DUPLICATES, hold_for_transaction
from crm_sync.duplicates.changed_records import CONTACT, CUSTOMER, mark_changed
from crm_sync.duplicates.check_log import list_checks
from crm_sync.duplicates.checking import MOST_NAMED, CheckAnswer, CheckRefused, check_customer
from crm_sync.duplicates.finder import DuplicateFinder
from crm_sync.duplicates.finding import Found, find_all, find_changed
from crm_sync.duplicates.key_rows import MOST_SHARED
from crm_sync.duplicates.merging import merge_customers
from crm_sync.duplicates.pairs import LikelyPair, PairError, decline_pair, list_pairs
from crm_sync.models.customers import Contact, ContactAddress, ContactPhone, Customer, CustomerDomain, Scope
from crm_sync.models.duplicates import ChangedRecord, DuplicateCheck, LikelyDuplicate, RecordKey
from crm_sync.models.people import Person, Pool
from crm_sync.models.public_pool import CustomerTenure, PublicPool
from crm_sync.rights import Viewer, fetch_viewer, root_viewer
from tradepost.cli import root


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


def as_(session: Session, email: str) -> Viewer:
    viewer = fetch_viewer(session, session.scalars(select(Person.id).where(Person.email == email)).one())
    assert viewer is not None
    return viewer


def add(
    session: Session,
    name: str,
    owner: str | None = None,
    domain: str = "",
    contact: tuple[str, str] | None = None,
    phone: str = "",
    pool: str | None = None,
) -> Customer:
    """Make a customer as a person would, and mark it."""
    person = session.scalars(select(Person.id).where(Person.email == owner)).one() if owner else None
    pool_id = session.scalars(select(Pool.id).where(Pool.name == pool)).one() if pool else None
    scope = Scope(kind="customer", owner_id=person, team_id=None, pool_id=pool_id)
    session.add(scope)
    session.flush()
    customer = Customer(
        public_id=str(ULID()), scope_id=scope.id, name=name, name_key=name.casefold(), phone=phone,
        created_at=MailRoom.clock,
    )  # fmt: skip
    session.add(customer)
    session.flush()
    contacts = []
    if domain:
        session.add(CustomerDomain(domain=domain, customer_id=customer.id))
    if contact is not None:
        human = Contact(customer_id=customer.id, name=contact[0], created_at=MailRoom.clock)
        session.add(human)
        session.flush()
        session.add(ContactAddress(address_key=contact[1], contact_id=human.id))
        contacts.append(human.id)
    session.flush()
    mark_changed(session, customers=[customer.id], contacts=contacts)
    return customer


def look(room: MailRoom, limit: int = 1000) -> Found:
    with room.database.writing() as session:
        return find_changed(session, room.clock, limit)


def pairs(room: MailRoom, who: str = EVE, record: str = CUSTOMER, **more: Any) -> tuple[LikelyPair, ...]:
    with room.database.reading() as session:
        return list_pairs(session, as_(session, who), record, **more).rows


def names(found: tuple[LikelyPair, ...]) -> set[frozenset[str]]:
    return {frozenset((pair.first.name, pair.second.name)) for pair in found}


def test_mail_marks_what_it_makes_and_the_worker_finds_it(room: MailRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    room.record(
        Mail(sender="Jo Lee <jo@acme.example>", message_id="<1@a>"),
        Mail(sender="Al <al@acme.test>", message_id="<2@a>"),
        Mail(sender="Jo Lee <jo.lee@acme.example>", message_id="<3@a>"),
    )
    with room.database.reading() as session:
        marked = {tuple(row) for row in session.execute(select(ChangedRecord.record, ChangedRecord.record_id))}
        customers, contacts = (set(session.scalars(select(model.id))) for model in (Customer, Contact))
    assert marked >= {(CUSTOMER, key) for key in customers} | {(CONTACT, key) for key in contacts}
    now = [0.0]

    def tick() -> float:
        now[0] += 0.5
        return now[0]

    finder = DuplicateFinder(room.database, room.now, tick)
    finder.step()
    [pair] = pairs(room)
    assert pair.reasons == ("same-domain-label",)
    [pair] = pairs(room, record=CONTACT)
    assert (pair.reasons, {pair.first.address, pair.second.address}) == (
        ("same-customer", "same-name"), {"jo@acme.example", "jo.lee@acme.example"},
    )  # fmt: skip
    with room.database.reading() as session:
        assert session.scalars(select(ChangedRecord)).all() == []
    monkeypatch.setattr(room.worker, "_finder", finder)
    room.record(Mail(sender="Al <al@acme.invalid>", message_id="<4@a>"))
    assert len(pairs(room)) == 1, "it works a tenth of the time: after a second it rests"
    now[0] = 20.0
    room.record()
    assert len(pairs(room)) == 3


def test_both_scripts_legal_forms_and_phones(room: MailRoom) -> None:
    with room.database.writing() as session:
        add(session, "深圳市华瑞电子科技有限公司")
        add(session, "Shenzhen Huarui Electronic Technology Co., Ltd.")
        add(session, "Müller & Söhne GmbH")
        add(session, "Mueller und Soehne")
        add(session, "Nordvik", phone="+47 22 33 44 55 66")
        add(session, "Fjellheim", phone="0047 2233445566")
        add(session, "Trading Co., Ltd.")
        add(session, "Import Export Ltd")
    found = look(room)
    assert (found.records, found.new) == (8, 3)
    assert names(pairs(room)) == {
        frozenset({"深圳市华瑞电子科技有限公司", "Shenzhen Huarui Electronic Technology Co., Ltd."}),
        frozenset({"Müller & Söhne GmbH", "Mueller und Soehne"}),
        frozenset({"Nordvik", "Fjellheim"}),
    }
    assert look(room).records == 0


def test_a_pair_goes_with_what_made_it(room: MailRoom) -> None:
    with room.database.writing() as session:
        add(session, "Acme Ltd")
        other = add(session, "Acme GmbH")
    look(room)
    assert len(pairs(room)) == 1
    with room.database.writing() as session:
        session.execute(update(Customer).where(Customer.id == other.id).values(name="Nordvik"))
        mark_changed(session, customers=[other.id])
    look(room)
    assert pairs(room) == ()
    with room.database.reading() as session:
        assert session.scalars(select(LikelyDuplicate)).all() == []


def test_a_key_that_too_many_have_finds_nobody(room: MailRoom) -> None:
    with room.database.writing() as session:
        for number in range(MOST_SHARED + 1):
            add(session, f"{'abcdefghijklmnopqrstuvwxyz'[number] * 3} Ltd", phone="+49 30 99999999")
    found = look(room)
    assert (found.new, found.skipped) == (0, 1)


def test_everything_is_found_whatever_page_it_lies_on(room: MailRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    with room.database.writing() as session:
        for name in ("Acme Ltd", "Nordvik", "Fjellheim", "Acme", "Ostsee"):
            add(session, name, contact=("Jo Lee", f"jo.lee@{name.split()[0].lower()}{len(name)}.test"))
        session.query(ChangedRecord).delete()
    monkeypatch.setattr("crm_sync.duplicates.finding._PAGE", 2)
    told: list[tuple[int, int]] = []
    found = find_all(room.database, room.now, lambda done, total: told.append((done, total)))
    assert told[-1] == (20, 20)
    assert found.new == len(pairs(room)) + len(pairs(room, record=CONTACT)) == 1 + 10
    again = find_all(room.database, room.now, lambda done, total: None)
    assert (again.new, again.records) == (0, 10)


def test_a_declined_pair_does_not_come_back(room: MailRoom) -> None:
    with room.database.writing() as session:
        for name in ("Acme Ltd", "Acme GmbH"):
            add(session, name, owner=ANN)
    look(room)
    [pair] = pairs(room)
    with room.database.writing() as session:
        for who, key in ((BOB, pair.id), (ANN, 99), (ANN, -1), (ANN, 2**70)):
            with pytest.raises(PairError, match=f"pair {key}: there is none"):
                decline_pair(session, as_(session, who), key, str(ULID()), room.clock)
        assert decline_pair(session, as_(session, ANN), pair.id, str(ULID()), room.clock).state == "declined"
        with pytest.raises(PairError, match="is declined already"):
            decline_pair(session, as_(session, ANN), pair.id, str(ULID()), room.clock)
        mark_changed(session, customers=session.scalars(select(Customer.id)))
    assert (look(room).new, pairs(room)) == (0, ())
    assert find_all(room.database, room.now, lambda done, total: None).new == 0
    assert [one.id for one in pairs(room, declined=True)] == [pair.id]
    with room.database.writing() as session:
        decline_pair(session, as_(session, ANN), pair.id, str(ULID()), room.clock, reopen=True)
    assert [one.id for one in pairs(room)] == [pair.id]


def test_who_sees_but_one_of_two_sees_no_pair(room: MailRoom) -> None:
    with room.database.writing() as session:
        add(session, "Acme Ltd", owner=ANN, contact=("Jo Lee", "jo.lee@acme.test"))
        add(session, "Acme GmbH", owner=BOB, contact=("Jo Lee", "jo.lee@acme.example"))
        add(session, "Acme SA", owner=BOB)
    look(room)
    assert len(pairs(room)) == 3
    assert pairs(room, ANN) == pairs(room, ANN, CONTACT) == ()
    assert names(pairs(room, BOB)) == {frozenset({"Acme GmbH", "Acme SA"})}
    with room.database.reading() as session, pytest.raises(PairError, match="'x'"):
        list_pairs(session, as_(session, ANN), "x")


def test_pages_by_key(room: MailRoom) -> None:
    with room.database.writing() as session:
        for number in range(5):
            add(
                session,
                f"Acme {'abcde'[number]}{'abcde'[number]}",
                domain=f"acme{number}.test",
                phone="+49 30 99999999",
            )
    look(room)
    whole = pairs(room)
    with room.database.reading() as session:
        viewer, after, seen = as_(session, EVE), None, list[LikelyPair]()
        while True:
            page = list_pairs(session, viewer, after=after, limit=3)
            seen += page.rows
            after = page.next
            if after is None:
                break
        assert tuple(seen) == whole
        assert len(whole) == 10
        for nonsense in ("x", "1.2.3", "9" * 50, "1.", "1." + "9" * 30):
            with pytest.raises(PairError, match="is none of ours"):
                list_pairs(session, viewer, after=nonsense)


def test_merged_records_are_found_no_more(room: MailRoom) -> None:
    with room.database.writing() as session:
        kept, gone = (add(session, name, owner=ANN) for name in ("Acme Ltd", "Acme GmbH"))
    look(room)
    with room.database.writing() as session:
        merge_customers(session, root_viewer(), kept.public_id, gone.public_id, str(ULID()), room.clock)
    assert pairs(room) == ()
    look(room)
    with room.database.reading() as session:
        assert set(session.scalars(select(RecordKey.record_id))) == {kept.id}
        assert session.scalars(select(LikelyDuplicate)).all() == []


def test_where_another_looks_this_one_does_not_wait(room: MailRoom) -> None:
    if not room.database.admits_many_workers:
        return  # there is one writer at a time
    with room.database.writing() as session:
        add(session, "Acme")
    with room.database.writing() as busy:
        hold_for_transaction(busy.connection(), DUPLICATES)
        assert look(room).records == 0
    assert look(room).records == 1


def ask(room: MailRoom, asked: str, kind: str = "name", who: str = BOB, **more: Any) -> CheckAnswer:
    with room.database.writing() as session:
        return check_customer(session, as_(session, who), kind, asked, room.clock, **more)


@pytest.fixture
def known(room: MailRoom) -> Customer:
    """Ann's customer, in the index."""
    with room.database.writing() as session:
        customer = add(session, "Acme Lamps Ltd", ANN, "acme.test", ("Jo Secret", "jo@acme.test"), "+49 30 1234567")
        session.add(ContactPhone(contact_id=1, e164="+491701234567"))
        mark_changed(session, contacts=[1])
    look(room)
    return customer


def test_it_exists_and_whose_it_is_but_nothing_else(room: MailRoom, known: Customer) -> None:
    for kind, asked in (
        ("name", "ACME LAMPS gmbh"), ("domain", "www.acme.test"), ("address", "Jo@acme.test"),
        ("address", "somebody@acme.test"), ("address", "jo+x@acme.test"), ("phone", "030 1234567"), ("phone", "0170 1234567"),
    ):  # fmt: skip
        answer = ask(room, asked, kind)
        assert (answer.outcome, [one.email for one in answer.owners], answer.similar) == ("owned", [ANN], 0)
        assert answer.in_words(room.clock) == f"exists, owned by Ann <{ANN}>"
        assert not {"Jo", "Secret", "Lamps", known.public_id} & set(str(answer).replace("'", " ").split())


def test_other_answers(room: MailRoom, known: Customer) -> None:
    assert ask(room, "Nordvik").in_words(room.clock) == "nothing found"
    like = ask(room, "acme.example", "domain")
    assert (like.outcome, [one.email for one in like.owners], like.similar, like.left) == ("likely", [ANN], 1, 58)
    with room.database.writing() as session:
        pooled = add(session, "Ostsee Handel", domain="ostsee.test", pool="sales")
        add(session, "Westsee Handel", domain="westsee.test")
        session.add(
            PublicPool(
                pool_id=session.scalars(select(Pool.id).where(Pool.name == "sales")).one(),
                is_default=True,
                cool_down_hours=72,
                version=1,
            )
        )
        bob = session.scalars(select(Person.id).where(Person.email == BOB)).one()
        session.add(
            CustomerTenure(
                customer_id=pooled.id, person_id=bob, since=room.clock, until=room.clock, came_by="before",
                ended_by="released",
            )
        )  # fmt: skip
    assert ask(room, "ostsee.test", "domain").in_words(room.clock) == "in the public pool, claimable in 3 days"
    assert ask(room, "ostsee.test", "domain", ANN).in_words(room.clock) == "in the public pool, claimable now"
    assert ask(room, "westsee.test", "domain").in_words(room.clock) == "exists, owned by nobody and in no pool"
    with room.database.writing() as session:
        for number in range(MOST_NAMED + 2):
            add(session, "Fjellheim AS", BOB if number else ANN)
    look(room)
    answer = ask(room, "Fjellheim")
    assert (answer.outcome, answer.similar, len(answer.owners)) == ("likely", MOST_NAMED, 2)
    with room.database.writing() as session:
        for _ in range(MOST_SHARED):
            add(session, "Fjellheim AS")
    look(room)
    assert ask(room, "Fjellheim").outcome == "common"
    with room.database.writing() as session:
        session.execute(update(Person).where(Person.email == BOB).values(role="viewer"))
    assert ask(room, "acme.test", "domain").outcome == "owned"


def test_questions_are_limited_and_kept(room: MailRoom, known: Customer) -> None:
    assert [ask(room, f"Nobody{number}", per_hour=3).left for number in range(3)] == [2, 1, 0]
    again = room.clock + timedelta(hours=1)
    with pytest.raises(
        CheckRefused, match=f"asked 3 times within an hour, 3 are allowed; the next one from {again:%Y-%m-%d %H:%M}"
    ):
        ask(room, "acme.test", "domain", per_hour=3)
    assert ask(room, "acme.test", "domain", ANN, per_hour=3).outcome == "owned", "others may ask"
    with pytest.raises(CheckRefused, match="0 are allowed"):
        ask(room, "acme.test", "domain", EVE, per_hour=0)
    room.clock += timedelta(hours=1, seconds=1)
    assert ask(room, "acme.test", "domain", per_hour=3).left == 2
    with room.database.writing() as session:
        for _ in range(5):
            assert check_customer(session, root_viewer(), "domain", "acme.test", room.clock, per_hour=1).left is None
    with room.database.reading() as session:
        of_all = list_checks(session, as_(session, EVE))
        assert len(of_all) == 10
        assert {row.person for row in of_all} == {None, ANN, BOB}
        assert {row.person for row in list_checks(session, as_(session, BOB))} == {BOB}
        assert (
            list_checks(session, as_(session, BOB), person=ANN)
            == list_checks(session, root_viewer(), person="\0")
            == ()
        )
        last = list_checks(session, as_(session, EVE), before=of_all[1].id, limit=1)[0]
        assert last == of_all[2]
        digests = {row.digest for row in of_all if row.asked == "acme.test"}
        assert len(digests) == 1
        assert len(of_all[0].digest) == 64


def test_who_has_nothing_to_do_with_customers_may_not_ask(room: MailRoom, known: Customer) -> None:
    with room.database.writing() as session:
        nobody = Viewer(session.scalars(select(Person.id).where(Person.email == BOB)).one(), BOB, role="stranger")
        with pytest.raises(CheckRefused, match="has nothing to do with customers"):
            check_customer(session, nobody, "domain", "acme.test", room.clock)
    with room.database.reading() as session:
        assert session.scalars(select(DuplicateCheck)).all() == []


Run = Callable[..., Result]


@pytest.fixture
def run(room: MailRoom) -> Run:
    config = room.root / "tradepost.toml"
    config.write_text(
        f'[paths]\nstate = "{room.root}"\nruntime = "{room.root}"\n[database]\nurl = "{room.url}"\n[host]\ninstance = "mx"\n'
        "[duplicates]\nchecks_per_hour = 2\n"
    )
    return lambda *words: CliRunner().invoke(root, ["--config", str(config), "duplicates", *words])


def test_commands(room: MailRoom, run: Run) -> None:
    with room.database.writing() as session:
        kept, gone = (
            add(session, name, ANN, contact=("Jo Lee\x1b[31m", f"jo.lee@{place}.test"))
            for name, place in (("Acme Ltd", "here"), ("Acme GmbH", "there"))
        )
        add(session, "Nordvik", BOB)
    assert run("list").stdout == "no likely duplicates\n"
    assert json.loads(run("find", "--json").stdout)["new"] == 2
    assert run("find", "--all").stdout.startswith("5 looked at, 0 new pairs")
    listed = run("list", "--as", ANN)
    assert "Acme GmbH" in listed.stdout
    assert run("list", "--as", BOB).stdout == "no likely duplicates\n"
    assert "\x1b" not in run("list", "--contacts").stdout
    page = json.loads(run("list", "--json", "--contacts").stdout)
    assert page["rows"][0]["reasons"] == ["same-local-part", "same-name"]
    assert run("check", "Acme", "--as", BOB).stdout == f"exists, owned by Ann <{ANN}>\n".replace(
        "exists", "likely: 2 similar"
    )
    assert json.loads(run("check", "nordvik", "--as", BOB, "--json").stdout)["left"] == 0
    refused = run("check", "nordvik", "--as", BOB)
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (1, 1)
    assert "the next one from" in refused.stderr
    assert run("check", "x", "--as", ANN).exit_code == 1
    assert len(run("log", "--json").stdout.splitlines()) == 2
    assert run("log", "--as", ANN).stdout == "nobody asked\n"
    assert run("merge", kept.public_id, gone.public_id, "--as", BOB).exit_code == 1
    assert run("merge", "--contacts", "1", "x").exit_code == 1
    done = run("merge", kept.public_id, gone.public_id, "--as", ANN, "--take", "name")
    assert done.exit_code == 0, done.stderr
    operation = done.stdout.split()[-1]
    [past] = [json.loads(line) for line in run("merges", "--as", ANN, "--json").stdout.splitlines()]
    assert (past["id"], past["person"]) == (operation, ANN)
    assert past["survivor"] == {"id": kept.public_id, "name": "Acme GmbH"}
    assert past["loser"] == {"id": gone.public_id, "name": "Acme GmbH"}
    assert operation in run("merges").stdout
    for words in (("--as", BOB), ("--contacts",), ("--before", operation), ("--before", "../x")):
        assert run("merges", *words).stdout == "no merges\n"
    assert run("undo", operation, "--as", ANN).stdout.startswith(f"{gone.public_id} stands by itself again")
    assert run("undo", operation).exit_code == 1
    assert run("merges").stdout == "no merges\n"
    merged = json.loads(run("merge", "--contacts", "1", "2", "--json").stdout)
    assert (merged["survivor"], merged["loser"]) == ("1", "2")
    assert "Jo Lee" in run("merges", "--contacts", "--as", ANN).stdout
    assert run("merges", "--contacts", "--as", BOB).stdout == "no merges\n"
    assert run("find").exit_code == 0
    number = str(json.loads(run("list", "--json").stdout)["rows"][0]["id"])
    assert run("decline", number, "--as", ANN).stdout == f"pair {number}: declined\n"
    assert run("list").stdout == "no likely duplicates\n"
    assert run("decline", number, "--reopen").stdout == f"pair {number}: open\n"

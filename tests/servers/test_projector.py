# SPDX-License-Identifier: GPL-3.0-or-later
"""What the milter is told: every change in order, a rebuild where the directory can't be continued."""

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from mailroom import ANN, BOB, COMPANY, Mail, MailRoom, reply
from record_servers import RecordServer
from sqlalchemy import delete, func, select

from crm_sync.company import apply_company
from crm_sync.company_file import parse_company
from crm_sync.directory_rows import read_everything
from crm_sync.models.service import DirectoryChange
from tradepost.directory import (
    UNKNOWN,
    AddressFact,
    Directory,
    DirectoryError,
    DomainFact,
    LoadFact,
    ThreadFact,
    address_fact_key,
    decode_fact,
    domain_fact_key,
    load_fact_key,
    thread_fact_key,
)


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


def value(directory: Directory, key: str) -> bytes:
    found = directory.fetch([key])
    assert found is not UNKNOWN
    return found[key]


def derived(room: MailRoom) -> dict[str, bytes]:
    """Return every derived key in force with its value."""
    connection = sqlite3.connect(room.directory_file)
    rows = connection.execute(
        "SELECT key, value FROM derived JOIN mark ON mark.generation = derived.generation WHERE value IS NOT NULL"
    ).fetchall()
    connection.close()
    return dict(rows)


def from_records(room: MailRoom) -> dict[str, bytes]:
    with room.database.reading() as session:
        return dict(read_everything(session))


def test_after_a_mail_the_milter_knows_address_domain_thread_and_load(room: MailRoom) -> None:
    [entry] = room.record(Mail())
    directory = room.directory()
    with room.looking() as look:
        [lead] = look.customers()
        owner, conversation = look.owner(lead), look.conversation(entry).public_id
    address = decode_fact(value(directory, address_fact_key("buyer@acme.example")), AddressFact)
    assert (address.customer, address.owner, address.kind) == (lead.public_id, owner, "lead")
    domain = decode_fact(value(directory, domain_fact_key("acme.example")), DomainFact)
    assert (domain.customer, domain.owner) == (lead.public_id, owner)
    thread = decode_fact(value(directory, thread_fact_key("<1@acme.example>")), ThreadFact)
    assert (thread.conversation, thread.assignee, thread.pool) == (conversation, owner, "sales")
    assert thread.participants == ("buyer@acme.example",)
    assert decode_fact(value(directory, load_fact_key(owner or "")), LoadFact).open == 1
    directory.close()


def test_what_was_told_bit_by_bit_equals_what_a_rebuild_reads(room: MailRoom) -> None:
    room.record(
        Mail(),
        reply(BOB, references=("<1@acme.example>",)),
        Mail(sender="x@other.example", message_id="<x@other.example>", to=("info@own.example",)),
        Mail(message_id="<5@acme.example>", references=("<r1@own.example>",), cc=("forwarder@ship.example",)),
        Mail(sender="y@gmail.com", message_id="<y@gmail.com>", category="spam"),
    )
    room.record(Mail(message_id="<6@acme.example>", references=("<5@acme.example>", "<9@acme.example>")))
    assert derived(room) == from_records(room)


def test_a_merge_moves_every_id_to_the_conversation_that_stays(room: MailRoom) -> None:
    room.record(Mail(message_id="<1@acme.example>"), Mail(message_id="<2@acme.example>", text="Other."))
    [third] = room.record(
        Mail(message_id="<3@acme.example>", references=("<1@acme.example>", "<2@acme.example>"), text="Both.")
    )
    with room.looking() as look:
        kept = look.conversation(third).public_id
    directory = room.directory()
    for message_id in ("<1@acme.example>", "<2@acme.example>", "<3@acme.example>"):
        assert decode_fact(value(directory, thread_fact_key(message_id)), ThreadFact).conversation == kept
    directory.close()
    assert derived(room) == from_records(room)


def test_a_new_owner_in_the_company_file_reaches_every_key_of_the_customer(room: MailRoom) -> None:
    room.record(Mail(owner=ANN, owner_reason="distribution", missing=()))
    customer = {"name": "Acme", "owner": BOB, "domains": ["acme.example"], "grade": "A"}
    with room.database.writing() as session:
        apply_company(session, parse_company(COMPANY | {"customer": [customer]}, "company"))
    room.worker.step()
    directory = room.directory()
    assert decode_fact(value(directory, address_fact_key("buyer@acme.example")), AddressFact).owner == BOB
    fact = decode_fact(value(directory, domain_fact_key("acme.example")), DomainFact)
    assert (fact.owner, fact.grade, fact.kind) == (BOB, "A", "customer")
    directory.close()
    assert derived(room) == from_records(room)


def test_an_idle_projector_still_speaks(room: MailRoom) -> None:
    room.worker.step()
    directory = room.directory()
    first = directory.state()
    room.clock += timedelta(seconds=10)
    room.worker.step()
    second = directory.state()
    directory.close()
    assert first is not None
    assert second is not None
    assert second.projected_at - first.projected_at == timedelta(seconds=10)
    assert second.seq == first.seq


def test_a_deleted_directory_is_written_anew(room: MailRoom) -> None:
    room.record(Mail())
    for path in room.root.glob("directory.sqlite*"):
        path.unlink()
    room.worker.step()  # notices
    room.worker.step()  # opens and rebuilds
    assert derived(room) == from_records(room)


def test_a_damaged_directory_stops_no_recording(room: MailRoom) -> None:
    room.worker.step()
    room.worker.close()
    for path in room.root.glob("directory.sqlite*"):
        path.write_bytes(b"not a database" * 1000)
    entry = room.post(Mail())
    worker = room.new_worker()
    worker.drain()
    worker.close()
    with room.looking() as look:
        assert look.message(entry)
    with pytest.raises(DirectoryError, match="may be deleted while tradepost is stopped"):
        room.projector().step()


def test_a_directory_ahead_of_a_restored_database_is_rebuilt(room: MailRoom) -> None:
    room.record(Mail())
    before = room.directory()
    generation = before.state()
    with room.database.writing() as session:
        newest = session.scalars(select(func.max(DirectoryChange.seq))).one()
        session.execute(delete(DirectoryChange).where(DirectoryChange.seq > newest - 3))
    room.worker.step()
    after = before.state()
    before.close()
    assert generation is not None
    assert after is not None
    assert (after.generation, after.seq) == (generation.generation + 1, newest - 3)
    assert derived(room) == from_records(room)


def test_a_directory_that_missed_pruned_rows_is_rebuilt(room: MailRoom) -> None:
    room.worker.step()
    room.worker.close()
    entry = room.post(Mail())
    with room.database.writing() as session:
        apply_company(session, parse_company(COMPANY | {"team": [{"name": "north"}]}, "company"))
        session.execute(
            delete(DirectoryChange).where(DirectoryChange.seq < select(func.max(DirectoryChange.seq)).scalar_subquery())
        )
    room.worker = room.new_worker()
    room.worker.drain()
    assert entry not in room.journal.waiting()
    assert derived(room) == from_records(room)


def test_numbers_are_never_given_twice_also_after_pruning(room: MailRoom) -> None:
    room.record(Mail())
    with room.database.writing() as session:
        newest = session.scalars(select(func.max(DirectoryChange.seq))).one()
        session.execute(delete(DirectoryChange))
        session.add(DirectoryChange(key="k", value=None))
        session.flush()
        assert session.scalars(select(DirectoryChange.seq)).one() == newest + 1


def test_a_rolled_back_change_is_never_told(room: MailRoom) -> None:
    room.worker.step()
    before = derived(room)
    renamed = parse_company(COMPANY | {"company": {"name": "X", "domains": ["x.example"]}}, "company")
    with room.database.writing() as session:
        assert apply_company(session, renamed)
        session.rollback()
    room.worker.step()
    assert derived(room) == before

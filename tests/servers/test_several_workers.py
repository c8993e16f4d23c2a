# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers on several hosts record into one PostgreSQL at a time: what comes out is what one worker would have made."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from mailroom import ANN, BOB, Mail, MailRoom, reply
from record_servers import PostgreSQLServer
from sqlalchemy import func, select

from crm_sync.advisory_locks import hold_keys
from crm_sync.directory_rows import DirtyKeys
from crm_sync.models.conversations import Conversation, ConversationPool, MessageAnchor
from crm_sync.models.customers import Contact, ContactAddress, Customer, CustomerDomain
from crm_sync.models.mail import Arrival, Message
from crm_sync.models.people import Person
from crm_sync.models.service import DirectoryChange
from crm_sync.projector import Projector
from tradepost.local_directory_writer import LocalDirectoryWriter
from tradepost.settings import WorkerSettings

SOAK = 10 if os.environ.get("TRADEPOST_SOAK") else 1
SEED = int(os.environ.get("TRADEPOST_SEED", "1"))

MakeHost = Callable[..., MailRoom]


@pytest.fixture
def host(tmp_path: Path, postgresql: PostgreSQLServer) -> Iterator[MakeHost]:
    """Make hosts that share one database and one blob folder."""
    rooms: list[MailRoom] = []

    def make(name: str, batch_mails: int = 7) -> MailRoom:
        root = tmp_path / name
        root.mkdir()
        url = rooms[0].url if rooms else ""
        rooms.append(
            MailRoom(root, postgresql, url=url, settings=WorkerSettings(batch_mails=batch_mails, batch_ms=60_000))
        )
        return rooms[-1]

    yield make
    for room in reversed(rooms):  # the first one's database goes with it
        room.close()


def at_once(actions: Sequence[Callable[[], object]]) -> None:
    """Let every action begin at the same moment in a thread of its own; raise what one of them raised."""
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> None:
        start.wait()
        action()

    with ThreadPoolExecutor(len(actions)) as pool:
        for future in [pool.submit(run, action) for action in actions]:
            future.result()


def thread(number: int, length: int, dice: Random) -> list[Mail]:
    """Return a thread of letters; each answers one before it and names, like Outlook, only the last two ids."""
    domain = f"firm{number % 5}.example"
    references: list[tuple[str, ...]] = [()]
    mails = [Mail(sender=f"p{number}@{domain}", message_id=f"<0@{number}>", text=f"Letter 0 of {number}")]
    for position in range(1, length):
        parent = dice.randrange(position)
        references.append((*references[parent], f"<{parent}@{number}>")[-2:])
        made = reply(BOB, to=f"p{number}@{domain}", missing=(), owner=BOB) if dice.random() < 0.4 else mails[0]
        mails.append(
            replace(
                made, message_id=f"<{position}@{number}>", text=f"Letter {position} of {number}",
                references=references[position], to=made.to if made.operator else dice.choice(POOLS),
            )
        )  # fmt: skip
    return mails


POOLS = (("sales@own.example",), ("info@own.example",), ("sales@own.example", "info@own.example"))


@pytest.mark.parametrize("workers", [2, 4])
def test_threads_dealt_out_at_random_end_as_with_one_worker(host: MakeHost, workers: int) -> None:
    dice = Random(SEED * 100 + workers)
    print(f"seed {SEED}: TRADEPOST_SEED={SEED} deals the same")
    threads = [thread(number, dice.randint(2, 6), dice) for number in range(20 * SOAK)]
    hosts = [host(f"mx{number}") for number in range(workers)]
    entries: dict[str, int] = {}
    for number, mail in sorted(
        ((number, mail) for number, mails in enumerate(threads) for mail in mails), key=lambda _: dice.random()
    ):
        for room in dice.sample(hosts, dice.choice((1, 1, 1, 2))):  # now and then the same letter came at two hosts
            entries[room.post(mail)] = number
    at_once([room.worker.drain for room in hosts])

    assert [list(room.journal.failures()) for room in hosts] == [[] for _ in hosts]
    assert [room.journal.waiting() for room in hosts] == [[] for _ in hosts]
    with hosts[0].looking() as look:
        session = look.session
        assert look.count(Arrival) == len(entries)
        assert look.count(Message) == sum(map(len, threads))
        assert look.count(CustomerDomain) == look.count(Customer) == 5
        assert look.count(Contact) == look.count(ContactAddress) == len(threads)
        kept: dict[int, set[int]] = {}
        for entry, number in entries.items():
            kept.setdefault(number, set()).add(look.message(entry).conversation_id)
        assert {len(found) for found in kept.values()} == {1}
        assert set(session.scalars(select(MessageAnchor.conversation_id))) == {
            c for found in kept.values() for c in found
        }
        merged = session.scalars(select(Conversation).where(Conversation.merged_into.is_not(None))).all()
        assert {row.merged_into for row in merged} <= {c for found in kept.values() for c in found}
        for person in session.scalars(select(Person)):
            counted = select(func.count()).where(Conversation.assignee_id == person.id, Conversation.status == "open")
            assert person.open_conversations == session.scalars(counted).one()
        for number, mails in enumerate(threads):
            pools = select(func.count()).where(ConversationPool.conversation_id == min(kept[number]))
            addressed = {to for mail in mails if not mail.operator for to in mail.to}
            assert session.scalars(pools).one() == len(addressed)


@pytest.mark.parametrize("turn", range(15 * SOAK))
def test_first_mails_of_one_domain_at_two_hosts_make_one_customer_with_one_owner(host: MakeHost, turn: int) -> None:
    one, other = host("one"), host("other")
    first = one.post(Mail(sender="a@new.example", message_id="<a@new.example>", owner=ANN, missing=()))
    second = other.post(Mail(sender="b@new.example", message_id="<b@new.example>", owner=BOB, missing=()))
    at_once([one.worker.step, other.worker.step])
    with one.looking() as look:
        [customer] = look.customers()
        assert look.count(ContactAddress) == 2
        assert look.assignee(first) == look.assignee(second) == look.owner(customer)
        # Whoever got it second is told that a header named somebody else.
        assert {"owner-differs"} & (look.steps(first) | look.steps(second))


def test_one_entry_given_to_two_workers_is_recorded_once(host: MakeHost) -> None:
    one, other = host("one"), host("other")
    entries = [one.post(Mail(message_id=f"<{n}@acme.example>", text=f"Letter {n}")) for n in range(20)]
    for entry in entries:
        shutil.copy(one.journal.new / entry, other.journal.new / entry)
    at_once([one.worker.drain, other.worker.drain])
    with one.looking() as look:
        assert look.count(Arrival) == look.count(Message) == 20
        assert look.count(Conversation) == 20
    assert (one.journal.waiting(), other.journal.waiting()) == ([], [])
    assert (list(one.journal.failures()), list(other.journal.failures())) == ([], [])


def test_letters_that_share_a_conversation_but_no_id_lose_nothing_of_it(host: MakeHost) -> None:
    one, other = host("one"), host("other")
    one.record(Mail(), reply(BOB, references=("<1@acme.example>",)))
    entries: list[str] = []
    for number in range(8 * SOAK):
        answer = Mail(message_id=f"<a{number}@acme.example>", references=("<1@acme.example>",), text=f"A {number}")
        again = Mail(message_id=f"<b{number}@acme.example>", references=("<r1@own.example>",), text=f"B {number}")
        newcomer = (f"newcomer{number}@acme.example",)
        entries += [one.post(answer, cc=newcomer), other.post(again, cc=newcomer)]
        at_once([one.worker.step, other.worker.step])
    assert [list(room.journal.failures()) for room in (one, other)] == [[], []]
    with one.looking() as look:
        [kept] = look.all_conversations(entries)
        conversation = look.session.get_one(Conversation, kept)
        assert conversation.last_in_at == max(look.arrival(entry).arrived_at for entry in entries)
        assert conversation.version == 1 + len(entries)


def test_only_who_decides_about_the_same_newcomer_waits(host: MakeHost) -> None:
    one, other = host("one"), host("other")
    one.post(Mail())
    elsewhere = other.post(Mail(sender="x@other.example", message_id="<x@other.example>", text="Other"))
    with one.database.writing() as session:
        hold_keys(session.connection(), {"domain acme.example"})
        other.worker.step()
        with other.looking() as look:
            assert look.message(elsewhere)
        waits = threading.Thread(target=one.worker.step)
        waits.start()
        waits.join(0.3)
        assert waits.is_alive()
    waits.join(10)
    assert one.journal.waiting() == []


def test_a_batch_of_very_many_keys_runs_alone(host: MakeHost) -> None:
    one, other = host("one", batch_mails=25), host("other")
    ids = tuple(f"<{n}@acme.example>" for n in range(50))
    for number in range(25):
        one.post(Mail(message_id=f"<m{number}@acme.example>", references=tuple(f"<{number}{i[1:]}" for i in ids)))
    other.post(Mail(sender="x@other.example", message_id="<x@other.example>", text="Other"))
    at_once([one.worker.drain, other.worker.drain])
    assert (one.journal.waiting(), other.journal.waiting()) == ([], [])


def test_a_lower_number_never_appears_after_a_higher_one(host: MakeHost) -> None:
    room, late = host("one"), host("other")
    room.worker.step()
    order: list[str] = []

    def write_after(name: str, room: MailRoom, ready: threading.Event, go_on: threading.Event | None) -> None:
        with room.database.writing() as session:
            DirtyKeys(addresses={f"{name}@x.example"}).write(session)
            ready.set()
            if go_on is not None:
                go_on.wait(10)
            order.append(name)

    first_wrote, second_wrote, go_on = threading.Event(), threading.Event(), threading.Event()
    first = threading.Thread(target=write_after, args=("first", room, first_wrote, go_on))
    second = threading.Thread(target=write_after, args=("second", late, second_wrote, None))
    first.start()
    assert first_wrote.wait(10)
    second.start()
    assert not second_wrote.wait(0.3), "a higher number would be committed before a lower one"
    go_on.set()
    first.join()
    second.join()
    assert order == ["first", "second"]


def test_numbers_that_a_rollback_left_out_cause_no_rebuild(host: MakeHost) -> None:
    room = host("one")
    room.record(Mail())
    directory = room.directory()
    before = directory.state()
    with room.database.writing() as session:
        DirtyKeys(policy=True).write(session)
        session.rollback()
    room.record(Mail(message_id="<2@acme.example>", text="More"))
    after = directory.state()
    directory.close()
    assert before is not None
    assert after is not None
    with room.looking() as look:
        newest = look.session.scalars(select(func.max(DirectoryChange.seq))).one()
    assert (after.generation, after.seq) == (before.generation, newest)


def test_one_projects_at_a_time_and_the_next_takes_over(host: MakeHost, tmp_path: Path) -> None:
    one, other = host("one"), host("other")

    def shared(room: MailRoom) -> Projector:
        return Projector(room.database, lambda: LocalDirectoryWriter(tmp_path / "shared.sqlite"), room.now, "shared")

    first, second = shared(one), shared(other)
    assert first.step() > 0
    assert second.step() == 0
    one.record(Mail())
    first.close()
    deadline = threading.Event()
    while not (told := second.step()):
        assert not deadline.wait(0.1)
    assert told > 0
    second.close()

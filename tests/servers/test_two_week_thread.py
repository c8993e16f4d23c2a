# SPDX-License-Identifier: GPL-3.0-or-later
"""Two weeks between Outlook, Gmail, Foxmail and a telephone, with copies, forwards and changed subjects: one conversation.

In whatever order it is recorded, by one worker or by two; and no stranger gets into it, whatever he quotes or guesses.
"""

import os
import threading
from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from mailroom import ANN, BOB, Mail, MailRoom, reply
from record_servers import PostgreSQLServer, RecordServer

from tradepost.settings import WorkerSettings
from tradepost.verdict import Direction

SOAK = 5 if os.environ.get("TRADEPOST_SOAK") else 1
LENA, JENS, OMAR, FRITZ = (
    "lena.vogt@nordkran.example",
    "jens.behrens@nordkran.example",
    "omar@gulfagents.example",
    "fritz@elbfracht.example",
)
FIRST, SECOND = (b"\x01\xdb\x10\x20\x30\x40" + bytes(range(start, start + 16)) for start in (40, 80))


def index(root: bytes, answers: int = 0) -> tuple[str, str]:
    """Return Outlook's header of the n-th answer in a thread (22 octets, 5 more an answer)."""
    return ("Thread-Index", b64encode(root + b"".join(bytes([n]) * 5 for n in range(answers))).decode())


THREAD: dict[str, Mail] = {
    "lena asks, by Outlook": Mail(
        sender=LENA, subject="Anfrage Kettenzüge", message_id="<L1@prod.outlook.com>", text="Wir suchen 40 Kettenzüge.",
        headers=(("Thread-Topic", "Anfrage Kettenzüge"), index(FIRST)),
    ),
    "ann answers, by Foxmail, which names one id": reply(
        ANN, LENA, subject="回复: Anfrage Kettenzüge", message_id="<202603031@own.example>", references=("<L1@prod.outlook.com>",),
        text="Our price is 61 USD.",
    ),
    "lena answers, by an Outlook that names none, and copies her agent": Mail(
        sender=LENA, to=(ANN,), cc=(OMAR,), subject="AW: 回复: Anfrage Kettenzüge", message_id="<L2@prod.outlook.com>",
        text="Herr Omar vertritt uns am Golf.", headers=(("Thread-Topic", "Anfrage Kettenzüge"), index(FIRST, 2)),
    ),
    "the agent answers first, by Gmail": Mail(
        sender=OMAR, to=(LENA,), cc=(ANN,), recipients=(ANN,), subject="Re: AW: 回复: Anfrage Kettenzüge",
        message_id="<CAomar1@mail.gmail.com>", references=("<L2@prod.outlook.com>",), text="Half of it goes to Dammam.",
    ),
    "ann changes the subject": reply(
        ANN, OMAR, cc=(LENA,), subject="Offer 4711 chain hoists", message_id="<202603041@own.example>",
        references=("<L2@prod.outlook.com>", "<CAomar1@mail.gmail.com>"), text="Find our offer attached.",
    ),
    "lena answers from her telephone": Mail(
        sender=LENA, to=(ANN,), subject="Re: Offer 4711 chain hoists", message_id="<6F7A-PHONE@nordkran.example>",
        references=("<L2@prod.outlook.com>", "<CAomar1@mail.gmail.com>", "<202603041@own.example>"), text="Looks fine.",
    ),
    "ann passes it on to a forwarder": reply(
        ANN, FRITZ, subject="Fwd: Re: Offer 4711 chain hoists", message_id="<202603051@own.example>",
        references=("<202603041@own.example>", "<6F7A-PHONE@nordkran.example>"), text="What is the freight to Dammam?",
    ),
    "the forwarder answers": Mail(
        sender=FRITZ, to=(ANN,), subject="Re: Fwd: Re: Offer 4711 chain hoists", message_id="<OF1-ON1@elbfracht.example>",
        references=("<202603051@own.example>",), text="1,450 USD for a 20 ft container.", category="logistics",
    ),
    "a colleague of lena's answers, by In-Reply-To alone": Mail(
        sender=JENS, to=(ANN,), subject="AW: Offer 4711 chain hoists", message_id="<J1@prod.outlook.com>",
        text="Ich bin der Techniker: welche Kettenlänge?",
        headers=(("In-Reply-To", "<202603041@own.example>"), index(SECOND)),
    ),
    "lena is away": Mail(
        sender=LENA, to=(ANN,), subject="Automatische Antwort: Offer 4711 chain hoists", message_id="<OOO1@nordkran.example>",
        references=("<202603041@own.example>",), text="Ich bin bis Montag im Urlaub.", category="automatic", is_automatic=True,
    ),
    "bob answers for ann, by an Outlook that names none": reply(
        BOB, JENS, subject="RE: Offer 4711 chain hoists", message_id="<B1@own.example>", text="Six metres.",
        headers=(("Thread-Topic", "Offer 4711 chain hoists"), index(SECOND, 1)),
    ),
    "lena orders under another subject": Mail(
        sender=LENA, to=("sales@own.example", "info@own.example"), subject="Bestellung 90031",
        message_id="<L3@prod.outlook.com>", references=("<202603041@own.example>",), text="Wir bestellen 40 Stück.",
        category="order", headers=(index(FIRST, 3),),
    ),
    "bob tells ann": reply(
        BOB, ANN, subject="转发: Bestellung 90031", message_id="<B2@own.example>", references=("<L3@prod.outlook.com>",),
        text="They ordered.", direction=Direction.INTERNAL,
    ),
    "ann confirms to all": reply(
        ANN, LENA, cc=(OMAR, JENS), subject="回复: Bestellung 90031", message_id="<202603161@own.example>",
        references=("<L3@prod.outlook.com>",), text="Thank you for the order.",
    ),
}  # fmt: skip
STRANGERS: dict[str, Mail] = {
    "quotes the subject and the words": Mail(
        sender="sam@rivalhoists.example", subject="Re: Offer 4711 chain hoists", message_id="<s1@rivalhoists.example>",
        text="We can do better.\n> Find our offer attached.",
    ),
    "names an id he learned": Mail(
        sender="eva@hoistnews.example", subject="Re: Offer 4711 chain hoists", message_id="<s2@hoistnews.example>",
        references=("<202603041@own.example>",), text="Is it still valid?",
    ),
    "guesses ids": Mail(
        sender="max@bulkquotes.example", subject="AW: Anfrage", message_id="<s3@bulkquotes.example>",
        references=("<202603031@own.example>", "<L1@prod.outlook.com>", "<1@own.example>"), text="Please confirm.",
    ),
    "uses an id as his own": Mail(
        sender="kim@copycat.example", subject="Anfrage Kettenzüge", message_id="<L1@prod.outlook.com>", text="Buy from me.",
    ),
    "copies a Thread-Index": Mail(
        sender="lou@threadcopy.example", subject="AW: Anfrage Kettenzüge", message_id="<s5@threadcopy.example>",
        text="I write in your thread.", headers=(index(FIRST, 1),),
    ),
}  # fmt: skip
NAMES = (*THREAD, *STRANGERS)
# A rep passes on what he has read, and is answered on that: hours after it was recorded.
PASSED_ON = ("ann passes it on to a forwarder", "the forwarder answers")
FREELY = tuple(name for name in NAMES if name not in PASSED_ON)


def mail_of(name: str) -> Mail:
    return THREAD.get(name) or STRANGERS[name]


def assert_one_thread(room: MailRoom, entries: dict[str, str]) -> None:
    """One conversation of ours, and each stranger in his own."""
    with room.looking() as look:
        ours = {name: look.message(entries[name]).conversation_id for name in THREAD}
        theirs = {name: look.message(entries[name]).conversation_id for name in STRANGERS}
        assert len(set(ours.values())) == 1, ours
        assert len(set(theirs.values())) == len(STRANGERS), theirs
        assert not set(ours.values()) & set(theirs.values())


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


def test_as_it_happened(room: MailRoom) -> None:
    entries = {name: room.record(mail_of(name))[0] for name in NAMES}

    assert_one_thread(room, entries)


@settings(max_examples=4 * SOAK, deadline=None, phases=[Phase.generate])
@given(order=st.permutations(FREELY), size=st.integers(1, 8), later=st.integers(0, 5))
def test_in_any_order(server: RecordServer, order: Sequence[str], size: int, later: int) -> None:
    passed_at = 1 + max(order.index("ann changes the subject"), order.index("lena answers from her telephone"))
    order = [*order[:passed_at], PASSED_ON[0], *order[passed_at:]]
    answered_at = min(len(order), passed_at + 1 + later)
    order = [*order[:answered_at], PASSED_ON[1], *order[answered_at:]]
    with TemporaryDirectory() as folder:
        room = MailRoom(Path(folder), server)
        entries: dict[str, str] = {}
        for start in range(0, len(order), size):
            names = order[start : start + size]
            entries |= zip(names, room.record(*map(mail_of, names)), strict=True)
        assert_one_thread(room, entries)
        room.close()


@pytest.fixture
def hosts(tmp_path: Path, postgresql: PostgreSQLServer) -> Iterator[list[MailRoom]]:
    """Two hosts on one database."""
    rooms: list[MailRoom] = []
    for name in ("mx1", "mx2"):
        root = tmp_path / name
        root.mkdir()
        url = rooms[0].url if rooms else ""
        rooms.append(MailRoom(root, postgresql, url=url, settings=WorkerSettings(batch_mails=2, batch_ms=60_000)))
    yield rooms
    for room in reversed(rooms):  # the first one's database goes with it
        room.close()


def test_by_two_workers_at_once(hosts: list[MailRoom]) -> None:
    dice = Random(5)
    entries: dict[str, str] = {}

    def drain(room: MailRoom, start: threading.Barrier) -> int:
        start.wait()
        return room.worker.drain()

    for names in (dice.sample(FREELY, len(FREELY)), PASSED_ON[:1], PASSED_ON[1:]):
        entries |= {name: dice.choice(hosts).post(mail_of(name)) for name in names}
        start = threading.Barrier(len(hosts))
        with ThreadPoolExecutor(len(hosts)) as pool:
            assert sum(pool.map(drain, hosts, [start] * len(hosts))) == len(names)

    assert_one_thread(hosts[0], entries)

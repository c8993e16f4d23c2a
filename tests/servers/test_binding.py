# SPDX-License-Identifier: GPL-3.0-or-later
"""What binds a letter to a conversation beside References, and what does not."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from mailroom import ANN, BOB, Mail, MailRoom, reply
from record_servers import RecordServer

from crm_sync.company import apply_company
from crm_sync.company_file import parse_company
from crm_sync.models.customers import SharedDomain
from tradepost.verdict import Direction

HEADER = b"\x01" + bytes(range(100, 121))
AGENT = "agent@ship.example"
SPY = "spy@rival.example"


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


def outlook(answers: int, header: bytes = HEADER) -> tuple[tuple[str, str], ...]:
    return (("Thread-Index", b64encode(header + b"child" * answers).decode()),)


def enclosing(mail: Mail, inside: str, kind: str = "message/rfc822") -> Mail:
    """Return the mail with a letter inside."""
    text = f"--b\r\nContent-Type: text/plain\r\n\r\n{mail.text}\r\n--b\r\nContent-Type: {kind}\r\n\r\n{inside}\r\n--b--"
    head = (("MIME-Version", "1.0"), ("Content-Type", 'multipart/mixed; boundary="b"'))
    return replace(mail, text=text, headers=(*mail.headers, *head))


def shared(room: MailRoom, mails: Sequence[Mail]) -> list[int]:
    """Record one after the other; return the conversations."""
    entries = [room.record(mail)[0] for mail in mails]
    with room.looking() as look:
        return [look.conversation(entry).id for entry in entries]


def test_outlook_without_references_is_bound_by_its_thread_index_in_any_order(server: RecordServer) -> None:
    mails = [
        Mail(headers=outlook(0)),
        reply(BOB, headers=outlook(1), missing=(), owner=BOB),
        Mail(message_id="<3@acme.example>", headers=outlook(2), subject="AW: new subject", text="Thanks."),
        Mail(
            sender=SPY, message_id="<4@rival.example>", headers=outlook(3), cc=("buyer@acme.example",), text="Me too."
        ),
    ]
    for order in list(permutations(range(4)))[::5]:
        with TemporaryDirectory() as folder:
            room = MailRoom(Path(folder), server)
            found = dict(zip(order, shared(room, [mails[number] for number in order]), strict=True))
            room.close()
        assert found[0] == found[1] == found[2] != found[3], order


def test_a_program_that_repeats_its_thread_index_starts_anew_each_time(room: MailRoom) -> None:
    first, second = shared(
        room, [Mail(headers=outlook(0)), Mail(message_id="<2@acme.example>", headers=outlook(0), text="Another order.")]
    )
    assert first != second


def test_a_broken_thread_index_binds_nothing(room: MailRoom) -> None:
    broken = (("Thread-Index", "AQ" * 40_000),)
    first, second = shared(room, [Mail(headers=broken), Mail(message_id="<2@x>", headers=broken, text="Else.")])
    assert first != second


def test_a_forger_who_copies_in_the_buyer_does_not_draw_him_away(server: RecordServer) -> None:
    """Whom only an outsider named has acted nowhere: neither his mail nor our answer to him follows the forger."""
    mails = [
        Mail(),
        Mail(sender=SPY, cc=("buyer@acme.example",), message_id="<s@rival.example>", references=("<1@acme.example>",)),
        reply(BOB, references=("<1@acme.example>",), missing=(), owner=BOB),
        Mail(message_id="<3@acme.example>", references=("<1@acme.example>", "<r1@own.example>"), text="Thanks."),
        Mail(sender=SPY, cc=("buyer@acme.example",), message_id="<r1@own.example>", text="I use your id."),
    ]
    for order in ((0, 1, 2, 3, 4), (1, 0, 2, 3, 4), (0, 1, 4, 3, 2), (1, 3, 2, 0, 4)):
        with TemporaryDirectory() as folder:
            room = MailRoom(Path(folder), server)
            found = dict(zip(order, shared(room, [mails[number] for number in order]), strict=True))
            room.close()
        assert found[0] == found[2] == found[3], order
        assert found[0] not in (found[1], found[4]), order


def test_an_agent_in_copy_who_answers_before_us_is_in_it(room: MailRoom) -> None:
    """Trap 13."""
    found = shared(
        room,
        [
            Mail(cc=(AGENT,)),
            Mail(sender=AGENT, message_id="<a@ship.example>", references=("<1@acme.example>",), text="We ship it."),
            reply(BOB, to=AGENT, references=("<a@ship.example>",), subject="Freight", missing=(), owner=BOB),
        ],
    )
    assert len(set(found)) == 1


def test_an_agent_recorded_before_the_letter_he_answers_is_in_it(room: MailRoom) -> None:
    found = shared(
        room,
        [
            Mail(sender=AGENT, message_id="<a@ship.example>", references=("<1@acme.example>",), text="We ship it."),
            Mail(cc=(AGENT,)),
        ],
    )
    assert len(set(found)) == 1


def test_what_a_colleague_passes_on_stays_with_the_buyers_story(room: MailRoom) -> None:
    inside = "Message-ID: <1@acme.example>\r\nFrom: buyer@acme.example\r\nTo: sales@own.example\r\n\r\nPlease quote."
    found = shared(
        room,
        [
            Mail(),
            enclosing(reply(BOB, to="steel@mill.example", subject="Your price?", missing=(), owner=BOB), inside),
            Mail(sender="steel@mill.example", message_id="<m@mill.example>", references=("<r1@own.example>",)),
            reply(BOB, to=AGENT, message_id="<f@own.example>", subject="转发：Request", references=("<1@acme.example>",)),
            enclosing(
                Mail(
                    sender=ANN, to=(BOB,), direction=Direction.INTERNAL, message_id="<i@own.example>", category=None,
                    operator=ANN, login="ann", missing=(), subject="Yours?",
                ),
                inside,
            ),
        ],
    )  # fmt: skip
    assert len(set(found)) == 1


def test_an_old_mail_answered_to_somebody_else_starts_anew(room: MailRoom) -> None:
    """Trap 16: whoever takes an old mail for its form must not show one customer's story to another."""
    found = shared(
        room,
        [
            Mail(),
            reply(BOB, to="new@other.example", references=("<1@acme.example>",), missing=(), owner=BOB),
            Mail(sender="old@third.example", message_id="<t@third.example>", text="We inquire."),
            reply(
                BOB, to="old@third.example", message_id="<f@own.example>", subject="Fwd: Request",
                references=("<1@acme.example>",), missing=(), owner=BOB,
            ),
        ],
    )  # fmt: skip
    assert len(set(found)) == 4


def test_a_stranger_who_passes_a_letter_on_stays_outside(room: MailRoom) -> None:
    inside = "Message-ID: <1@acme.example>\r\nTo: sales@own.example\r\n\r\nPlease quote."
    forged = enclosing(Mail(sender=SPY, message_id="<s@rival.example>", subject="Fwd: Request"), inside)
    claims_own = replace(forged, sender=ANN, message_id="<o@own.example>", text=forged.text.replace("quote", "pay"))
    found = shared(room, [Mail(), forged, claims_own])
    assert len(set(found)) == 3


def test_a_bounce_joins_by_what_it_gives_back_and_moves_no_clock(room: MailRoom) -> None:
    inside = "Message-ID: <r1@own.example>\r\nFrom: bob@own.example\r\nTo: buyer@acme.example\r\nSubject: x"
    bounce = Mail(
        sender="mailer-daemon@relay.example", message_id="<b@relay.example>", subject="Undelivered", is_automatic=True,
        category="automatic", missing=(),
    )  # fmt: skip
    entries = room.record(
        Mail(),
        reply(BOB, references=("<1@acme.example>",), missing=(), owner=BOB),
        enclosing(bounce, inside, "text/rfc822-headers"),
        enclosing(replace(bounce, message_id="<c@relay.example>", text="x"), inside.replace("buyer@acme", "x@else")),
    )
    with room.looking() as look:
        first, answer, back, strange = (look.conversation(entry) for entry in entries)
        assert first.id == answer.id == back.id != strange.id
        assert (first.status, first.last_in_at) == ("waiting", look.arrival(entries[0]).arrived_at)
    late = Mail(sender="x@relay.example", message_id="<d@relay.example>", references=("<b@relay.example>",), text="?")
    assert shared(room, [late]) != [first.id], "the relay has no part in it"


def test_a_contact_of_the_customer_answers_for_a_colleague_and_a_neighbour_at_a_shared_domain_does_not(
    room: MailRoom,
) -> None:
    """The records say for whom a private address works; a domain of several companies says nothing."""
    with room.database.writing() as session:
        file = {
            "customer": [
                {
                    "name": "Acme",
                    "domains": ["acme.example"],
                    "contacts": [{"email": "boss@gmail.com"}, {"email": "one@park.example"}],
                }
            ]
        }
        apply_company(session, parse_company(file, "customers"))
        session.add(SharedDomain(domain="park.example", reason="person", at=room.now()))
    found = shared(
        room,
        [
            Mail(),
            Mail(
                sender="boss@gmail.com", message_id="<b@gmail.com>", references=("<1@acme.example>",), text="I agree."
            ),
            Mail(sender="else@gmail.com", message_id="<e@gmail.com>", references=("<1@acme.example>",), text="Me too."),
            Mail(
                sender="one@park.example", message_id="<o@park.example>", references=("<1@acme.example>",), text="Yes."
            ),
            Mail(
                sender="two@park.example", message_id="<t@park.example>", references=("<o@park.example>",), text="No."
            ),
        ],
    )
    assert found[0] == found[1] == found[3]
    assert found[0] not in (found[2], found[4])

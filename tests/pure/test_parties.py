# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is meant behind a platform and behind a forward, and what an unknown party is to us."""

import pytest

from tradepost.envelope import Client, Envelope
from tradepost.forwards import forwarded_writer, is_passed_on
from tradepost.message import Address, Message
from tradepost.mime_reading import parse_message
from tradepost.party import Party, find_party, is_ours, is_role
from tradepost.platforms import name_behind, read_form
from tradepost.policy import Person, Policy
from tradepost.verdict import Direction

ANN = Person("ann@own.example", addresses=("ann.private@gmail.com",))
POLICY = Policy(domains=("own.example",), people=(ANN,))
INBOUND = Envelope("Q", "x@y.example", ("sales@own.example",))


@pytest.mark.parametrize(
    ("subject", "passed_on"),
    [
        ("Fwd: Request", True),
        ("WG: Anfrage", True),
        ("转发：询价", True),
        ("Re: FW: Request", True),
        ("Re: Request", False),
        ("Forwarding agents", False),
        ("Price: 5 USD", False),
    ],
)
def test_a_subject_says_that_a_letter_is_passed_on(subject: str, passed_on: bool) -> None:
    assert is_passed_on(subject) is passed_on


@pytest.mark.parametrize(
    "block",
    [
        "From: Bo Kim <bo@acme.example>\nSent: Monday, 2 March 2026 08:00\nTo: ann@own.example\nSubject: Request",
        "From: Bo Kim [mailto:bo@acme.example]\nSent: 02.03.2026\nTo: ann@own.example\nSubject: Request",
        "---------- Forwarded message ---------\nFrom: Bo Kim <bo@acme.example>\nDate: Mon, 2 Mar 2026\nSubject: Request\nTo: <a@b.example>",
        "发件人： Bo Kim <bo@acme.example>\n发送日期： 2026-03-02 08:00\n收件人： ann@own.example\n主题： 询价",
        "> Von: Bo Kim <bo@acme.example>\n> Gesendet: 2. März 2026\n> An: ann@own.example\n> Betreff: Anfrage",
    ],
)
def test_the_block_of_a_forward_names_its_writer_in_any_language(block: str) -> None:
    writer = forwarded_writer(Message(subject="Fwd: Request", text=f"See below.\n\n{block}\n\nWe need 500."))
    assert writer == Address("bo@acme.example", "Bo Kim")
    assert forwarded_writer(Message(subject="Request", text=block)) is None
    assert forwarded_writer(Message(subject="Fwd: x", text="Contact: bo@acme.example\nThanks")) is None


def test_an_attached_letter_names_its_writer() -> None:
    raw = (
        b"From: ann@own.example\r\nSubject: a letter\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nFYI\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
        b"From: Bo Kim <bo@acme.example>\r\nSubject: Request\r\n\r\nWe need 500.\r\n--b--\r\n"
    )
    assert forwarded_writer(parse_message(raw)) == Address("bo@acme.example", "Bo Kim")


FORWARD = Message(
    from_=Address("ann@own.example"),
    subject="Fwd: Request",
    text="From: Bo <bo@acme.example>\nDate: 2 Mar 2026\nTo: ann@own.example\nSubject: Request\n\nHi",
)


def test_what_a_colleague_passes_on_is_its_writers_only_where_he_proved_himself() -> None:
    bo = Party("bo@acme.example", "acme.example", "forward", "Bo")
    inside = Envelope("Q", "ann@own.example", ("sales@own.example",), Client(login="ann"))
    assert find_party(POLICY, inside, FORWARD, Direction.INTERNAL) == bo
    private = Message(from_=Address("ann.private@gmail.com"), subject=FORWARD.subject, text=FORWARD.text)
    assert find_party(POLICY, INBOUND, private, Direction.INBOUND) == bo
    assert find_party(POLICY, INBOUND, FORWARD, Direction.INBOUND).address == "ann@own.example"
    buyer = Message(from_=Address("eve@acme.example"), subject=FORWARD.subject, text=FORWARD.text)
    assert find_party(POLICY, INBOUND, buyer, Direction.INBOUND).address == "eve@acme.example"


@pytest.mark.parametrize(
    ("writer", "reply_to", "text", "party"),
    [
        ("n@made-in-china.com", "bo@acme.example", "", Party("bo@acme.example", "acme.example", "platform")),
        ("n@made-in-china.com", "", "Email: bo@gmail.com", Party("bo@gmail.com", "", "platform")),
        (
            "n@made-in-china.com",
            "service@made-in-china.com",
            "News",
            Party("n@made-in-china.com", "", "platform-notice"),
        ),
        ("n@made-in-china.com", "", "Email: ann@own.example", Party("n@made-in-china.com", "", "platform-notice")),
        (
            "n@made-in-china.com",
            "buyer12345@message.made-in-china.com",
            "Buyer: Bo Kim\nCompany: Acme\nE-mail: bo@acme.example\nTel: +49 30 1234567",
            Party(
                "buyer12345@message.made-in-china.com",
                "",
                "platform",
                "Bo Kim",
                "bo@acme.example",
                "Acme",
                "+49 30 1234567",
            ),
        ),
    ],
)
def test_a_platform_is_never_the_buyer(writer: str, reply_to: str, text: str, party: Party) -> None:
    message = Message(from_=Address(writer), reply_to=(Address(reply_to),) if reply_to else (), text=text)
    assert find_party(POLICY, INBOUND, message, Direction.INBOUND) == party


def test_what_a_platform_shows_is_read_by_its_labels() -> None:
    assert name_behind("Ann Lee via Plaza") == "Ann Lee"
    assert read_form(Message(text="> Email: old@x.example\nHello: x@y.example")).address == ""
    assert read_form(Message(text="邮箱： bo@acme.example\n姓名： 王明")).name == "王明"


@pytest.mark.parametrize("noise", ["a" * 50_000, "x:" * 20_000, "@\n" * 20_000, ("A: b@c.de\n" * 5_000)])
def test_hostile_text_takes_no_time(noise: str) -> None:
    assert read_form(Message(text=noise)) is not None
    forwarded_writer(Message(subject="Fwd: x", text=noise))


def test_we_are_also_below_our_domain_and_at_private_addresses() -> None:
    assert is_ours(POLICY, "x@hk.own.example")
    assert is_ours(POLICY, "ann.private@gmail.com")
    assert not is_ours(POLICY, "x@own.example.net")
    assert is_role("sales@acme.example")
    assert not is_role("ann.lee@acme.example")

# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the other side is, and who becomes a lead."""

import pytest

from crm_sync.matching import is_known_participant, party_kind
from tradepost.envelope import Envelope
from tradepost.message import Address, Message
from tradepost.party import Party, find_party, is_robot, outsiders
from tradepost.policy import Policy
from tradepost.verdict import Direction, Labels

POLICY = Policy(domains=("own.example",))


@pytest.mark.parametrize(
    ("address", "robot"),
    [
        ("no-reply@acme.example", True),
        ("NoReply@acme.example", True),
        ("do_not_reply@acme.example", True),
        ("donotreply+77@acme.example", True),
        ("bounce=x=y@acme.example", True),
        ("MAILER-DAEMON@acme.example", True),
        ("info@acme.example", False),
        ("purchase@acme.example", False),
        ("bouncer@acme.example", False),
        ("newsom@acme.example", False),
    ],
)
def test_robots_are_known_by_their_local_part(address: str, robot: bool) -> None:
    assert is_robot(address) is robot


def test_the_party_is_who_writes_and_on_the_way_out_whom_it_is_written_to() -> None:
    message = Message(
        from_=Address("Li@Own.Example".lower()),
        to=(Address("bob@own.example"), Address("buyer@acme.example")),
        cc=(Address("agent@ship.example"),),
    )
    envelope = Envelope("Q", "li@own.example", ("hidden@x.example", "agent@ship.example", "buyer@acme.example"))
    assert find_party(POLICY, envelope, message, Direction.OUTBOUND) == Party("buyer@acme.example", "acme.example")
    assert outsiders(POLICY, envelope, message) == ("buyer@acme.example", "agent@ship.example", "hidden@x.example")
    inbound = Envelope("Q", "bounce@list.example", ("sales@own.example",))
    assert (
        find_party(POLICY, inbound, Message(from_=Address("Ann@ACME.example")), Direction.INBOUND).address
        == "ann@acme.example"
    )
    assert find_party(POLICY, inbound, Message(), Direction.INBOUND).address == "bounce@list.example"
    assert find_party(POLICY, Envelope("Q", "", ()), None, Direction.OUTBOUND) == Party("", "")


@pytest.mark.parametrize(
    ("party", "known"),
    [
        ("buyer@acme.co.uk", True),
        ("boss@mail.acme.co.uk", True),  # the same company
        ("other@other.co.uk", False),  # co.uk is no company
        ("two@gmail.com", False),  # gmail.com is no company
        ("one@gmail.com", True),
        ("", False),
    ],
)
def test_a_participant_is_known_by_address_or_company_never_by_free_mail(party: str, known: bool) -> None:
    assert is_known_participant([party], {"buyer@acme.co.uk", "one@gmail.com"}) is known


def test_party_kinds() -> None:
    labels = Labels(category="inquiry")
    stranger = Party("a@acme.example", "acme.example")
    assert party_kind(POLICY, labels, stranger, "supplier") == "supplier"
    assert party_kind(POLICY, labels, Party("a@own.example", ""), None) == "own"
    assert party_kind(POLICY, Labels(is_automatic=True), stranger, None) == "automatic"
    assert party_kind(POLICY, Labels(category="marketing"), stranger, None) == "marketing"
    assert party_kind(POLICY, labels, Party("n@plaza.example", "", "platform-notice"), None) == "platform"
    assert party_kind(POLICY, labels, stranger, None) == "unknown"


@pytest.mark.parametrize(
    ("writer", "answer_to", "party"),
    [
        # A platform's alias stands for no company, or all its buyers would be one.
        (
            "noreply@mail.plaza.example",
            "buyer-7f@reply.plaza.example",
            Party("buyer-7f@reply.plaza.example", "", "robot"),
        ),
        ("noreply@mail.plaza.example", "bo@acme.example", Party("bo@acme.example", "acme.example", "robot")),
        ("noreply@plaza.example", "bo@gmail.com", Party("bo@gmail.com", "", "robot")),
        ("no-reply@own.example", "bo@acme.example", Party("bo@acme.example", "acme.example", "robot")),  # on our site
        ("noreply@plaza.example", "support@own.example", Party("noreply@plaza.example", "plaza.example")),
        ("noreply@plaza.example", "bounce@plaza.example", Party("noreply@plaza.example", "plaza.example")),
        # A human being may have answers sent elsewhere; he is still who writes.
        ("ann@acme.example", "bo@rival.example", Party("ann@acme.example", "acme.example")),
    ],
)
def test_a_robot_that_writes_for_a_buyer_is_not_the_party(writer: str, answer_to: str, party: Party) -> None:
    message = Message(from_=Address(writer), reply_to=(Address(answer_to),))
    envelope = Envelope("Q", "bounces@plaza.example", ("sales@own.example",))
    assert find_party(POLICY, envelope, message, Direction.INBOUND) == party

# SPDX-License-Identifier: GPL-3.0-or-later
"""Direction and recording policy."""

import pytest

from tradepost.envelope import Client, Envelope
from tradepost.policy import Person, Policy, Pool
from tradepost.settings import RecordingSettings
from tradepost.verdict import Direction, Recording
from tradepost_milter.border import TrustedNetworks, decide_crossing, decide_recording, is_excluded

WANG = Person("wang.fang@brightway.example", logins=("wang.fang",))
POLICY = Policy(
    domains=("brightway.example",),
    people=(WANG,),
    pools=(Pool("sales", ("sales@brightway.example",), (WANG.email,)),),
)
TRUSTED = TrustedNetworks(("127.0.0.0/8", "10.1.0.0/16"))
OUTSIDE, SALES, HR = "ann@buyer.example", "sales@brightway.example", "hr@brightway.example"


def envelope(sender: str, *recipients: str, login: str = "", address: str = "203.0.113.9") -> Envelope:
    return Envelope("Q", sender, recipients, Client(address=address, login=login))


@pytest.mark.parametrize(
    ("said", "from_address", "direction", "operator", "claims_own"),
    [
        pytest.param(envelope(OUTSIDE, SALES), OUTSIDE, Direction.INBOUND, None, False, id="buyer"),
        pytest.param(envelope("", SALES), "", Direction.INBOUND, None, False, id="null-sender"),
        pytest.param(envelope(OUTSIDE, SALES), WANG.email, Direction.INBOUND, None, True, id="forged-from"),
        pytest.param(envelope(WANG.email, SALES), WANG.email, Direction.INBOUND, None, True, id="forged-sender"),
        pytest.param(
            envelope(SALES, OUTSIDE, login="wang.fang"), SALES, Direction.OUTBOUND, WANG, False, id="rep-as-the-pool"
        ),
        pytest.param(
            envelope(SALES, OUTSIDE, login="scanner"), SALES, Direction.OUTBOUND, None, False, id="shared-login"
        ),
        pytest.param(
            envelope(WANG.email, HR, login="wang.fang"), WANG.email, Direction.INTERNAL, WANG, False, id="internal"
        ),
        pytest.param(
            envelope(WANG.email, OUTSIDE, address="10.1.2.3"), WANG.email, Direction.OUTBOUND, WANG, False, id="erp"
        ),
        pytest.param(envelope(OUTSIDE, SALES, address="10.1.2.3"), OUTSIDE, Direction.INBOUND, None, False, id="relay"),
    ],
)
def test_direction(
    said: Envelope, from_address: str, direction: Direction, operator: Person | None, claims_own: bool
) -> None:
    crossing = decide_crossing(POLICY, said, from_address, TRUSTED)
    assert (crossing.direction, crossing.operator, crossing.claims_own) == (direction, operator, claims_own)


def test_without_a_policy_only_a_login_makes_a_mail_outbound() -> None:
    assert decide_crossing(None, envelope(SALES, OUTSIDE, login="x"), SALES, TRUSTED).direction is Direction.OUTBOUND
    assert decide_crossing(None, envelope(OUTSIDE, SALES), OUTSIDE, TRUSTED).direction is Direction.INBOUND


SETTINGS = RecordingSettings(excluded=("hr@brightway.example", "private.example"), envelope_only=("bank.example",))


@pytest.mark.parametrize(
    ("said", "direction", "in_thread", "recording"),
    [
        pytest.param(envelope(OUTSIDE, SALES), Direction.INBOUND, False, Recording.FULL, id="pool"),
        pytest.param(envelope(OUTSIDE, WANG.email), Direction.INBOUND, False, Recording.FULL, id="person"),
        pytest.param(
            envelope(OUTSIDE, "nobody@brightway.example"),
            Direction.INBOUND,
            False,
            Recording.ENVELOPE,
            id="unregistered",
        ),
        pytest.param(envelope(OUTSIDE, HR), Direction.INBOUND, False, Recording.NONE, id="excluded-recipient"),
        pytest.param(envelope(OUTSIDE, HR, SALES), Direction.INBOUND, False, Recording.FULL, id="not-only-excluded"),
        pytest.param(
            envelope("a@private.example", SALES), Direction.INBOUND, True, Recording.NONE, id="excluded-domain"
        ),
        pytest.param(
            envelope("a@bank.example", SALES), Direction.INBOUND, True, Recording.ENVELOPE, id="envelope-only"
        ),
        pytest.param(envelope(WANG.email, HR), Direction.INTERNAL, False, Recording.NONE, id="internal-to-hr"),
        pytest.param(envelope(WANG.email, SALES), Direction.INTERNAL, False, Recording.ENVELOPE, id="internal"),
        pytest.param(
            envelope(WANG.email, SALES), Direction.INTERNAL, True, Recording.FULL, id="internal-about-a-customer"
        ),
    ],
)
def test_recording(said: Envelope, direction: Direction, in_thread: bool, recording: Recording) -> None:
    found = decide_recording(SETTINGS, POLICY, said, "", direction, is_about_customer=in_thread)
    assert found is recording


def test_before_anybody_is_registered_nothing_is_lost() -> None:
    found = decide_recording(SETTINGS, None, envelope(OUTSIDE, SALES), "", Direction.INBOUND, is_about_customer=False)
    assert found is Recording.FULL


def test_a_header_can_exclude_too() -> None:
    assert is_excluded(SETTINGS, POLICY, envelope("", SALES), "a@private.example")

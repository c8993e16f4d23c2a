# SPDX-License-Identifier: GPL-3.0-or-later
"""Who pretends to be us, a partner or a customer, as far as the company's own knowledge tells."""

import pytest

from tradepost.impersonation import Surroundings, add_company_signs
from tradepost.message import Address, Message
from tradepost.policy import Person, Policy
from tradepost.suspicion import is_alarming, weigh_signs
from tradepost.verdict import Labels

ZHAO = Person("zhao@brightpump-works.cn", name="Zhao Ming", addresses=("zhao.private@mail.example",))
CINDY = Person("cindy@brightpump-works.cn", name="Cindy")
POLICY = Policy(1, "Brightpump", ("brightpump-works.cn", "brightpump.example"), (ZHAO, CINDY))
THREAD = Surroundings(is_known=True, participants=("ann@stone-farms.test", "bob@gmail.com"))


def _signs(
    sender: str,
    name: str = "",
    around: Surroundings | None = None,
    *,
    envelope_sender: str | None = None,
    labels: Labels | None = None,
) -> tuple[str, ...]:
    message = Message(from_=Address(sender, name))
    envelope = sender if envelope_sender is None else envelope_sender
    return add_company_signs(labels or Labels(), POLICY, message, envelope, around or Surroundings()).warnings


def test_a_buyer_is_a_buyer() -> None:
    assert _signs("ann@stone-farms.test", "Ann Stone") == ()


def test_one_of_our_domains_that_the_recipient_did_not_name() -> None:
    assert _signs("x@brightpump-w0rks.cn") == ("looks-like-us",)


def test_what_the_words_said_of_our_other_domain_is_taken_back() -> None:
    labels = Labels(warnings=("looks-like-us", "throwaway-link"), warning_score=0.9)
    kept = add_company_signs(labels, POLICY, Message(from_=Address("x@brightpump.example")), "", Surroundings())

    assert kept.warnings == ("throwaway-link",)
    assert kept.warning_score == weigh_signs(kept.warnings)


@pytest.mark.parametrize("name", ["Zhao Ming", "zhao  ming", "ZHAO, MING"])
def test_a_colleagues_name_at_a_strange_address(name: str) -> None:
    assert _signs("ceo.office@mail.test", name) == ("own-person-outside",)


@pytest.mark.parametrize(
    ("sender", "name", "around"),
    [
        (ZHAO.addresses[0], "Zhao Ming", None),
        ("zhao.ming@customer.test", "Zhao Ming", Surroundings(is_known=True)),
        ("cindy@customer.test", "Cindy", None),
        ("x@customer.test", "", None),
    ],
    ids=["his private address", "a customer of that name", "a first name", "no name"],
)
def test_names_that_anybody_may_bear(sender: str, name: str, around: Surroundings | None) -> None:
    assert _signs(sender, name, around) == ()


def test_a_namesake_warns_nobody_alone() -> None:
    labels = Labels(warnings=_signs("ceo@mail.test", "Zhao Ming"), warning_score=weigh_signs(("own-person-outside",)))

    assert not is_alarming(labels)


def test_somebody_like_a_participant_writes_into_the_conversation() -> None:
    assert set(_signs("ann@stone-farrns.test", "Ann", THREAD)) == {"looks-like-participant", "stranger-in-thread"}


@pytest.mark.parametrize(
    "sender", ["ann@stone-farms.test", "eve@stone-farms.test", "ann@stone-farms.example", "x@gmail.com"]
)
def test_colleagues_subsidiaries_and_free_mailboxes_take_part_too(sender: str) -> None:
    assert _signs(sender, "Ann", THREAD) == ()


def test_a_stranger_in_the_conversation_speaks_beside_something_else() -> None:
    labels = Labels(warnings=("bank-account-changed",), warning_score=0.5)

    assert _signs("x@elsewhere.test", "", THREAD, labels=labels) == ("bank-account-changed", "stranger-in-thread")
    assert _signs("x@elsewhere.test", "", THREAD) == ()


def test_another_envelope_sender_speaks_beside_something_else() -> None:
    labels = Labels(warnings=("asks-for-fee",), warning_score=0.35)

    assert "sender-differs" in _signs("x@a.test", envelope_sender="bulk@b.test", labels=labels)
    assert _signs("x@a.test", envelope_sender="bulk@b.test") == ()
    assert "sender-differs" not in _signs("x@a.test", envelope_sender="bounce@mail.a.test", labels=labels)
    assert "sender-differs" not in _signs("x@a.test", envelope_sender="", labels=labels)


def test_a_known_companys_name_bent_and_near() -> None:
    assert _signs("x@new.test", "", Surroundings(is_bent=True, is_near=True)) == ("looks-like-customer",)
    assert _signs("x@new.test", "", Surroundings(is_near=True)) == ("resembles-customer",)
    assert _signs("x@new.test", "", Surroundings(is_known=True, is_bent=True)) == ()
    assert weigh_signs(("resembles-customer",)) < 0.5 <= weigh_signs(("looks-like-customer",))

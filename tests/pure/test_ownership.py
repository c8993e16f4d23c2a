# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns a mail: the order of the design, and what must never decide."""

from dataclasses import replace

import pytest

from tradepost.directory import AddressFact, DomainFact, ThreadFact
from tradepost.ownership import Facts, decide_owner, known_thread, least_loaded, skilled
from tradepost.policy import Person, Policy, Pool

WANG = Person("wang@own.example", languages=("zh", "en"), countries=("CN",))
LINA = Person("li.na@own.example", languages=("es", "en"), countries=("MX", "ES"))
CHEN = Person("chen@own.example", languages=("en",))
SALES = Pool("sales", ("sales@own.example",), (WANG.email, LINA.email, CHEN.email))
POLICY = Policy(domains=("own.example",), people=(WANG, LINA, CHEN), pools=(SALES,))

ANN = "ann@buyer.example"
THREAD = ThreadFact("C1", assignee=CHEN.email, customer="K1", participants=(ANN,))
EVERYTHING = Facts(
    ANN,
    address=AddressFact(7, "K1", WANG.email),
    domain=DomainFact("K1", LINA.email),
    threads=(THREAD,),
    language="es",
    country="MX",
    assigned_by_rule=WANG.email,
    rule_id="vip",
)


@pytest.mark.parametrize(
    ("facts", "pools", "recipients", "owner", "reason"),
    [
        pytest.param(EVERYTHING, [SALES], SALES.addresses, CHEN.email, "conversation", id="assignee"),
        pytest.param(replace(EVERYTHING, threads=()), [SALES], SALES.addresses, WANG.email, "contact", id="contact"),
        pytest.param(
            replace(EVERYTHING, threads=(), address=None),
            [SALES],
            SALES.addresses,
            LINA.email,
            "company-domain",
            id="domain",
        ),
        pytest.param(
            Facts(ANN, assigned_by_rule=WANG.email, rule_id="vip"),
            [],
            (LINA.email,),
            LINA.email,
            "addressed",
            id="addressed",
        ),
        pytest.param(
            Facts(ANN, assigned_by_rule=WANG.email, rule_id="vip"),
            [SALES],
            SALES.addresses,
            WANG.email,
            "rule:vip",
            id="rule",
        ),
        pytest.param(Facts(ANN), [SALES], SALES.addresses, None, "distribution", id="distribution"),
        pytest.param(
            Facts(ANN), [replace(SALES, distribution="none")], SALES.addresses, None, "pool", id="nobody-distributes"
        ),
        pytest.param(Facts(ANN), [], ("x@own.example",), None, "nobody", id="nobody"),
    ],
)
def test_the_first_that_matches_wins(
    facts: Facts, pools: list[Pool], recipients: tuple[str, ...], owner: str | None, reason: str
) -> None:
    found = decide_owner(POLICY, facts, recipients, pools)
    assert (found.owner, found.reason) == (owner, reason)


def test_a_person_in_cc_of_pool_mail_does_not_take_it() -> None:
    found = decide_owner(POLICY, Facts(ANN), (*SALES.addresses, WANG.email), [SALES])
    assert found.reason == "distribution"


def test_a_stranger_who_quotes_an_id_gets_into_nobodys_conversation() -> None:
    stranger = replace(EVERYTHING, party="eve@evil.example", address=None, domain=None)
    assert known_thread(stranger) is None
    assert decide_owner(POLICY, stranger, SALES.addresses, [SALES]).conversation is None


def test_a_colleague_of_a_participant_belongs_to_the_conversation() -> None:
    assert known_thread(replace(EVERYTHING, party="bob@mail.buyer.example")) is THREAD


def test_sharing_a_free_mail_provider_proves_nothing() -> None:
    thread = replace(THREAD, participants=("ann@gmail.com",))
    assert known_thread(Facts("eve@gmail.com", threads=(thread,))) is None
    assert known_thread(Facts("ann@gmail.com", threads=(thread,))) is thread


@pytest.mark.parametrize(
    ("language", "country", "expected"),
    [
        pytest.param("es", "MX", (LINA.email,), id="language-and-country"),
        pytest.param("en", "DE", (WANG.email, LINA.email, CHEN.email), id="language-only"),
        pytest.param("fr", "CN", (WANG.email,), id="country-only"),
        pytest.param("fi", "FI", (WANG.email, LINA.email, CHEN.email), id="nobody-has-the-skill"),
        pytest.param(None, None, (WANG.email, LINA.email, CHEN.email), id="unknown"),
    ],
)
def test_skills_narrow_the_choice(language: str | None, country: str | None, expected: tuple[str, ...]) -> None:
    assert skilled(POLICY, SALES, language, country) == expected


def test_who_is_away_gets_nothing_new() -> None:
    policy = replace(POLICY, people=(WANG, replace(LINA, is_away=True), CHEN))
    assert skilled(policy, SALES, "es", "MX") == (WANG.email, CHEN.email)


def test_the_least_loaded_is_chosen_and_equals_take_turns() -> None:
    three = (WANG.email, LINA.email, CHEN.email)
    assert least_loaded(three, {WANG.email: 3, LINA.email: 1, CHEN.email: 2}, 7) == LINA.email
    assert [least_loaded(three, {WANG.email: 1}, turn) for turn in range(4)] == [
        LINA.email, CHEN.email, LINA.email, CHEN.email
    ]  # fmt: skip


def test_who_left_decides_nothing_and_who_is_away_still_does() -> None:
    gone = "gone@own.example"
    facts = replace(EVERYTHING, threads=(replace(THREAD, assignee=gone),), address=AddressFact(7, "K1", gone))
    assert decide_owner(POLICY, facts, SALES.addresses, [SALES]).owner == LINA.email
    away = replace(POLICY, people=(replace(WANG, is_away=True, substitute=LINA.email), LINA, CHEN))
    known = replace(EVERYTHING, threads=())
    assert decide_owner(away, known, SALES.addresses, [SALES]).owner == WANG.email

# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivery modes: who is added, and nobody twice."""

from dataclasses import replace

from tradepost.policy import Person, Policy, Pool
from tradepost.verdict import ActionKind
from tradepost_milter.delivery import inbound_recipients, outbound_recipients

WANG = Person("wang@own.example")
CHEN = Person("chen@own.example")
AWAY = replace(WANG, is_away=True, substitute=CHEN.email)
SALES = Pool("sales", ("sales@own.example",), (WANG.email, CHEN.email))
INFO = Pool("info", ("info@own.example",), (WANG.email,))


def edits(pools: list[Pool], owner: str | None, *recipients: str, wang: Person = WANG) -> list[tuple[ActionKind, str]]:
    policy = Policy(domains=("own.example",), people=(wang, CHEN), pools=tuple(pools))
    return [(a.kind, a.value) for a in inbound_recipients(policy, pools, owner, recipients)]


def test_copy_adds_the_owner() -> None:
    assert edits([SALES], WANG.email, "sales@own.example") == [(ActionKind.ADD_RECIPIENT, WANG.email)]


def test_mailbox_adds_nobody() -> None:
    assert edits([replace(SALES, delivery="mailbox")], WANG.email, "sales@own.example") == []


def test_nobody_who_is_addressed_already_is_added() -> None:
    assert edits([SALES], WANG.email, "sales@own.example", "Wang@OWN.example") == []


def test_an_alias_that_delivers_to_the_owner_is_enough() -> None:
    assert edits([replace(SALES, expands=True)], WANG.email, "sales@own.example") == []


def test_two_pools_add_the_owner_once() -> None:
    assert edits([SALES, INFO], WANG.email, "sales@own.example", "info@own.example") == [
        (ActionKind.ADD_RECIPIENT, WANG.email)
    ]


def test_an_absent_owner_keeps_his_copy_and_the_substitute_gets_one() -> None:
    found = edits([SALES], WANG.email, "sales@own.example", wang=AWAY)
    assert [value for _, value in found] == [WANG.email, CHEN.email]


def test_the_substitute_of_an_absent_substitute_gets_it_and_a_circle_ends() -> None:
    lina = Person("li.na@own.example")
    chain = (AWAY, replace(CHEN, is_away=True, substitute=lina.email), lina)
    for people, who in (
        (chain, [WANG.email, lina.email]),
        ((AWAY, replace(CHEN, is_away=True, substitute=WANG.email)), [WANG.email]),
        ((AWAY, replace(CHEN, is_away=True)), [WANG.email]),
        ((replace(AWAY, substitute="gone@own.example"),), [WANG.email]),
        ((replace(AWAY, substitute=WANG.email),), [WANG.email]),
    ):
        policy = Policy(domains=("own.example",), people=people, pools=(SALES,))
        found = inbound_recipients(policy, [SALES], WANG.email, ["sales@own.example"])
        assert [action.value for action in found] == who


def test_owner_mode_diverts_and_keeps_an_archive() -> None:
    pool = replace(SALES, delivery="owner", archive="archive@own.example")
    assert edits([pool], WANG.email, "sales@own.example") == [
        (ActionKind.ADD_RECIPIENT, WANG.email),
        (ActionKind.ADD_RECIPIENT, "archive@own.example"),
        (ActionKind.DELETE_RECIPIENT, "sales@own.example"),
    ]


def test_without_an_owner_nothing_changes() -> None:
    assert edits([replace(SALES, delivery="owner", archive="archive@own.example")], None, "sales@own.example") == []


def test_what_leaves_in_the_pools_name_is_copied_to_it_once() -> None:
    policy = Policy(domains=("own.example",), people=(WANG,), pools=(SALES,))
    spoken = ("sales@own.example", "sales@own.example")
    found = outbound_recipients(policy, spoken, ("ann@buyer.example",))
    assert [(a.kind, a.value) for a in found] == [(ActionKind.ADD_RECIPIENT, "sales@own.example")]
    assert outbound_recipients(policy, spoken, ("ann@buyer.example", "sales@own.example")) == []
    assert outbound_recipients(policy, (WANG.email, WANG.email), ("ann@buyer.example",)) == []

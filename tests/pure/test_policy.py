# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose address, whose login, which pool: however it is written."""

from tradepost.policy import Person, Policy, Pool

LI = Person("li.na@own.example", logins=("lina",), addresses=("Na.Li@own.example", "lina@bücher.example"))
WANG = Person("wang@own.example")
SALES = Pool("sales", ("Sales@own.example", "sales@bücher.example"), (LI.email, WANG.email))
POLICY = Policy(domains=("Own.example", "bücher.example"), people=(LI, WANG), pools=(SALES,))


def test_own_domains_in_any_writing() -> None:
    for address in ("x@own.example", "X@OWN.EXAMPLE", "x@bücher.example", "x@xn--bcher-kva.example"):
        assert POLICY.is_own(address), address
    for address in ("x@sub.own.example", "x@notown.example", "x@own.example.evil.example", "own.example", ""):
        assert not POLICY.is_own(address), address


def test_person_behind_any_of_his_addresses() -> None:
    for address in ("LI.NA@own.example", "na.li@own.example", "lina@xn--bcher-kva.example"):
        assert POLICY.person(address) is LI
    assert POLICY.person("li@own.example") is None


def test_operator_by_login_or_by_login_that_is_an_address() -> None:
    assert POLICY.operator("lina") is LI
    assert POLICY.operator("wang@own.example") is WANG
    assert POLICY.operator("wang") is None
    assert POLICY.operator("") is None


def test_pool_behind_a_role_address() -> None:
    assert POLICY.pool("sales@OWN.example") is SALES
    assert POLICY.pool("sales@xn--bcher-kva.example") is SALES
    assert POLICY.pool("info@own.example") is None


def test_empty_policy_knows_nobody() -> None:
    empty = Policy()
    assert not empty.is_own("x@own.example")
    assert (empty.person("x@own.example"), empty.operator("x"), empty.pool("x@own.example")) == (None, None, None)

# SPDX-License-Identifier: GPL-3.0-or-later
"""By which keys records are found, how likely two are one, and which questions are asked of them."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sync.duplicates.block_keys import (
    MOST_KEYS,
    ContactFacts,
    CustomerFacts,
    contact_keys,
    customer_keys,
    domain_label,
    label_core,
    mailbox_key,
    phone_key,
)
from crm_sync.duplicates.name_keys import LONGEST_KEY
from crm_sync.duplicates.questions import KINDS, QuestionError, read_question
from crm_sync.duplicates.scoring import LIKELY, score_contacts, score_customers

ACME = CustomerFacts(
    1, "Acme Trading Ltd", "GB", domains=("acme.co.uk",), people=("John Smith",), phones=("+44 20 7946 0000",)
)


def score(one: CustomerFacts, other: CustomerFacts) -> tuple[int, list[str]]:
    return score_customers(one, other, customer_keys(one) & customer_keys(other))


@pytest.mark.parametrize(
    ("other", "reasons"),
    [
        ({"name": "ACME TRADING LIMITED"}, ["same-name"]),
        ({"name": "Acme International"}, ["same-name-but-trade-words"]),
        ({"name": "Acme of Hong Kong", "domains": ("acme.de",)}, ["same-domain-label"]),
        ({"name": "Lee", "domains": ("acme-group.com",)}, ["same-name-but-trade-words"]),
        ({"name": "Lee", "phones": ("020 7946 0000",)}, ["same-phone"]),
        ({"name": "Lee", "website": "https://www.acme.de/about"}, ["same-domain-label"]),
    ],
)
def test_likely_one(other: dict[str, Any], reasons: list[str]) -> None:
    said = score(ACME, CustomerFacts(2, **other))
    assert said[0] >= LIKELY
    assert said[1] == reasons


@pytest.mark.parametrize(
    "other",
    [
        {"name": "Nordvik", "people": ("Smith, John",)},  # who changes the company takes no company along
        {"name": "Trading Ltd"},
        {"name": "Acme Lighting"},
        {"name": "acme-lighting.test", "domains": ("acme-lighting.test",)},
        {"name": "acmelighting.test", "domains": ("acmelighting.test",)},
        {"name": "Nordvik", "people": ("Smith, John",), "phones": ("+44 20 7946 0000",)},
        {"name": "Apex Trading Ltd"},
        {"name": "buyer@gmail.com", "domains": ("gmail.com",)},
    ],
)
def test_not_likely_one(other: dict[str, Any]) -> None:
    assert score(ACME, CustomerFacts(2, **other))[0] < LIKELY


def test_both_scripts_meet() -> None:
    han = CustomerFacts(1, "深圳市华瑞电子科技有限公司")
    latin = CustomerFacts(2, "Shenzhen Huarui Electronics Co., Ltd")
    assert score(han, latin) == (55, ["same-name-other-script"])
    assert score(replace(han, name="深圳華瑞"), replace(latin, name="Shenzhen Huarui")) == (
        70,
        ["same-name-other-script"],
    )


def test_a_little_otherwise_spelled() -> None:
    assert score(CustomerFacts(1, "Rosenthal Keramik"), CustomerFacts(2, "Rosental Keramik")) == (50, ["similar-name"])


def test_another_country_is_a_doubt() -> None:
    there = replace(ACME, country="US", domains=(), people=(), phones=())
    assert score(ACME, there)[0] < score(ACME, replace(there, country=None))[0]


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (ContactFacts(1, "Jo Li", 7), ContactFacts(2, "Li, Jo", 7), (67, ["same-customer", "same-name"])),
        (ContactFacts(1, "Jo Li", 7), ContactFacts(2, "Li Jo", 8), (40, ["same-name"])),
        (
            ContactFacts(1, "", 7, ("jo.li+shop@gmail.com",)),
            ContactFacts(2, "", 8, ("joli@googlemail.com",)),
            (80, ["same-mailbox"]),
        ),
        (
            ContactFacts(1, "Jo Li", 7, ("jo.li@acme.com",)),
            ContactFacts(2, "Jo Li", 8, ("jo.li@acme.de",)),
            (61, ["same-local-part", "same-name"]),
        ),
        (
            ContactFacts(1, "Jo Li", 7, (), ("+493012345678",)),
            ContactFacts(2, "Al Wu", 7, (), ("030 12345678",)),
            (40, ["same-phone"]),
        ),
        (ContactFacts(1, "", 7, ("info@acme.com",)), ContactFacts(2, "", 8, ("info@acme.de",)), (0, [])),
    ],
)
def test_contacts(one: ContactFacts, other: ContactFacts, said: tuple[int, list[str]]) -> None:
    assert score_contacts(one, other, contact_keys(one) & contact_keys(other)) == said


@pytest.mark.parametrize(
    ("domain", "label", "core"),
    [
        ("acme.co.uk", "acme", "acme"),
        ("acme-group.com", "acme group", "acme"),
        ("mail.acmetrading.de", "acmetrading", "acme"),
        ("gmail.com", "", ""),
        ("com", "", ""),
        ("", "", ""),
        ("xn--mller-kva.de", "muller", "muller"),
        ("华瑞.cn", "华瑞", "华瑞"),
        (".", "", ""),
        ("x" * 300 + ".com", "", ""),
    ],
)
def test_labels_of_domains(domain: str, label: str, core: str) -> None:
    assert (domain_label(domain), label_core(label)) == (label, core)


def test_a_number_is_known_with_and_without_its_country() -> None:
    assert phone_key("+86 755 8888 8888") == phone_key("0755-88888888") == "588888888"
    assert phone_key("12345") == phone_key("") == phone_key("٠٧٥٥٨٨٨٨٨٨٨٨") == ""


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_text_has_bounded_keys(one: str, other: str) -> None:
    facts = CustomerFacts(1, one, names=(other,), domains=(other,), website=one, people=(one, other), postal=other)
    keys = customer_keys(facts) | contact_keys(ContactFacts(1, one, None, (other, f"{one}@{other}"), (one,)))
    assert all(0 < len(key) <= LONGEST_KEY for _, key in keys)
    assert len(mailbox_key(one)) <= LONGEST_KEY


def test_a_platform_of_many_contacts_has_few_keys() -> None:
    facts = CustomerFacts(1, "Bazaar", people=tuple(f"Jo{number} Li" for number in range(500)))
    assert len(customer_keys(facts)) == MOST_KEYS


@pytest.mark.parametrize(
    ("kind", "asked", "why"),
    [
        ("name", "", "is empty"),
        ("name", "\0", "can't be printed"),
        ("name", "x" * 1_000_000, "longer than 300"),
        ("name", "\u202eemca", "can't be printed"),
        ("name", "ab", "too short"),
        ("name", "Trading Ltd", "no name of one company"),
        ("name", "公司", "no name of one company"),
        ("name", "jo@acme.example", "ask with"),
        ("domain", "gmail.com", "anybody gets an address"),
        ("domain", "co.uk", "is no company's domain"),
        ("domain", "", "is empty"),
        ("address", "acme.com", "is no address"),
        ("address", "@acme.com", "is no address"),
        ("phone", "12345", "at least 8 digits"),
        ("owner", "Ann", "can't be asked"),
    ],
)
def test_what_is_no_question(kind: str, asked: str, why: str) -> None:
    with pytest.raises(QuestionError, match=why) as refused:
        read_question(kind, asked)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("name", "华瑞"),
        ("name", "Nord AG"),
        ("domain", "https://www.acme.com/x"),
        ("address", "Jo@ACME.com"),
        ("phone", "+49 30 123456"),
    ],
)
def test_questions(kind: str, asked: str) -> None:
    question = read_question(kind, asked)
    assert question.kind in KINDS
    assert question.exact or question.domain

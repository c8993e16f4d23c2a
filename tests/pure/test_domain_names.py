# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail domain says which company writes, where nothing better does."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.domain_names import commonness_of, company_of_domain
from classifiers.entities import Letter, read_entities
from tradepost.message import Address


@pytest.mark.parametrize(
    ("domain", "company"),
    [
        ("anatolia-foods.com", "Anatolia Foods"),
        ("nordic-tools.co.uk", "Nordic Tools"),
        ("greenvalleyfarms.com.au", "Green Valley Farms"),
        ("casadelpuerto.es", "Casa del Puerto"),
        ("zyxqvor.mx", "Zyxqvor"),
        ("kqz.de", "KQZ"),
        ("xn--mllerbau-65a.de", "Müllerbau"),
        ("mail.greenvalleyfarms.com.au", "Green Valley Farms"),
    ],
)
def test_words_of_a_domain(domain: str, company: str) -> None:
    assert company_of_domain(f"ann@{domain}", "Ann Lee", "") == company


@pytest.mark.parametrize("domain", ["gmail.com", "bsnl.in", "alibaba.com", "corp-webmail.com", "163.net", "7788.cn", "", "xn--.de", f"{'a' * 50}.com"])  # fmt: skip
def test_domains_that_name_no_company(domain: str) -> None:
    assert company_of_domain(f"ann@{domain}", "", "") is None


def test_nobody_is_his_own_company() -> None:
    assert company_of_domain("jan@jan-kowalski.pl", "Jan Kowalski", "") is None
    assert company_of_domain("jan@kowalski-pompy.pl", "Jan Kowalski", "") == "Kowalski Pompy"


def test_the_letter_spells_the_words_of_the_domain() -> None:
    letter = "Merhaba, Gökçek Boyasi için fiyat lütfen.\nOĞUZ Ünal"

    assert company_of_domain("a@gokcekboyasi.com.tr", "", letter) == "Gökçek Boyasi"
    assert company_of_domain("a@unal-tekstil.com.tr", "Oğuz Ünal", "") == "Ünal Tekstil"


def test_words_are_found_from_first_to_last() -> None:
    assert commonness_of("the") == 9
    assert None not in map(commonness_of, ["honey", "able", "zone", "international"])
    assert commonness_of("zzzzz") is None
    assert commonness_of("") is None


@given(st.text(max_size=30), st.text(max_size=20), st.text(max_size=40))
@settings(max_examples=200, deadline=None, database=None)
def test_hostile_addresses_never_raise(domain: str, person: str, letter: str) -> None:
    for address in (f"ann@{domain}", f"ann@{domain}.com", f"ann@xn--{domain}.com"):
        found = company_of_domain(address, person, letter)
        assert found is None or found.strip()


def test_the_longest_label_costs_no_time() -> None:
    label = "marketing" * 4
    started = time.process_time()

    company_of_domain(f"ann@{label}.com", "", "Marketing " * 4_000)

    assert time.process_time() - started < 0.05


def _letter(text: str, **more: object) -> Letter:
    return Letter(Address("sipho@baobabpumps.co.za", "Sipho Dube"), "pumps", text, **more)  # type: ignore[arg-type]


def test_only_the_domain_names_the_company_and_it_stands_nowhere() -> None:
    found = read_entities(_letter("Please quote 40 borehole pumps.\n\nSipho", category="inquiry"))

    assert found.company == "Baobab Pumps"
    assert [span for span in found.spans if span.fact == "company"] == []


def test_what_the_letter_says_is_stronger_than_the_domain() -> None:
    contact = "Sipho Dube\nUmhlanga Water Works (Pty) Ltd"

    assert read_entities(_letter("Please quote.", contact=contact)).company == "Umhlanga Water Works (Pty) Ltd"


@pytest.mark.parametrize("kind", [{"category": "spam"}, {"is_automatic": True}, {"is_robot": True}])
def test_no_company_of_the_domain_where_nobody_writes_in_earnest(kind: dict[str, object]) -> None:
    assert read_entities(_letter("Out of office until Monday.", **kind)).company is None

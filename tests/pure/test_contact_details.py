# SPDX-License-Identifier: GPL-3.0-or-later
"""What a contact block says beside names, terms of a sale, references, lists of goods, and where each stands."""

from datetime import date

import pytest

from classifiers.entities import Entities, Letter, read_entities
from classifiers.references import find_references, is_container_number
from classifiers.terms import find_incoterm, find_needed_by, find_payment_term, find_place
from tradepost.facts import Account, Goods, Reference
from tradepost.message import Address

_BLOCK = """Best regards,
Ann Lee
Head of Purchasing
Acme Pumps Ltd.
12 Mill Road, Leeds LS1 4AB
Tel: +44 20 7946 0018 | Mobile +44 7700 900123 | Fax: +44 20 7946 0019
WeChat: annlee_pumps · Skype ann.lee.77
www.acme-pumps.example.com"""


def read(text: str, contact: str = "", subject: str = "") -> Entities:
    letter = Letter(
        Address("ann@acme-pumps.example.com", "Ann Lee"),
        subject,
        text,
        contact,
        language="en",
        country="GB",
        category="inquiry",
        is_business=True,
        written=date(2025, 11, 3),
    )
    return read_entities(letter)


def test_a_contact_block_taken_apart() -> None:
    found = read("Please quote.", _BLOCK)
    assert (found.person, found.company, found.title) == ("Ann Lee", "Acme Pumps Ltd.", "Head of Purchasing")
    assert found.address == "12 Mill Road, Leeds LS1 4AB"
    assert found.website == "www.acme-pumps.example.com"
    assert found.phones == (
        Account("phone", "+442079460018"),
        Account("mobile", "+447700900123"),
        Account("fax", "+442079460019"),
    )
    assert found.social == (Account("wechat", "annlee_pumps"), Account("skype", "ann.lee.77"))


def test_no_contact_block_says_nothing() -> None:
    found = read("Please quote.")
    assert (found.title, found.phones, found.address, found.website, found.social) == (None, (), None, None, ())


@pytest.mark.parametrize(
    ("text", "name", "place"),
    [
        ("price FOB Ningbo, please", "FOB", "Ningbo"),
        ("CIF Mombasa Incoterms 2020", "CIF", "Mombasa"),
        ("CIF порт Новороссийск", "CIF", "Новороссийск"),
        ("FOB 宁波 价格", "FOB", "宁波"),
        ("C&F Karachi. If you", "CFR", "Karachi"),
        ("FOB USD 2.10", "FOB", None),
        ("the fob watch", "FOB", None),
    ],
)
def test_incoterms_and_places(text: str, name: str, place: str | None) -> None:
    term = find_incoterm(text)
    assert term is not None
    found = find_place(text, term)
    assert (term.value, found and found.value) == (name, place)


@pytest.mark.parametrize(
    "text",
    ["cifra, DAPHNE and ExW", "see 16 CFR 1610", "CIF: B12345678", "please quote FOB and CIF Keelung", ""],
)
def test_no_incoterm_is_stated(text: str) -> None:
    assert find_incoterm(text) is None


def test_incoterms_in_words() -> None:
    term = find_incoterm("verzollt und frei Haus")
    assert term is not None
    assert term.value == "DDP"


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("we need it by 15 March", "2026-03-15"),
        ("antes del 20 de mayo", "2026-05-20"),
        ("до 5 марта", "2026-03-05"),
        ("5月20日之前", "2026-05-20"),
        ("bis 04.12.", "2025-12-04"),
        ("before end of February", "2026-02-28"),
        ("10 Kasım'a kadar", "2025-11-10"),
        ("no later than 2026-02-01", "2026-02-01"),
        ("your letter of 15 March", None),
        ("by 31 February", None),
    ],
)
def test_when_goods_are_needed(text: str, day: str | None) -> None:
    found = find_needed_by(text, date(2025, 11, 3))
    assert (found and found.value) == day


def test_a_day_without_year_needs_the_day_of_writing() -> None:
    assert find_needed_by("by 15 March", None) is None


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("payment T/T 30/70 as always", "T/T 30/70"),
        ("irrevocable L/C at sight please", "irrevocable L/C at sight"),
        ("30% deposit, balance before shipment", "30% deposit, balance before shipment"),
        ("OA 60 days", "OA 60 days"),
        ("30%定金，见提单副本付清", "30%定金，见提单副本付清"),
        ("da ist was kaputt", None),
    ],
)
def test_terms_of_payment(text: str, term: str | None) -> None:
    found = find_payment_term(text)
    assert (found and found.value) == term


def test_references_by_kind() -> None:
    text = (
        "PO 4500123, PI EE-25-0731 / invoice no. INV-2025/11; container MSKU 123456-5, not MSKU 123456-4; "
        "AWB 157-4471 9032; order 300 of them; L/C IMP-20931; DHL 1234567890; 订单号 EG20250301"
    )
    assert [(found.kind, found.number) for found in find_references(text)] == [
        ("po", "4500123"),
        ("pi", "EE-25-0731"),
        ("invoice", "INV-2025/11"),
        ("container", "MSKU1234565"),
        ("awb", "157-44719032"),
        ("lc", "IMP-20931"),
        ("tracking", "1234567890"),
        ("po", "EG20250301"),
    ]


def test_the_check_digit_of_a_container() -> None:
    assert is_container_number("CSQU3054383")
    assert not is_container_number("CSQU3054384")


def test_a_list_of_goods() -> None:
    found = read(
        "Dear Tom,\nplease offer:\n- brass hinges 35 mm: 2,000 pcs at USD 0.42\n- drawer slides 450 mm: 500 sets\n"
        "- cam locks – 10 000 pcs\nRegards"
    )
    first, *others = found.products
    assert first == Goods(found.product, found.quantity, found.unit, found.target_price, found.currency)
    assert [goods.quantity for goods in others] == [number for number in (2000, 500, 10000) if number != first.quantity]


def test_a_long_list_is_listed_whole_though_its_end_is_not_what_the_letter_is_about() -> None:
    lines = [f"- article no. {chr(65 + nth)}x hinge: {nth + 2}00 pcs" for nth in range(18)]
    found = read("Dear Tom,\nplease quote:\n" + "\n".join(lines) + "\nRegards")
    assert sorted(goods.quantity or 0 for goods in found.products) == [100 * (nth + 2) for nth in range(18)]
    assert found.quantity is not None
    assert found.quantity <= 1300


def test_every_fact_stands_where_its_span_says() -> None:
    subject = "PO 4471: water pumps"
    text = "Hi Tom,\nplease quote 200 pcs of water pumps, target USD 41.50 each FOB Ningbo, by 15 March, T/T 30/70."
    found = read(text, _BLOCK, subject)
    shown = {"text": text, "signature": _BLOCK, "subject": subject, "from": "Ann Lee"}
    said = {span.fact: shown[span.source][span.start : span.end] for span in found.spans}
    assert said["quantity"].startswith("200")
    assert said["target_price"] == "USD 41.50"
    assert (said["incoterm"], said["incoterm_place"], said["payment_term"]) == ("FOB", "Ningbo", "T/T 30/70")
    assert (said["needed_by"], said["references"]) == ("15 March", "4471")
    assert (said["company"], said["title"]) == ("Acme Pumps Ltd.", "Head of Purchasing")
    assert found.references == (Reference("po", "4471"),)
    assert said["person"] == "Ann Lee"

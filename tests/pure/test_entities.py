# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of a letter, and none where it states none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers import phones
from classifiers.entities import Letter, parse_number, read_entities, read_price, read_quantity
from classifiers.features import document_types
from classifiers.products import read_product
from classifiers.writers import read_company, read_person
from tradepost.message import Address


@pytest.mark.parametrize(
    ("text", "number"),
    [("1200", 1200), ("1,200", 1200), ("1.200", 1200), ("1 200", 1200), ("12'000", 12000), ("1,200.50", 1200.5), ("1.200,50", 1200.5),
     ("0.350", 0.35), ("4.5", 4.5), ("4,5", 4.5), ("1.200.000", 1200000)],
)  # fmt: skip
def test_numbers_as_people_write_them(text: str, number: float) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize(
    ("text", "quantity", "unit"),
    [
        ("we need 2,400 pcs of it", 2400, "pcs"),
        ("etwa 350 Stück im Jahr", 350, "pcs"),
        ("5 000 шт. в месяц", 5000, "pcs"),
        ("3万个", 30000, "pcs"),
        ("二十、300套", 300, "sets"),
        ("500 paires", 500, "pairs"),
        ("2 containers", 2, "container"),
        ("25 tons of", 25, "ton"),
        ("12k pcs", 12000, "pcs"),
        ("300개", 300, "pcs"),
        ("colour 4000K con otro bin", None, None),
        ("model EG-300 pcs", None, None),
        ("on 12.05.2026", None, None),
        ("", None, None),
    ],
)
def test_quantities(text: str, quantity: float | None, unit: str | None) -> None:
    assert read_quantity(text)[:2] == (quantity, unit)


@pytest.mark.parametrize(
    ("text", "price", "currency"),
    [
        ("our target price is USD 4.20 per piece", 4.2, "USD"),
        ("目标价 3.5 美元", 3.5, "USD"),
        ("Zielpreis 285 CHF", 285, "CHF"),
        ("your price of 5 EUR is too high", None, "EUR"),
        ("we paid USD 18,690.00 yesterday", None, None),
        ("nothing about money", None, None),
    ],
)
def test_the_price_aimed_at(text: str, price: float | None, currency: str | None) -> None:
    assert read_price(text) == (price, currency)


@pytest.mark.parametrize(
    ("name", "contact", "text", "person"),
    [
        ("Ann Lee", "Best regards,\nAnn Lee\nBuyer", "", "Ann Lee"),
        ("Lee", "Mr. Ann Lee | Acme Ltd.", "", "Ann Lee"),
        ("С. Волобуев", "Сергей Волобуев\nООО «Нева»", "", "Сергей Волобуев"),
        ("Acme Ltd.", "Bob Stone\nAcme Ltd.", "", "Bob Stone"),
        ("purchase@x.example", "", "Please quote.\nBob", "Bob"),
        ("王伟", "", "请报价", "王伟"),
        ("", "", "", None),
    ],
)
def test_who_writes(name: str, contact: str, text: str, person: str | None) -> None:
    assert read_person(Address("a@b.example", name), contact, text) == person


@pytest.mark.parametrize(
    ("address", "contact", "company"),
    [
        ("a@x.example", "Ann Lee\nAcme Co., Ltd.\n+44 20 7946 0018", "Acme Co., Ltd."),
        ("a@x.example", "Ann Lee | Buyer | Acme GmbH", "Acme GmbH"),
        ("a@x.example", "АО «ЧЗМИ», 454008, Челябинск", "АО «ЧЗМИ»"),
        ("a@x.example", "王伟\n宁波海通进出口有限公司", "宁波海通进出口有限公司"),
        ("a@bebekodasi.example", "Zeynep\nBebek Odası", "Bebek Odası"),
        ("a@gmail.com", "Ann\nGmail fans", None),
        ("a@x.example", "Ann Lee\nBuyer", None),
    ],
)
def test_for_which_company(address: str, contact: str, company: str | None) -> None:
    assert read_company(Address(address), contact, "") == company


def test_a_national_number_is_read_in_its_country() -> None:
    assert phones.choose_phone("Zeynep Arslan\nTel 0212 555 09 36", "Fiyat?", "TR") == "+902125550936"


@given(st.text(alphabet="+0＋(1290) .-/–a é\n", max_size=80))
def test_candidates_are_found_as_one_pattern_would_find_them(text: str) -> None:
    slow = [match.span() for match in phones._CANDIDATE.finditer(text)]

    assert [match.span() for match in phones._candidates(text)] == slow


def test_a_robot_is_nobody() -> None:
    found = read_entities(
        Letter(Address("noreply@x.example", "Customer Service"), "", "Ticket 300 pcs", is_automatic=True, is_robot=True)
    )

    assert (found.person, found.quantity, found.product) == (None, None, None)


@pytest.mark.parametrize(
    ("filename", "kind"),
    [("PO 4500123.pdf", "order"), ("PI_EE-25.xlsx", "order"), ("draft BL.pdf", "logistics"), ("Packing List.xls", "logistics"),
     ("TT_slip.jpg", "payment"), ("水单.pdf", "payment"), ("claim_photos.zip", "complaint"), ("Lebenslauf.pdf", "other"), ("image001.png", None),
     ("发货装箱单最终版.xlsx", "logistics"), ("", None)],
)  # fmt: skip
def test_what_an_attachment_is(filename: str, kind: str | None) -> None:
    assert next(iter(document_types(filename)), None) == kind


@pytest.mark.parametrize(
    ("subject", "text", "product"),
    [
        ("Inquiry for water pumps, urgent", "", "water pumps"),
        ("Re: PI EE-25-0731 / doypack bags", "", "doypack bags"),
        ("AW: Anfrage Werkstattwagen", "", "Werkstattwagen"),
        ("回复: 询价：折叠凳", "", "折叠凳"),
        ("Re: Re: Order status", "", None),
        ("Dear Tom", "", None),
        ("[TradePlaza] new order", "", None),
        ("Where is my money?", "", None),
        ("", "", None),
    ],
)
def test_what_the_letter_is_about(subject: str, text: str, product: str | None) -> None:
    assert read_product(subject, text, is_business=True) == product


def test_a_private_subject_names_no_product() -> None:
    assert read_product("Lunch tomorrow", "", is_business=False) is None

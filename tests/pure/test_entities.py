# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of a letter, and none where it states none."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers import phones
from classifiers.entities import Entities, Letter, read_entities
from classifiers.features import document_types
from classifiers.money import find_money, spoken_currency
from classifiers.numbers import find_numbers, parse_number, plain_figures
from classifiers.units import read_container, read_unit, unit_of
from tradepost.message import Address

ANN = Address("ann@acme-pumps.example", "Ann Lee")


def read(
    text: str,
    subject: str = "",
    writer: Address = ANN,
    contact: str = "",
    language: str | None = "en",
    country: str | None = None,
    category: str | None = "inquiry",
    is_automatic: bool = False,
) -> Entities:
    return read_entities(
        Letter(writer, subject, text, contact, language, country, category, is_automatic, is_business=not is_automatic)
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [("1200", 1200), ("1,200", 1200), ("1.200", 1200), ("1 200", 1200), ("12'000", 12000), ("1,200.50", 1200.5), ("1.200,50", 1200.5),
     ("0.350", 0.35), ("4.5", 4.5), ("4,5", 4.5), ("1.200.000", 1200000), ("1,90,000", 190000)],
)  # fmt: skip
def test_figures_as_people_write_them(text: str, number: float) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize(
    ("text", "language", "numbers"),
    [
        ("two thousand five hundred pcs", "en", [2500]),
        ("zweihundertfünfzig Stück, einundzwanzig Kartons", "de", [250, 21]),
        ("quatre-vingt-dix pièces", "fr", [90]),
        ("dos mil quinientos", "es", [2500]),
        ("dua puluh lima, lima belas ribu", "id", [25, 15000]),
        ("hai mươi nghìn", "vi", [20000]),
        ("ثلاثمئة وخمسين حبة و ١٢٠٠", "ar", [350, 1200]),
        ("ห้าหมื่นตัว สิบลัง", "th", [50000, 10]),
        ("一千二百隻 12万件 廿個 一千二", "zh", [1200, 120000, 20, 1200]),
        ("열 개, 백이십 대", "ko", [10, 120]),
        ("1,90,000 नग, 2 lakh", "hi", [190000, 200000]),
        ("500-1000 pcs and 12k", "en", [500, 12000]),
        ("EG-300, M8, 18:30 and 12.05.2026", "en", [18, 12.05]),
        ("on 3 bin adet", "tr", [10, 3000]),
        ("年に1万2千個", "ja", [12000]),
        ("하나만 더", "ko", [1]),
        ("", "en", []),
    ],
)
def test_numbers_in_running_text(text: str, language: str, numbers: list[float]) -> None:
    assert [number.value for number in find_numbers(plain_figures(text), language)] == numbers


def test_a_range_keeps_both_ends() -> None:
    assert [(number.value, number.upper) for number in find_numbers("500-1000 pcs")] == [(500, 1000)]


@pytest.mark.parametrize(
    ("text", "name"),
    [("12 pcs.", "pcs"), ("350 Stück", "pcs"), ("300套装", "sets"), ("12 m2 of", "m2"), ("12 m of", "m"), ("5 кг", "kg"), ("30 chairs", None)],
)  # fmt: skip
def test_units(text: str, name: str | None) -> None:
    unit = read_unit(text, text.index(" ") if " " in text else 3)
    assert (unit and unit.name) == name


def test_containers_are_units_too() -> None:
    by_size, by_word = read_container("2 x 40HQ", 1, 2), read_container("3 40' containers", 1, 3)
    assert [unit and unit.name for unit in (by_size, by_word)] == ["40HQ container", "40ft container"]
    assert read_container("3 40 pcs", 1, 3) is None
    assert read_container("40x40", 2, 40) is None
    assert unit_of("Kartons") == "cartons"


@pytest.mark.parametrize(
    ("text", "country", "amounts"),
    [
        ("USD 2.10/pc at $0.38, 18.460,00 USD", None, [(2.1, "USD"), (0.38, "USD"), (18460, "USD")]),
        ("R$ 300,50 or NT$212 or HK$5,650", None, [(300.5, "BRL"), (212, "TWD"), (5650, "HKD")]),
        ("1.3달러, 500块, 38欧", None, [(1.3, "USD"), (500, "CNY"), (38, "EUR")]),
        ("12,4 mil dólares", None, [(12400, "USD")]),
        ("4000 pesos", "MX", [(4000, "MXN")]),
        ("4000 pesos", "CO", [(4000, "COP")]),
        ("4000 pesos", None, []),
        ("200 元", "TW", [(200, "TWD")]),
        ("please try 300 of it, all 200", None, []),
        ("120 kr", "SE", [(120, "SEK")]),
    ],
)
def test_money(text: str, country: str | None, amounts: list[tuple[float, str]]) -> None:
    found = find_money(text, find_numbers(text, "es" if "mil" in text else "en"), country)
    assert [(money.value, money.currency) for money in found] == amounts


def test_a_currency_may_be_spoken_of_without_an_amount() -> None:
    assert spoken_currency("please quote in USD") == "USD"
    assert spoken_currency("账户是美金的") == "USD"
    assert spoken_currency("we try all of it") is None


@pytest.mark.parametrize(
    ("text", "language", "quantity", "unit"),
    [
        ("we need 2,400 pcs of it, please quote", "en", 2400, "pcs"),
        ("Wir brauchen etwa 350 Stück im Jahr.", "de", 350, "pcs"),
        ("Нужно 5 000 шт. в месяц", "ru", 5000, "pcs"),
        ("我们需要3万个", "zh", 30000, "pcs"),
        ("Nous voulons commander 500 paires", "fr", 500, "pairs"),
        ("please offer 25 tons of zinc", "en", 25, "ton"),
        ("please send 15 pcs in red and 15 pcs in blue", "en", 30, "pcs"),
        ("we ordered 15 pcs; you sent us other 15 pcs", "en", 15, "pcs"),
        ("potřebuji 120 a ještě víc židlí", "cs", 120, "pcs"),
        ("consumimos 3 mil por mês de tampas", "pt", 3000, "pcs"),
        ("we need 40 bags of zinc oxide", "en", 40, "bags"),
        ("please call 0571 or 079941223 or 79941223", "en", None, None),
        ("Our colour is 4000K, 12.05.2026", "en", None, None),
        ("", "en", None, None),
    ],
)
def test_quantities(text: str, language: str, quantity: float | None, unit: str | None) -> None:
    found = read(text, language=language)
    assert (found.quantity, found.unit) == (quantity, unit)


@pytest.mark.parametrize(
    ("text", "price", "currency"),
    [
        ("We need 3000 pcs. Our target price is USD 4.20 per piece FOB Ningbo.", 4.2, "USD"),
        ("我们要 3000 个，目标价 3.5 美元", 3.5, "USD"),
        ("we paid USD 18,690.00 yesterday", None, "USD"),
        ("nothing about money", None, None),
    ],
)
def test_the_price_aimed_at(text: str, price: float | None, currency: str | None) -> None:
    found = read(text, language="zh" if "目标" in text else "en")
    assert (found.target_price, found.currency) == (price, currency)


@pytest.mark.parametrize(
    ("name", "contact", "text", "person"),
    [
        ("Ann Lee", "Best regards,\nAnn Lee\nBuyer\n+44 20 7946 0018", "", "Ann Lee"),
        ("sales", "Mr. Ann Lee | Acme Ltd. | +44 20 7946 0018", "", "Ann Lee"),
        ("Acme Ltd.", "Bob Stone\nAcme Ltd.\n+44 20 7946 0018", "", "Bob Stone"),
        ("王伟", "", "请报价", "王伟"),
        ("구매팀", "시은아 과장 | 코튼클라우드\n02-3703-8800", "", "시은아"),
        ("Jens Claasen", "Jens Claasen\nClaasen Kontor, Leer", "", "Jens Claasen"),
        ("Marek Kowalski", "", "Please quote.\n\nMarek", "Marek Kowalski"),
        ("Henrike Sommer", "Viele Grüße\nH. Sommer\n+49 40 123456", "", "Henrike Sommer"),
        ("Игорь Саянов", "И. Саянов\nООО «Пример», +7 812 123-45-67", "", "Игорь Саянов"),
        ("Bartholomew Finch", "", "We need spares.\n\nBart Finch", "Bartholomew Finch"),
        ("Finch", "Bart Finch-Hatton\nAcme Ltd.", "", "Bart Finch-Hatton"),
        ("林美玲 May Lin", "林美玲 May Lin\n宁波海通进出口有限公司", "", "林美玲 May Lin"),
        ("経理部 鈴木", "青空商事株式会社 経理部\n鈴木 花子\nTEL:092-471-0000", "", "鈴木 花子"),
        ("Messeteam Nord", "Ihr Messeteam Nord\nKöln", "", None),
        ("Acme Sales Team", "", "Please see our offer.", None),
        ("Tim Brandt", "", "Please quote.\n\nTim", "Tim Brandt"),
        ("", "", "", None),
    ],
)
def test_who_writes(name: str, contact: str, text: str, person: str | None) -> None:
    assert read(text, writer=Address("a@b-works.example", name), contact=contact).person == person


@pytest.mark.parametrize(
    ("address", "name", "person"),
    [
        ("m.kowalski@b.example", "Kowalski, Marek", "Marek Kowalski"),
        ("anton@b-works.example", "Anton, Taiga-Trans", "Anton"),
    ],
)
def test_names_as_directories_write_them(address: str, name: str, person: str) -> None:
    assert read("Please quote.", writer=Address(address, name)).person == person


@pytest.mark.parametrize(
    ("address", "person"),
    [
        ("marek.kowalski@b.example", "Marek Kowalski"),
        ("export.sales@b.example", None),
        ("no.reply@b.example", None),
        ("m.kowalski@b.example", None),
        ("kowalski@b.example", None),
    ],
)
def test_whom_the_mailbox_is_named_after(address: str, person: str | None) -> None:
    found = read("Please quote.", writer=Address(address))

    assert found.person == person
    assert [span for span in found.spans if span.fact == "person"] == []


@pytest.mark.parametrize(
    ("address", "contact", "company"),
    [
        ("a@x.example", "Ann Lee\nAcme Co., Ltd.\n+44 20 7946 0018", "Acme Co., Ltd."),
        ("a@x.example", "Ann Lee | Buyer | Acme GmbH", "Acme GmbH"),
        ("a@x.example", "王伟\n宁波海通进出口有限公司\n13805741234", "宁波海通进出口有限公司"),
        ("a@minikdunya.example", "Zehra\nMinik Dünya\n0212 555 09 36", "Minik Dünya"),
        ("a@vidrioandes.example", "Ann Lee\nCompras\nVidrioandes S.A.S. NIT 900.512.664-1", "Vidrioandes S.A.S."),
        ("a@gmail.com", "Ann", None),
        ("a@silverbirch.example", "", "Silver Birch"),  # a hint of the domain
    ],
)
def test_for_which_company(address: str, contact: str, company: str | None) -> None:
    assert read("", writer=Address(address, "Ann Lee"), contact=contact).company == company


def test_an_absence_note_is_by_who_is_absent() -> None:
    note = "I am out of office until 3 May. For urgent matters please contact Ms. Jincy Thomas +974 4436 8820."
    writer = Address("omar.haddad@gulfvalves.example", "Omar Haddad")

    assert read(note, writer=writer, category="automatic", is_automatic=True).person == "Omar Haddad"


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
        ("Inquiry for water pumps", "please quote 200 pcs of water pumps", "water pumps"),
        ("AW: Anfrage Werkstattwagen", "", "Werkstattwagen"),
        ("回复: 询价：折叠凳", "", "折叠凳"),
        ("", "", None),
    ],
)
def test_what_the_letter_is_about(subject: str, text: str, product: str | None) -> None:
    assert read(text, subject).product == product


_ATTACKS = ("1" * 20_000, "1 " * 10_000, "$" * 20_000, "1,111 " * 3_000, "Aa " * 6_000, "一" * 20_000, "1x" * 9_000, "«a" * 9_000,
            "- a\n" * 5_000, "two " * 5_000, "(" * 20_000, "a@" * 9_000, "von " * 5_000, "Ann, " * 4_000, "1-1" * 6_000, "PO 1" * 5_000, "5月1日" * 4_000, "www.a.de " * 2_000, "- a: 5 pcs\n" * 1_800)  # fmt: skip


@pytest.mark.parametrize("text", _ATTACKS)
def test_no_text_takes_long(text: str) -> None:
    started = time.process_time()
    read(text, text[:900], Address("a@b.example", text[:200]), text, is_automatic=True)
    assert time.process_time() - started < 0.25

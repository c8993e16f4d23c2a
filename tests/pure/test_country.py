# SPDX-License-Identifier: GPL-3.0-or-later
"""The sender's country: evidence that speaks, traps that don't."""

from datetime import datetime, timedelta, timezone

import pytest

from classifiers.country import country_of_domain, number_plan, read_country
from classifiers.phones import choose_phone, find_phones, regions_of_national_numbers
from tradepost.message import Address, Message


def _mail(
    address: str, *, subject: str = "", name: str = "", received: str = "", hours: float | None = None
) -> Message:
    fields = (("Received", received),) if received else ()
    zone = None if hours is None else timezone(timedelta(hours=hours))
    date = None if zone is None else datetime(2025, 3, 4, 10, 0, tzinfo=zone)
    return Message(fields=fields, subject=subject, from_=Address(address, name), date=date)


@pytest.mark.parametrize(
    ("country", "evidence", "address", "text", "signature", "language"),
    [
        ("DE", "phone", "a@firma.example", "Bitte ein Angebot.", "Anna Muster\n+49 30 1234567", "de"),
        ("CH", "domain", "a@firma.ch", "Bitte ein Angebot.", "", "de"),
        ("TR", "domain", "a@firma.com.tr", "Fiyat lütfen.", "", "tr"),
        ("IT", "place", "a@ditta.example", "Un preventivo.", "Mario Rossi\nVia Roma 1, Brescia", "en"),
        ("MX", "legal-form", "a@firma.example", "Precio.", "Ana\nTornillos S.A. de C.V.\nMonterrey", "es"),
        ("KR", "language", "a@gmail.com", "견적 부탁드립니다.", "", "ko"),
        ("CN", "provider", "a@163.com", "请报价。", "", "zh"),
        ("GB", "phone", "a@firma.de", "Quote please.", "Ann\n+44 20 7946 0018\nLondon", "en"),
        ("KZ", "phone", "a@mail.ru", "Цена?", "Тимур\n+7 727 250 33 17\nАлматы", "ru"),
        ("CO", "domain", "a@firma.com.co", "Precio.", "", "es"),
    ],
)
def test_evidence_of_the_sender(
    country: str, evidence: str, address: str, text: str, signature: str, language: str
) -> None:
    origin = read_country(_mail(address), text, signature, language)

    assert origin.country == country
    assert origin.evidence is not None
    assert evidence in origin.evidence.split("+")


@pytest.mark.parametrize(
    ("address", "text", "signature", "language"),
    [
        ("a@startup.io", "Please quote.", "", "en"),  # .io and .co are sold to anybody
        ("a@startup.co", "Please quote.", "", "en"),
        ("a@gmail.com", "Please quote to Hamburg and Rotterdam.", "", "en"),  # ports, not the writer's place
        ("a@gmail.com", "Necesito precio.", "", "es"),  # a language of twenty countries
        ("a@hotmail.com", "请报价", "", "zh"),
        ("", "", "", None),
    ],
)
def test_no_guess_is_better_than_a_wrong_one(address: str, text: str, signature: str, language: str | None) -> None:
    assert read_country(_mail(address), text, signature, language).country is None


@pytest.mark.parametrize(
    ("country", "address", "hours", "text", "signature", "language"),
    [
        ("CO", "a@gmail.com", -5, "Estamos en Pasto y queremos machetes.", "", "es"),
        ("CN", "a@gmail.com", 8, "Moro em Yiwu, sou de Goiânia.", "", "pt"),  # of two homes the clock tells which
        ("ES", "a@gmail.com", 1, "¿Tenéis el manual? Os lo agradezco.", "", "es"),
        ("CH", "a@gmx.net", 1, "Grüezi, bitte um eine Offerte, die Grösse ist egal.", "", "de"),
        ("AT", "a@holz.at", 1, "Bitte um ein Angebot.", "", "de"),
        ("BR", "a@loja.com", -3, "Vocês mandam pra gente?", "", "pt"),
        ("KZ", "a@mail.ru", 6, "Цена?", "ТОО Жарық\nКараганда", "ru"),
        ("US", "a@feed.com", -5, "Front half fine.", "Dale Hutchins\nPrairie Feed, Dodge City KS\n(620) 227-8140", "en"),
        ("GB", "a@works.com", 0, "Quote please.", "Ann Lee\nUnit 4, Mill Lane, BD16 2AB", "en"),
        ("CN", "a@cup-factory.com", 8, "货好了吗", "王伟\n139 0679 4418", "zh"),
        ("TW", "a@tools.com", 8, "請報價，貴公司的品質很好", "", "zh"),
        ("HK", "a@paper.com", 8, "張單我睇咗，煩請落單", "", "zh"),
        ("TR", "a@firm.example", 3, "ok thanks", "", "en"),
        ("DE", "a@firm.example", 1, "Quote please.", "Ann Lee\nVAT No. DE 123456789", "en"),
        ("CH", "a@firm.example", 1, "Quote please.", "Ann Lee\nHauptgasse 3, Solothurn", "en"),
        ("LY", "a@firm.ly", 2, "نريد سعر المضخات", "", "ar"),  # sold to anybody, but not to who writes Arabic
        ("ES", "a@firma.cat", 1, "Quote please.", "", "en"),
        ("CN", "a@ningbo-rods.com", 8, "Quote please.", "Pan Wei\nWeihai", "en"),
        ("GB", "ann@btinternet.com", 0, "Quote please.", "", "en"),
    ],
)  # fmt: skip
def test_evidence_adds_up(country: str, address: str, hours: float, text: str, signature: str, language: str) -> None:
    prefix = "Ynt: offer" if country == "TR" else ""

    assert read_country(_mail(address, subject=prefix, hours=hours), text, signature, language).country == country


@pytest.mark.parametrize(
    ("address", "hours", "text", "signature", "language"),
    [
        ("a@gmail.com", 1, "Necesito precio.", "", "es"),  # Central Europe's hour in Spanish: perhaps
        ("a@gmail.com", -5, "Necesito precio.", "", "es"),
        ("a@mail.ru", 5, "Цена?", "", "ru"),  # Tashkent and Ufa keep one time
        ("a@firm.com", 8, "这个乌拉圭人找错人了", "", "en"),
        ("a@win.xyz", 9, "견적 부탁드립니다.", "", "ko"),  # a domain that costs nothing: who says what it is?
        ("a@firm.com", 1, "Quote please.", "Ann Lee\nVAT NO 123456789", "en"),
        ("a@firm.com", 0, "Location: Felixstowe, Actual time 03:58.", "", "en"),
    ],
)
def test_what_is_only_likely_is_not_given(address: str, hours: float, text: str, signature: str, language: str) -> None:
    assert read_country(_mail(address, hours=hours), text, signature, language).country is None


def test_words_alone_do_not_move_a_company_abroad() -> None:
    mail = _mail("li@trade.cn", hours=8)

    assert read_country(mail, "日本の名古屋のお客様から電話です。", "", "ja").country == "CN"


def test_a_letter_in_a_language_has_a_likely_number_plan() -> None:
    assert (number_plan("ja"), number_plan("zh"), number_plan("en"), number_plan(None)) == ("JP", "CN", None, None)


def test_evidence_that_disagrees_is_no_evidence() -> None:
    assert read_country(_mail("a@firma.it"), "Prezzo?", "Mario\nZürich", "en").country is None


def test_the_route_only_supports() -> None:
    mail = _mail("a@firm.example", received="from mail.firm.example ([185.15.59.224]) by mx.exporter.example")

    assert read_country(mail, "Please quote.", "", "en").country is None


def test_a_platform_is_not_where_the_buyer_sits() -> None:
    mail = Message(from_=Address("noreply@platform.cn"), reply_to=(Address("bob@gmail.com"),))

    assert read_country(mail, "Please quote.", "", "en", is_relay=True).country is None


@pytest.mark.parametrize(
    ("domain", "country"),
    [
        ("x.de", "DE"),
        ("x.co.uk", "GB"),
        ("x.com", None),
        ("x.io", None),
        ("x.tv", None),
        ("x.me", None),
        ("x.wales", "GB"),
        ("x.com.co", "CO"),
        ("", None),
    ],
)
def test_country_of_domain(domain: str, country: str | None) -> None:
    assert country_of_domain(domain) == country


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("Tel: +49 (0)30 1234567", None, ["+49301234567"]),
        ("0086-574-8765-4321", None, ["+8657487654321"]),
        ("tel 0212 555 09 36", "TR", ["+902125550936"]),
        ("تلفن: ۰۲۱-۸۸۷۳۴۰۱۵", "IR", ["+982188734015"]),
        ("WhatsApp: 5491155550123", None, ["+5491155550123"]),
        ("Fax: +49 30 7654321", None, []),
        ("Order 0212 555 09 36", "TR", []),
        ("Booking no. 0212-555-0936", "TR", []),
        ("from 2025-11-04 to 2025-12-04", "DE", []),
        ("price 12,500.00 for 30,000 pcs", "US", []),
        ("0212 555 09 36", None, []),
        ("Telef. +244 923 418 067", None, ["+244923418067"]),  # "f." is no fax
        ("Altdorf\n+41 41 870 55 29", None, ["+41418705529"]),
        ("fax: 0212 555 09 36 tel: 0212 555 09 37", "TR", ["+902125550937"]),
        ("传真至0592-5959 611", "CN", []),
        ("A/C 0212 555 09 36", "TR", []),
        ("QQ 2055 5133 / 0574-5555 8816", "CN", ["+8657455558816"]),
        ("Tel. 0941 / 56 30 94", "DE", ["+49941563094"]),
        ("tel 0364 225 19 00 / 214", "TR", ["+903642251900"]),
        ("전화 02-2187-4403에게", "KR", ["+82221874403"]),
        ("T.031-761-8804", "KR", ["+82317618804"]),
        ("1 drone motor 2207 1750kv", "DE", []),
        ("doc GN-24-090112", "KR", []),
        ("Tel 8 (4234) 31-90-27", "RU", ["+74234319027"]),  # not the 31st
        ("Tel 01 392 922 4071", "MX", ["+523929224071"]),
        ("Cel. 316 448 20 91", None, []),
        ("微信同号 13812345678", None, ["+8613812345678"]),
        ("WhatsApp 13812345678", None, []),
    ],
)
def test_telephone_numbers(text: str, region: str | None, expected: list[str]) -> None:
    assert [phone.e164 for phone in find_phones(text, region)] == expected


@pytest.mark.parametrize(
    ("contact", "text", "region", "expected"),
    [
        ("Fax 030 901821\nTel 030 901820", "", "DE", "+4930901820"),
        ("Ann Lee\n964 60 12 88", "", "ES", "+34964601288"),  # in a contact block no label is needed
        ("TY Lin\n886-4-2337-5580 #216", "", "TW", "+886423375580"),
        ("Ann Lee", "Call me: 030 901820", "DE", "+4930901820"),
        ("Ann Lee", "Order 964601288", "ES", None),
    ],
)
def test_the_writer_s_number(contact: str, text: str, region: str, expected: str | None) -> None:
    assert choose_phone(contact, text, region) == expected


def test_a_national_number_fits_few_countries() -> None:
    assert regions_of_national_numbers("876-923-4105", ["US", "CA", "JM"]) == {"JM"}
    assert regions_of_national_numbers("no number here", ["US"]) == frozenset()
    assert regions_of_national_numbers("Fax 876-923-4105", ["JM"]) == frozenset()

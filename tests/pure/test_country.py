# SPDX-License-Identifier: GPL-3.0-or-later
"""The sender's country: evidence that speaks, traps that don't."""

import pytest

from classifiers.country import country_of_domain, read_country
from classifiers.phones import find_phones
from tradepost.message import Address, Message


def _mail(address: str, *, subject: str = "", name: str = "", received: str = "") -> Message:
    fields = (("Received", received),) if received else ()
    return Message(fields=fields, subject=subject, from_=Address(address, name))


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
    ],
)
def test_telephone_numbers(text: str, region: str | None, expected: list[str]) -> None:
    assert [phone.e164 for phone in find_phones(text, region)] == expected

# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses are compared by one normal form; a free-mail domain never names a company."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tradepost.addresses import address_key, company_domain, domain_key, domain_of, is_free_mail, registrable_domain


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("Ann@Buyer.Example", "ann@buyer.example"),
        (" <ann@buyer.example> ", "ann@buyer.example"),
        ("ann+offers@buyer.example", "ann+offers@buyer.example"),
        ("ann@buyer.example.", "ann@buyer.example"),
        ('"a@b"@buyer.example', '"a@b"@buyer.example'),
        ("анна@пример.рф", "анна@xn--e1afmkfd.xn--p1ai"),
        ("info@Bücher.example", "info@xn--bcher-kva.example"),
        ("info@xn--bcher-kva.example", "info@xn--bcher-kva.example"),
        ("采购@例子.测试", "采购@xn--fsqu00a.xn--0zwm56d"),
        ("info@ＢＵＹＥＲ.example", "info@buyer.example"),
        ("postmaster", "postmaster"),
        ("\u3000< <postmaster> >", "postmaster"),
        ("", ""),
    ],
)
def test_address_key(address: str, key: str) -> None:
    assert address_key(address) == key


@pytest.mark.parametrize("domain", ["☃☃.example", "a..b", "-x-.example", "x" * 300, "\udcff.example", "[192.0.2.1]"])
def test_domain_that_is_none_is_lower_cased_and_never_raises(domain: str) -> None:
    assert domain_key(domain) == domain_key(domain.upper())


@given(st.text(max_size=60))
@example("0 <")
@settings(max_examples=200, deadline=None, database=None)
def test_hostile_addresses_never_raise_and_keys_are_stable(text: str) -> None:
    key = address_key(text)
    assert address_key(key) == key
    domain_of(text)
    company_domain(text)


@pytest.mark.parametrize(
    ("host", "company"),
    [
        ("mail.acme.co.uk", "acme.co.uk"),
        ("acme.com.cn", "acme.com.cn"),
        ("mx1.eu.acme.de", "acme.de"),
        ("acme.com.br", "acme.com.br"),
        ("co.uk", ""),
        ("", ""),
    ],
)
def test_company_part_of_a_host(host: str, company: str) -> None:
    assert registrable_domain(host) == company


@pytest.mark.parametrize(
    "domain", ["gmail.com", "GMAIL.com", "qq.com", "vip.163.com", "foxmail.com", "yandex.ru", "web.de", "naver.com"]
)
def test_free_mail_names_no_company(domain: str) -> None:
    assert is_free_mail(domain)
    assert company_domain(f"ann@{domain}") == ""


def test_company_of_an_address() -> None:
    assert company_domain("Ann@mail.Acme.co.uk") == "acme.co.uk"
    assert company_domain("postmaster") == ""
    assert company_domain("") == ""

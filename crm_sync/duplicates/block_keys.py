# SPDX-License-Identifier: GPL-3.0-or-later
"""By which keys a customer or contact is found: two records are compared only when they have one in common.  Pure.

Kinds of a customer: name (without legal form, in Latin letters), core (without trade words; also of a domain's label),
brand (without places), sound (consonants of the core), label (of a domain: acme of acme.co.uk), phone, person, mailbox,
address.  Of a contact: person, mailbox, local (what stands before the @), phone.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import idna

from crm_sync.duplicates.name_keys import LONGEST_KEY, every_spelling, fold, person_key
from crm_sync.duplicates.name_words import EMPTY_NAMES, LINKING_WORDS, TRADE_WORDS
from tradepost.addresses import is_free_mail, registrable_domain

Key = tuple[str, str]  # (kind, key)

# Of one record; a customer with thousands of contacts is found by its first ones, too.
MOST_KEYS = 60
_SHORTEST = {"core": 3, "brand": 4, "sound": 4, "label": 3, "address": 12, "local": 5}
_PHONE_DIGITS = 9
_FEWEST_PHONE_DIGITS = 8
_VOWELS = re.compile("[aeiouyhw]")
_REPEATED = re.compile(r"(.)\1+")
_DOTLESS = frozenset({"gmail.com", "googlemail.com"})
# At the end of a label, where nothing parts it from the name: acmegroup, acmetrading.
_GLUED = tuple(sorted((word for word in TRADE_WORDS if word.isascii() and len(word) > 3), key=len, reverse=True))
_SHORTEST_GLUED_NAME = 4


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """What is compared of a customer."""

    id: int
    name: str
    country: str | None = None
    names: tuple[str, ...] = ()  # other names it goes by, or their keys
    domains: tuple[str, ...] = ()
    website: str = ""
    phones: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()  # of mail
    postal: str = ""


@dataclass(frozen=True, slots=True)
class ContactFacts:
    """What is compared of a contact."""

    id: int
    name: str
    customer_id: int | None = None
    addresses: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()


def customer_keys(facts: CustomerFacts) -> frozenset[Key]:
    """Return the keys of a customer."""
    return _bounded(_customer_keys(facts))


def _customer_keys(facts: CustomerFacts) -> Iterator[Key]:
    for name in dict.fromkeys((facts.name, *facts.names)):
        yield from name_keys(name)
    for domain in dict.fromkeys((*facts.domains, host_of(facts.website))):
        yield from domain_keys(domain)
    yield "address", fold(facts.postal).replace(" ", "")
    yield from (("phone", phone_key(phone)) for phone in facts.phones)
    yield from (("mailbox", mailbox_key(address)) for address in facts.addresses)
    yield from (("person", person_key(name)) for name in facts.people)


def contact_keys(facts: ContactFacts) -> frozenset[Key]:
    """Return the keys of a contact."""
    return _bounded(_contact_keys(facts))


def _contact_keys(facts: ContactFacts) -> Iterator[Key]:
    yield "person", person_key(facts.name)
    for address in facts.addresses:
        yield "mailbox", mailbox_key(address)
        yield "local", local_key(address)
    yield from (("phone", phone_key(phone)) for phone in facts.phones)


def name_keys(name: str) -> Iterator[Key]:
    """Yield the keys of a company's name; a name that is a domain has that domain's, an address none."""
    if "@" in name:
        return
    if "." in name and " " not in name and registrable_domain(name):
        yield from domain_keys(name)
        return
    for keys in every_spelling(name):
        if keys.brand:
            yield "name", keys.joined
        yield "core", keys.core
        yield "brand", keys.brand
        yield "sound", sound_key(keys.core)


def domain_keys(domain: str) -> Iterator[Key]:
    """Yield the keys of a company's domain; a free-mail domain has none."""
    label = domain_label(domain)
    if label and label not in TRADE_WORDS and label not in EMPTY_NAMES:
        yield "label", label.replace(" ", "")
        core = label_core(label)
        yield "core", core
        yield "sound", sound_key(core)


@lru_cache(maxsize=4096)
def domain_label(domain: str) -> str:
    """Return what stands before the public suffix as words ("acme-group.co.uk" -> "acme group"), or ""."""
    registrable = "" if len(domain) > 255 or is_free_mail(domain) else registrable_domain(domain)
    label = registrable.partition(".")[0]
    if label.startswith("xn--"):
        try:
            label = idna.decode(label)
        except (idna.IDNAError, UnicodeError):
            return label
    return fold(label)


def label_core(label: str) -> str:
    """Return a label without trade words: "acme group" and "acmegroup" are "acme"."""
    words = [word for word in label.split() if word not in TRADE_WORDS]
    core = "".join(words)
    for word in _GLUED:
        if core.endswith(word) and len(core) - len(word) >= _SHORTEST_GLUED_NAME:
            return core[: -len(word)]
    return core


def trades(facts: CustomerFacts) -> frozenset[str]:
    """Return the trade words of a customer's name, and of its domains where the name is none."""
    is_domain = "." in facts.name and " " not in facts.name
    texts = [domain_label(domain) for domain in facts.domains] if is_domain else [fold(facts.name)]
    found = set[str]()
    for text in texts:
        words = text.split()
        core = label_core(text) if is_domain else ""
        glued = "".join(words).removeprefix(core) if core else ""
        found.update(word for word in (*words, glued) if word in TRADE_WORDS)
    return frozenset(found - LINKING_WORDS)


def host_of(website: str) -> str:
    """Return the host that a website's address names."""
    return re.sub(r"^\w+://", "", website.strip().lower())[:300].partition("/")[0].partition(":")[0]


def phone_key(phone: str) -> str:
    """Return the last digits of a number, the same with and without its country's; "" for too few."""
    digits = "".join(sign for sign in phone[:60] if sign.isascii() and sign.isdigit())
    return digits[-_PHONE_DIGITS:] if len(digits) >= _FEWEST_PHONE_DIGITS else ""


def mailbox_key(address: str) -> str:
    """Return whose box an address leads to: without +tag, at Google also without dots."""
    local, at, domain = address.rpartition("@")
    if not at:
        return ""
    local = local.partition("+")[0]
    if domain in _DOTLESS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"[:LONGEST_KEY] if local else ""


def local_key(address: str) -> str:
    """Return what stands before the @ where it may be a person's: "john.smith", not "info"."""
    local = mailbox_key(address).rpartition("@")[0]
    return "" if local in EMPTY_NAMES or local.isdigit() else local[:LONGEST_KEY]


def sound_key(core: str) -> str:
    """Return the consonants of a Latin name, each once in a row: what is spelled a little otherwise has the same."""
    if not core.isascii() or len(core) < _SHORTEST["sound"]:
        return ""
    return core[0] + _REPEATED.sub(r"\1", _VOWELS.sub("", core[1:]))


def _bounded(keys: Iterable[Key]) -> frozenset[Key]:
    found: dict[Key, None] = {}
    for kind, key in keys:
        if len(key) >= _SHORTEST.get(kind, 2):
            found[kind, key[:LONGEST_KEY]] = None
            if len(found) == MOST_KEYS:
                break
    return frozenset(found)

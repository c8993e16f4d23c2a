# SPDX-License-Identifier: GPL-3.0-or-later
"""The sender's country, with the evidence named.  A wrong guess sends a buyer to the wrong rep: no guess is better.

Evidence adds up.  A telephone number with its country code, a place in the signature and a country's domain speak for
themselves; language, time zone, provider, legal form and the first hop's IP only together.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import islice

from iptocc import country_code

from classifiers.phones import find_phones
from classifiers.places import countries_of_places
from classifiers.tables import any_of, linear, linear_bytes, read_table
from tradepost.addresses import domain_of, is_free_mail, registrable_domain
from tradepost.message import Message

_TABLE = read_table("country")
_GENERIC = frozenset(_TABLE["generic_domains"])
_LANGUAGES: dict[str, str] = _TABLE["languages"]
_PROVIDERS: dict[str, str] = _TABLE["providers"]
_ZONES: dict[str, str] = _TABLE["zones"]
_LANGUAGE_ZONES: dict[str, dict[str, str]] = _TABLE["language_zones"]
_FORMS = {form: country for country, forms in _TABLE["legal_forms"].items() for form in forms}


def _bounded(words: dict[str, str]) -> str:
    spaced = any_of(word for word in words if ord(word[0]) < 0x0590 and word[-1].isalnum())
    rest = any_of(word for word in words if not (ord(word[0]) < 0x0590 and word[-1].isalnum()))
    return rf"(?:^|[^\pL\pN])(?:{spaced})(?:$|[^\pL\pN])|{rest}"


_FORM = linear_bytes(_bounded(_FORMS))
_RECEIVED_IP = linear(r"\[(?:IPv6:)?([0-9a-fA-F.:]{7,45})\]")
_MAX_CHARS = 4_000
_MAX_FORMS = 12
_ENOUGH = 2.0
_LEAD = 1.0  # the winner must be that far ahead of the next
_WEIGHTS = {"phone": 5.0, "place": 4.0, "domain": 4.0, "provider": 2.0, "legal-form": 2.5, "language": 2.0, "time-zone": 1.5, "language-and-zone": 2.0, "ip": 1.0,
            "place-in-text": 1.5, "phone-in-text": 3.0}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Origin:
    """A country and why; both None when nobody can know."""

    country: str | None = None
    evidence: str | None = None  # names joined by +


def read_country(
    message: Message, new_text: str, signature: str, language: str | None, *, is_relay: bool = False
) -> Origin:
    """Weigh what the mail shows of its sender's country.

    Of a relay only the words and Reply-To count: domain, route and clock are the platform's.
    """
    votes: dict[str, dict[str, float]] = defaultdict(dict)

    def vote(country: str | None, evidence: str) -> None:
        if country:
            votes[country].setdefault(evidence, _WEIGHTS[evidence])

    for phone in find_phones(signature):
        if phone.is_international:
            vote(phone.region, "phone")
    last_lines = "\n".join(new_text.rstrip().rsplit("\n", 3)[-3:]) if not signature else ""
    for phone in find_phones(last_lines):
        if phone.is_international:
            vote(phone.region, "phone-in-text")
    for country in countries_of_places(signature):
        vote(country, "place")
    vote(_only_country(f"{message.subject}\n{new_text}"), "place-in-text")
    for country in _countries_of_forms(f"{signature}\n{message.from_.name}"):
        vote(country, "legal-form")
    address = message.reply_to[0].address if is_relay and message.reply_to else message.from_.address
    domain = domain_of(address)
    vote(country_of_domain(domain), "domain")
    vote(_PROVIDERS.get(domain), "provider")
    vote(_country_of_language(language, new_text), "language")
    if not is_relay:
        if message.date is not None:
            zone = message.date.isoformat()[-6:]
            vote(_ZONES.get(zone), "time-zone")
            vote(_LANGUAGE_ZONES.get(language or "", {}).get(zone), "language-and-zone")
        vote(_country_of_route(message), "ip")
    return _decide(votes)


def _decide(votes: dict[str, dict[str, float]]) -> Origin:
    ranked = sorted(((sum(found.values()), country) for country, found in votes.items()), reverse=True)
    if not ranked or ranked[0][0] < _ENOUGH or (len(ranked) > 1 and ranked[0][0] - ranked[1][0] < _LEAD):
        return Origin()
    evidence = votes[ranked[0][1]]
    names = sorted(evidence, key=lambda name: (-evidence[name], name))
    return Origin(ranked[0][1], "+".join(names))


def country_of_domain(domain: str) -> str | None:
    """Return the country of a domain's last label; None for generic ones, also those that countries sell to anybody."""
    label = domain.rpartition(".")[2].upper()
    if len(label) != 2 or not label.isascii() or label.lower() in _GENERIC:
        # .co is sold to anybody, .com.co is Colombia's
        if domain.endswith((".com.co", ".gov.co", ".edu.co", ".net.co", ".org.co")):
            return "CO"
        return None
    return "GB" if label == "UK" else label


def _only_country(text: str) -> str | None:
    """Return the country that a text names; None for several: ports and destinations, not where the writer sits."""
    only: str | None = None
    for country in countries_of_places(text):
        if only not in (None, country):
            return None
        only = country
    return only


def _countries_of_forms(text: str) -> Iterator[str]:
    """Yield the country of each legal form that only one has, a dozen at most."""
    for match in islice(_FORM.finditer(text[:_MAX_CHARS].encode("utf-8", "replace")), _MAX_FORMS):
        found = match[0].decode()
        # With it match the signs that stand around a word: groups that leave them out cost more than all the rest.
        for word in (found, found[1:], found[:-1], found[1:-1]):
            if word in _FORMS:
                yield _FORMS[word]
                break


def _country_of_language(language: str | None, text: str) -> str | None:
    if language == "zh":
        return "TW" if sum(text.count(char) for char in "們這個來與點嗎請謝貨價單國經報") > 4 else None
    return _LANGUAGES.get(language or "")


def _country_of_route(message: Message) -> str | None:
    """Return the country of the address that handed in the mail: the lowest Received with a public address."""
    hops = list(message.headers("Received"))[-3:]
    if len(hops) > 1 and is_free_mail(registrable_domain(domain_of(message.from_.address))):
        hops = hops[-1:]
    for hop in reversed(hops):
        for match in _RECEIVED_IP.finditer(hop[:1_000]):
            try:
                address = ip_address(match.group(1))
            except ValueError:
                continue
            if address.is_global:
                return country_code(str(address)) or None
    return None

# SPDX-License-Identifier: GPL-3.0-or-later
"""The sender's country, with the evidence named.  A wrong guess sends a buyer to the wrong rep: no guess is better.

Evidence adds up.  A telephone number with its country code, a place in the signature and a country's domain speak for
themselves; language and its varieties, time zone, provider, national numbers, legal form and the first hop's IP only
together.  What costs more is looked at only while the cheap evidence has not decided.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import islice

from iptocc import country_code

from classifiers.phones import find_phones, regions_of_national_numbers
from classifiers.places import countries_of_here, countries_of_places, countries_of_towns, country_of_large_town
from classifiers.tables import PatternSet, any_of, linear, linear_bytes, read_table
from tradepost.addresses import domain_of, is_free_mail, registrable_domain
from tradepost.message import Message

_TABLE = read_table("country")
_GENERIC = frozenset(_TABLE["generic_domains"])
_THROWAWAY = frozenset(_TABLE["throwaway_domains"])
_LANGUAGES: dict[str, str] = _TABLE["languages"]
_PROVIDERS: dict[str, str] = _TABLE["providers"]
_ZONES: dict[str, str] = _TABLE["zones"]
_LANGUAGE_ZONES: dict[str, dict[str, str]] = _TABLE["language_zones"]
_SPEAKERS: dict[str, frozenset[str]] = {
    language: frozenset(codes.split()) for language, codes in _TABLE["speakers"].items()
}
_CLOCKS: dict[str, frozenset[str]] = {zone: frozenset(codes.split()) for zone, codes in _TABLE["clocks"].items()}
_FORMS = {form: country for country, forms in _TABLE["legal_forms"].items() for form in forms}
_VARIETY_OF = {language: PatternSet(patterns) for language, patterns in _TABLE["varieties"].items()}
_PROGRAM = PatternSet(_TABLE["programs"])
_POSTAL = PatternSet(_TABLE["postal_codes"])
_REPLY_PREFIX = {
    prefix.lower(): language for language, prefixes in _TABLE["reply_prefixes"].items() for prefix in prefixes
}


def _bounded(words: dict[str, str]) -> str:
    spaced = any_of(word for word in words if ord(word[0]) < 0x0590 and word[-1].isalnum())
    rest = any_of(word for word in words if not (ord(word[0]) < 0x0590 and word[-1].isalnum()))
    return rf"(?:^|[^\pL\pN])(?:{spaced})(?:$|[^\pL\pN])|{rest}"


_FORM = linear_bytes(_bounded(_FORMS))
# A tax number or account that begins with its country: "VAT: GB123456789", "IBAN DE89 3704".
_TAX_NUMBER = re.compile(r"(?<![^\W\d_])([A-Z]{2})[ -]?\d[\d ]{6,20}")
_TAX_LABEL = re.compile(r"VAT|UID|USt|BTW|TVA|IVA|NIP|DIČ|MwSt|MOMS|ALV|ÁFA|CVR|IBAN", re.IGNORECASE)
_TAX_LABEL_CHARS = 24
_TAX_PREFIXES = {"EL": "GR", "NO": None, "NR": None, "ID": None}  # "VAT NO 12345678" is not Norway's
_RECEIVED_IP = linear(r"\[(?:IPv6:)?([0-9a-fA-F.:]{7,45})\]")
_MAX_CHARS = 4_000
_MAX_VARIETY_CHARS = 2_000
_MAX_FORMS = 12
_ENOUGH = 2.0
_LEAD = 1.0  # the winner must be that far ahead of the next
_PLENTY = 3.5  # so much, undisputed, needs no more looking
_WEIGHTS = {"phone": 5.0, "place": 4.0, "domain": 4.0, "tax-number": 3.0, "here": 3.0, "national-phone": 2.5, "postal-code": 2.5, "town": 2.5, "legal-form": 2.5, "phone-in-text": 3.0,
            "provider": 2.0, "language": 2.0, "language-and-zone": 2.0, "variety": 1.6, "place-in-text": 1.3, "time-zone": 1.5, "town-of-name": 1.0, "program": 1.4, "domain-name": 1.2, "ip": 1.0, "clock": 0.6}  # fmt: skip
_SOFT = frozenset(
    [
        "language",
        "language-and-zone",
        "variety",
        "place-in-text",
        "town-of-name",
        "town",
        "national-phone",
        "program",
        "clock",
        "time-zone",
    ]
)
_MOST_SOFT = 2.6
_MAX_SIGN_OFF = 60
_AMERICAN_CLOCKS = frozenset(["-04:00", "-05:00", "-06:00", "-07:00", "-08:00"])
_ENDS_SENTENCE = frozenset(".?!。？！…؟")
_SIMPLIFIED = frozenset("们这个来与点吗请谢货价单国经报业厂发电话东关贸术达运让过还长门问间区县镇华龙")
_TRADITIONAL = frozenset(["TW", "HK", "MO", "JP"])
_NUMBER_PLANS: dict[str, str] = _TABLE["number_plans"]
_NAME_MARKS = re.compile("[.-]")
_LEAST_TOWN = 4
_SHARED_PROVIDERS = frozenset(_TABLE["shared_providers"]["names"])
_REGION_DOMAINS: dict[str, str] = _TABLE["region_domains"]
_NAME_PIECES: dict[str, str] = _TABLE["name_pieces"]


@dataclass(frozen=True, slots=True)
class Origin:
    """A country and why; both None when nobody can know."""

    country: str | None = None
    evidence: str | None = None  # names joined by +


class _Votes:
    """Countries and what speaks for each; a kind of evidence counts once for a country."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, float]] = defaultdict(dict)

    def add(self, country: str | None, evidence: str, share: float = 1.0) -> None:
        if country:
            weight = _WEIGHTS[evidence] * share
            self._found[country][evidence] = max(weight, self._found[country].get(evidence, 0.0))

    def has(self, country: str, evidence: str) -> bool:
        """Does that evidence speak for the country already?"""
        return evidence in self._found[country]

    def best(self) -> tuple[str | None, float, float]:
        """Return the first country, its weight and the next one's."""
        ranked = sorted(((sum(found.values()), country) for country, found in self._found.items()), reverse=True)
        if not ranked:
            return None, 0.0, 0.0
        return ranked[0][1], ranked[0][0], ranked[1][0] if len(ranked) > 1 else 0.0

    def decide(self, domestic: str | None = None) -> Origin:
        """Return the winner; what the words alone say is little against the domain of another country."""
        if domestic is not None and "domain" in self._found[domestic]:
            for other, found in self._found.items():
                soft = sum(weight for name, weight in found.items() if name in _SOFT)
                if other != domestic and soft > _MOST_SOFT:
                    for name in found.keys() & _SOFT:
                        found[name] *= _MOST_SOFT / soft
        country, first, second = self.best()
        if country is None or first < _ENOUGH or first - second < _LEAD:
            return Origin()
        evidence = self._found[country]
        return Origin(country, "+".join(sorted(evidence, key=lambda name: (-evidence[name], name))))

    @property
    def is_plain(self) -> bool:
        """Is the matter settled?"""
        _, first, second = self.best()
        return first >= _PLENTY and second == 0.0


def read_country(
    message: Message,
    new_text: str,
    signature: str,
    language: str | None,
    *,
    small_print: str = "",
    others_words: str = "",
    is_relay: bool = False,
) -> Origin:
    """Weigh what the mail shows of its sender's country.

    `small_print` is his disclaimer, `others_words` the letter he answers: its frame tells his program's language.
    Of a relay only the words and Reply-To count: domain, route and clock are the platform's.
    """
    votes = _Votes()
    contact = signature or "\n".join(new_text.rstrip().rsplit("\n", 4)[-4:])
    _add_contact(votes, signature, contact, message.from_.name)
    address = message.reply_to[0].address if is_relay and message.reply_to else message.from_.address
    domain = domain_of(address)
    is_throwaway = domain.rpartition(".")[2] in _THROWAWAY
    speakers = _SPEAKERS.get(language or "", frozenset())
    domestic = _add_domain(votes, domain, speakers)
    if not is_throwaway:
        votes.add(_LANGUAGES.get(language or ""), "language")
    if votes.is_plain:
        return votes.decide()
    zone = "" if is_relay or is_throwaway or message.date is None else message.date.isoformat()[-6:]
    clocks = _CLOCKS.get(zone, frozenset())
    varieties = _add_words(votes, f"{message.subject}\n{new_text}", language, speakers, clocks)
    if zone:
        votes.add(_ZONES.get(zone), "time-zone")
        # Austria's domain and German would speak against each other, and Taiwan writes Chinese too.
        if domestic not in speakers & clocks and (language != "zh" or not _SIMPLIFIED.isdisjoint(new_text)):
            country, share = _shared(_LANGUAGE_ZONES.get(language or "", {}).get(zone, ""))
            if varieties.isdisjoint(clocks - {country}):  # "Grüezi" at Berlin's hour
                votes.add(country, "language-and-zone", share)
        for country in speakers & clocks:
            votes.add(country, "clock")
        votes.add(_country_of_route(message), "ip")
    if not votes.is_plain:
        _add_habits(votes, message, contact, small_print, others_words, language, zone)
    return votes.decide(domestic)


def _add_domain(votes: _Votes, domain: str, speakers: frozenset[str]) -> str | None:
    """Add the domain's country and return it; one that is sold to anybody counts where its language is written."""
    if domain in _PROVIDERS:
        votes.add(_PROVIDERS[domain], "provider")
        return _PROVIDERS[domain]
    country = country_of_domain(domain)
    if is_free_mail(registrable_domain(domain)):
        if domain in _SHARED_PROVIDERS:
            return None
        votes.add(country, "provider")
        return country
    if country is None and (label := domain.rpartition(".")[2].upper()) in speakers:
        votes.add(label, "domain", 0.5)
        return label
    votes.add(country, "domain")
    first, *rest = _NAME_MARKS.split(domain.rpartition(".")[0])
    for piece in rest:
        votes.add(_NAME_PIECES.get(piece), "domain-name")
    for piece in (first, *rest) if rest else ():
        if len(piece) >= _LEAST_TOWN:
            votes.add(country_of_large_town(piece), "domain-name")
    return country


def _add_contact(votes: _Votes, signature: str, contact: str, name: str) -> None:
    """Add what the contact block says: numbers, places, legal forms."""
    for phone in find_phones(contact):
        if phone.is_international:
            votes.add(phone.region, "phone" if signature else "phone-in-text")
    for country in countries_of_places(signature):
        votes.add(country, "place")
    for country in _countries_of_forms(f"{signature}\n{name}"):
        votes.add(country, "legal-form")
    if not signature:  # the letter's last lines, when they are no sentences
        contact = "\n".join(
            line for line in contact.split("\n") if len(line) < _MAX_SIGN_OFF and line[-1:] not in _ENDS_SENTENCE
        )
    is_simplified = not _SIMPLIFIED.isdisjoint(contact)
    for country, is_large in countries_of_towns(contact):
        if (is_simplified and country in _TRADITIONAL) or votes.has(country, "place"):
            continue
        votes.add(country, "town" if signature else "town-of-name", 1.0 if is_large else 0.8)


def _add_words(
    votes: _Votes, text: str, language: str | None, speakers: frozenset[str], clocks: frozenset[str]
) -> frozenset[str]:
    """Add what the words say: places, and how the language is spoken; return where it is spoken so."""
    place = _only_country(text)
    # A letter in Chinese that names Uruguay speaks of somebody there.
    votes.add(place, "place-in-text", 1.0 if place in speakers else 0.4)
    places = frozenset(countries_of_here(text))
    if len(places) > 1 and places & clocks:
        places &= clocks  # "I'm from Goiânia and live in Yiwu": the clock tells which
    for country in places:
        votes.add(country, "here")
    patterns = _VARIETY_OF.get(language or "")
    varieties = [_shared(name) for name in patterns.found(text[:_MAX_VARIETY_CHARS])] if patterns is not None else []
    for country, share in varieties:
        votes.add(country, "variety", share)
    return frozenset([country for country, _ in varieties])


def _shared(entry: str) -> tuple[str, float]:
    """Read "country share" of a table: without a share all of the weight."""
    country, _, share = entry.partition(" ")
    return country, float(share or 1.0)


def _add_habits(
    votes: _Votes, message: Message, contact: str, small_print: str, others_words: str, language: str | None, zone: str
) -> None:
    """Add national telephone numbers, postal codes, tax numbers, and the language of the writer's program."""
    for name in _POSTAL.found(contact[:_MAX_CHARS]):
        votes.add(name.partition(" ")[0], "postal-code")
    text = f"{contact}\n{small_print}"[:_MAX_CHARS]
    for match in islice(_TAX_NUMBER.finditer(text), 3):
        if not _TAX_LABEL.search(text, max(match.start() - _TAX_LABEL_CHARS, 0), match.start()):
            continue
        votes.add(_TAX_PREFIXES.get(match[1], match[1]), "tax-number")
    for country in _countries_of_forms(small_print):
        votes.add(country, "legal-form")
    program = _REPLY_PREFIX.get(message.subject.partition(":")[0].strip().lower()) or next(
        iter(_PROGRAM.found(others_words[:600])), None
    )
    if program is not None and program != language:
        home = _LANGUAGES.get(program)
        votes.add(home, "program")
        if home in _CLOCKS.get(zone, frozenset()):
            votes.add(home, "clock")
        votes.add(_shared(_LANGUAGE_ZONES.get(program, {}).get(zone, ""))[0], "program")
    speakers = _SPEAKERS.get(language or "", frozenset())
    first, weight, _ = votes.best()
    likely = frozenset({first} if first is not None and weight >= _ENOUGH else ())
    candidates = speakers | likely
    if zone in _AMERICAN_CLOCKS:
        candidates |= {"US", "CA"}
    clocks = _CLOCKS.get(zone)
    if clocks is not None and candidates & clocks:
        candidates &= clocks | likely
    if candidates:
        regions = regions_of_national_numbers(contact, candidates)
        for region in regions if len(regions) < 4 else ():
            votes.add(region, "national-phone", 1 / len(regions))


def number_plan(language: str | None) -> str | None:
    """Return the region whose national telephone numbers a letter in that language most likely holds."""
    return _LANGUAGES.get(language or "") or _NUMBER_PLANS.get(language or "")


def country_of_domain(domain: str) -> str | None:
    """Return the country of a domain's last label; None for generic ones, also those that countries sell to anybody."""
    label = domain.rpartition(".")[2].upper()
    if len(label) != 2 or not label.isascii() or label.lower() in _GENERIC:
        # .co is sold to anybody, .com.co is Colombia's
        if domain.endswith((".com.co", ".gov.co", ".edu.co", ".net.co", ".org.co")):
            return "CO"
        return _REGION_DOMAINS.get(label.lower())
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
    for encoded in islice(_FORM.texts(text[:_MAX_CHARS].encode("utf-8", "replace")), _MAX_FORMS):
        found = encoded.decode()
        # With it match the signs that stand around a word: groups that leave them out cost more than all the rest.
        for word in (found, found[1:], found[:-1], found[1:-1]):
            if word in _FORMS:
                yield _FORMS[word]
                break


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

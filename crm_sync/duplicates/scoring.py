# SPDX-License-Identifier: GPL-3.0-or-later
"""How likely two records are one, and why.  Pure.

Each thing they have in common is worth a probability; the worths of independent things combine as the chance that not all
of them are mistaken.  Of the likenesses of names only the strongest counts.
"""

from collections.abc import Collection, Iterable, Mapping

from rapidfuzz.distance import JaroWinkler

from crm_sync.duplicates.block_keys import ContactFacts, CustomerFacts, Key, trades
from crm_sync.duplicates.name_keys import company_keys

LIKELY = 50  # pairs below are not shown
_SIMILAR_NAMES = 0.93  # Jaro-Winkler, of names with the same consonants
_SHORT_CORE = 4  # "abc" is a part of many names
_OTHER_COUNTRY = 0.85

_CUSTOMER: Mapping[str, tuple[str, float]] = {
    "mailbox": ("same-mailbox", 0.8),
    "label": ("same-domain-label", 0.55),
    "phone": ("same-phone", 0.55),
    "address": ("same-address", 0.5),
    "person": ("same-person", 0.35),
}
_CONTACT: Mapping[str, tuple[str, float]] = {
    "mailbox": ("same-mailbox", 0.8),
    "person": ("same-name", 0.4),
    "phone": ("same-phone", 0.4),
    "local": ("same-local-part", 0.35),
}
_SAME_CUSTOMER = 0.45


def score_customers(one: CustomerFacts, other: CustomerFacts, shared: Collection[Key]) -> tuple[int, list[str]]:
    """Return (0 to 100, reasons) for two customers with these keys in common."""
    kinds = _kinds(shared)
    found = [_CUSTOMER[kind] for kind in kinds if kind in _CUSTOMER]
    if {"phone", "person"} <= kinds:
        # One person with one number at two companies went from one to the other.
        found = [said for said in found if said != _CUSTOMER["phone"]]
    found += _like_names(one, other, shared)
    score = _combined(worth for _, worth in found)
    is_elsewhere = one.country is not None and other.country is not None and one.country != other.country
    if is_elsewhere and not {"mailbox", "phone"} & kinds:
        score *= _OTHER_COUNTRY
    return round(100 * score), sorted(name for name, _ in found)


def score_contacts(one: ContactFacts, other: ContactFacts, shared: Collection[Key]) -> tuple[int, list[str]]:
    """Return (0 to 100, reasons) for two contacts with these keys in common."""
    kinds = _kinds(shared)
    found = [_CONTACT[kind] for kind in kinds if kind in _CONTACT]
    # Colleagues have one telephone, and one firm: that counts only for people of one name.
    if "person" in kinds and one.customer_id is not None and one.customer_id == other.customer_id:
        found.append(("same-customer", _SAME_CUSTOMER))
    return round(100 * _combined(worth for _, worth in found)), sorted(name for name, _ in found)


def _like_names(one: CustomerFacts, other: CustomerFacts, shared: Collection[Key]) -> list[tuple[str, float]]:
    kinds = _kinds(shared)
    # A label in common counts as such; its core says nothing more.
    labels = {key for kind, key in shared if kind == "label"}
    cores = {key for kind, key in shared if kind == "core"} - labels
    first, second = company_keys(one.name), company_keys(other.name)
    in_two_scripts = first.is_han != second.is_han
    if "name" in kinds:
        return [("same-name-other-script", 0.7) if in_two_scripts else ("same-name", 0.75)]
    if cores:
        trades_of_one, trades_of_other = trades(one), trades(other)
        # Blue Lighting and Blue Supply are two; what Chinese trades are called elsewhere is not known.
        differ = trades_of_one and trades_of_other and not trades_of_one & trades_of_other and not in_two_scripts
        is_weak = differ or len(max(cores, key=len)) < _SHORT_CORE
        name = "same-name-other-script" if in_two_scripts else "same-name-but-trade-words"
        return [(name, 0.35 if is_weak else 0.55)]
    if "sound" in kinds and JaroWinkler.similarity(first.core, second.core) >= _SIMILAR_NAMES:
        return [("similar-name", 0.5)]
    if "brand" in kinds:
        return [("same-name-but-place", 0.3)]
    return []


def _kinds(shared: Collection[Key]) -> set[str]:
    return {kind for kind, _ in shared}


def _combined(worths: Iterable[float]) -> float:
    mistaken = 1.0
    for worth in worths:
        mistaken *= 1 - worth
    return 1 - mistaken

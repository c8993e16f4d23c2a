# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains made to be taken for another: foreign letters, swapped or doubled ones, a hyphen, another ending.  Pure.

What looks alike is asked of few names (ours, those in a conversation); of many known ones, `bent_from` and `near_to` give
the names that a look-up can ask for.
"""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from tradepost.addresses import domain_key, is_free_mail, registrable_domain

_SHORTEST = 5  # characters of a name: shorter ones are alike by chance
_SHORTEST_OF_TWO_SLIPS = 10
_LONG = 8  # a name that nobody else has by chance
_LONGEST = 63  # a label (RFC 1035, 2.3.4)
_MOST_VARIANTS = 16
# Letters of other scripts, and figures, that are read as Latin ones (the frequent part of Unicode TS 39, confusables).
_READ_AS = str.maketrans(
    "аеорсухіјѕԁԛԝһӏвнкмтгпοαρνυικτεωɡıłøđßñçé013457$",
    "aeopcyxijsdqwhlbhkmtrnoapvuiktewgilodbnceoleasts",
)
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("ii", "u"), ("nn", "m"))
_OTHER_ENDINGS = ("com", "net", "org", "co", "cn", "com.cn", "de", "eu")


@lru_cache(maxsize=4096)
def skeleton(name: str) -> str:
    """Return how a name is read at a glance: accents, hyphens and dots gone, foreign letters as Latin ones."""
    plain = unicodedata.normalize("NFKD", name[:_LONGEST].lower())
    plain = "".join(sign for sign in plain if sign.isalnum() or sign == "$").translate(_READ_AS)
    for seen, read in _PAIRS:
        plain = plain.replace(seen, read)
    return plain.replace("i", "l")


@lru_cache(maxsize=4096)
def readable(domain: str) -> str:
    """Return the domain with its A-labels (xn--) as the letters that a person sees."""
    if "xn--" not in domain:
        return domain
    labels = []
    for label in domain.split("."):
        try:
            labels.append(label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label)
        except (UnicodeError, ValueError):
            labels.append(label)
    return ".".join(labels)


def mixes_scripts(domain: str) -> bool:
    """Does one label hold Latin letters beside Cyrillic or Greek ones?  No registry's own rules allow that."""
    shown = readable(domain)
    if shown.isascii():
        return False
    for label in shown.split("."):
        has_latin = any("a" <= sign <= "z" for sign in label)
        if has_latin and any("\u0370" <= sign <= "\u052f" for sign in label):
            return True
    return False


def looks_like(domain: str, known: Iterable[str], *, endings: bool = True) -> str | None:
    """Return the known domain that a domain is made to be taken for, or None.

    Without `endings` the same name under another top-level domain is let pass: subsidiaries have that.  Both may be host names.  A domain that is one of the known, or below one, is no look-alike; free-mail never is.
    """
    host = domain_key(domain)
    own = registrable_domain(host)
    if not own or is_free_mail(own):
        return None
    targets = {registrable_domain(name): name for name in known}
    targets.pop("", None)
    if own in targets:
        return None
    return next((name for target, name in targets.items() if _is_like(host, own, target, endings=endings)), None)


@lru_cache(maxsize=4096)  # who writes once writes again, to the same company
def _is_like(host: str, own: str, target: str, *, endings: bool) -> bool:
    name, _, ending = target.partition(".")
    mine, _, my_ending = own.partition(".")
    if len(name) < _SHORTEST or is_free_mail(target):
        return False
    # "acme.cn.login.example", "acme-cn.example": the whole name of another stands before the real one.
    if f".{target}." in f".{host}" or target.replace(".", "-") in mine:
        return True
    if len(name) >= _LONG and name in host.removesuffix(own).split("."):
        return True
    if mine == name:
        return endings and my_ending != ending
    read, wanted = skeleton(readable(mine)), skeleton(readable(name))
    if read == wanted:
        return True
    if abs(len(read) - len(wanted)) > 2 or len(wanted) < _SHORTEST:
        return False
    return _slips(read, wanted) <= (2 if len(wanted) >= _SHORTEST_OF_TWO_SLIPS else 1 if len(wanted) >= 7 else 0)


def _slips(one: str, other: str) -> int:
    """Return the number of letters added, left out, changed or swapped (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, wanted in enumerate(other, 1):
            cost = min(last[column] + 1, now[-1] + 1, last[column - 1] + (letter != wanted))
            swaps = row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == wanted
            now.append(min(cost, before[column - 2] + 1) if swaps else cost)
        before, last = last, now
    return last[-1]


def bent_from(domain: str) -> tuple[str, ...]:
    """Return registrable domains that this one may have been bent from by one slip, for look-ups by key.

    Not every look-alike can be undone so: what can't be asked for within a few keys is left to whoever knows all names.
    """
    own, name, ending = _parts(domain)
    if not name:
        return ()
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    letters = plain.translate(_READ_AS)
    names = dict.fromkeys((letters, name.replace("1", "i")))
    for seen, read in (("rn", "m"), ("vv", "w"), ("m", "rn"), ("l", "i"), ("i", "l"), ("o", "0"), ("l", "1")):
        names[letters.replace(seen, read, 1)] = None
    for index in range(1, len(name)):  # a letter doubled
        if name[index] == name[index - 1]:
            names[name[:index] + name[index + 1 :]] = None
    found = (domain_key(f"{other}.{ending}") for other in names if len(other) >= _SHORTEST)
    return tuple(other for other in found if other != own)[:_MOST_VARIANTS]


def near_to(domain: str) -> tuple[str, ...]:
    """Return registrable domains with the same name and another ending, another hyphen or a word less, for look-ups."""
    own, name, ending = _parts(domain)
    if not name:
        return ()
    found = [f"{name}.{other}" for other in _OTHER_ENDINGS]
    found += [f"{other}.{ending}" for other in (name.replace("-", ""), name.removesuffix("s"), f"{name}s")]
    before, hyphen, _ = name.rpartition("-")
    if hyphen and len(before) >= _SHORTEST:  # "acme-group"
        found.append(f"{before}.{ending}")
    return tuple(other for other in dict.fromkeys(map(domain_key, found)) if other != own)


def _parts(domain: str) -> tuple[str, str, str]:
    """Return (registrable domain, its name as people read it, its ending); the name is empty where none is asked for."""
    own = registrable_domain(domain_key(domain))
    name, _, ending = readable(own).partition(".")
    if not own or is_free_mail(own) or not _SHORTEST <= len(name) <= _LONGEST:
        return own, "", ending
    return own, name, ending

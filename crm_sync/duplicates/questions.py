# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody asks before he makes a customer: a name, a domain, an address or a telephone number.  Pure.

Too little to tell a customer from others, or too common, is no question: it would only sound the records out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from crm_sync.duplicates.block_keys import Key, domain_keys, mailbox_key, name_keys, phone_key
from crm_sync.duplicates.name_keys import company_keys, is_common
from tradepost.addresses import LONGEST_ADDRESS, address_key, company_domain, is_free_mail, registrable_domain
from tradepost.errors import Refusal

KINDS = ("name", "domain", "address", "phone")
LONGEST_QUESTION = 300
_FEWEST_LETTERS = 3
_FEWEST_DIGITS = 8


class QuestionError(Refusal, ValueError):
    """That can't be asked.  One line: what, why not, what could be."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question as keys.  `exact`: who has one of them is meant; `like`: who has one of these may be.

    `address` and `domain` are looked up as they are; "" where the question names none.
    """

    kind: str
    asked: str
    exact: frozenset[Key] = frozenset()
    like: frozenset[Key] = frozenset()
    address: str = ""
    domain: str = ""


def read_question(kind: str, asked: str) -> Question:
    """Return what is asked.  Raises QuestionError."""
    if len(asked) > LONGEST_QUESTION:
        raise QuestionError(f"{kind}: is longer than {LONGEST_QUESTION} characters")
    asked = asked.strip()
    if not asked or not asked.isprintable():
        raise QuestionError(f"{kind}: is empty, or has characters that can't be printed")
    if kind not in _READERS:
        raise QuestionError(f"{kind[:40]!r}: can't be asked about; {', '.join(KINDS)} can")
    return _READERS[kind](asked)


def _name(asked: str) -> Question:
    if "@" in asked:
        raise QuestionError("name: is an address; ask with --address")
    if is_common(asked):
        raise QuestionError("name: is no name of one company; ask for the whole name, the domain or an address")
    keys = company_keys(asked)
    letters = len(keys.plain.replace(" ", ""))
    if letters < (2 if keys.is_han else _FEWEST_LETTERS):
        raise QuestionError(f"name: {asked!r} is too short to tell one company from others; ask for the whole name")
    found = frozenset(key for key in name_keys(asked) if key[1])
    exact = frozenset(key for key in found if key[0] == "name")
    return Question("name", asked, exact, frozenset(key for key in found if key[0] == "core"))


def _domain(asked: str) -> Question:
    host = asked.lower().partition("://")[2] or asked.lower()
    domain = registrable_domain(host.partition("/")[0].partition(":")[0].rpartition("@")[2])
    if not domain:
        raise QuestionError(f"domain: {asked!r} is no company's domain, as acme.com")
    if is_free_mail(domain):
        raise QuestionError(f"domain: anybody gets an address at {domain}; ask for the whole address")
    like = frozenset(
        key for key in domain_keys(domain) if key[0] in ("label", "core") and len(key[1]) >= _FEWEST_LETTERS
    )
    return Question("domain", asked, like=like, domain=domain)


def _address(asked: str) -> Question:
    key = address_key(asked)
    local, at, domain = key.rpartition("@")
    if not at or not local or "." not in domain or len(asked) > LONGEST_ADDRESS:
        raise QuestionError(f"address: {asked!r} is no address, as jo@acme.com")
    return Question(
        "address", asked, frozenset({("mailbox", mailbox_key(key))}), address=key, domain=company_domain(key)
    )


def _phone(asked: str) -> Question:
    key = phone_key(asked)
    if not key:
        raise QuestionError(f"phone: give at least {_FEWEST_DIGITS} digits, as +49 30 1234567")
    return Question("phone", asked, frozenset({("phone", key)}))


_READERS: Mapping[str, Callable[[str], Question]] = {
    "name": _name,
    "domain": _domain,
    "address": _address,
    "phone": _phone,
}

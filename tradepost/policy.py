# SPDX-License-Identifier: GPL-3.0-or-later
"""The company as the milter needs it: own domains, people, pools, rules.  One snapshot, projected whole."""

from dataclasses import dataclass
from functools import cached_property

from tradepost.addresses import address_key, domain_key, domain_of
from tradepost.product_words import ProductWords
from tradepost.rules import Rule


@dataclass(frozen=True, slots=True)
class Person:
    """A registered person.  `email` is who he is; `addresses` are all he may write from; `logins` are SASL logins."""

    email: str
    name: str = ""
    team: str = ""
    role: str = "rep"  # rep | manager | administrator
    logins: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    is_away: bool = False
    substitute: str = ""  # email of the person who stands in


@dataclass(frozen=True, slots=True)
class Pool:
    """A role address and the people behind it."""

    name: str
    addresses: tuple[str, ...]
    members: tuple[str, ...] = ()  # emails of people
    delivery: str = "copy"  # mailbox | copy | owner
    distribution: str = "least-load"  # least-load | round-robin | none
    archive: str = ""  # with delivery = owner: who keeps a copy instead of the pool; empty: the pool itself
    expands: bool = False  # the address is an alias that already delivers to its members: copy nobody


@dataclass(frozen=True, slots=True)
class PolicyProduct:
    """A product, or a category alone (`code` is ""), and what names it, as compared (`tradepost.product_words`)."""

    code: str
    categories: tuple[str, ...]  # codes: its own and those above
    words: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """Everything business people decide that arrival depends on.  `version` counts up with every change."""

    version: int = 0
    company: str = ""
    domains: tuple[str, ...] = ()
    people: tuple[Person, ...] = ()
    pools: tuple[Pool, ...] = ()
    rules: tuple[Rule, ...] = ()
    products: tuple[PolicyProduct, ...] = ()  # none while no rule asks for them

    @cached_property
    def _own(self) -> frozenset[str]:
        return frozenset(domain_key(domain) for domain in self.domains)

    @cached_property
    def _people(self) -> dict[str, Person]:
        known = {}
        for person in self.people:
            for address in (*person.addresses, person.email):
                known[address_key(address)] = person
        return known

    @cached_property
    def _logins(self) -> dict[str, Person]:
        return {login: person for person in self.people for login in person.logins}

    @cached_property
    def _names(self) -> dict[str, Person]:
        named = ((_plain_name(person.name), person) for person in self.people)
        return {name: person for name, person in named if " " in name or not name.isascii()}

    @cached_property
    def _pools(self) -> dict[str, Pool]:
        return {address_key(address): pool for pool in self.pools for address in pool.addresses}

    @cached_property
    def _product_words(self) -> ProductWords:
        return ProductWords.of((word, place) for place, known in enumerate(self.products) for word in known.words)

    def products_named(self, subject: str, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return (codes of the products, codes of the categories) that a mail names."""
        places = dict.fromkeys((*self._product_words.find_all(subject), *self._product_words.find_all(text)))
        named = [self.products[place] for place in places]
        categories = dict.fromkeys(code for known in named for code in known.categories)
        return tuple(known.code for known in named if known.code), tuple(categories)

    def is_own(self, address: str) -> bool:
        """Is the address one of the company's?"""
        return domain_of(address) in self._own

    def person(self, address: str) -> Person | None:
        """Return the registered person behind any of his addresses."""
        return self._people.get(address_key(address))

    def stand_in(self, person: Person) -> Person | None:
        """Return who does the work of an absent person: his substitute, or, while that one is away too, his own.

        None: he is not away, or nobody is there; a circle ends where it began.
        """
        passed = {person.email}
        one: Person | None = person
        while one is not None and one.is_away:
            one = self.person(one.substitute) if one.substitute else None
            if one is not None and one.email in passed:
                return None
            if one is not None:
                passed.add(one.email)
        return None if one is person else one

    def namesake(self, name: str) -> Person | None:
        """Return the person of exactly that full name; a first name alone is everybody's."""
        return self._names.get(_plain_name(name)) if name else None

    def operator(self, login: str) -> Person | None:
        """Return whose SASL login that is; a login that is an address also matches by address; None: shared or unknown."""
        return self._logins.get(login) or (self.person(login) if "@" in login else None)

    def pool(self, address: str) -> Pool | None:
        """Return the pool behind a role address."""
        return self._pools.get(address_key(address))


def _plain_name(name: str) -> str:
    return " ".join(name[:200].replace(",", " ").casefold().split())

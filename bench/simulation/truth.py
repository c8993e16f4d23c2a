# SPDX-License-Identifier: GPL-3.0-or-later
"""What is true of each mail, and what of it could be known when it came.

**Whose** it is.  A mail carries evidence: addresses, domains that belong to one company alone, phones, person and company as
signed, the thread it continues.  Evidence that was seen with a party before leads to where it was seen; so one party may come to
have several *cores*, where nothing led from one to the other (another domain without a signature, a new colleague at a shared
domain).  A core is what must hang together.  Evidence that joins two cores later makes either right: merging customers is a
suggestion for a human being.

**Which thread** it belongs to.  A mail leads to earlier ones by ids or by Thread-Index; it can be known to belong there when its
writer (or whom we write to) took part, is of a company that did, or is of the party by other evidence.  What hangs together by
such links, whenever they came, is a *core* of the thread and must hang together; the rest of the thread may.
"""

from array import array
from collections import defaultdict
from collections.abc import Hashable
from typing import TypeVar, cast

from bench.simulation.mails import Mail
from bench.simulation.world import Kind, World
from tradepost.addresses import address_key, company_domain
from tradepost.verdict import Direction

ANY = -1  # of an accepted party of which the mail itself shows nothing: any of its cores
T = TypeVar("T", bound=Hashable)
Core = tuple[int, int]  # (party, its core)


class Truth:
    """Takes the mails in order of arrival."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.mails = 0
        self.threads = array("q")
        self.parents = array("q")  # of the union of mails into cores of threads
        self.cores: list[tuple[Core, ...]] = []  # whose it may be, interned
        self.situations: list[tuple[str, ...]] = []  # interned
        self.unknowable = set[int]()  # begins a core of a party or thread that has another: nothing told
        self.needs_no_party = set[int]()
        self._interned: dict[Hashable, Hashable] = {}
        self._core_of: dict[tuple[int, str], int] = {}
        self.core_count: dict[int, int] = defaultdict(int)  # of a party
        self._begun: set[int] = set()  # threads
        # By core of a thread: whose mails are in it, which addresses and companies took part.
        self._met: dict[int, set[Core]] = defaultdict(set)
        self._took_part: dict[int, set[str]] = defaultdict(set)

    def add(self, mail: Mail) -> None:
        """Remember the truth about the next mail."""
        assert mail.number == self.mails
        self.mails += 1
        self.threads.append(mail.thread)
        self.parents.append(mail.number)
        self.situations.append(self._intern(mail.situations))
        outside, speakers = self._outside(mail)
        links = [link.number for link in mail.links if link.number >= 0 and self._is_open(mail, speakers, link.number)]
        for link in links:
            self._join(mail.number, link)
        is_first = mail.thread not in self._begun
        self._begun.add(mail.thread)
        if not links and not is_first:
            self.unknowable.add(mail.number)
        cores = self._settle(mail, is_first or bool(links))
        self.cores.append(self._intern(cores))
        core = self.core(mail.number)
        self._took_part[core] |= outside
        self._met[core].update(cores)
        if mail.situations == ("bounce",):
            self.needs_no_party.add(mail.number)

    def _outside(self, mail: Mail) -> tuple[set[str], set[str]]:
        """Return who takes part by this mail, and who of them speaks: a stranger may copy in whom he likes."""
        named = {address_key(box[1]) for box in (*mail.to, *mail.cc) if not box[1].endswith(".example")}
        if mail.direction is not Direction.INBOUND:
            people = self._with_companies(named)
            return people, people
        speakers = self._with_companies({address_key(mail.reply_to or mail.sender[1])})
        return speakers | self._with_companies(named), speakers

    def _with_companies(self, keys: set[str]) -> set[str]:
        # At a shared domain and at free-mail providers a neighbour took no part.
        companies = {company_domain(key) for key in keys} - self._world.maker.shared_domains - {""}
        return keys | {f"@{company}" for company in companies}

    def _is_open(self, mail: Mail, speakers: set[str], link: int) -> bool:
        """Can it be known that the mail belongs to one that it leads to?"""
        core = self.core(link)
        is_met = any((key[0], self._core_of[key]) in self._met[core] for key in mail.evidence if key in self._core_of)
        return is_met or mail.direction is Direction.INTERNAL or bool(speakers & self._took_part[core])

    def _settle(self, mail: Mail, is_linked: bool) -> tuple[Core, ...]:
        """Return the cores this mail may hang on."""
        right: list[Core] = []
        for party in mail.parties:
            keys = [key for owner, key in mail.evidence if owner == party]
            if is_linked:
                keys.append(f"c:{mail.thread}")
            touched = {self._core_of[party, key] for key in keys if (party, key) in self._core_of}
            if not touched:
                if party != mail.parties[0] and keys in ([], [f"c:{mail.thread}"]):
                    right.append((party, ANY))
                    continue
                if self.core_count[party]:
                    self.unknowable.add(mail.number)
                touched = {self.core_count[party]}
                self.core_count[party] += 1
            for key in keys:
                self._core_of.setdefault((party, key), min(touched))
            right += [(party, core) for core in sorted(touched)]
        return tuple(right)

    def kind(self, party: int) -> Kind:
        """Return what a party is to us."""
        return self._world.maker.parties[party].kind

    def name(self, party: int) -> str:
        """Return how a party is called."""
        found = self._world.maker.parties[party]
        return f"{found.kind.value} {found.spellings[0]!r}"

    def core(self, number: int) -> int:
        """Return the core of the thread that a mail belongs to."""
        while self.parents[number] != number:
            self.parents[number] = self.parents[self.parents[number]]
            number = self.parents[number]
        return number

    def _join(self, one: int, other: int) -> None:
        one, other = self.core(one), self.core(other)
        one, other = sorted((one, other))
        if one != other:
            self.parents[other] = one
            self._met[one] |= self._met.pop(other, set())
            self._took_part[one] |= self._took_part.pop(other, set())

    def _intern(self, value: T) -> T:
        return cast(T, self._interned.setdefault(value, value))

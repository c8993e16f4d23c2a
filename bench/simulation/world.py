# SPDX-License-Identifier: GPL-3.0-or-later
"""Everybody an export company deals with, drawn from a seed: who they are, where they write from, how they sign.

The shares of `Shares` are of customers, as the company's own statistics would say them.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from bench.simulation.places import FREIGHT, LATIN, PLACES, SUPPLY, SYLLABLES, Place
from bench.simulation.programs import PROGRAMS, Program
from bench.simulation.wording import FORWARDERS, SUPPLIERS

OWN_DOMAINS = ("brightway-tools.example", "brightway.example")
POOLS = ("sales@brightway-tools.example", "info@brightway-tools.example", "service@brightway-tools.example")


class Kind(StrEnum):
    """What a party is to us, in truth."""

    CUSTOMER = "customer"
    AGENT = "agent"
    SUPPLIER = "supplier"
    FORWARDER = "forwarder"
    BANK = "bank"
    PLATFORM = "platform"
    NEWSLETTER = "newsletter"
    PITCH = "pitch"
    OWN = "own"


@dataclass(slots=True)
class Human:
    """Somebody who writes.  `signs`: the share of his mails that carry his signature."""

    name: str
    address: str
    program: Program
    party: "Party"
    mobile: str = ""
    title: str = ""
    signs: float = 0.8
    other_address: str = ""  # the same person writes from here too
    moves_at: float = 2.0  # share of the two years after which he is somebody else: `becomes`
    becomes: "Human | None" = None
    wrote_as_such: bool = False  # after a move: has said so already


@dataclass(slots=True)
class Party:
    """A company, or a buyer who is his own.  `spellings`: how its people write its name, the full one first."""

    id: int
    kind: Kind
    place: Place
    spellings: tuple[str, ...]
    domains: tuple[str, ...] = ()  # empty: its people write from free-mail addresses
    is_shared: bool = False  # others have addresses at its domain too
    phone: str = ""
    website: str = ""
    people: list[Human] = field(default_factory=list)
    buyers: list["Party"] = field(default_factory=list)  # an agent's
    agent: "Party | None" = None
    erp: str = ""  # the address and Message-ID habit of its ordering machine
    traits: tuple[str, ...] = ()
    owner: int = 0  # which of our reps looks after it


@dataclass(frozen=True, slots=True)
class Shares:
    """Of all customers."""

    free_mail: float = 0.25
    agents: float = 0.10
    several_domains: float = 0.08
    shared_domain: float = 0.05
    moves: float = 0.05  # of people
    erp: float = 0.06
    namesakes: float = 0.01


@dataclass(slots=True)
class World:
    """The whole cast."""

    customers: list[Party]
    agents: list[Party]
    suppliers: list[Party]
    forwarders: list[Party]
    banks: list[Party]
    platforms: list[Party]
    newsletters: list[Party]
    pitchers: list[Party]
    own: Party
    reps: list[Human]
    maker: "Maker"


class Maker:
    """Draws parties; never the same domain or address twice."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(f"{seed} world")
        self.count = 0
        self._domains: set[str] = set()
        self._names: set[str] = set()
        self._addresses: set[str] = set()
        self.movers: list[Human] = []  # who left his company
        self.parties: dict[int, Party] = {}
        self.shared_domains: set[str] = set()

    def place(self) -> Place:
        return self.chance.choices(PLACES, [place.weight for place in PLACES])[0]

    def party(self, kind: Kind, place: Place, name: str, *, domains: tuple[str, ...] = (), **rest: object) -> Party:
        self.count += 1
        full = self.chance.choice(place.forms).format(name)
        spellings = (full, name.upper() if self.chance.random() < 0.3 else name)
        party = Party(self.count, kind, place, spellings, domains, phone=self.number(place.phone))
        for key, value in rest.items():
            setattr(party, key, value)
        self.parties[party.id] = party
        party.website = f"www.{domains[0]}" if domains and not party.is_shared else ""
        return party

    def company_name(self, place: Place) -> str:
        """Draw a name that nobody has: who is called like another is drawn on purpose."""
        while (name := self._company_name(place)) in self._names:
            pass
        self._names.add(name)
        return name

    def _company_name(self, place: Place) -> str:
        chance = self.chance
        stem, trade = chance.choice(place.stems), chance.choice(place.trades)
        if place.language == "zh":
            return f"{stem}{chance.choice('兴隆达盛泰丰源通利和')}{chance.choice('海山江川林云天宇')}{trade}"
        if place.language in ("ru", "ar"):
            # Two stems and a family: else there would be fewer names than companies.
            return f"{stem} {chance.choice(place.stems)} {chance.choice(place.family)} {trade}"
        if chance.random() < 0.75:
            stem = self.word().title() if chance.random() < 0.6 else f"{stem}{self.word()}"
        return f"{stem} {trade}"

    def word(self) -> str:
        return "".join(self.chance.choices(SYLLABLES, k=self.chance.choice((2, 3))))

    def domain(self, place: Place, name: str, suffix: str = "") -> str:
        stem = latin(name).replace(" ", self.chance.choice(("", "-")))[:24].strip("-") or self.word() + self.word()
        while True:
            found = f"{stem}.{suffix or self.chance.choice(place.suffixes)}"
            # So many names are taken that a new company adds something to its own.
            if found not in self._domains:
                self._domains.add(found)
                return found
            stem = f"{stem.partition('--')[0]}{self.word()}"

    def number(self, pattern: str) -> str:
        digits = [self.chance.choice("23456789") if sign == "#" else sign for sign in pattern]
        return "".join(digits)

    def human(self, party: Party, domain: str = "", *, name: str = "", program: Program | None = None) -> Human:
        chance, place = self.chance, party.place
        name = name or self.name_in(place)
        address = self.address(name, domain or chance.choice(place.free_mail))
        human = Human(
            name,
            address,
            program or chance.choices(PROGRAMS, [one.weight for one in PROGRAMS])[0],
            party,
            mobile=self.number(place.mobile),
            title=chance.choice(("Purchasing Manager", "Managing Director", "Sourcing", "Assistant", "")),
            signs=chance.choice((1.0, 0.9, 0.9, 0.7, 0.4)),
        )
        party.people.append(human)
        return human

    def name_in(self, place: Place) -> str:
        given, family = self.chance.choice(place.given), self.chance.choice(place.family)
        return f"{family}{given}" if place.language == "zh" else f"{given} {family}"

    def address(self, name: str, domain: str) -> str:
        chance = self.chance
        parts = latin(name).split()
        if len(parts) < 2:
            parts = [chance.choice(("info", "sales", "purchase", "buyer", "office")), self.word()]
        local = chance.choice(
            (f"{parts[0]}.{parts[-1]}", f"{parts[0][0]}{parts[-1]}", f"{parts[0]}_{parts[-1]}", parts[0])
        )
        while (found := f"{local}@{domain}") in self._addresses:
            local = f"{local}{chance.randrange(10, 99)}"
        self._addresses.add(found)
        return found


def latin(name: str) -> str:
    """Return the name as it stands in addresses; "" where nothing of it can."""
    written = "".join(LATIN.get(sign, sign) for sign in name.lower())
    return "".join(sign for sign in written if sign.isascii() and (sign.isalnum() or sign == " ")).strip()


def make_world(seed: int, customers: int, shares: Shares = Shares()) -> World:
    """Draw the world of one seed."""
    maker = Maker(seed)
    buyers = [_customer(maker, shares) for _ in range(customers)]
    _share_domains(maker, buyers, int(customers * shares.shared_domain))
    _name_alike(maker, buyers, int(customers * shares.namesakes))
    agents = [_agent(maker, buyers) for _ in range(max(2, int(customers * shares.agents)))]
    _move_people(maker, buyers, shares.moves)
    own = Party(0, Kind.OWN, PLACES[9], ("Brightway Tools Co., Ltd.",), OWN_DOMAINS, phone="+8657487654321")
    maker.parties[0] = own
    few = max(3, customers // 80)
    world = World(
        customers=buyers,
        agents=agents,
        suppliers=[_tradesman(maker, Kind.SUPPLIER, SUPPLY, SUPPLIERS) for _ in range(few * 2)],
        forwarders=[_tradesman(maker, Kind.FORWARDER, FREIGHT, FORWARDERS) for _ in range(few)],
        banks=_named(maker, Kind.BANK, ("hsbc.com", "icbc.com.cn", "harbourunion-bank.com", "bankofsouthport.com")),
        platforms=_named(
            maker,
            Kind.PLATFORM,
            ("alibaba.com", "made-in-china.com", "globalsources.com", "indiamart.com", "tradekey.com"),
        ),
        newsletters=[_sender(maker, Kind.NEWSLETTER, "newsletter") for _ in range(few * 2)],
        pitchers=[_sender(maker, Kind.PITCH, "") for _ in range(few * 4)],
        own=own,
        reps=[],
        maker=maker,
    )
    world.reps = [
        Human(name, f"{name.split()[0].lower()}@{OWN_DOMAINS[number % 2]}", PROGRAMS[number % len(PROGRAMS)], own)
        for number, name in enumerate(
            (
                "Amy Chen",
                "Bruce Lin",
                "Cathy Wu",
                "Derek Zhao",
                "Ella Sun",
                "Frank Gao",
                "Grace He",
                "Henry Xu",
                "Ivy Ma",
            )
        )
    ]
    for rep in world.reps:
        rep.other_address = maker.address(rep.name, "gmail.com")
    for party in (*buyers, *agents, *world.suppliers, *world.forwarders):
        party.owner = maker.chance.randrange(len(world.reps))
    return world


def _customer(maker: Maker, shares: Shares) -> Party:
    chance, place = maker.chance, maker.place()
    name = maker.company_name(place)
    if chance.random() < shares.free_mail:
        party = maker.party(Kind.CUSTOMER, place, name, traits=("free mail",))
        first = maker.human(party)
        first.signs = max(first.signs, 0.7)
        if chance.random() < 0.12:
            maker.human(party)  # a colleague; only the signature says so
        if chance.random() < 0.12:
            first.other_address = maker.address(first.name, chance.choice(place.free_mail))
        return party
    domains = [maker.domain(place, name)]
    traits: tuple[str, ...] = ("company",)
    if chance.random() < shares.several_domains / (1 - shares.free_mail):
        traits = ("several domains",)
        domains += [maker.domain(place, name, chance.choice(("com", "net", "biz", "eu")))]
        domains += [maker.domain(place, name, "org")] if chance.random() < 0.3 else []
    party = maker.party(Kind.CUSTOMER, place, name, domains=tuple(domains), traits=traits)
    # Subsidiaries and hosts: what stands before the company's domain is no other company.
    for number in range(max(len(domains), chance.choice((1, 1, 2, 2, 3, 4)))):
        domain = domains[number % len(domains)]
        maker.human(party, f"mail.{domain}" if chance.random() < 0.04 else domain)
    if chance.random() < shares.erp:
        party.erp = f"erp@{domains[0]}"
    return party


def _share_domains(maker: Maker, buyers: list[Party], wanted: int) -> None:
    """Let so many companies live at domains of which none is theirs alone: a trade centre, a small provider."""
    chance = maker.chance
    plain = [party for party in buyers if party.traits == ("company",) and not party.erp]
    chosen = chance.sample(plain, min(wanted, len(plain)))
    while len(chosen) > 1:
        group, chosen = chosen[:4], chosen[4:]
        domain = maker.domain(group[0].place, f"{maker.word()} {chance.choice(('centre', 'online', 'park', 'net'))}")
        maker.shared_domains.add(domain)
        for party in group:
            party.domains, party.is_shared, party.website, party.traits = (domain,), True, "", ("shared domain",)
            for human in party.people:
                human.address = maker.address(human.name, domain)
                human.signs = max(human.signs, 0.8)


def _name_alike(maker: Maker, buyers: list[Party], wanted: int) -> None:
    """Give so many companies the name of another one elsewhere."""
    for one, other in zip(maker.chance.sample(buyers, wanted), maker.chance.sample(buyers, wanted), strict=True):
        if one.place.country != other.place.country:
            one.spellings = other.spellings
            one.traits = (*one.traits, "namesake")


def _agent(maker: Maker, buyers: list[Party]) -> Party:
    chance, place = maker.chance, maker.place()
    name = f"{maker.word().title()} {chance.choice(('Agency', 'Sourcing', 'Representations', 'Trading Services'))}"
    domains = (maker.domain(place, name),) if chance.random() < 0.7 else ()
    agent = maker.party(Kind.AGENT, place, name, domains=domains, traits=("agent",))
    maker.human(agent, domains[0] if domains else "")
    agent.buyers = chance.sample(buyers, chance.choice((2, 3, 4)))
    for buyer in agent.buyers:
        buyer.agent = buyer.agent or agent
    return agent


def _move_people(maker: Maker, buyers: list[Party], share: float) -> None:
    chance = maker.chance
    for party in buyers:
        for human in [human for human in party.people if human.becomes is None]:
            if chance.random() >= share:
                continue
            if party.domains:
                target = chance.choice(buyers)
                if target is party or not target.domains or target.is_shared:
                    continue
                human.becomes = maker.human(target, target.domains[0], name=human.name, program=human.program)
            else:  # he keeps his address and trades for another firm
                place = party.place
                target = maker.party(Kind.CUSTOMER, place, maker.company_name(place), traits=("changed company",))
                human.becomes = Human(human.name, human.address, human.program, target, human.mobile, signs=0.9)
                target.people.append(human.becomes)
            human.becomes.mobile = human.mobile
            human.moves_at = chance.uniform(0.2, 0.8)
            maker.movers.append(human)


def _tradesman(maker: Maker, kind: Kind, words: tuple[str, ...], languages: Iterable[str]) -> Party:
    """Make somebody we pay.  Most are of our own country; the names of half of them tell what they do."""
    chance = maker.chance
    place = PLACES[9] if chance.random() < 0.6 else maker.place()
    place = place if place.language in languages else PLACES[1]
    name = f"{maker.word().title()} {chance.choice(words)}" if chance.random() < 0.5 else maker.company_name(place)
    party = maker.party(kind, place, name, domains=(maker.domain(place, name),), traits=(kind.value,))
    for _ in range(chance.choice((1, 2, 3))):
        maker.human(party, party.domains[0])
    return party


def _named(maker: Maker, kind: Kind, domains: tuple[str, ...]) -> list[Party]:
    found = []
    for domain in domains:
        name = domain.partition(".")[0].title()
        party = maker.party(kind, PLACES[1], name, domains=(domain,), traits=(kind.value,))
        local = "notification" if kind is Kind.PLATFORM else maker.chance.choice(("alerts", "advice", "tradefinance"))
        party.people.append(Human(name, f"{local}@{domain}", PROGRAMS[0], party))
        found.append(party)
    return found


def _sender(maker: Maker, kind: Kind, local: str) -> Party:
    place = maker.place()
    name = f"{maker.word().title()} {maker.chance.choice(('Media', 'Expo', 'News', 'Digital'))}"
    domain = maker.domain(place, name)
    party = maker.party(kind, place, name, domains=(domain,), traits=(kind.value,))
    human = maker.human(party, domain)
    if local:
        human.address = f"{local}@{domain}"
    return party

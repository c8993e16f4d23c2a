# SPDX-License-Identifier: GPL-3.0-or-later
"""For which customers of ours an agent or a forwarder writes: by who gets a copy, and by the names in what he wrote."""

import re
from collections.abc import Iterable

from sqlalchemy import Connection

from crm_sync.customers.kinds import BUYERS
from crm_sync.customers.match import Match
from crm_sync.customers.mentions import agent_sentences, longest_only, mentioned_keys
from crm_sync.customers.party_lookups import Parties, fetch_named
from crm_sync.customers.party_states import CustomerState
from crm_sync.customers.sides import Side
from crm_sync.duplicates.name_keys import company_keys, fold
from crm_sync.letters import Letter
from tradepost.addresses import company_domain, is_provider_like
from tradepost.verdict import Direction

WRITES_FOR_OTHERS = ("agent", "forwarder")
_MOST_CHARS = 4_000
_DOMAIN = re.compile(r"(?:[\w-]{1,63}\.){1,4}[a-z]{2,24}", re.IGNORECASE)
Clients = tuple[tuple[CustomerState, str], ...]


def may_have_clients(side: Side, match: Match) -> bool:
    """May the other side write for one of our customers?"""
    if side.direction is not Direction.INBOUND or not side.party.address:
        return False
    return side.names_a_client or (match.customer is not None and match.customer.kind in WRITES_FOR_OTHERS)


def speaks_for_others(found: Parties, side: Side) -> bool:
    """May names in the letter matter?  A first look, before anything is decided."""
    if side.names_a_client:
        return True
    contact = found.contacts.get(side.party.address)
    key = contact.customer_id if contact else found.domains.get(side.party.company)
    customer = found.customers.get(key) if key is not None else None
    return customer is not None and may_have_clients(side, Match(customer))


def look_for_names(connection: Connection, found: Parties, letters: Iterable[tuple[Letter, Side]]) -> None:
    """Ask once for all names and domains that these letters speak of."""
    names, domains = set[str](), set[str]()
    for letter, side in letters:
        names |= mentioned_keys(_text(letter, side))
        domains |= _domains(letter)
    fetch_named(connection, found, names, domains)


def find_clients(found: Parties, letter: Letter, side: Side, match: Match) -> Clients:
    """Return the customers for whom the letter was written, each with its reason, the surest first."""
    clients: dict[int, tuple[CustomerState, str]] = {}

    def add(key: int | None, reason: str) -> None:
        customer = found.customers.get(key) if key is not None else None
        if customer is not None and customer is not match.customer and customer.kind in BUYERS:
            clients.setdefault(customer.id, (customer, reason))

    for address, _ in side.others:
        contact = found.contacts.get(address)
        add(contact.customer_id if contact else None, "customer-in-copy")
    spoken = fold(_text(letter, side))
    keys = {key for key in mentioned_keys(_text(letter, side)) if key in found.named}
    for key in sorted(longest_only(keys), key=len, reverse=True):
        known = [
            one
            for one in found.named[key]
            if one in found.customers
            and found.customers[one].kind in BUYERS
            and _is_meant(found.customers[one], spoken)
        ]
        if len(known) == 1:
            add(known[0], "customer-named")
    for _, domain in side.others:
        # Whom a provider gave the address may be anybody's.
        add(None if is_provider_like(domain) else found.domains.get(domain), "customer-in-copy")
    for domain in sorted(_domains(letter)):
        add(found.domains.get(domain), "customer-domain-named")
    return tuple(clients.values())


def _is_meant(customer: CustomerState, spoken: str) -> bool:
    """Is it this one, not a company that only its legal form tells from him: Eagle Tools Corp. is not Eagle Tools LLC."""
    name, plain = fold(customer.name), company_keys(customer.name).plain
    if name == plain or name in spoken or plain not in spoken:
        return True
    behind = spoken.partition(plain)[2].split()[:1]
    return not behind or company_keys(f"{plain} {behind[0]}").plain != plain


def _text(letter: Letter, side: Side) -> str:
    """What may name a client: all that an agent newly wrote, or the lines in which somebody says for whom he writes."""
    new = letter.extract.new_text if letter.extract else ""
    if side.names_a_client:
        return agent_sentences(new)
    subject = letter.message.subject if letter.message else ""
    return f"{subject}\n{new}"[:_MOST_CHARS]


def _domains(letter: Letter) -> set[str]:
    new = letter.extract.new_text[:_MOST_CHARS] if letter.extract else ""
    return {company_domain(f"@{host}") for host in _DOMAIN.findall(new)[:20]} - {""}

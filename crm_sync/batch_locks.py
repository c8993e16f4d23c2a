# SPDX-License-Identifier: GPL-3.0-or-later
"""Which batches must follow one another: those that decide about the same letter, thread or newcomer.  PostgreSQL only.

Every recording transaction waits in the same order, so that none waits in a circle: first for the keys below, sorted;
then for the conversations they lead to, by their id (`crm_sync.lookups`); then for bytes, by digest; at last, shortly
before the commit, for people and pools, by their id, and for the numbers of the directory's changes.
"""

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import Connection, Select, select

from crm_sync.advisory_locks import hold_keys
from crm_sync.key_lists import among_keys
from crm_sync.letters import Letter
from crm_sync.lookups import Wanted
from crm_sync.matching import is_human, makes_lead
from crm_sync.models.customers import ContactAddress, CustomerDomain
from tradepost.party import find_party
from tradepost.policy import Policy
from tradepost.verdict import Direction

_ADDRESSES = select(ContactAddress.address_key).where(among_keys(ContactAddress.address_key))
_DOMAINS = select(CustomerDomain.domain).where(among_keys(CustomerDomain.domain))


def lock_batch(connection: Connection, policy: Policy, letters: Sequence[Letter], wanted: Wanted) -> None:
    """Wait until nobody else records what these letters may change.  Ask for what is known only afterwards."""
    if connection.dialect.name != "postgresql":
        return  # there BEGIN IMMEDIATE lets one write at a time
    keys = {f"entry {entry_id}" for entry_id in wanted.entry_ids}
    keys.update(f"letter {key}" for key in wanted.content_keys)
    keys.update(f"id {digest}" for digest in wanted.id_digests)
    addresses, domains = set[str](), set[str]()
    for letter in letters:
        for address, domain in _newcomers(policy, letter):
            addresses.add(address)
            domains.add(domain)
    # A domain or address that is known stays known, and recording never changes whose it is: a big customer's mail
    # may be recorded by several at a time.
    keys.update(f"address {key}" for key in addresses - _known(connection, _ADDRESSES, addresses))
    keys.update(f"domain {key}" for key in domains - _known(connection, _DOMAINS, domains) - {""})
    hold_keys(connection, keys)


def _newcomers(policy: Policy, letter: Letter) -> Iterator[tuple[str, str]]:
    """Yield (address, domain) that the letter may make a contact and a customer; "" for no domain."""
    if letter.message is None:
        return
    verdict = letter.arrival.verdict
    is_open = "direction" in verdict.missing
    for direction in (Direction.INBOUND, Direction.OUTBOUND) if is_open else (verdict.direction,):
        party = find_party(policy, letter.arrival.envelope, letter.message, direction)
        if is_human(letter.labels, party.address) and not policy.is_own(party.address):
            yield party.address, party.company if makes_lead(direction, letter.labels, party.address) else ""


def _known(connection: Connection, question: Select[str], keys: Collection[str]) -> set[str]:
    return set(connection.scalars(question, {"keys": keys})) if keys else set()

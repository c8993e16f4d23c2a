# SPDX-License-Identifier: GPL-3.0-or-later
"""Which batches must follow one another: those that decide about the same letter, thread or newcomer.  PostgreSQL only.

Every recording transaction waits in the same order, so that none waits in a circle: first for the keys below, sorted;
then for the conversations they lead to, by their id (`crm_sync.lookups`); then for bytes, by digest; at last, shortly
before the commit, for people and pools, by their id, and for the numbers of the directory's changes.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy import Connection, Select, select

from crm_sync.advisory_locks import hold_keys
from crm_sync.customers.sides import Side
from crm_sync.key_lists import among_keys
from crm_sync.letters import Letter
from crm_sync.lookups import Wanted
from crm_sync.matching import is_human
from crm_sync.models.customers import ContactAddress, CustomerDomain
from tradepost.party import is_ours
from tradepost.policy import Policy

_ADDRESSES = select(ContactAddress.address_key).where(among_keys(ContactAddress.address_key))
_DOMAINS = select(CustomerDomain.domain).where(among_keys(CustomerDomain.domain))


def lock_batch(
    connection: Connection, policy: Policy, letters: Sequence[Letter], sides: Mapping[str, Side], wanted: Wanted
) -> None:
    """Wait until nobody else records what these letters may change.  Ask for what is known only afterwards."""
    if connection.dialect.name != "postgresql":
        return  # there BEGIN IMMEDIATE lets one write at a time
    keys = {f"entry {entry_id}" for entry_id in wanted.entry_ids}
    keys.update(f"letter {key}" for key in wanted.content_keys)
    keys.update(f"id {digest}" for digest in wanted.id_digests)
    newcomers = {side.party.address: side for side in _newcomers(policy, letters, sides)}
    for address in _known(connection, _ADDRESSES, newcomers):
        del newcomers[address]
    # A domain or address that is known stays known, and whose it is changes only for a newcomer who signs for another
    # company: a big customer's mail may be recorded by several at a time.
    domains = {side.party.company for side in newcomers.values()} - {""}
    signed = {side.party.company for side in newcomers.values() if side.signer.company_key} - {""}
    keys.update(f"address {key}" for key in newcomers)
    keys.update(f"domain {key}" for key in domains - _known(connection, _DOMAINS, domains - signed))
    keys.update(f"name {side.signer.company_key}" for side in newcomers.values() if side.signer.company_key)
    hold_keys(connection, keys)


def _newcomers(policy: Policy, letters: Sequence[Letter], sides: Mapping[str, Side]) -> Iterator[Side]:
    """Yield the other sides of which the letters may make contacts and customers."""
    for letter in letters:
        side = sides[letter.arrival.entry_id]
        address = side.party.address
        if letter.message is not None and address and is_human(letter.labels, address) and not is_ours(policy, address):
            yield side


def _known(connection: Connection, question: Select[str], keys: Collection[str]) -> set[str]:
    return set(connection.scalars(question, {"keys": keys})) if keys else set()

# SPDX-License-Identifier: GPL-3.0-or-later
"""The other side of one letter, before anybody asks the records: who it is, how he signs, whom else the letter names.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from crm_sync.customers.mentions import has_agent_words
from crm_sync.customers.party_lookups import WantedParties
from crm_sync.customers.signing import NOBODY, Signer, read_form_signer, read_signer
from crm_sync.letters import Letter
from tradepost.addresses import company_domain, domain_of, is_free_mail, registrable_domain
from tradepost.arrival import Arrival
from tradepost.party import Party, find_party, find_writer, is_ours, outsiders
from tradepost.policy import Policy
from tradepost.verdict import Direction

_OTHERS = 20  # a mail to more outsiders concerns nobody in particular


@dataclass(frozen=True, slots=True)
class Side:
    """Who is on the other side.  `direction`: an inbound one also where a colleague passes on what an outsider wrote.

    `others`: (address key, company domain) of everybody else outside whom the letter names.  `forwarded_by`: the email of
    the colleague.  `website`: the registrable domain of the site that the signature names.
    """

    direction: Direction
    party: Party
    signer: Signer = NOBODY
    others: tuple[tuple[str, str], ...] = ()
    forwarded_by: str | None = None
    website: str = ""
    names_a_client: bool = False  # the writer says that he writes for somebody

    @property
    def addresses(self) -> set[str]:
        """Every address that may lead to a contact."""
        return {self.party.address, self.party.also, *(address for address, _ in self.others)} - {""}

    @property
    def domains(self) -> set[str]:
        """Every domain that may lead to a customer."""
        named = (self.party.company, company_domain(self.party.also), self.website)
        return {*named, *(domain for _, domain in self.others)} - {""}


def read_side(policy: Policy, letter: Letter) -> Side:
    """Return the other side of a letter."""
    verdict, envelope, message = letter.arrival.verdict, letter.arrival.envelope, letter.message
    direction = verdict.direction
    if "direction" in verdict.missing:
        direction = complete_direction(policy, letter.arrival)
    if message is None:
        return Side(direction, Party("", ""))
    party = find_party(policy, envelope, message, direction)
    forwarded_by = None
    if party.via == "forward":
        colleague = policy.person(find_writer(envelope, message))
        forwarded_by = colleague.email if colleague else verdict.operator
        direction = Direction.INBOUND
    if party.via == "platform":
        signer = read_form_signer(party)
    else:
        signer = read_signer(letter.passed_on if party.via == "forward" else letter.extract, direction)
    others = [key for key in outsiders(policy, envelope, message) if key != party.address][:_OTHERS]
    return Side(
        direction,
        party,
        signer,
        tuple((key, company_domain(key)) for key in others if not is_ours(policy, key)),
        forwarded_by,
        _site_domain(signer.website),
        direction is Direction.INBOUND and has_agent_words(letter.extract.new_text if letter.extract else ""),
    )


def complete_direction(policy: Policy, arrival: Arrival) -> Direction:
    """Decide the direction of a mail that came before the milter knew the company: a login sends, others write to us."""
    envelope = arrival.envelope
    if not envelope.client.login:
        return Direction.INBOUND
    is_internal = all(policy.is_own(recipient) for recipient in envelope.recipients)
    return Direction.INTERNAL if is_internal else Direction.OUTBOUND


def _site_domain(website: str) -> str:
    host = website.rpartition("//")[2].partition("/")[0].rpartition("@")[2].partition(":")[0]
    domain = domain_of(f"@{host}") if host else ""
    return "" if not domain or len(domain) > 253 or is_free_mail(domain) else registrable_domain(domain)


def wanted_parties(sides: Mapping[str, Side]) -> WantedParties:
    """Return what a batch asks for, given its letters' other sides."""
    addresses, domains, names = set[str](), set[str](), set[str]()
    people, phones = set[tuple[str, str]](), set[tuple[str, str]]()
    for side in sides.values():
        addresses |= side.addresses
        domains |= side.domains
        signer, address = side.signer, side.party.address
        names.add(signer.company_key)
        people.add((address, signer.person_key))
        phones.update((address, number) for _, number in signer.phones)
    return WantedParties(
        addresses, domains, names - {""}, {one for one in people if one[1]}, {one for one in phones if one[1]}
    )

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a letter claims about where it belongs: who speaks in it, whom it names, and whether one of ours vouches.  Pure."""

from collections.abc import Sequence

from crm_sync.conversations.binding import Claim
from crm_sync.letters import Letter
from crm_sync.lookups import Lookups
from tradepost.addresses import company_domain
from tradepost.forwards import is_passed_on
from tradepost.party import find_writer, is_robot, outsiders
from tradepost.policy import Policy
from tradepost.verdict import Direction

# A letter to more people is no word to anybody in particular.
_SPEAKERS = 20


def claim_of(policy: Policy, letter: Letter) -> Claim:
    """Return the claim of a letter that was read."""
    envelope, message = letter.arrival.envelope, letter.message
    verdict = letter.arrival.verdict
    people = outsiders(policy, envelope, message)
    if verdict.direction is Direction.INTERNAL:
        return Claim(letter.ids, people, people, is_internal=True)
    passes_on = letter.ids.encloses or is_passed_on(message.subject if message else "")
    if verdict.direction is Direction.OUTBOUND:
        return Claim(letter.ids, people, people, vouched=passes_on and verdict.operator is not None)
    writer = find_writer(envelope, message)
    # An own address from outside may be forged by anybody; a colleague's private one is as good as any buyer's.
    is_colleague = not policy.is_own(writer) and policy.person(writer) is not None
    is_returned = letter.labels.is_automatic and (not envelope.sender or is_robot(writer))
    return Claim(
        letter.ids,
        (writer,),
        tuple(dict.fromkeys((writer, *people))),
        vouched=passes_on and is_colleague,
        returned_from=letter.ids.enclosed_recipients if is_returned else frozenset(),
    )


def customers_of(found: Lookups, speakers: Sequence[str]) -> frozenset[int | None]:
    """Return the customers whose contact or domain an address among these is by the records.

    Of an address alone: a signature is anybody's to write.
    """
    contacts, domains = found.parties.contacts, found.parties.domains
    keys = set[int | None]()
    for address in speakers[:_SPEAKERS]:
        contact = contacts.get(address)
        keys.add(contact.customer_id if contact is not None else domains.get(company_domain(address)))
    return frozenset(keys - {None})

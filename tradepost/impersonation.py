# SPDX-License-Identifier: GPL-3.0-or-later
"""Who pretends to be us, a partner in the conversation or a known company: signs that need to know the company.  Pure.

Arrival and worker ask the same question, each with what it knows.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from tradepost.addresses import address_key, domain_of, is_free_mail, registrable_domain
from tradepost.lookalikes import looks_like
from tradepost.message import Message
from tradepost.policy import Policy
from tradepost.suspicion import add_signs, weigh_signs
from tradepost.verdict import Labels

# Said by the words alone, which do not know all our domains.
_TAKEN_BACK = frozenset(("looks-like-us", "own-name-outside"))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known around a mail.

    `is_known`: the sender's address or company has a record.  `participants` are the address keys outside of the
    conversations it refers to.  `is_bent`: a known company's domain is one slip away from the sender's; `is_near`: it
    differs by its ending, a hyphen or a word behind, as subsidiaries' do too.
    """

    is_known: bool = False
    participants: Collection[str] = ()
    is_bent: bool = False
    is_near: bool = False


def add_company_signs(
    labels: Labels, policy: Policy, message: Message, envelope_sender: str, around: Surroundings
) -> Labels:
    """Return the labels of an inbound mail with the signs that the company's own knowledge gives."""
    writer = message.from_.address
    if policy.is_own(writer):
        return _without(labels, _TAKEN_BACK)
    labels = add_signs(labels, _signs(policy, message, around))
    if labels.warnings:  # what honest mail shows every day speaks only beside something else
        labels = add_signs(labels, _support(message, envelope_sender, around))
    return labels


def _without(labels: Labels, signs: frozenset[str]) -> Labels:
    kept = tuple(sign for sign in labels.warnings if sign not in signs)
    if kept == labels.warnings:
        return labels
    return replace(labels, warnings=kept, warning_score=weigh_signs(kept))


def _signs(policy: Policy, message: Message, around: Surroundings) -> list[str]:
    signs = []
    writer = message.from_
    domain = domain_of(writer.address)
    if looks_like(domain, policy.domains) is not None:
        signs.append("looks-like-us")
    if not around.is_known and policy.namesake(writer.name) is not None and policy.person(writer.address) is None:
        signs.append("own-person-outside")
    if _is_stranger(writer.address, around) and looks_like(domain, _companies(around), endings=False) is not None:
        signs.append("looks-like-participant")
    if not around.is_known and (around.is_bent or around.is_near):
        signs.append("looks-like-customer" if around.is_bent else "resembles-customer")
    return signs


def _support(message: Message, envelope_sender: str, around: Surroundings) -> list[str]:
    signs = []
    if _is_stranger(message.from_.address, around):
        signs.append("stranger-in-thread")
    sent_by = registrable_domain(domain_of(envelope_sender))
    if sent_by and sent_by != registrable_domain(domain_of(message.from_.address)):
        signs.append("sender-differs")
    return signs


def _is_stranger(address: str, around: Surroundings) -> bool:
    """Does somebody write into a conversation in which neither he nor his company took part?"""
    if not around.participants or address_key(address) in around.participants:
        return False
    return registrable_domain(domain_of(address)) not in _companies(around)


def _companies(around: Surroundings) -> frozenset[str]:
    domains = {domain_of(participant) for participant in around.participants}
    return frozenset(registrable_domain(domain) for domain in domains if not is_free_mail(domain))

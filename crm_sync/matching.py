# SPDX-License-Identifier: GPL-3.0-or-later
"""What the other side is to us, and whether it took part before.  Pure."""

from collections.abc import Sequence

from tradepost.addresses import company_domain
from tradepost.party import Party, is_ours, is_robot
from tradepost.policy import Policy
from tradepost.verdict import Labels


def is_human(labels: Labels, party: str) -> bool:
    """Was this written by, or to, a human being whom we may want to know?"""
    return not (labels.is_automatic or is_robot(party) or labels.category in ("marketing", "spam"))


def party_kind(policy: Policy, labels: Labels, party: Party, customer_kind: str | None) -> str:
    """Name what the other side is to us, for the record."""
    if customer_kind is not None:
        return customer_kind
    if party.address and is_ours(policy, party.address):
        return "own"
    if party.via == "platform-notice":
        return "platform"
    if labels.is_automatic:
        return "automatic"
    if labels.category in ("marketing", "spam"):
        return labels.category
    return "unknown"


def is_known_participant(parties: Sequence[str], participants: frozenset[str] | set[str]) -> bool:
    """Did one of these addresses, or somebody of the same company, take part?  Free-mail domains are no company."""
    if any(party in participants for party in parties):
        return True
    companies = {company_domain(party) for party in parties} - {""}
    return bool(companies) and any(company_domain(known) in companies for known in participants)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way a mail crosses the company's border, and how much of it may be kept.  Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from tradepost.addresses import address_key, domain_of
from tradepost.envelope import Envelope
from tradepost.policy import Person, Policy
from tradepost.settings import RecordingSettings
from tradepost.verdict import Direction, Recording


@dataclass(frozen=True, slots=True)
class Crossing:
    """The direction and who sent it.  `claims_own`: From is ours, but the client proved nothing."""

    direction: Direction
    operator: Person | None
    claims_own: bool = False


class TrustedNetworks:
    """Clients that may send as one of us without SASL."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(ip_network(network, strict=False) for network in networks)

    def __contains__(self, address: str) -> bool:
        try:
            ip = ip_address(address)
        except ValueError:
            return address == ""  # no address: local submission (sendmail command)
        return any(ip in network for network in self._networks)


def decide_crossing(policy: Policy | None, envelope: Envelope, from_address: str, trusted: TrustedNetworks) -> Crossing:
    """Outbound needs a SASL login, or one of our addresses from a trusted client; what a header claims proves nothing."""
    login = envelope.client.login
    operator = policy.operator(login) if policy and login else None
    speaker = envelope.sender or from_address
    is_ours = bool(policy and policy.is_own(speaker))
    if login or (is_ours and envelope.client.address in trusted):
        if operator is None and not login and policy:
            operator = policy.person(from_address) or policy.person(speaker)
        if policy and all(policy.is_own(recipient) for recipient in envelope.recipients):
            return Crossing(Direction.INTERNAL, operator)
        return Crossing(Direction.OUTBOUND, operator)
    claims_own = bool(policy and (policy.is_own(from_address) or is_ours))
    return Crossing(Direction.INBOUND, None, claims_own)


def is_listed(address: str, listed: Sequence[str]) -> bool:
    """Is the address, or its domain, in a list of addresses and domains?"""
    key, domain = address_key(address), domain_of(address)
    return any(entry.lower().lstrip("@") in (key, domain) for entry in listed)


def is_excluded(settings: RecordingSettings, policy: Policy | None, envelope: Envelope, from_address: str) -> bool:
    """May nothing of this mail be kept?  So when its sender is excluded, or every one of us it is addressed to."""
    if not settings.excluded:
        return False
    if any(address and is_listed(address, settings.excluded) for address in (envelope.sender, from_address)):
        return True
    ours = [r for r in envelope.recipients if policy is None or policy.is_own(r)]
    return bool(ours) and all(is_listed(recipient, settings.excluded) for recipient in ours)


def decide_recording(
    settings: RecordingSettings,
    policy: Policy | None,
    envelope: Envelope,
    from_address: str,
    direction: Direction,
    is_about_customer: bool,
) -> Recording:
    """Apply the recording policy.  Without a company policy (nothing registered yet) all is kept: nothing is lost."""
    if is_excluded(settings, policy, envelope, from_address):
        return Recording.NONE
    ours = [envelope.sender, from_address, *envelope.recipients]
    if any(address and is_listed(address, settings.envelope_only) for address in ours):
        return Recording.ENVELOPE
    if policy is None or is_about_customer:
        return Recording.FULL
    if direction is Direction.INTERNAL:
        return Recording(settings.internal)
    if any(address and (policy.pool(address) or policy.person(address)) for address in ours):
        return Recording.FULL
    return Recording.ENVELOPE

# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the other side of a mail is.  One answer for arrival and for the records.  Pure."""

from dataclasses import dataclass

from tradepost.addresses import address_key, company_domain, is_platform, registrable_domain
from tradepost.envelope import Envelope
from tradepost.forwards import forwarded_writer
from tradepost.lists import read_lists
from tradepost.message import Message
from tradepost.platforms import is_buyers_alias, name_behind, read_form
from tradepost.policy import Policy
from tradepost.verdict import Direction

_LISTS = read_lists("parties")
_ROBOTS, _ROLES = frozenset(_LISTS["robots"]), frozenset(_LISTS["roles"])
_UNTIDY = str.maketrans("", "", "-_.")


def is_robot(address: str) -> bool:
    """Is it an address that nobody reads (`no-reply@`, `bounce+x@`)?"""
    return _tidy_local(address) in _ROBOTS


def is_role(address: str) -> bool:
    """Do several people read it (`sales@`, `info@`)?  It orders, but it is nobody's own."""
    return _tidy_local(address) in _ROLES


def _tidy_local(address: str) -> str:
    return address.rpartition("@")[0].partition("+")[0].partition("=")[0].translate(_UNTIDY).lower()


@dataclass(frozen=True, slots=True)
class Party:
    """The other side of a mail: an address key ("" when there is none) and the company domain that stands for it.

    `via` says who carried his words, when he did not write himself: `robot`, `platform`, `forward`; `platform-notice` is
    the platform's own word, and the party is the platform.  `name`, `employer`, `phone` (as written) and `also`, a second
    address of his, are what the carrier names.
    """

    address: str
    company: str
    via: str = ""
    name: str = ""
    also: str = ""
    employer: str = ""
    phone: str = ""


def find_writer(envelope: Envelope, message: Message | None) -> str:
    """Return the address key of who claims to write: From, else the envelope sender."""
    return address_key((message and message.from_.address) or envelope.sender)


def find_party(policy: Policy, envelope: Envelope, message: Message | None, direction: Direction) -> Party:
    """Return the other side: who writes to us, or the first outsider we write to.

    A platform, or a form on our own site, writes in a buyer's name: then he is the party.  An alias that the platform gave
    him stands for no company, or all its buyers would be one.  What a registered person passes on to us is its writer's.
    """
    if direction is Direction.OUTBOUND:
        address = next(iter(outsiders(policy, envelope, message)), "")
        return Party(address, company_domain(address))
    if message is None or direction is Direction.INTERNAL:
        passed_on = _passed_on(policy, message) if message else None
        address = find_writer(envelope, message) if direction is Direction.INBOUND else ""
        return passed_on or Party(address, company_domain(address))
    writer = find_writer(envelope, message)
    if is_platform(writer):
        return _behind_platform(policy, writer, message)
    if is_robot(writer):
        buyer = _answered(policy, message)
        if buyer:
            his_company = company_domain(buyer)
            return Party(buyer, "" if his_company == company_domain(writer) else his_company, "robot")
    if not policy.is_own(writer) and policy.person(writer) is not None:
        return _passed_on(policy, message) or Party(writer, company_domain(writer))
    return Party(writer, company_domain(writer))


def _answered(policy: Policy, message: Message) -> str:
    """Return the first human outsider whom answers go to, or ""."""
    for answer_to in message.reply_to:
        buyer = address_key(answer_to.address)
        if "@" in buyer and not policy.is_own(buyer) and not is_robot(buyer):
            return buyer
    return ""


def _behind_platform(policy: Policy, writer: str, message: Message) -> Party:
    buyer = _answered(policy, message)
    if is_platform(buyer) and not is_buyers_alias(buyer):
        buyer = ""  # its own desk
    form = read_form(message)
    also = "" if policy.is_own(form.address) or is_robot(form.address) else form.address
    if not buyer and not also and is_buyers_alias(writer):
        buyer = writer
    if not buyer:
        buyer, also = also, ""
    if not buyer:
        return Party(writer, "", "platform-notice")
    name = form.name or name_behind(message.from_.name)
    also = "" if also == buyer else also
    return Party(buyer, company_domain(buyer), "platform", name, also, form.company, form.phone)


def _passed_on(policy: Policy, message: Message) -> Party | None:
    """Return the writer of what a colleague passes on; None: he passes nothing on that an outsider wrote."""
    writer = forwarded_writer(message)
    key = address_key(writer.address) if writer else ""
    if writer is None or is_ours(policy, key) or is_robot(key):
        return None
    return Party(key, company_domain(key), "forward", writer.name)


def is_ours(policy: Policy, address: str) -> bool:
    """Is it one of the company's: its domain, another host below it, or a registered person's private address?"""
    if policy.is_own(address) or policy.person(address) is not None:
        return True
    company = company_domain(address)
    return bool(company) and any(registrable_domain(domain) == company for domain in policy.domains)


def outsiders(policy: Policy, envelope: Envelope, message: Message | None) -> tuple[str, ...]:
    """Return the address keys of everybody outside whom the mail names: To, Cc, then who else is in the envelope.

    To comes first: whom a letter is written to is the party, not who gets a copy.
    """
    named = [address.address for address in (*message.to, *message.cc)] if message else []
    # A header may name anybody; on the way out only those count whom the envelope really reaches.
    keys = dict.fromkeys(address_key(address) for address in (*named, *envelope.recipients) if "@" in address)
    return tuple(key for key in keys if not policy.is_own(key))

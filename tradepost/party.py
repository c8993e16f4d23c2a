# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the other side of a mail is.  One answer for arrival and for the records.  Pure."""

from dataclasses import dataclass

from tradepost.addresses import address_key, company_domain
from tradepost.envelope import Envelope
from tradepost.message import Message
from tradepost.policy import Policy
from tradepost.verdict import Direction

# Local parts that no human reads.  Role addresses of buyers (info, sales, purchase) are not here: they order.
_ROBOTS = frozenset(
    {
        "noreply", "donotreply", "mailerdaemon", "postmaster", "bounce", "bounces", "notification", "notifications",
        "notify", "newsletter", "newsletters", "news", "mailer", "autoreply", "autoresponder", "daemon", "root",
        "abuse", "unsubscribe", "alert", "alerts", "system", "automailer", "nepasrepondre", "noresponder",
        "nichtantworten", "listserv", "majordomo",
    }
)  # fmt: skip
_UNTIDY = str.maketrans("", "", "-_.")


def is_robot(address: str) -> bool:
    """Is it an address that nobody reads (`no-reply@`, `bounce+x@`)?"""
    local = address.rpartition("@")[0].partition("+")[0].partition("=")[0]
    return local.translate(_UNTIDY).lower() in _ROBOTS


@dataclass(frozen=True, slots=True)
class Party:
    """The other side of a mail: an address key ("" when there is none) and the company domain that stands for it."""

    address: str
    company: str


def find_writer(envelope: Envelope, message: Message | None) -> str:
    """Return the address key of who claims to write: From, else the envelope sender."""
    return address_key((message and message.from_.address) or envelope.sender)


def find_party(policy: Policy, envelope: Envelope, message: Message | None, direction: Direction) -> Party:
    """Return the other side: who writes to us, or the first outsider we write to.

    A platform or a form on our own site writes as a robot in a buyer's name and has answers sent to him: then he is the
    party.  An alias that the platform gave him stands for no company, or all its buyers would be one.
    """
    if direction is not Direction.INBOUND:
        address = next(iter(outsiders(policy, envelope, message)), "")
        return Party(address, company_domain(address))
    writer = find_writer(envelope, message)
    company = company_domain(writer)
    if message is not None and is_robot(writer):
        for answer_to in message.reply_to:
            buyer = address_key(answer_to.address)
            if "@" in buyer and not policy.is_own(buyer) and not is_robot(buyer):
                his_company = company_domain(buyer)
                return Party(buyer, "" if his_company == company else his_company)
    return Party(writer, company)


def outsiders(policy: Policy, envelope: Envelope, message: Message | None) -> tuple[str, ...]:
    """Return the address keys of everybody outside whom the mail names: To, Cc, then who else is in the envelope.

    To comes first: whom a letter is written to is the party, not who gets a copy.
    """
    named = [address.address for address in (*message.to, *message.cc)] if message else []
    # A header may name anybody; on the way out only those count whom the envelope really reaches.
    keys = dict.fromkeys(address_key(address) for address in (*named, *envelope.recipients) if "@" in address)
    return tuple(key for key in keys if not policy.is_own(key))

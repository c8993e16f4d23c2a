# SPDX-License-Identifier: GPL-3.0-or-later
"""What an unknown other side is to us: a lead, an agent, a supplier, a forwarder, a bank, or nobody to keep.  Pure.

An inquiry that is taken for something else is lost, a supplier that is taken for a lead is corrected with one word: in doubt
it is a lead.
"""

from dataclasses import dataclass

from crm_sync.customers.party_states import CustomerState
from crm_sync.customers.sides import Side
from crm_sync.duplicates.name_keys import fold
from crm_sync.letters import Letter
from tradepost.lists import read_lists
from tradepost.party import is_robot
from tradepost.verdict import BUSINESS_CATEGORIES, Direction

# What a record may be.  Mail of the rest makes no record of its own.
KINDS = (
    "lead", "customer", "agent", "supplier", "forwarder", "bank", "platform", "service", "newsletter", "own", "other",
)  # fmt: skip
BUYERS = ("lead", "customer")
_ASKING = ("inquiry", "sample")
_MOST_CHARS = 4_000
_LISTS = read_lists("parties")
_THEIRS, _OURS, _NAMES = _LISTS["writes_for_others"], _LISTS["we_write"], _LISTS["company_words"]


@dataclass(frozen=True, slots=True)
class Decided:
    """A kind and why, in one kebab-case name."""

    kind: str
    reason: str


def decide_kind(side: Side, letter: Letter) -> Decided | None:
    """Say what an unknown other side is; None: nobody to keep a record of.

    Newsletters, robots, automatic mail and a platform's own notices never are.
    """
    party = side.party
    if letter.labels.is_automatic or "@" not in party.address or is_robot(party.address):
        return None
    if party.via == "platform-notice" or side.direction is Direction.INTERNAL:
        return None
    text = _text(letter)
    if side.direction is Direction.OUTBOUND:
        return _whom_we_wrote_to(text, side)
    if letter.labels.category not in BUSINESS_CATEGORIES:
        return None
    return _who_wrote(text, side, letter.labels.category)


# Decided before the other side said a word.
_BEFORE_A_WORD = frozenset({"we-wrote", "we-buy-there", "we-ask-for-freight"})


def think_again(known: CustomerState, side: Side, letter: Letter, *, has_clients: bool) -> Decided | None:
    """Say what a known other side turned out to be; None: what it was.  What a person or a file said stays."""
    if side.direction is not Direction.INBOUND or known.kind_reason in ("", "person"):
        return None
    if known.kind == "lead" and side.names_a_client and has_clients:
        return Decided("agent", "writes-for-a-customer")
    if known.kind_reason not in _BEFORE_A_WORD or letter.labels.is_automatic:
        return None
    text = _text(letter)
    if known.kind == "lead":
        for kind, reason in (
            ("forwarder", "speaks-of-freight"),
            ("supplier", "offers-to-us"),
            ("bank", "speaks-of-accounts"),
        ):
            if letter.labels.category not in _ASKING and _holds(text, _THEIRS[kind]):
                return Decided(kind, reason)
        return None
    is_theirs = any(_holds(text, _THEIRS[kind]) for kind in ("forwarder", "supplier", "bank"))
    if letter.labels.category in _ASKING and not is_theirs and not _is_named(side, known.kind):
        return Decided("lead", f"asks-as-{letter.labels.category}")
    return None


def _who_wrote(text: str, side: Side, category: str) -> Decided:
    if side.names_a_client:
        return Decided("agent", "writes-for-a-client")
    if side.party.via:
        return Decided("lead", f"{side.party.via}-names-buyer")
    is_carrier = _is_named(side, "forwarder")
    if is_carrier and (category not in _ASKING or _holds(text, _THEIRS["forwarder"])):
        return Decided("forwarder", "carries-goods")
    if _is_named(side, "bank") and category not in _ASKING:
        return Decided("bank", "is-a-bank")
    if category in _ASKING:
        return Decided("lead", f"asks-as-{category}")
    if category == "logistics" and _holds(text, _THEIRS["forwarder"]):
        return Decided("forwarder", "speaks-of-freight")
    if category == "payment" and _holds(text, _THEIRS["bank"]):
        return Decided("bank", "speaks-of-accounts")
    if _holds(text, _THEIRS["supplier"]):
        return Decided("supplier", "offers-to-us")
    return Decided("lead", f"writes-of-{category}")


def _whom_we_wrote_to(text: str, side: Side) -> Decided:
    if _holds(text, _OURS["to_forwarder"]):
        return Decided("forwarder", "we-ask-for-freight")
    if _holds(text, _OURS["to_supplier"]):
        return Decided("supplier", "we-buy-there")
    return Decided("forwarder", "carries-goods") if _is_named(side, "forwarder") else Decided("lead", "we-wrote")


def _text(letter: Letter) -> str:
    new = letter.extract.new_text if letter.extract else ""
    subject = letter.message.subject if letter.message else ""
    return f"{subject}\n{new}"[:_MOST_CHARS].lower()


def _holds(text: str, words: list[str]) -> bool:
    return any(word in text for word in words)


def _is_named(side: Side, kind: str) -> bool:
    """Does the company's name, or its domain, say so?"""
    if kind not in _NAMES:
        return False
    named = fold(side.signer.company).split()
    named += side.party.company.partition(".")[0].replace("-", " ").split()
    joined = " ".join(named)
    words = _NAMES[kind]
    return any(word in named for word in words) or any(not word.isascii() and word in joined for word in words)

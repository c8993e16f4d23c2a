# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide from the records what arrival could not know: exactly the fields in `verdict.missing`.  Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from crm_sync.customers.match import Match
from crm_sync.customers.party_states import CustomerState
from crm_sync.customers.sides import Side
from crm_sync.letters import Letter
from crm_sync.lookups import ConversationState
from tradepost.directory import AddressFact, DomainFact, ThreadFact
from tradepost.ownership import Facts, Ownership, decide_owner, least_loaded
from tradepost.policy import Policy, Pool
from tradepost.verdict import BUSINESS_CATEGORIES, Direction, Labels

OWNER_FIELDS = ("customer", "contact", "conversation", "owner")


@dataclass(frozen=True, slots=True)
class Known:
    """What the records say about the other side of one mail.

    `clients` are customers for whom the other side writes, with the reason, the surest first.
    """

    side: Side
    match: Match
    conversation: ConversationState | None
    conversation_customer: CustomerState | None
    clients: tuple[tuple[CustomerState, str], ...] = ()

    @property
    def party(self) -> str:
        """The address key of the other side."""
        return self.side.party.address

    @property
    def company(self) -> str:
        """The company domain that stands for it, "" for none."""
        return self.side.party.company

    @property
    def contact_id(self) -> int | None:
        """The contact whose address that is."""
        return self.match.contact.id if self.match.contact else None

    @property
    def customer(self) -> CustomerState | None:
        """The customer in force: the conversation's, else for whom the other side writes, else its own."""
        client = self.clients[0][0] if self.clients else None
        return self.conversation_customer or client or self.match.customer


@dataclass(frozen=True, slots=True)
class Desk:
    """The people as completion needs them: names for keys, loads, and whose turn it is."""

    policy: Policy
    emails: dict[int, str]
    load_of: Callable[[str], int]  # open conversations of a person, by email
    next_turn: Callable[[str], int]  # of a pool, by name

    def email(self, person_id: int | None) -> str | None:
        """Return the address of a person who still works here."""
        return self.emails.get(person_id) if person_id is not None else None


def complete_owner(desk: Desk, letter: Letter, known: Known) -> tuple[str | None, str]:
    """Return (email of the owner or None, reason), by the same order as at arrival."""
    verdict = letter.arrival.verdict
    recipients = letter.arrival.envelope.recipients
    pools = pools_addressed(desk.policy, recipients)
    if verdict.direction is Direction.INTERNAL:
        return None, ""
    if verdict.direction is Direction.OUTBOUND:
        ownership = decide_owner(desk.policy, _facts(desk, letter, known), (), ())
        return (ownership.owner, ownership.reason) if ownership.owner else (verdict.operator, "operator")
    ownership = decide_owner(desk.policy, _facts(desk, letter, known), recipients, pools)
    if ownership.candidates:
        return _distribute(desk, ownership, letter.labels, pools)
    return ownership.owner, ownership.reason


def pools_addressed(policy: Policy, recipients: tuple[str, ...]) -> list[Pool]:
    """Return every pool the envelope names, in its order."""
    return list(dict.fromkeys(pool for recipient in recipients if (pool := policy.pool(recipient)) is not None))


def _distribute(desk: Desk, ownership: Ownership, labels: Labels, pools: list[Pool]) -> tuple[str | None, str]:
    if labels.is_automatic or (labels.category is not None and labels.category not in {*BUSINESS_CATEGORIES, "other"}):
        return None, "pool"  # nobody is busied with a newsletter
    pool = next(pool for pool in pools if pool.distribution != "none")
    loads = {}
    if pool.distribution == "least-load":
        loads = {email: desk.load_of(email) for email in ownership.candidates}
    return least_loaded(ownership.candidates, loads, desk.next_turn(pool.name)), ownership.reason


def _facts(desk: Desk, letter: Letter, known: Known) -> Facts:
    customer = known.clients[0][0] if known.clients else known.match.customer
    owner = desk.email(customer.owner_id) if customer else None
    address = domain = None
    if known.contact_id is not None:
        address = AddressFact(
            contact=known.contact_id,
            customer=customer.public_id if customer else None,
            owner=owner,
            kind=customer.kind if customer else "unknown",
            grade=customer.grade if customer else None,
        )
    elif customer is not None:
        domain = DomainFact(customer.public_id, owner, customer.kind, customer.grade)
    threads: tuple[ThreadFact, ...] = ()
    if known.conversation is not None:
        thread_customer = known.conversation_customer
        threads = (
            ThreadFact(
                conversation=known.conversation.public_id,
                assignee=desk.email(known.conversation.assignee_id),
                customer=thread_customer.public_id if thread_customer else None,
                # It was bound already, by every party of the mail; the party that asks here is one of them.
                participants=(known.party,),
            ),
        )
    rule_id, assigned = _assigned_by_rule(desk.policy, letter)
    return Facts(
        party=known.party,
        address=address,
        domain=domain,
        threads=threads,
        language=letter.labels.language,
        country=letter.labels.country,
        assigned_by_rule=assigned,
        rule_id=rule_id,
    )


def _assigned_by_rule(policy: Policy, letter: Letter) -> tuple[str | None, str | None]:
    """Return (rule id, email) of the first rule that held at arrival and assigns; the verdict names those that held."""
    held = set(letter.arrival.verdict.reasons)
    for rule in policy.rules:
        if f"rule:{rule.id}" in held:
            for effect in rule.then:
                if effect.action == "assign":
                    return rule.id, effect.value
    return None, None

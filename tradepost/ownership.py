# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns a mail: one order, first match wins, used at arrival (directory) and at completion (SQL) alike.  Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tradepost.addresses import company_domain
from tradepost.directory import SHARED, AddressFact, DomainFact, ThreadFact
from tradepost.policy import Person, Policy, Pool


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about the other side.  None: known to be nothing."""

    party: str  # the other side (tradepost.party)
    writer: str = ""  # who claims to write, where that is not the party: a platform that writes for a buyer
    address: AddressFact | None = None
    domain: DomainFact | None = None
    threads: tuple[ThreadFact, ...] = ()  # newest reference first
    language: str | None = None
    country: str | None = None
    assigned_by_rule: str | None = None
    rule_id: str | None = None
    loads: tuple[tuple[str, int], ...] = ()  # (email, open conversations) of pool members


@dataclass(frozen=True, slots=True)
class Ownership:
    """The answer: `owner` is the email of a person or None (the pool itself, visible and claimable)."""

    owner: str | None
    reason: str
    conversation: str | None = None
    customer: str | None = None
    contact: int | None = None
    candidates: tuple[str, ...] = ()  # when distribution must still choose, best skill only, in pool order


def known_thread(facts: Facts) -> ThreadFact | None:
    """Return the newest referenced conversation in which this party really took part.

    A subject token or a guessed id is worth nothing: only an id we recorded, from a participant or his company domain
    (never a free-mail domain, nor one that several companies share), binds a mail to a conversation.
    """
    writer = facts.writer or facts.party
    is_shared = facts.domain is not None and facts.domain.kind == SHARED
    company = "" if is_shared else company_domain(writer)
    for thread in facts.threads:
        if writer in thread.participants:
            return thread
        if company and any(company_domain(known) == company for known in thread.participants):
            return thread
    return None


def decide_owner(policy: Policy, facts: Facts, recipients: Sequence[str], pools: Sequence[Pool]) -> Ownership:
    """Apply the order of design.md: assignee, contact, company domain, addressed person, rule, distribution, pool."""
    thread = known_thread(facts)
    address, domain = facts.address, facts.domain
    customer = (thread and thread.customer) or (address and address.customer) or (domain and domain.customer) or None
    contact = address.contact if address else None

    def answer(owner: str | None, reason: str, candidates: tuple[str, ...] = ()) -> Ownership:
        return Ownership(owner, reason, thread.conversation if thread else None, customer, contact, candidates)

    def works_here(email: str | None) -> bool:
        return email is not None and policy.person(email) is not None

    # Whoever left without a hand-over decides nothing any more.  Who is away does: his substitute stands in (delivery).
    if thread and works_here(thread.assignee):
        return answer(thread.assignee, "conversation")
    if address and works_here(address.owner):
        return answer(address.owner, "contact")
    if domain and works_here(domain.owner):
        return answer(domain.owner, "company-domain")
    if not pools:
        for recipient in recipients:
            person = policy.person(recipient)
            if person:
                return answer(person.email, "addressed")
    if facts.assigned_by_rule:
        return answer(facts.assigned_by_rule, f"rule:{facts.rule_id}")
    for pool in pools:
        if pool.distribution != "none":
            candidates = skilled(policy, pool, facts.language, facts.country)
            if candidates:
                return answer(None, "distribution", candidates)
    return answer(None, "pool" if pools else "nobody")


def skilled(policy: Policy, pool: Pool, language: str | None, country: str | None) -> tuple[str, ...]:
    """Return the present members who speak the language and look after the country, as far as anybody does."""
    members = [p for email in pool.members if (p := policy.person(email)) is not None and not p.is_away]
    tests: tuple[Callable[[Person], bool], ...] = (
        lambda p: country is not None and country in p.countries and (language is None or language in p.languages),
        lambda p: language is not None and language in p.languages,
        lambda p: country is not None and country in p.countries,
    )
    for test in tests:
        found = tuple(p.email for p in members if test(p))
        if found:
            return found
    return tuple(p.email for p in members)


def least_loaded(candidates: Sequence[str], loads: dict[str, int], turn: int) -> str:
    """Return the candidate with the fewest open conversations; equals take turns."""
    fewest = min(loads.get(email, 0) for email in candidates)
    equal = [email for email in candidates if loads.get(email, 0) == fewest]
    return equal[turn % len(equal)]

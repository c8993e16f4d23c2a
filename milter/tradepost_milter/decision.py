# SPDX-License-Identifier: GPL-3.0-or-later
"""From a transaction to a verdict: words, directory, rules, owner, recording, edits.  Talks to the directory only."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from tradepost.analysis import Analyst
from tradepost.directory import (
    SHARED,
    UNKNOWN,
    AddressFact,
    Directory,
    DomainFact,
    LoadFact,
    ThreadFact,
    Unknown,
    address_fact_key,
    claim_key,
    decode_fact,
    digest_fact_key,
    domain_fact_key,
    id_digest,
    load_fact_key,
    thread_fact_key,
)
from tradepost.envelope import Envelope
from tradepost.impersonation import Surroundings, add_company_signs
from tradepost.lookalikes import bent_from, near_to
from tradepost.message import Message
from tradepost.metrics import Stage, count_failure
from tradepost.ownership import Facts, Ownership, decide_owner, known_thread, least_loaded
from tradepost.party import Party, find_party, find_writer
from tradepost.policy import Policy, Pool
from tradepost.rules import Outcome, Value
from tradepost.settings import Settings
from tradepost.suspicion import add_signs
from tradepost.thread_index import read_thread_index
from tradepost.verdict import BUSINESS_CATEGORIES, Action, Direction, Labels, Verdict
from tradepost_milter.border import Crossing, TrustedNetworks, decide_crossing, decide_recording
from tradepost_milter.delivery import inbound_recipients, outbound_recipients
from tradepost_milter.marks import carries_own_seal, identity_marks, inbound_marks, remove_marks
from tradepost_milter.policies import PolicyInForce, PolicySource

log = logging.getLogger("tradepost.milter")

LABEL_FIELDS = ("category", "priority", "language", "country")
OWNER_FIELDS = ("customer", "contact", "conversation", "owner")
REFERENCES_LOOKED_AT = 20
CLAIM_SECONDS = 15 * 60
LETTER_CLAIM_SECONDS = 5 * 86400  # as long as a sender retries (RFC 5321, 4.5.4.1)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the milter collected of one mail; `body` is its beginning, `octets` counts the whole."""

    entry_id: str
    envelope: Envelope
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    is_cut: bool
    octets: int


@dataclass(frozen=True, slots=True)
class _Known:
    """What one look into the directory said about the other side."""

    party: Party
    claim: str = ""  # under which the owner of a newcomer is agreed
    address: AddressFact | None = None
    domain: DomainFact | None = None
    threads: tuple[ThreadFact, ...] = ()
    loads: tuple[tuple[str, int], ...] = ()
    claimed: str | None = None
    is_bent: bool = False  # a known company's domain is one slip away
    is_near: bool = False  # or another ending, a hyphen, a word


class Decider:
    """Decides about one mail at a time; safe in several threads."""

    def __init__(
        self,
        analyst: Analyst,
        directory: Directory,
        policies: PolicySource,
        settings: Settings,
        key: bytes,
        read: Callable[[Seen], Message],
        clock: Callable[[], datetime],
    ) -> None:
        self._analyst = analyst
        self._directory = directory
        self._policies = policies
        self._settings = settings
        self._key = key
        self._read = read
        self._clock = clock
        self._trusted = TrustedNetworks(settings.milter.trusted_networks)

    def decide(self, seen: Seen) -> Verdict:
        """Return the whole verdict.  What the directory can't say is listed in `missing`."""
        force = self._policies.current()
        if self._is_ours_again(seen):
            return self._own_again(seen, force)
        message = self._read(seen)
        crossing = decide_crossing(force.policy, seen.envelope, message.from_.address, self._trusted)
        party = find_party(force.policy or Policy(), seen.envelope, message, crossing.direction)
        labels, missing = self._label(message, seen.envelope, crossing, party)
        known = self._look_up(force.policy, seen.envelope, message, crossing, party)
        if known is UNKNOWN:
            missing += OWNER_FIELDS
        if crossing.direction is Direction.INBOUND and force.policy is not None:
            around = Surroundings() if known is UNKNOWN else _surroundings(known)
            labels = add_company_signs(labels, force.policy, message, seen.envelope.sender, around)
        if force.policy is None:
            missing += ("direction",)
        outcome = Outcome()
        if crossing.direction is Direction.INBOUND:
            facts = self._facts(message, seen, crossing, labels, None if known is UNKNOWN else known)
            outcome = force.rules.evaluate(facts)
            labels = _apply_rules(labels, outcome)
        verdict = self._judge(force.policy, seen, message, crossing, party, labels, outcome, known, missing)
        return self._finish(force.policy, seen, message.from_.address, verdict)

    def decide_blind(self, seen: Seen, reason: str) -> Verdict:
        """Return a verdict without reading the mail: the soft deadline passed, or deciding failed.  Touches nothing slow."""
        force = self._policies.current()
        crossing = decide_crossing(force.policy, seen.envelope, "", self._trusted)
        verdict = Verdict(
            direction=crossing.direction,
            recording=decide_recording(
                self._settings.recording, force.policy, seen.envelope, "", crossing.direction, is_about_customer=False
            ),
            operator=crossing.operator.email if crossing.operator else None,
            pools=tuple(pool.name for pool in _pools(force.policy, seen.envelope.recipients)),
            reasons=(reason,),
            missing=(*LABEL_FIELDS, *OWNER_FIELDS) + (("direction",) if force.policy is None else ()),
        )
        return self._finish(force.policy, seen, "", verdict)

    def _is_ours_again(self, seen: Seen) -> bool:
        return seen.envelope.client.address in self._trusted and carries_own_seal(self._key, seen.fields)

    def _own_again(self, seen: Seen, force: PolicyInForce) -> Verdict:
        direction = decide_crossing(force.policy, seen.envelope, "", self._trusted).direction
        return Verdict(direction=direction, reasons=("own-mark",), missing=(*LABEL_FIELDS, *OWNER_FIELDS))

    def _label(
        self, message: Message, envelope: Envelope, crossing: Crossing, party: Party
    ) -> tuple[Labels, tuple[str, ...]]:
        if crossing.direction is Direction.INTERNAL and party.via != "forward":
            return Labels(reasons=("internal",)), ()
        try:
            labels = self._analyst.label(message, self._clock(), sender=envelope.sender)
        except Exception:  # a bug of ours must never cost anyone their mail
            count_failure(Stage.CLASSIFY)
            log.exception("classifying failed, the worker will do it")
            return Labels(reasons=("classifier-failed",)), LABEL_FIELDS
        if crossing.claims_own:
            labels = add_signs(labels, ("own-address-from-outside",))
        return labels, ()

    def _look_up(
        self, policy: Policy | None, envelope: Envelope, message: Message, crossing: Crossing, party: Party
    ) -> _Known | Unknown:
        threads = _thread_keys(message)
        members = sorted({m for pool in _pools(policy, envelope.recipients) for m in pool.members})
        keys = [address_fact_key(party.address), *map(claim_key, _claims_of(party)), *threads]
        keys += map(load_fact_key, members)
        if party.company:
            keys.append(domain_fact_key(party.company))
            if crossing.direction is Direction.INBOUND:
                keys += map(domain_fact_key, (*bent_from(party.company), *near_to(party.company)))
        found = self._directory.fetch(keys)
        if found is UNKNOWN:
            return UNKNOWN
        try:
            return self._read_known(found, party, threads, members)
        except (msgspec.MsgspecError, ValueError) as error:  # another version's, or none of ours: no answer, not "none"
            count_failure(Stage.DECIDE)
            log.warning("%s: the directory's facts can't be read: %s", envelope.queue_id, error)
            return UNKNOWN

    def _read_known(
        self, found: dict[str, bytes], party: Party, threads: Sequence[str], members: Sequence[str]
    ) -> _Known:
        """Raises msgspec.MsgspecError and ValueError."""
        address, company = found.get(address_fact_key(party.address)), found.get(domain_fact_key(party.company))
        domain = decode_fact(company, DomainFact) if company else None
        claim = _claim_of(party, domain)
        claimed = found.get(claim_key(claim))
        return _Known(
            party=party,
            claim=claim,
            address=decode_fact(address, AddressFact) if address else None,
            domain=domain,
            threads=tuple(decode_fact(found[key], ThreadFact) for key in dict.fromkeys(threads) if key in found),
            loads=tuple(
                (member, decode_fact(found[key], LoadFact).open)
                for member in members
                if (key := load_fact_key(member)) in found
            ),
            claimed=claimed.decode() if claimed else None,
            is_bent=any(domain_fact_key(other) in found for other in bent_from(party.company)),
            is_near=any(domain_fact_key(other) in found for other in near_to(party.company)),
        )

    def _facts(
        self, message: Message, seen: Seen, crossing: Crossing, labels: Labels, known: _Known | None
    ) -> dict[str, Value]:
        domain = known.domain if known and known.domain and known.domain.kind != SHARED else None
        party = known and (known.address or domain)
        unknown = UNKNOWN if known is None else ""
        facts: dict[str, Value] = {
            "subject": message.subject,
            "text": message.text,
            "from_address": message.from_.address,
            "from_domain": message.from_.address.rpartition("@")[2],
            "recipient": seen.envelope.recipients,
            "language": labels.language or "",
            "country": labels.country or "",
            "category": labels.category or "",
            "priority": labels.priority.value if labels.priority else "",
            "size": seen.octets,
            "attachment_name": tuple(part.filename for part in message.attachments),
            "is_automatic": labels.is_automatic,
            "customer_grade": (party and party.grade) or unknown,
            "customer_kind": (party and party.kind) or unknown,
            "direction": crossing.direction.value,
            "owner": (party and party.owner) or unknown,
            "pool": tuple(pool.name for pool in _pools(self._policies.current().policy, seen.envelope.recipients)),
        }
        force = self._policies.current()
        if force.policy is not None and force.rules.ask_for_products:
            facts["product"], facts["product_category"] = force.policy.products_named(message.subject, message.text)
        for name, value in message.fields:
            key = f"header:{name.lower()}"
            before = facts.get(key, ())
            assert isinstance(before, tuple)
            facts[key] = (*before, value)
        return facts

    def _judge(
        self,
        policy: Policy | None,
        seen: Seen,
        message: Message,
        crossing: Crossing,
        party: Party,
        labels: Labels,
        outcome: Outcome,
        known: _Known | Unknown,
        missing: tuple[str, ...],
    ) -> Verdict:
        pools = _pools(policy, seen.envelope.recipients)
        reasons = [*labels.reasons, *(f"rule:{rule_id}" for rule_id in outcome.matched)]
        ownership, thread = Ownership(None, ""), None
        if known is not UNKNOWN and policy is not None:
            ownership, thread = self._own(policy, seen, message, crossing, labels, outcome, known, pools)
            if ownership.reason:
                reasons.append(f"owner-by-{ownership.reason}")
        return Verdict(
            direction=crossing.direction,
            labels=labels,
            recording=decide_recording(
                self._settings.recording,
                policy,
                seen.envelope,
                message.from_.address,
                crossing.direction,
                is_about_customer=bool(thread and thread.customer) or party.via == "forward",
            ),
            customer=ownership.customer,
            contact=ownership.contact,
            conversation=ownership.conversation,
            owner=ownership.owner,
            owner_reason=ownership.reason or None,
            pool=pools[0].name if pools else None,
            pools=tuple(pool.name for pool in pools),
            operator=crossing.operator.email if crossing.operator else None,
            rule_labels=outcome.labels,
            reasons=tuple(dict.fromkeys(reasons)),
            missing=missing,
        )

    def _own(
        self,
        policy: Policy,
        seen: Seen,
        message: Message,
        crossing: Crossing,
        labels: Labels,
        outcome: Outcome,
        known: _Known,
        pools: Sequence[Pool],
    ) -> tuple[Ownership, ThreadFact | None]:
        facts = Facts(
            party=known.party.address,
            writer=find_writer(seen.envelope, message) if crossing.direction is Direction.INBOUND else "",
            address=known.address,
            domain=known.domain,
            threads=known.threads,
            language=labels.language,
            country=labels.country,
            assigned_by_rule=outcome.assignee,
            rule_id=outcome.assigned_by,
            loads=known.loads,
        )
        if crossing.direction is Direction.INTERNAL:
            # Among ourselves everybody is a participant: the reference alone tells the conversation.
            thread = known.threads[0] if known.threads else None
            return Ownership(None, "", conversation=thread.conversation if thread else None), thread
        thread = known_thread(facts)
        if crossing.direction is Direction.OUTBOUND:
            ownership = decide_owner(policy, facts, (), ())
            if ownership.owner is None and crossing.operator:
                ownership = replace(ownership, owner=crossing.operator.email, reason="operator")
            return ownership, thread
        ownership = decide_owner(policy, facts, seen.envelope.recipients, pools)
        if ownership.candidates:
            ownership = self._distribute(ownership, facts, labels, known, pools, message.message_id)
        return ownership, thread

    def _distribute(
        self,
        ownership: Ownership,
        facts: Facts,
        labels: Labels,
        known: _Known,
        pools: Sequence[Pool],
        message_id: str,
    ) -> Ownership:
        """Choose among the candidates; a claim makes the choice stick for this party, and for this letter's retries."""
        if labels.is_automatic or (
            labels.category is not None and labels.category not in {*BUSINESS_CATEGORIES, "other"}
        ):
            return replace(ownership, candidates=(), reason="pool")
        held: str | Unknown | None = known.claimed
        if held is None:
            pool = next(pool for pool in pools if pool.distribution != "none")
            turn = self._directory.next_turn(f"pool:{pool.name}")
            if turn is UNKNOWN:
                return replace(ownership, candidates=(), reason="pool")
            loads = dict(facts.loads) if pool.distribution == "least-load" else {}
            chosen = least_loaded(ownership.candidates, loads, turn)
            held = self._directory.claim(known.claim, chosen, CLAIM_SECONDS)
        if held is not UNKNOWN and message_id:
            letter = f"letter:{id_digest(f'{facts.party} {message_id}')}"
            held = self._directory.claim(letter, held, LETTER_CLAIM_SECONDS)
        if held is UNKNOWN:
            return replace(ownership, candidates=(), reason="pool")
        return replace(ownership, owner=held, candidates=())

    def _finish(self, policy: Policy | None, seen: Seen, from_address: str, verdict: Verdict) -> Verdict:
        actions: list[Action] = []
        if "own-mark" in verdict.reasons:
            return verdict
        actions += remove_marks(seen.fields)
        recipients = seen.envelope.recipients
        if verdict.direction is Direction.INBOUND:
            if policy is not None:
                pools = _pools(policy, recipients)
                actions += inbound_recipients(policy, pools, verdict.owner, recipients)
            actions += inbound_marks(self._key, seen.entry_id, verdict, seen.fields)
        elif verdict.direction is Direction.OUTBOUND and policy is not None:
            copies = outbound_recipients(policy, (seen.envelope.sender, from_address), recipients)
            actions += copies
            # The id is for the copy that stays; the transport to the outside strips it (postfix/conf/).
            if copies or any(policy.is_own(recipient) for recipient in recipients):
                actions += identity_marks(self._key, seen.entry_id, seen.fields)
        return replace(verdict, actions=tuple(actions))


def _pools(policy: Policy | None, recipients: Sequence[str]) -> list[Pool]:
    if policy is None:
        return []
    found = [pool for recipient in recipients if (pool := policy.pool(recipient)) is not None]
    return list(dict.fromkeys(found))


def _surroundings(known: _Known) -> Surroundings:
    return Surroundings(
        is_known=known.address is not None or known.domain is not None,
        participants=frozenset(key for thread in known.threads for key in thread.participants),
        is_bent=known.is_bent,
        is_near=known.is_near,
    )


def _claims_of(party: Party) -> set[str]:
    return {f"owner:{key}" for key in (party.company, party.address) if key} or {"owner:"}


def _claim_of(party: Party, domain: DomainFact | None) -> str:
    """A domain of several companies agrees on nobody's owner."""
    is_shared = domain is not None and domain.kind == SHARED
    return f"owner:{party.address if is_shared else party.company or party.address}"


def _thread_keys(message: Message) -> list[str]:
    """Return the keys of the threads that a mail may belong to: of what it answers, newest first, then Outlook's index."""
    newest_first = [*message.in_reply_to, *reversed(message.references)]
    keys = [thread_fact_key(ref) for ref in list(dict.fromkeys(newest_first))[:REFERENCES_LOOKED_AT]]
    field = message.header("Thread-Index")
    index = read_thread_index(field) if field else None
    return keys if index is None or index.is_first else [*keys, digest_fact_key(index.digest)]


def _apply_rules(labels: Labels, outcome: Outcome) -> Labels:
    if outcome.category is not None:
        labels = replace(labels, category=outcome.category, confidence=1.0)
    if outcome.priority is not None:
        reason = f"rule:{outcome.priority_by}"
        labels = replace(labels, priority=outcome.priority, priority_reason=reason)
    return labels

# SPDX-License-Identifier: GPL-3.0-or-later
"""Which conversations a new letter belongs to.  An id binds only for those who took part; several hits become one.  Pure.

Three questions are asked of every id.  Does a letter *carry* it, as its own?  Then who names it must have a place in that
letter's conversation.  Do letters only *name* it, because what carries it was never seen here?  Then two that name it belong
together only if each side knows the other: a forger can name an id and copy in the buyer, but the buyer does not write to him.
Is it the new letter's own, named by letters that were recorded before it?  Then one who acted there must be in this one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from crm_sync.conversations.letter_ids import LetterIds
from crm_sync.lookups import ConversationState, Lookups
from crm_sync.matching import is_known_participant
from tradepost.addresses import company_domain

OPEN, WAITING, SOLVED, CLOSED = "open", "waiting", "solved", "closed"
STATUSES = (OPEN, WAITING, SOLVED, CLOSED)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a letter says of where it belongs, and who says so.

    `speakers`: who writes, or on the way out whom we write to.  `people`: everybody outside whom the letter names.
    `is_internal`: among ourselves everybody is a participant.  `vouched`: one of ours passes it on, to whomever he likes.
    `returned_from`: of what a mail server gives back, to whom the letter had gone.  `customers`: whose a speaker is by the
    records: a colleague of the buyer's who answers for him, or the buyer at another address.
    """

    ids: LetterIds
    speakers: Sequence[str]
    people: Sequence[str]
    is_internal: bool = False
    vouched: bool = False
    returned_from: frozenset[str] = field(default_factory=frozenset)
    customers: frozenset[int | None] = field(default_factory=frozenset)


def bound_conversations(found: Lookups, claim: Claim) -> list[ConversationState]:
    """Return the conversations that a new letter belongs to: of the letter it answers first, then of older ones.

    A stranger who learned or guessed an id gets a conversation of his own (traps 9 and 10).
    """
    ids = claim.ids
    hits: list[_Hit] = []
    for digest in ids.references:
        hits += _answered(found, claim, digest, found.carriers.get(digest, set()))
        if hits and claim.is_internal:
            # A colleague may pass on a stranger's mail that names our ids: what he answers is the stranger's.
            return [hits[0].state]
    if any(hit.has_acted for hit in hits):
        hits = [hit for hit in hits if hit.has_acted]
    bound = {hit.state.id: hit.state for hit in hits}
    if ids.own:
        _take(bound, _answering(found, claim, ids.own, found.carriers.get(ids.own, set())))
    if ids.thread is not None:
        firsts = found.anchors.get(ids.thread.first_digest, set())
        if ids.thread.is_first:
            _take(bound, _answering(found, claim, ids.thread.digest, firsts))
        else:
            _take(bound, (hit.state for hit in _answered(found, claim, ids.thread.digest, firsts)))
    if not bound and claim.vouched:
        _take(bound, _passed_on(found, ids.references))
    return list(bound.values())


def keep_apart(bound: Sequence[ConversationState], apart: frozenset[tuple[int, int]]) -> list[ConversationState]:
    """Leave out what a person split from those before it in the list; the rest oldest first."""
    kept: list[ConversationState] = []
    for state in bound:
        if not any((min(state.id, other.id), max(state.id, other.id)) in apart for other in kept):
            kept.append(state)
    return sorted(kept, key=lambda state: state.id)


def _take(bound: dict[int, ConversationState], states: Iterable[ConversationState]) -> None:
    for state in states:
        bound.setdefault(state.id, state)


class _Hit(NamedTuple):
    """Where an id leads a letter; `has_acted`: its speakers acted there, they were not only named by an outsider."""

    state: ConversationState
    has_acted: bool


def _answered(found: Lookups, claim: Claim, digest: str, carriers: set[int]) -> list[_Hit]:
    """Return where an id that the letter names leads it."""
    states = found.conversations_of(digest)
    carrying = _admitting(found, claim, [state for state in states if state.id in carriers])
    if carrying:
        # An answer to one of several letters of the same id: most likely the newest is meant.
        return carrying[-1:] if digest in found.ids_repeated else carrying
    naming = [state for state in states if state.id not in carriers]
    if claim.is_internal:
        return [_Hit(state, True) for state in naming[:1]]
    return [_Hit(state, True) for state in naming if _know_each_other(found, claim, state)]


def _admitting(found: Lookups, claim: Claim, states: list[ConversationState]) -> list[_Hit]:
    """Return those in which the letter's speakers have a place; rather where they acted than where they were named."""
    if claim.is_internal:
        return [_Hit(state, True) for state in states]
    acted = [_Hit(state, True) for state in states if _are_known(found, claim.speakers, state.active)]
    speakers = (*claim.speakers, *claim.returned_from)
    return acted or [
        _Hit(state, False)
        for state in states
        if state.customer_id in claim.customers or _are_known(found, speakers, state.participants)
    ]


def _know_each_other(found: Lookups, claim: Claim, state: ConversationState) -> bool:
    if state.customer_id in claim.customers:
        return True
    return _are_known(found, claim.speakers, state.participants) and (
        not state.active or _are_known(found, claim.people, state.active)
    )


def _are_known(found: Lookups, people: Sequence[str], participants: set[str]) -> bool:
    """Did one of them, or of his company, take part?  At a domain of several companies a neighbour is no colleague."""
    shared = found.parties.shared
    alone = [one for one in people if company_domain(one) in shared] if shared else []
    if any(one in participants for one in alone):
        return True
    return is_known_participant([one for one in people if one not in alone] if alone else people, participants)


def _answering(found: Lookups, claim: Claim, own: str, carriers: set[int]) -> list[ConversationState]:
    """Return the conversations whose letters name this one, recorded before it.

    Another letter may carry the id already (trap 47): where that lies says nothing about this one.
    """
    return [
        state
        for state in found.conversations_of(own)
        if state.id not in carriers
        and (
            claim.is_internal
            or not state.participants
            or state.customer_id in claim.customers
            or _are_known(found, claim.people, state.active)
        )
    ]


def _passed_on(found: Lookups, references: Sequence[str]) -> list[ConversationState]:
    """Return the conversation of the newest letter that one of ours passes on."""
    for digest in references:
        carriers = found.carriers.get(digest, set())
        if carrying := [state for state in found.conversations_of(digest) if state.id in carriers]:
            return carrying[-1:]
    return []

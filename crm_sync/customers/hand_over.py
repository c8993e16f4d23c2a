# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand over what a person has: a look beforehand, one operation, a way back (crm_sync.customers.hand_back).

Rights hang on scopes: once these name the successor, he sees everything at once and the other one nothing, though no message was
touched.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from crm_sync.customers.belongings import (
    Belongings,
    count_unfinished,
    fetch_countries,
    fetch_everything,
    fetch_languages,
    fetch_rules_for,
    fetch_some,
)
from crm_sync.customers.distribution import WAYS, Distribution, Taker
from crm_sync.customers.holdings import HOLDINGS
from crm_sync.customers.tenures import Holder, Why
from crm_sync.customers.transfers import UNFINISHED, Moved, Reassigned, begin_transfers, following, reassign, transfer
from crm_sync.key_lists import among_keys
from crm_sync.models.customers import Scope, ScopeShare
from crm_sync.models.operations import Operation
from crm_sync.models.people import Company, Person
from crm_sync.rights import Action, Entity, Reach, Viewer
from crm_sync.timers import schedule
from tradepost.addresses import address_key
from tradepost.errors import Refusal

KIND = "hand-over"
HAND_BACK = "hand-back"  # the timer of a hand-over for a time
LONGEST_NOTE = 2000
_MOST_TAKERS, _MOST_NAMED, _SAMPLES = 50, 10_000, 5


class HandOverError(Refusal, ValueError):
    """Nothing was handed over.  One line: why not, and what may be."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall be handed over: all that `giver` has, or only some `customers` (public ids) or those from `countries`.

    `by` says how several takers share it.  `until`: for a time only.
    """

    giver: str
    takers: tuple[str, ...]
    by: str = "evenly"
    customers: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    until: datetime | None = None
    note: str = ""

    @property
    def is_partial(self) -> bool:
        """Is it only some of his customers?"""
        return bool(self.customers or self.countries)


@dataclass(slots=True)
class Part:
    """What one taker gets.  `unfinished` are those conversations of his that wait for somebody; `samples` some customers' names."""

    taker: str
    customers: int = 0
    conversations: int = 0
    unfinished: int = 0
    others: dict[str, int] = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class HandOver:
    """What is handed over, or would be (`id` None).  `warnings` name what stays and needs somebody."""

    id: str | None
    giver: str
    parts: tuple[Part, ...]
    until: datetime | None
    note: str
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Deal:
    """A hand-over that was worked out: who, what, to whom."""

    giver: Taker
    takers: list[Taker]
    things: Belongings
    shares: Distribution
    conversations: list[Reassigned]
    strays: list[Reassigned]
    to_of_customer: dict[int, int]


def plan_hand_over(session: Session, viewer: Viewer, wish: Wish, now: datetime) -> HandOver:
    """Say what a hand-over would move, and change nothing.  Raises HandOverError."""
    return _told(session, viewer, wish, _work_out(session, viewer, wish, now, locks=False), None)


def run_hand_over(session: Session, viewer: Viewer, wish: Wish, cause_id: str, now: datetime) -> HandOver:
    """Hand over; `cause_id` (ULID) names the operation.  Raises HandOverError."""
    begin_transfers(session)
    deal = _work_out(session, viewer, wish, now, locks=True)
    told = _told(session, viewer, wish, deal, cause_id)
    why = Why("handed-over", cause_id, now, viewer.actor_id, note=wish.note)
    moved = Moved()
    things = deal.things
    transfer(session, [(held, Holder(owner_id=deal.to_of_customer[held.id])) for held in things.customers], why, moved)
    undo: dict[str, Any] = {
        "giver": deal.giver.id,
        "customers": [
            [
                held.id,
                deal.to_of_customer[held.id],
                held.team_id,
                _iso(held.owner_since),
                held.reclaim_days,
                _iso(held.reclaim_at),
            ]
            for held in things.customers
        ],
        "scopes": _move_scopes(session, deal),
    }
    reassign(session, deal.strays, why, moved)
    undo["conversations"] = _grouped((one.before, one.after, one.key) for one in moved.conversations)
    undo["rows"] = _move_rows(session, deal)
    undo |= _move_shares(session, deal)
    undo["stood_in_for"] = _move_substitutes(session, deal, moved)
    session.execute(
        insert(Operation).values(
            public_id=cause_id,
            kind=KIND,
            at=now,
            person_id=viewer.actor_id,
            summary=_summary(told),
            undo=undo,
        )
    )
    if wish.until is not None:
        schedule(session, HAND_BACK, cause_id, wish.until)
    moved.finish(session, why)
    return told


def _work_out(session: Session, viewer: Viewer, wish: Wish, now: datetime, *, locks: bool) -> _Deal:
    _check(viewer, wish, now)
    giver, takers = _taker(_people(session, [wish.giver])[0]), fetch_takers(session, wish.takers)
    if any(one.id == giver.id for one in takers):
        raise HandOverError(f"{giver.email}: is named twice")
    if wish.is_partial:
        countries = tuple(country.upper() for country in wish.countries)
        things = fetch_some(session, viewer, giver.id, wish.customers, countries)
        missing = set(wish.customers) - {held.public_id for held in things.customers}
        if missing and not countries:
            raise HandOverError(
                f"customer {min(missing)[:60]!r}: {giver.email} has none that {viewer.actor} may give away"
            )
    else:
        things = fetch_everything(session, viewer, giver.id)
    if not things:
        raise HandOverError(f"{giver.email}: has nothing that {viewer.actor} may hand over")
    shares = _share_out(session, wish, takers, things)
    to_of_customer = {held.id: shares.of(held.scope_id) for held in things.customers}
    owners: dict[int, tuple[int | None, int | None]] = {
        held.id: (giver.id, to_of_customer[held.id]) for held in things.customers
    }
    conversations = following(session, owners, locks=locks)
    strays = [Reassigned(one.key, giver.id, shares.of(one.scope_id), one.status) for one in things.strays]
    return _Deal(giver, takers, things, shares, conversations, strays, to_of_customer)


def _check(viewer: Viewer, wish: Wish, now: datetime) -> None:
    if viewer.reach(Entity.CUSTOMER, Action.ASSIGN) is Reach.NONE:
        raise HandOverError(f"{viewer.actor} may not give customers to others; a role with the right to assign may")
    if wish.by not in WAYS:
        raise HandOverError(f"by {wish.by[:40]!r}: there are {', '.join(WAYS)}")
    if len(wish.customers) > _MOST_NAMED:
        raise HandOverError(f"name at most {_MOST_NAMED:,} customers, or none for all")
    if any(not one.isalnum() for one in wish.customers):
        raise HandOverError("a customer is named by its id, of letters and digits")
    if wish.until is not None and wish.until <= now:
        raise HandOverError("until: is past already")
    if len(wish.note) > LONGEST_NOTE or "\0" in wish.note:
        raise HandOverError(f"note: at most {LONGEST_NOTE:,} characters of text")


def fetch_takers(session: Session, addresses: Sequence[str]) -> list[Taker]:
    """Return the people of these addresses, who can take something over.  Raises HandOverError."""
    if not 1 <= len(addresses) <= _MOST_TAKERS:
        raise HandOverError(f"name 1 to {_MOST_TAKERS} people who take over")
    takers: list[Taker] = []
    for person in _people(session, addresses):
        if any(one.id == person.id for one in takers):
            raise HandOverError(f"{person.email}: is named twice")
        if person.left_at is not None:
            raise HandOverError(f"{person.email}: is no longer with the company and can't take over")
        takers.append(_taker(person))
    return takers


def _people(session: Session, addresses: Sequence[str]) -> list[Person]:
    wanted = {said: address_key(said) if said.isprintable() else "" for said in addresses}
    rows = {row.email: row for row in session.scalars(select(Person).where(Person.email.in_(wanted.values())))}
    for said, email in wanted.items():
        if email not in rows:
            raise HandOverError(f"{said[:100]!r}: is no registered person; 'tradepost person list' names them")
    return [rows[wanted[said]] for said in addresses]


def _taker(person: Person) -> Taker:
    return Taker(person.id, person.email, person.team_id, frozenset(person.countries), frozenset(person.languages))


def _share_out(session: Session, wish: Wish, takers: list[Taker], things: Belongings) -> Distribution:
    shares = Distribution(takers)
    keys = [held.id for held in things.customers]
    work = count_unfinished(session, keys)
    where: dict[int, str] = {}
    if wish.by == "country":
        where = fetch_countries(session, keys)
    elif wish.by == "language":
        where = fetch_languages(session, keys)
    shares.share_out(
        [(held.scope_id, work.get(held.id, 0)) for held in things.customers],
        wish.by,
        {held.scope_id: where.get(held.id) for held in things.customers} if where else None,
    )
    shares.share_out([(scope.id, 0) for scope in things.scopes], "evenly")
    return shares


def _told(session: Session, viewer: Viewer, wish: Wish, deal: _Deal, public_id: str | None) -> HandOver:
    parts = {one.id: Part(one.email) for one in deal.takers}
    hides_names = viewer.hides(Entity.CUSTOMER, "name")
    for held in deal.things.customers:
        part = parts[deal.to_of_customer[held.id]]
        part.customers += 1
        if len(part.samples) < _SAMPLES:
            part.samples.append(held.public_id if hides_names else held.name)
    for change in (*deal.conversations, *deal.strays):
        assert change.after is not None
        parts[change.after].conversations += 1
        parts[change.after].unfinished += change.status in UNFINISHED
    for holding in HOLDINGS:
        counts = Counter(deal.shares.of(scope) for _, scope in deal.things.rows[holding.name])
        for key, number in counts.items():
            parts[key].others[holding.noun] = number
    for key, number in Counter(deal.shares.of(share.scope_id) for share in deal.things.shares).items():
        parts[key].others["shares"] = number
    warnings = (
        [] if wish.is_partial else [_rule_warning(key, deal) for key in fetch_rules_for(session, deal.giver.email)]
    )
    away = session.scalars(
        select(Person.email).where(Person.id.in_([one.id for one in deal.takers]), Person.is_away.is_(True))
    )
    warnings += [f"{email} is away" for email in away]
    return HandOver(public_id, deal.giver.email, tuple(parts.values()), wish.until, wish.note, tuple(warnings))


def _rule_warning(rule_id: str, deal: _Deal) -> str:
    return f"rule {rule_id} gives mail to {deal.giver.email}; change it ('tradepost directory apply')"


def _summary(told: HandOver) -> dict[str, Any]:
    return {
        "from": told.giver,
        "parts": [
            {
                "taker": part.taker,
                "customers": part.customers,
                "conversations": part.conversations,
                "unfinished": part.unfinished,
                "others": part.others,
            }
            for part in told.parts
        ],
        "until": _iso(told.until),
        "note": told.note,
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _grouped(triples: Any) -> list[list[Any]]:
    groups: defaultdict[tuple[int | None, int | None], list[int]] = defaultdict(list)
    for before, after, key in triples:
        groups[before, after].append(key)
    return [[before, after, keys] for (before, after), keys in groups.items()]


def _move_scopes(session: Session, deal: _Deal) -> list[list[Any]]:
    """Move scopes that are no customer's; return [team before, taker, keys]."""
    groups = _grouped((one.team_id, deal.shares.of(one.id), one.id) for one in deal.things.scopes)
    teams = {one.id: one.team_id for one in deal.takers}
    for _, taker, keys in groups:
        session.connection().execute(
            update(Scope).where(among_keys(Scope.id)).values(owner_id=taker, team_id=teams[taker]), {"keys": keys}
        )
    return groups


def _move_rows(session: Session, deal: _Deal) -> dict[str, list[list[Any]]]:
    """Move what the holdings name; return [giver, taker, keys] by name."""
    undo = {}
    for holding in HOLDINGS:
        rows = deal.things.rows[holding.name]
        undo[holding.name] = _grouped((deal.giver.id, deal.shares.of(scope), key) for key, scope in rows)
        for _, taker, keys in undo[holding.name]:
            session.connection().execute(
                update(holding.person.table).where(among_keys(holding.key)).values({holding.person.key: taker}),
                {"keys": keys},
            )
    return undo


def _move_shares(session: Session, deal: _Deal) -> dict[str, Any]:
    """Show the takers what was shown to the giver; what they see already is only taken from him."""
    wanted = {share.id: (share.scope_id, deal.shares.of(share.scope_id)) for share in deal.things.shares}
    seen = select(ScopeShare.scope_id, ScopeShare.person_id).where(among_keys(ScopeShare.scope_id))
    scopes = [scope for scope, _ in wanted.values()]
    known = {(scope, person) for scope, person in session.execute(seen, {"keys": scopes})}
    dropped = []
    for share in deal.things.shares:
        scope, taker = wanted[share.id]
        if (scope, taker) in known:
            dropped.append([scope, share.level, share.cause, _iso(share.created_at), share.created_by])
            session.delete(share)
        else:
            known.add((scope, taker))
            share.person_id = taker
    session.flush()
    moved = [[share.id, share.person_id] for share in deal.things.shares if share.person_id != deal.giver.id]
    return {"shares": moved, "dropped_shares": dropped}


def _move_substitutes(session: Session, deal: _Deal, moved: Moved) -> list[list[int | None]]:
    """Let the first taker stand in for whom the giver stood in; nobody stands in for himself."""
    undo: list[list[int | None]] = []
    for key in deal.things.stood_in_for:
        other = next((one.id for one in deal.takers if one.id != key), None)
        undo.append([key, other])
        session.connection().execute(
            update(Person).where(Person.id == key).values(substitute_id=other, version=Person.version + 1)
        )
    if undo:
        session.connection().execute(update(Company).values(policy_version=Company.policy_version + 1))
        moved.dirty.policy = True
    return undo

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hand-over takes: all that one person has and the viewer may give away, or only some of his customers."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_sync.customers.holdings import HOLDINGS
from crm_sync.customers.tenures import Held
from crm_sync.customers.transfers import UNFINISHED, fetch_held
from crm_sync.key_lists import among_keys
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Customer, Scope, ScopeShare
from crm_sync.models.mail import Message
from crm_sync.models.people import Person
from crm_sync.models.rules import RuleRow
from crm_sync.rights import Action, Entity, Reach, Viewer, may

# Under which right a scope stands that is no customer's.
_ENTITIES: Mapping[str, Entity] = {"conversation": Entity.MESSAGE, "task": Entity.NOTE}


@dataclass(frozen=True, slots=True)
class OwnScope:
    """A scope of his that is no customer's: mail with somebody we don't know, a task of his own."""

    id: int
    team_id: int | None


@dataclass(frozen=True, slots=True)
class Stray:
    """A conversation he works on though its customer is not his."""

    key: int
    scope_id: int
    status: str


@dataclass(slots=True)
class Belongings:
    """What is handed over.  `rows` are (key, scope) by name of the holding."""

    customers: list[Held] = field(default_factory=list)
    scopes: list[OwnScope] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)
    rows: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    shares: list[ScopeShare] = field(default_factory=list)
    stood_in_for: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Is there anything?"""
        rows = any(self.rows.values())
        return bool(self.customers or self.scopes or self.strays or rows or self.shares or self.stood_in_for)


def fetch_everything(session: Session, viewer: Viewer, giver_id: int) -> Belongings:
    """Return all that the person has and the viewer may give to others."""
    found = Belongings(customers=_customers(session, viewer, giver_id))
    scopes = {held.scope_id for held in found.customers}
    for kind, entity in {**_ENTITIES, "customer": Entity.CUSTOMER}.items():
        wanted = select(Scope.id, Scope.team_id).where(
            Scope.owner_id == giver_id, Scope.kind == kind, may(viewer, entity, Action.ASSIGN, Scope.id)
        )
        found.scopes += [OwnScope(*row) for row in session.execute(wanted.order_by(Scope.id)) if row.id not in scopes]
    keys = {held.id for held in found.customers}
    conversations = (
        select(Conversation.id, Conversation.scope_id, Conversation.status, Conversation.customer_id)
        .where(
            Conversation.assignee_id == giver_id,
            Conversation.merged_into.is_(None),
            may(viewer, Entity.MESSAGE, Action.ASSIGN, Conversation.scope_id),
        )
        .order_by(Conversation.id)
    )
    found.strays = [
        Stray(key, scope, status)
        for key, scope, status, customer in session.execute(conversations)
        if customer not in keys
    ]
    _add_rows(session, viewer, giver_id, found, None)
    if viewer.reach(Entity.CUSTOMER, Action.ASSIGN) is Reach.ALL:
        by_hand = select(ScopeShare).where(ScopeShare.person_id == giver_id, ScopeShare.cause == "hand")
        found.shares = list(session.scalars(by_hand.order_by(ScopeShare.id)))
        stood_in_for = select(Person.id).where(Person.substitute_id == giver_id).order_by(Person.id)
        found.stood_in_for = list(session.scalars(stood_in_for))
    return found


def fetch_some(
    session: Session, viewer: Viewer, giver_id: int, public_ids: Collection[str], countries: Collection[str]
) -> Belongings:
    """Return those of his customers, of these ids or from these countries, with the work on them."""
    found = Belongings(customers=_customers(session, viewer, giver_id, public_ids, countries))
    _add_rows(session, viewer, giver_id, found, [held.scope_id for held in found.customers])
    return found


def _customers(
    session: Session,
    viewer: Viewer,
    giver_id: int,
    public_ids: Collection[str] = (),
    countries: Collection[str] = (),
) -> list[Held]:
    wanted = (
        select(Customer.id)
        .join(Scope, Scope.id == Customer.scope_id)
        .where(
            Scope.owner_id == giver_id,
            Customer.merged_into.is_(None),
            may(viewer, Entity.CUSTOMER, Action.ASSIGN, Customer.scope_id),
        )
    )
    if countries:
        wanted = wanted.where(Customer.country.in_(countries))
    if public_ids:
        keys = session.scalars(wanted.where(among_keys(Customer.public_id)), {"keys": list(public_ids)})
        return fetch_held(session, list(keys))
    return fetch_held(session, list(session.scalars(wanted)))


def _add_rows(
    session: Session, viewer: Viewer, giver_id: int, found: Belongings, scope_ids: Collection[int] | None
) -> None:
    for holding in HOLDINGS:
        wanted = (
            select(holding.key, holding.scope)
            .where(holding.person == giver_id, holding.only, may(viewer, holding.entity, Action.ASSIGN, holding.scope))
            .order_by(holding.key)
        )
        if scope_ids is not None:
            wanted = wanted.where(among_keys(holding.scope))
        parameters = {} if scope_ids is None else {"keys": list(scope_ids)}
        found.rows[holding.name] = [(key, scope) for key, scope in session.execute(wanted, parameters)]


def count_unfinished(session: Session, customer_ids: Collection[int]) -> dict[int, int]:
    """Return how much there is to do for each of these customers, where there is anything."""
    wanted = (
        select(Conversation.customer_id, func.count())
        .where(among_keys(Conversation.customer_id), Conversation.status.in_(UNFINISHED))
        .group_by(Conversation.customer_id)
    )
    rows = session.execute(wanted, {"keys": list(customer_ids)})
    return {key: number for key, number in rows if key is not None}


def fetch_countries(session: Session, customer_ids: Collection[int]) -> dict[int, str]:
    """Return the country of each of these customers, where it is known."""
    wanted = select(Customer.id, Customer.country).where(among_keys(Customer.id), Customer.country.is_not(None))
    return {key: country for key, country in session.execute(wanted, {"keys": list(customer_ids)}) if country}


def fetch_languages(session: Session, customer_ids: Collection[int]) -> dict[int, str]:
    """Return the language that most letters from or to each of these customers are in."""
    wanted = (
        select(Conversation.customer_id, Message.language, func.count())
        .join(Message, Message.conversation_id == Conversation.id)
        .where(among_keys(Conversation.customer_id), Message.language.is_not(None))
        .group_by(Conversation.customer_id, Message.language)
    )
    counted: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    for key, language, number in session.execute(wanted, {"keys": list(customer_ids)}):
        if key is not None and language is not None:
            counted[key].append((number, language))
    return {key: max(numbers)[1] for key, numbers in counted.items()}


def fetch_rules_for(session: Session, email: str) -> list[str]:
    """Return the ids of rules that give mail to somebody: those are edited, not handed over."""
    rows = session.execute(select(RuleRow.id, RuleRow.effects).order_by(RuleRow.position))
    return [
        key
        for key, effects in rows
        if any(one.get("action") == "assign" and one.get("value") == email for one in effects)
    ]

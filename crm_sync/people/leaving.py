# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody leaves the company, or comes back.  What he has must have been handed over; his past stays under his name."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from crm_sync.admission import NotAllowed
from crm_sync.conversations.binding import OPEN, WAITING
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Customer, Scope, ScopeShare
from crm_sync.models.followups import Task
from crm_sync.models.people import Person, PoolMember
from crm_sync.models.rules import RuleRow
from crm_sync.models.service import SigninToken, WebSession
from crm_sync.people.keepers import begin_staff_change, check_keeper_stays, require_keeper
from crm_sync.people.person_keys import check_address_free, set_addresses, set_logins
from crm_sync.people.staff import PersonView, fetch_person, find_person
from crm_sync.rights import Viewer
from crm_sync.setup_events import note_setup, tell_policy


class StillOwns(NotAllowed):
    """Somebody who shall leave has things that would lie with nobody."""


@dataclass(frozen=True, slots=True)
class Belongings:
    """What somebody has that somebody else must take over; `rules`: that give mail to him."""

    customers: int
    conversations: int
    tasks: int
    rules: int

    def __str__(self) -> str:
        counts = [(getattr(self, field.name), field.name) for field in fields(self)]
        return ", ".join(f"{count} {name if count != 1 else name[:-1]}" for count, name in counts if count)


def count_belongings(session: Session, viewer: Viewer, email: str) -> Belongings:
    """Return what somebody would leave behind.  Raises NotAllowed, NotFound."""
    require_keeper(viewer)
    return _belongings(session, find_person(session, email))


def let_leave(
    session: Session, viewer: Viewer, email: str, now: datetime, *, leaves_things: bool = False
) -> PersonView:
    """Let somebody be no longer with the company: he signs in no more, stands in for nobody and is in no pool.

    His logins and further addresses are free for others.  `leaves_things`: what he has lies with him until somebody hands it over.  Raises NotAllowed, NotFound, StillOwns,
    LastKeeper.
    """
    begin_staff_change(session, viewer)
    person = find_person(session, email)
    check_keeper_stays(session, without_person=person.id)
    belongings = _belongings(session, person)
    if str(belongings) and not leaves_things:
        raise StillOwns(
            f"person {person.email}: has {belongings}; hand them over first ('tradepost handover'), or --anyway"
        )
    pools = list(session.scalars(select(PoolMember.pool_id).where(PoolMember.person_id == person.id)))
    stood_in_for = list(session.scalars(select(Person.id).where(Person.substitute_id == person.id)))
    session.execute(delete(PoolMember).where(PoolMember.person_id == person.id))
    session.execute(update(Person).where(Person.substitute_id == person.id).values(substitute_id=None))
    session.execute(delete(ScopeShare).where(ScopeShare.person_id == person.id))
    session.execute(delete(SigninToken).where(SigninToken.person_id == person.id))
    session.execute(
        update(WebSession)
        .where(WebSession.person_id == person.id, WebSession.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    keys = {"logins": set_logins(session, person, ()), "addresses": set_addresses(session, person, ())}
    person.left_at = now
    person.is_away, person.away_from, person.away_until, person.substitute_id = False, None, None, None
    person.version += 1
    session.flush()
    note_setup(
        session,
        viewer,
        f"person:{person.id}",
        "person-left",
        now,
        left_behind=str(belongings),
        pools=pools,
        stood_in_for=stood_in_for,
        **keys,
    )
    tell_policy(session)
    return fetch_person(session, viewer, person.email)


def take_back(session: Session, viewer: Viewer, email: str, now: datetime) -> PersonView:
    """Let somebody who left work here again, with his role and team, without logins, in no pool.

    Raises NotAllowed, NotFound; InvalidValue when his address is somebody else's by now.
    """
    begin_staff_change(session, viewer)
    person = find_person(session, email, has_left=True)
    check_address_free(session, person.email, person)
    person.left_at = None
    person.version += 1
    session.flush()
    note_setup(session, viewer, f"person:{person.id}", "person-returned", now)
    tell_policy(session)
    return fetch_person(session, viewer, person.email)


def _belongings(session: Session, person: Person) -> Belongings:
    def count(wanted: Select[Any]) -> int:
        return session.execute(select(func.count()).select_from(wanted.subquery())).scalar_one()

    owned = select(Customer.id).join(Scope, Scope.id == Customer.scope_id)
    effects = session.scalars(select(RuleRow.effects))
    return Belongings(
        customers=count(owned.where(Scope.owner_id == person.id, Customer.merged_into.is_(None))),
        conversations=count(
            select(Conversation.id).where(
                Conversation.assignee_id == person.id,
                Conversation.status.in_((OPEN, WAITING)),
                Conversation.merged_into.is_(None),
            )
        ),
        tasks=count(select(Task.id).where(Task.assignee_id == person.id, Task.state == "open")),
        rules=sum(
            any(one.get("action") == "assign" and one.get("value") == person.email for one in rule) for rule in effects
        ),
    )

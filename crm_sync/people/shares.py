# SPDX-License-Identifier: GPL-3.0-or-later
"""Show a customer, with all that hangs on him, to one more person or team.  Whoever may change him may.

Shares that somebody made bear the cause `hand`.  Those of people who work on a conversation come and go by themselves.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased
from ulid import ULID

from crm_sync.admission import InvalidValue, NotFound, find_customer
from crm_sync.models.conversations import Event
from crm_sync.models.customers import Customer, Scope, ScopeShare
from crm_sync.models.people import Person, Team
from crm_sync.people.staff import find_person
from crm_sync.people.teams import find_team
from crm_sync.rights import Action, Viewer

BY_HAND: Final = "hand"
_MOST_LISTED: Final = 500
_By = aliased(Person, name="by")


class Level(StrEnum):
    """What a share lets do."""

    SEE = "see"
    EDIT = "edit"  # see and change, correct the labels of mail


@dataclass(frozen=True, slots=True)
class ShareView:
    """A customer shown to a person (by address) or a team.  `cause`: hand, or the conversation he works on."""

    customer: str
    person: str
    team: str
    level: Level
    cause: str
    created_at: datetime
    created_by: str


def share_customer(
    session: Session,
    viewer: Viewer,
    customer: str,
    level: Level,
    now: datetime,
    *,
    person: str = "",
    team: str = "",
) -> ShareView:
    """Show a customer to a person or a team; once more with another level changes that.

    Raises NotFound, NotAllowed, InvalidValue.
    """
    found = find_customer(session, viewer, customer, Action.EDIT)
    to = _find_receiver(session, person, team)
    owner_id = session.scalars(select(Scope.owner_id).where(Scope.id == found.scope_id)).one()
    if isinstance(to, Person) and to.id == owner_id:
        raise InvalidValue(f"customer {customer}: is {to.email}'s own")
    row = session.scalars(_by_hand(found, to)).first()
    if row is None or row.level != level:
        if row is None:
            row = ScopeShare(scope_id=found.scope_id, cause=BY_HAND, created_at=now, created_by=viewer.actor_id)
            row.person_id, row.team_id = _keys(to)
            session.add(row)
        row.level = level
        _tell(session, viewer, found, "shared", now, to, level=level)
    return next(
        share
        for share in list_shares(session, viewer, customer)
        if share.cause == BY_HAND and _name_of(to) == (share.person or share.team)
    )


def withdraw_share(
    session: Session, viewer: Viewer, customer: str, now: datetime, *, person: str = "", team: str = ""
) -> None:
    """Show a customer to that person or team no longer.  Raises NotFound, NotAllowed, InvalidValue."""
    found = find_customer(session, viewer, customer, Action.EDIT)
    to = _find_receiver(session, person, team)
    row = session.scalars(_by_hand(found, to)).first()
    if row is None:
        raise NotFound(
            f"customer {customer}: nobody shared it with {_name_of(to)}; 'tradepost share list' names with whom"
        )
    session.delete(row)
    _tell(session, viewer, found, "share-withdrawn", now, to)


def list_shares(session: Session, viewer: Viewer, customer: str) -> tuple[ShareView, ...]:
    """Return to whom a customer is shown, people first.  Raises NotFound."""
    found = find_customer(session, viewer, customer)
    rows = session.execute(
        select(ScopeShare, Person.email, Team.name, _By.email)
        .outerjoin(Person, Person.id == ScopeShare.person_id)
        .outerjoin(Team, Team.id == ScopeShare.team_id)
        .outerjoin(_By, _By.id == ScopeShare.created_by)
        .where(ScopeShare.scope_id == found.scope_id)
        .order_by(ScopeShare.team_id.is_not(None), Person.email, Team.name, ScopeShare.id)
        .limit(_MOST_LISTED)
    )
    return tuple(
        ShareView(found.public_id, email or "", team or "", Level(share.level), share.cause, share.created_at, by or "")
        for share, email, team, by in rows
    )


def _find_receiver(session: Session, person: str, team: str) -> Person | Team:
    if bool(person) is bool(team):
        raise InvalidValue("say with whom: one person, or one team")
    return find_person(session, person) if person else find_team(session, team)


def _by_hand(customer: Customer, to: Person | Team) -> Select[ScopeShare]:
    person_id, team_id = _keys(to)
    return select(ScopeShare).where(
        ScopeShare.scope_id == customer.scope_id,
        ScopeShare.person_id.is_not_distinct_from(person_id),
        ScopeShare.team_id.is_not_distinct_from(team_id),
        ScopeShare.cause == BY_HAND,
    )


def _keys(to: Person | Team) -> tuple[int | None, int | None]:
    return (to.id, None) if isinstance(to, Person) else (None, to.id)


def _name_of(to: Person | Team) -> str:
    return to.email if isinstance(to, Person) else to.name


def _tell(
    session: Session, viewer: Viewer, customer: Customer, step: str, now: datetime, to: Person | Team, **details: Any
) -> None:
    session.add(
        Event(
            cause_id=str(ULID()),
            step=step,
            subject=f"customer:{customer.id}",
            at=now,
            customer_id=customer.id,
            person_id=viewer.actor_id,
            details={"actor": viewer.actor, "with": _name_of(to), **details},
        )
    )
    session.flush()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Who stands in which stage: customers moved by hand to any stage, and every move kept with its reason."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased
from ulid import ULID

from crm_sync.admission import InvalidValue, find_customer, require_company
from crm_sync.fields.values import require_for_stage
from crm_sync.models.conversations import Event
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.people import Person
from crm_sync.models.pipeline import Opportunity, ScoreDue, Stage, StageMove
from crm_sync.pipeline.stages import find_pipeline, find_stage
from crm_sync.rights import Action, Entity, Viewer, may

CUSTOMERS: Final = "customer"  # the key of the customers' pipeline
DEALING_KINDS: Final = ("customer", "lead")  # who else has a stage was taken for one of these
COUNTED_TO: Final = 1000
LONGEST_PAGE: Final = 500
_LONGEST_REASON: Final = 300


@dataclass(frozen=True, slots=True)
class MoveView:
    """One step of a record's way.  `who` is an address, "" for the program or root; `rule` what moved it by itself."""

    at: datetime
    before: str
    after: str
    who: str
    rule: str
    reason: str
    opportunity: str = ""  # its public id, where an opportunity moved


@dataclass(frozen=True, slots=True)
class StandingView:
    """How many a viewer may see stand in a stage: at most COUNTED_TO are counted."""

    stage: str
    name_en: str
    name_zh: str
    records: int
    is_more: bool


@dataclass(frozen=True, slots=True)
class CustomerStageView:
    """A customer and where he stands."""

    customer: str  # public id
    name: str
    stage: str
    since: datetime | None
    owner: str


def move_customer(
    session: Session, viewer: Viewer, customer: str, stage: str, now: datetime, *, reason: str = ""
) -> MoveView | None:
    """Put a customer into a stage by hand, forward or back; None: he stands there.

    Raises NotFound, NotAllowed; InvalidValue where the stage asks for a field that is empty.
    """
    found = find_customer(session, viewer, customer, Action.EDIT)
    to = find_stage(session, find_pipeline(session, CUSTOMERS), stage)
    said = checked_reason(reason)
    if found.stage_id == to.id:
        return None
    require_for_stage(session, "customer", found.id, to.key)
    before = session.get(Stage, found.stage_id) if found.stage_id is not None else None
    found.stage_id, found.stage_at, found.version = to.id, now, found.version + 1
    session.add(ScoreDue(customer_id=found.id))
    note_move(session, viewer.actor_id, found.id, None, before, to, now, said)
    session.flush()
    return MoveView(now, before.key if before else "", to.key, viewer.email, "", said)


def fetch_customer_moves(session: Session, viewer: Viewer, customer: str, limit: int = 100) -> list[MoveView]:
    """Return how a customer went from stage to stage, newest first; his opportunities apart.  Raises NotFound."""
    found = find_customer(session, viewer, customer)
    return fetch_moves(session, StageMove.customer_id == found.id, StageMove.opportunity_id.is_(None), limit=limit)


def fetch_moves(session: Session, *conditions: ColumnElement[bool], limit: int) -> list[MoveView]:
    """Return moves, newest first.  Whether the viewer may see the record was asked before."""
    before, after = aliased(Stage), aliased(Stage)
    rows = session.execute(
        select(StageMove, before.key, after.key, Person.email, Opportunity.public_id)
        .outerjoin(before, before.id == StageMove.from_id)
        .join(after, after.id == StageMove.to_id)
        .outerjoin(Person, Person.id == StageMove.person_id)
        .outerjoin(Opportunity, Opportunity.id == StageMove.opportunity_id)
        .where(*conditions)
        .order_by(StageMove.id.desc())
        .limit(max(1, min(limit, LONGEST_PAGE)))
    )
    return [
        MoveView(row.at, one or "", other, who or "", row.rule_id or "", row.reason, deal or "")
        for row, one, other, who, deal in rows
    ]


def count_standing(session: Session, viewer: Viewer, pipeline: str = CUSTOMERS) -> list[StandingView]:
    """Return how many customers or opportunities stand in each stage, as far as the viewer sees them.

    Raises NotFound, NotAllowed.
    """
    require_company(viewer, Action.SEE)
    found = find_pipeline(session, pipeline)
    stages = session.scalars(
        select(Stage).where(Stage.pipeline_id == found.id, Stage.retired_at.is_(None)).order_by(Stage.position)
    ).all()
    counted = []
    for stage in stages:  # few, and each is counted no further than is shown
        rows = select(Customer.id).where(
            Customer.stage_id == stage.id,
            Customer.kind.in_(DEALING_KINDS),
            Customer.merged_into.is_(None),
            may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id),
        )
        if found.subject == "opportunity":
            rows = select(Opportunity.id).where(
                Opportunity.stage_id == stage.id, may(viewer, Entity.OPPORTUNITY, Action.SEE, Opportunity.scope_id)
            )
        count = session.scalars(select(func.count()).select_from(rows.limit(COUNTED_TO + 1).subquery())).one()
        is_more = count > COUNTED_TO
        counted.append(StandingView(stage.key, stage.name_en, stage.name_zh, min(count, COUNTED_TO), is_more))
    return counted


def list_customers_in(
    session: Session, viewer: Viewer, stage: str, *, after: str | None = None, limit: int = 50
) -> list[CustomerStageView]:
    """Return customers of a stage by age; `after` is the public id that the page before ended with.

    Raises NotFound.
    """
    to = find_stage(session, find_pipeline(session, CUSTOMERS), stage)
    rows = (
        select(Customer.public_id, Customer.name, Customer.stage_at, Person.email)
        .join(Scope, Scope.id == Customer.scope_id)
        .outerjoin(Person, Person.id == Scope.owner_id)
        .where(
            Customer.stage_id == to.id,
            Customer.kind.in_(DEALING_KINDS),
            Customer.merged_into.is_(None),
            may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id),
        )
        .order_by(Customer.id)
        .limit(max(1, min(limit, LONGEST_PAGE)))
    )
    if after is not None:
        rows = rows.where(Customer.id > find_customer(session, viewer, after).id)
    return [
        CustomerStageView(public_id, name, to.key, since, owner or "")
        for public_id, name, since, owner in session.execute(rows)
    ]


def note_move(
    session: Session,
    person_id: int | None,
    customer_id: int,
    opportunity_id: int | None,
    before: Stage | None,
    after: Stage,
    now: datetime,
    reason: str,
) -> None:
    """Keep a move by hand: a row of the record's way, and an event."""
    cause_id = str(ULID())
    session.add(
        StageMove(
            customer_id=customer_id,
            opportunity_id=opportunity_id,
            from_id=before.id if before else None,
            to_id=after.id,
            at=now,
            person_id=person_id,
            reason=reason,
            cause_id=cause_id,
        )
    )
    subject = f"customer:{customer_id}" if opportunity_id is None else f"opportunity:{opportunity_id}"
    session.add(
        Event(
            cause_id=cause_id,
            step="stage-moved",
            subject=subject,
            at=now,
            customer_id=customer_id,
            person_id=person_id,
            details={"from": before.key if before else None, "to": after.key, "reason": reason},
        )
    )


def checked_reason(reason: str) -> str:
    """Return what somebody said, trimmed.  Raises InvalidValue."""
    said = " ".join(reason.split())
    if len(said) > _LONGEST_REASON or not said.isprintable():
        raise InvalidValue(f"reason {said[:40]!r}: is at most {_LONGEST_REASON} printable characters")
    return said

# SPDX-License-Identifier: GPL-3.0-or-later
"""Completeness, points and grade of customers: kept up to date, shown with their reasons, and the scale they come from.

Whatever changes a fact leaves a row in `score_due`; the worker weighs those customers anew.  A grade that a person gave
stays.  The directory is told of a grade that changed: arrival asks for it.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, func, insert, literal, select, tuple_, update
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import InvalidValue, NotAllowed, find_customer, require_company
from crm_sync.directory_rows import DirtyKeys, changed_customers
from crm_sync.key_lists import among_keys
from crm_sync.models.base import table
from crm_sync.models.conversations import Event
from crm_sync.models.customers import Customer
from crm_sync.models.pipeline import CompletenessWeight, GradeBand, GradePoint, ScoreDue
from crm_sync.pipeline.customer_facts import FIELDS, NUMBERS, VALUES, CustomerFacts, fetch_facts
from crm_sync.pipeline.grading import Point, Scale, Score, score
from crm_sync.rights import Action, Entity, Viewer, may
from crm_sync.setup_events import note_setup

GRADED_KINDS: Final = ("customer", "lead")
_AT_ONCE: Final = 200
_MOST_POINTS: Final = 500
_GRADE = re.compile(r"[A-Za-z0-9+-]{1,10}")
_VALUE = re.compile(r"[A-Za-z0-9+-]{1,80}")
_CUSTOMER = table(Customer)
_WRITE = (
    update(_CUSTOMER)
    .where(_CUSTOMER.c.id == bindparam("key"))
    .values(
        completeness=bindparam("new_completeness"),
        grade_points=bindparam("new_points"),
        grade=bindparam("new_grade"),
        grade_by=bindparam("new_by"),
    )
)


@dataclass(frozen=True, slots=True)
class ScoreView:
    """A customer's score.  `grade_by`: person or points; grade and points are None for whom they are hidden from."""

    customer: str
    name: str
    completeness: int | None
    missing: tuple[str, ...]
    grade: str | None
    grade_by: str
    points: int | None
    reasons: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class ScoredCustomer:
    """A line of a list."""

    customer: str
    name: str
    completeness: int | None
    grade: str | None
    points: int | None


def fetch_score(session: Session, viewer: Viewer, customer: str) -> ScoreView:
    """Return how complete a customer is and what he has earned, as of now.  Raises NotFound."""
    found = find_customer(session, viewer, customer)
    facts = fetch_facts(session, [found.id])[found.id]
    now = score(facts, fetch_scale(session))
    hides_grade = viewer.hides(Entity.CUSTOMER, "grade")
    reasons = tuple(one for one in now.reasons if not viewer.hides(Entity.CUSTOMER, one.fact))
    return ScoreView(
        customer=found.public_id,
        name=found.name,
        completeness=now.completeness,
        missing=tuple(field for field in now.missing if not viewer.hides(Entity.CUSTOMER, field)),
        grade=None if hides_grade else (found.grade if found.grade_by == "person" else now.grade),
        grade_by="" if hides_grade else (found.grade_by or "points"),
        points=None if hides_grade else now.points,
        reasons=() if hides_grade else reasons,
    )


def list_scored(
    session: Session,
    viewer: Viewer,
    *,
    by: str = "points",
    rises: bool = False,
    after: str | None = None,
    limit: int = 50,
) -> list[ScoredCustomer]:
    """Return customers in order of their `points` or `completeness`, as last weighed, the greatest first.

    `after` is the customer that the page before ended with.  Raises InvalidValue, NotFound, and NotAllowed for an order by
    what is hidden.
    """
    if by not in ("points", "completeness"):
        raise InvalidValue(f"order {by[:40]!r}: is by points or completeness")
    hides_grade = viewer.hides(Entity.CUSTOMER, "grade")
    if hides_grade and by == "points":
        raise NotAllowed(f"order by points: {viewer.actor} does not see grades")
    column = Customer.grade_points if by == "points" else Customer.completeness
    rows = (
        select(Customer.public_id, Customer.name, Customer.completeness, Customer.grade, Customer.grade_points)
        .where(
            column.is_not(None),
            Customer.merged_into.is_(None),
            may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id),
        )
        .order_by(*((column, Customer.id) if rises else (column.desc(), Customer.id.desc())))
        .limit(max(1, min(limit, 500)))
    )
    if after is not None:
        last = find_customer(session, viewer, after)
        place = tuple_(literal(last.grade_points if by == "points" else last.completeness), literal(last.id))
        here = tuple_(column, Customer.id)
        rows = rows.where(here > place if rises else here < place)
    return [
        ScoredCustomer(public_id, name, completeness, None if hides_grade else grade, None if hides_grade else points)
        for public_id, name, completeness, grade, points in session.execute(rows)
    ]


def set_grade(session: Session, viewer: Viewer, customer: str, grade: str | None, now: datetime) -> None:
    """Give a customer a grade by hand; None lets points decide again.  Raises NotFound, NotAllowed, InvalidValue."""
    if viewer.hides(Entity.CUSTOMER, "grade"):
        raise NotAllowed(f"grade: {viewer.actor} does not see grades")
    found = find_customer(session, viewer, customer, Action.EDIT)
    if grade is not None and not _GRADE.fullmatch(grade):
        raise InvalidValue(f"grade {grade[:40]!r}: is 1 to 10 letters and digits, as A")
    before = found.grade
    found.grade, found.grade_by, found.version = grade, "person" if grade else None, found.version + 1
    session.add(
        Event(
            cause_id=str(ULID()),
            step="graded",
            subject=f"customer:{found.id}",
            at=now,
            customer_id=found.id,
            person_id=viewer.actor_id,
            details={"from": before, "to": grade},
        )
    )
    session.flush()
    weigh(session, [found.id])
    dirty = DirtyKeys()
    changed_customers(session, dirty, [found.id])
    dirty.write(session)


def fetch_scale(session: Session) -> Scale:
    """Return weights, points and bands in force."""
    weights = session.execute(select(CompletenessWeight.field, CompletenessWeight.weight)).all()
    points = session.execute(
        select(GradePoint.fact, GradePoint.value, GradePoint.points).order_by(GradePoint.fact, GradePoint.id)
    ).all()
    bands = session.execute(select(GradeBand.grade, GradeBand.points_from).order_by(GradeBand.points_from.desc())).all()
    return Scale(
        {field: weight for field, weight in weights},
        [Point(*row) for row in points],
        [(grade, least) for grade, least in bands],
    )


def show_scale(session: Session, viewer: Viewer) -> Scale:
    """Return the scale to whoever may see what all records share.  Raises NotAllowed."""
    require_company(viewer, Action.SEE)
    return fetch_scale(session)


def change_scale(
    session: Session,
    viewer: Viewer,
    now: datetime,
    *,
    weights: Mapping[str, int] | None = None,
    points: Collection[Point] = (),
    bands: Mapping[str, int] | None = None,
) -> int:
    """Change weights and points that are named (0 points take one away), and all bands at once if any is named.

    Every customer is due to be weighed anew; return how many.  Raises InvalidValue, NotAllowed.
    """
    require_company(viewer, Action.EDIT)
    for field, weight in (weights or {}).items():
        if field not in FIELDS or not 0 <= weight <= 1000:
            raise InvalidValue(f"weight {field[:40]!r}={weight}: fields are {', '.join(FIELDS)}; a weight is 0 to 1000")
        session.merge(CompletenessWeight(field=field, weight=weight))
    for point in points:
        _set_point(session, point)
    if bands:
        for grade, least in bands.items():
            if not _GRADE.fullmatch(grade) or not -10_000 <= least <= 10_000:
                raise InvalidValue(f"band {grade[:40]!r} from {least}: is a grade of 1 to 10 letters and digits, as A")
        session.execute(delete(GradeBand))
        session.add_all(GradeBand(grade=grade, points_from=least) for grade, least in bands.items())
    session.flush()
    if len(fetch_scale(session).points) > _MOST_POINTS:
        raise InvalidValue(f"points: {_MOST_POINTS} lines are the most")
    said = {"weights": dict(weights or {}), "bands": dict(bands or {})}
    note_setup(session, viewer, "score", "scale-changed", now, **said, points=[point.fact for point in points])
    return make_all_due(session)


def make_all_due(session: Session) -> int:
    """Let every customer be weighed anew, by the worker; return how many."""
    session.execute(delete(ScoreDue))
    graded = select(Customer.id).where(Customer.kind.in_(GRADED_KINDS), Customer.merged_into.is_(None))
    session.execute(insert(ScoreDue).from_select(["customer_id"], graded.order_by(Customer.id)))
    return session.scalars(select(func.count()).select_from(ScoreDue)).one()


def weigh_due(session: Session, limit: int = _AT_ONCE) -> int:
    """Weigh the customers that have waited longest; return how many rows were done, 0 when nobody waits."""
    due = session.execute(
        select(ScoreDue.id, ScoreDue.customer_id).order_by(ScoreDue.id).limit(limit).with_for_update(skip_locked=True)
    ).all()
    if not due:
        return 0
    weigh(session, sorted({customer for _, customer in due}))
    session.execute(delete(ScoreDue).where(ScoreDue.id.in_([key for key, _ in due])))
    return len(due)


def weigh(session: Session, customer_ids: Collection[int]) -> None:
    """Weigh these customers now, and tell the directory of grades that changed."""
    # Nobody gives a grade by hand meanwhile.
    locked = select(Customer.id).where(among_keys(Customer.id)).order_by(Customer.id).with_for_update(key_share=True)
    session.execute(locked, {"keys": list(customer_ids)})
    scale, changed, graded = fetch_scale(session), [], []
    for key, facts in sorted(fetch_facts(session, customer_ids).items()):
        is_graded = facts.kind in GRADED_KINDS
        now = score(facts, scale)
        grade, by = _grade(facts, now) if is_graded else (facts.grade, facts.grade_by)
        wanted = (now.completeness, now.points, grade, by) if is_graded else (None, None, grade, by)
        if wanted != (facts.completeness, facts.points, facts.grade, facts.grade_by):
            names = ("new_completeness", "new_points", "new_grade", "new_by")
            changed.append({"key": key, **dict(zip(names, wanted, strict=True))})
        if grade != facts.grade:
            graded.append(key)
    if changed:
        session.connection().execute(_WRITE, changed)
        session.expire_all()
    if graded:
        dirty = DirtyKeys()
        changed_customers(session, dirty, graded)
        dirty.write(session, dirty.read(session))  # nothing to search for changed, nor what makes duplicates


def _grade(facts: CustomerFacts, now: Score) -> tuple[str | None, str | None]:
    if facts.grade_by == "person" or now.grade is None:
        return facts.grade, facts.grade_by
    return now.grade, "points"


def _set_point(session: Session, point: Point) -> None:
    known = (*NUMBERS, *VALUES)
    is_number = point.fact in NUMBERS
    if point.fact not in known or not _VALUE.fullmatch(point.value) or abs(point.points) > 1000:
        raise InvalidValue(f"points for {point.fact[:40]!r} {point.value[:40]!r}: facts are {', '.join(known)}")
    if is_number and not (point.value.isdecimal() and point.value.isascii() and len(point.value) < 9):
        raise InvalidValue(
            f"points for {point.fact} {point.value!r}: the value is a whole number, from which on they count"
        )
    same = (GradePoint.fact == point.fact, GradePoint.value == point.value)
    row = session.scalars(select(GradePoint).where(*same)).one_or_none()
    if point.points == 0:
        session.execute(delete(GradePoint).where(*same))
    elif row is None:
        session.add(GradePoint(fact=point.fact, value=point.value, points=point.points))
    else:
        row.points = point.points
    session.flush()

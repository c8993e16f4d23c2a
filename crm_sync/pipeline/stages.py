# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipelines and their stages: shown, added, renamed, ordered, retired.  A retired stage hands its records to another."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, insert, literal, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import InvalidValue, NotFound, checked_names, require_company
from crm_sync.models.customers import Customer
from crm_sync.models.pipeline import Opportunity, Pipeline, Stage, StageMove, StageRule
from crm_sync.rights import Action, Viewer
from crm_sync.setup_events import note_setup, tell_policy

KINDS: Final = ("open", "won", "lost", "dormant")
_KINDS_OF: Final = {"customer": ("open", "won", "dormant"), "opportunity": ("open", "won", "lost")}
_MOST_STAGES: Final = 50
_MOST_PIPELINES: Final = 50
_LONGEST_GUIDE: Final = 4000
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage.  `probability` in percent."""

    key: str
    name_en: str
    name_zh: str
    kind: str
    probability: int
    guide: str  # what the work in it needs, what comes of it, what is usually done
    is_retired: bool


@dataclass(frozen=True, slots=True)
class PipelineView:
    """One pipeline with its stages, in order."""

    key: str
    subject: str  # customer | opportunity
    name_en: str
    name_zh: str
    stages: tuple[StageView, ...]


def fetch_pipelines(session: Session, viewer: Viewer, *, with_retired: bool = False) -> list[PipelineView]:
    """Return every pipeline, that of customers first.  Raises NotAllowed."""
    require_company(viewer, Action.SEE)
    pipelines = session.scalars(select(Pipeline).order_by(Pipeline.position, Pipeline.id)).all()
    stages = session.scalars(select(Stage).order_by(Stage.position, Stage.id)).all()
    return [
        PipelineView(
            row.key,
            row.subject,
            row.name_en,
            row.name_zh,
            tuple(
                _view(stage)
                for stage in stages
                if stage.pipeline_id == row.id and (with_retired or stage.retired_at is None)
            ),
        )
        for row in pipelines
    ]


def add_pipeline(session: Session, viewer: Viewer, key: str, name_en: str, name_zh: str, now: datetime) -> None:
    """Make another pipeline for opportunities, with the stages of the first.  Raises InvalidValue, NotAllowed."""
    require_company(viewer, Action.EDIT)
    names = checked_names(name_en, name_zh)
    _check_key(key)
    known = session.scalars(select(Pipeline).order_by(Pipeline.position, Pipeline.id)).all()
    if any(row.key == key for row in known):
        raise InvalidValue(f"pipeline {key!r}: is there already")
    if len(known) >= _MOST_PIPELINES:
        raise InvalidValue(f"pipeline {key!r}: there are {_MOST_PIPELINES}, and no room for more")
    first = next(row for row in known if row.subject == "opportunity")
    made = Pipeline(key=key, subject="opportunity", position=len(known), **names)
    session.add(made)
    session.flush()
    copied = ("key", "name_en", "name_zh", "kind", "probability", "guide", "position")
    for stage in _stages(session, first.id):
        if stage.retired_at is None:
            session.add(Stage(pipeline_id=made.id, **{name: getattr(stage, name) for name in copied}))
    note_setup(session, viewer, f"pipeline:{made.id}", "pipeline-added", now, key=key, **names)
    tell_policy(session)


def add_stage(
    session: Session,
    viewer: Viewer,
    pipeline: str,
    key: str,
    name_en: str,
    name_zh: str,
    now: datetime,
    *,
    kind: str = "open",
    probability: int = 0,
    place: int | None = None,
) -> StageView:
    """Add a stage at a place (1 is first; None: the last).  Raises NotFound, InvalidValue, NotAllowed."""
    require_company(viewer, Action.EDIT)
    names = checked_names(name_en, name_zh)
    found = find_pipeline(session, pipeline)
    _check_key(key)
    _check(found, kind, probability)
    listed = _stages(session, found.id)
    if any(row.key == key for row in listed):
        raise InvalidValue(f"stage {key!r}: is in the pipeline {pipeline} already, perhaps retired")
    if len(listed) >= _MOST_STAGES:
        raise InvalidValue(f"pipeline {pipeline}: holds {_MOST_STAGES} stages and no more")
    row = Stage(pipeline_id=found.id, key=key, kind=kind, probability=probability, position=len(listed), **names)
    session.add(row)
    _place(listed, row, len(listed) + 1 if place is None else place)
    note_setup(session, viewer, f"stage:{pipeline}/{key}", "stage-added", now, kind=kind, **names)
    tell_policy(session)
    return _view(row)


def change_stage(
    session: Session,
    viewer: Viewer,
    pipeline: str,
    key: str,
    now: datetime,
    *,
    name_en: str | None = None,
    name_zh: str | None = None,
    probability: int | None = None,
    guide: str | None = None,
    place: int | None = None,
) -> StageView:
    """Rename a stage, move it, give it another probability or guide.  Its kind stays: deals were counted by it.

    Raises NotFound, InvalidValue, NotAllowed.
    """
    require_company(viewer, Action.EDIT)
    names = checked_names(name_en, name_zh)
    found = find_pipeline(session, pipeline)
    row = find_stage(session, found, key)
    for column, name in names.items():
        setattr(row, column, name)
    if probability is not None:
        _check(found, row.kind, probability)
        row.probability = probability
    if guide is not None:
        row.guide = _checked_guide(guide)
    if place is not None:
        listed = _stages(session, found.id)
        listed.remove(row)
        _place(listed, row, place)
    said = {**names, "probability": probability, "guide": guide, "place": place}
    details = {name: value for name, value in said.items() if value is not None}
    note_setup(session, viewer, f"stage:{pipeline}/{key}", "stage-changed", now, **details)
    tell_policy(session)
    return _view(row)


def retire_stage(session: Session, viewer: Viewer, pipeline: str, key: str, into: str, now: datetime) -> int:
    """Take a stage out of use; what stands in it, and rules that lead to it, go to `into`.  Return how many records moved.

    Raises NotFound, InvalidValue, NotAllowed.
    """
    require_company(viewer, Action.EDIT)
    found = find_pipeline(session, pipeline)
    row, other = find_stage(session, found, key), find_stage(session, found, into)
    if row.id == other.id or row.kind != other.kind:
        raise InvalidValue(f"stage {key!r}: hands its records to another one of its kind ({row.kind}), not to {into!r}")
    moved = _move_all(session, viewer, found.subject, row, other, now)
    row.retired_at = now
    session.execute(update(StageRule).where(StageRule.stage_id == row.id).values(stage_id=other.id))
    note_setup(session, viewer, f"stage:{pipeline}/{key}", "stage-retired", now, into=into, records=moved)
    tell_policy(session)
    return moved


def find_pipeline(session: Session, key: str) -> Pipeline:
    """Return a pipeline by key.  Raises NotFound."""
    wanted = select(Pipeline).where(Pipeline.key == key)
    found = session.scalars(wanted).one_or_none() if key.isprintable() else None
    if found is None:
        raise NotFound(f"pipeline {key[:40]!r}: there is none; 'tradepost stage list' names them")
    return found


def find_stage(session: Session, pipeline: Pipeline, key: str) -> Stage:
    """Return a stage in use by key.  Raises NotFound, which names those that there are."""
    stages = {row.key: row for row in _stages(session, pipeline.id) if row.retired_at is None}
    if key not in stages:
        raise NotFound(f"stage {key[:40]!r}: {pipeline.key} has none; there are {', '.join(stages)}")
    return stages[key]


def _move_all(session: Session, viewer: Viewer, subject: str, row: Stage, other: Stage, now: datetime) -> int:
    """Move what stands in a stage to another, with its history, in three statements however much it is."""
    is_deal = subject == "opportunity"
    model: Any = Opportunity if is_deal else Customer
    standing: ColumnElement[bool] = model.stage_id == row.id
    history = {
        "customer_id": Opportunity.customer_id if is_deal else Customer.id,
        "opportunity_id": Opportunity.id if is_deal else literal(None, StageMove.opportunity_id.type),
        "from_id": literal(row.id),
        "to_id": literal(other.id),
        "at": literal(now, StageMove.at.type),
        "person_id": literal(viewer.actor_id, StageMove.person_id.type),
        "reason": literal(f"the stage {row.key} was retired"),
        "cause_id": literal(str(ULID())),
    }
    session.flush()
    rows = select(*(column.label(name) for name, column in history.items())).where(standing)
    count = session.scalars(select(func.count()).select_from(model).where(standing)).one()
    session.execute(insert(StageMove).from_select(list(history), rows))
    session.execute(update(model).where(standing).values(stage_id=other.id, stage_at=now))
    return count


def _stages(session: Session, pipeline_id: int) -> list[Stage]:
    wanted = select(Stage).where(Stage.pipeline_id == pipeline_id).order_by(Stage.position, Stage.id)
    return list(session.scalars(wanted))


def _place(others: Sequence[Stage], row: Stage, place: int) -> None:
    ordered = list(others)
    ordered.insert(max(0, place - 1), row)
    for position, one in enumerate(ordered):
        one.position = position


def _check(pipeline: Pipeline, kind: str, probability: int) -> None:
    if kind not in _KINDS_OF[pipeline.subject]:
        allowed = ", ".join(_KINDS_OF[pipeline.subject])
        raise InvalidValue(f"kind {kind[:40]!r}: a stage of {pipeline.key} is {allowed}")
    if not 0 <= probability <= 100:
        raise InvalidValue(f"probability {probability}: is 0 to 100 percent")


def _checked_guide(guide: str) -> str:
    said = guide.strip()
    if len(said) > _LONGEST_GUIDE or "\0" in said:
        raise InvalidValue(f"guide: is text of at most {_LONGEST_GUIDE} characters")
    return said


def _check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise InvalidValue(f"key {key[:60]!r}: is 1 to 40 of a-z, 0-9 and -")


def _view(row: Stage) -> StageView:
    return StageView(
        row.key, row.name_en, row.name_zh, row.kind, row.probability, row.guide, row.retired_at is not None
    )

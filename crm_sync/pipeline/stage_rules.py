# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules that move customers and opportunities by themselves: shown, replaced as a file, switched on and off.

They are conditions like those of arrival, asked when a mail is recorded; what they do is `set_stage` to `pipeline/stage`,
and only forward.  Time is no condition here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue, NotFound, require_company
from crm_sync.models.pipeline import Pipeline, Stage, StageRule
from crm_sync.pipeline.snapshot import SET_STAGE, as_rule
from crm_sync.rights import Action, Viewer
from crm_sync.setup_events import note_setup, tell_policy
from tradepost.rules import Rule, compile_rules, parse_rules

_MOST_RULES: Final = 200


@dataclass(frozen=True, slots=True)
class StageRuleView:
    """One rule; `then` is pipeline/stage, `when` the condition as JSON has it."""

    id: str
    name: str
    enabled: bool
    then: str
    when: dict[str, Any]


def fetch_stage_rules(session: Session, viewer: Viewer) -> list[StageRuleView]:
    """Return every rule, in the order in which they are tried.  Raises NotAllowed."""
    require_company(viewer, Action.SEE)
    rows = session.execute(
        select(StageRule, Pipeline.key, Stage.key)
        .join(Stage, Stage.id == StageRule.stage_id)
        .join(Pipeline, Pipeline.id == Stage.pipeline_id)
        .order_by(StageRule.position, StageRule.id)
    )
    return [
        StageRuleView(row.id, row.name, row.enabled, f"{pipeline}/{stage}", row.condition)
        for row, pipeline, stage in rows
    ]


def apply_stage_rules(session: Session, viewer: Viewer, data: Mapping[str, Any], now: datetime) -> int:
    """Make the rules of `{"rule": [...]}` those in force, in their order; return how many.

    Raises RuleError, InvalidValue, NotAllowed.
    """
    require_company(viewer, Action.EDIT)
    rules = parse_rules(data)
    if len(rules) > _MOST_RULES:
        raise InvalidValue(f"{len(rules)} rules: {_MOST_RULES} is the most")
    targets = _targets(session)
    compile_rules(rules, refuse=lambda action, value: _refuse(targets, action, value))
    session.execute(delete(StageRule))
    for position, rule in enumerate(rules):
        session.add(
            StageRule(
                id=rule.id,
                position=position,
                name=rule.name[:200],
                enabled=rule.enabled,
                condition=msgspec.json.decode(msgspec.json.encode(rule.when)),
                stage_id=targets[_target(rule)],
            )
        )
    note_setup(session, viewer, "stage-rules", "stage-rules-applied", now, rules=[rule.id for rule in rules])
    tell_policy(session)
    return len(rules)


def switch_stage_rule(session: Session, viewer: Viewer, rule_id: str, now: datetime, *, is_enabled: bool) -> None:
    """Let a rule be in force, or not.  Raises NotFound, NotAllowed."""
    require_company(viewer, Action.EDIT)
    row = session.get(StageRule, rule_id) if rule_id.isprintable() else None
    if row is None:
        raise NotFound(f"stage rule {rule_id[:40]!r}: there is none; 'tradepost stage rules' names them")
    row.enabled = is_enabled
    compile_rules([as_rule(row)], refuse=lambda action, value: None)
    step = "stage-rule-enabled" if is_enabled else "stage-rule-disabled"
    note_setup(session, viewer, f"stage-rule:{rule_id}", step, now)
    tell_policy(session)


def _targets(session: Session) -> dict[str, int]:
    rows = session.execute(
        select(Stage.id, Pipeline.key, Stage.key)
        .join(Pipeline, Pipeline.id == Stage.pipeline_id)
        .where(Stage.retired_at.is_(None))
        .order_by(Pipeline.position, Stage.position)
    )
    return {f"{pipeline}/{stage}": key for key, pipeline, stage in rows}


def _target(rule: Rule) -> str:
    if len(rule.then) != 1:
        raise InvalidValue(f"rule {rule.id!r}: does one thing, {SET_STAGE}; two stages need two rules")
    return rule.then[0].value


def _refuse(targets: Mapping[str, int], action: str, value: str) -> str | None:
    if action != SET_STAGE:
        return f"there is no action {action!r}; the action is {SET_STAGE}"
    if value not in targets:
        return f"there is no stage {value!r}; there are {', '.join(targets)}"
    return None

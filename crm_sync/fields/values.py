# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in a record's own fields: read, written, checked, moved when records become one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import InvalidValue, NotFound, Outdated
from crm_sync.bulk_rows import insert_rows
from crm_sync.fields.definitions import field_rows, fields_in_use, is_hidden
from crm_sync.fields.records import Record, find_record
from crm_sync.fields.registry import TYPES
from crm_sync.fields.types import Asking, Options, Raw, Stored
from crm_sync.models.base import table
from crm_sync.models.conversations import Event
from crm_sync.models.fields import CustomValues, FieldDef, FieldValue
from crm_sync.rights import Action, Viewer


@dataclass(frozen=True, slots=True)
class ValueView:
    """What stands in one field.  `value` is the stored form, `text` the same in words; an empty one has neither."""

    key: str
    type: str
    name_en: str
    name_zh: str
    value: Stored
    text: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class RecordValues:
    """A record's own fields, in order, empty ones too.  `version` is what a change names."""

    values: tuple[ValueView, ...]
    version: int


def fetch_values(session: Session, viewer: Viewer, about: str) -> RecordValues:
    """Return what stands in the own fields of `customer:ID`, `contact:ADDRESS` or `opportunity:ID`.

    Raises NotFound, InvalidValue.
    """
    record = find_record(session, viewer, about)
    held, version = _held(session, record)
    fields = fields_in_use(session, record.entity)
    shown = [field for field in fields.values() if not is_hidden(viewer, record.entity, field.key)]
    return RecordValues(tuple(_view(field, held.get(field.key)) for field in shown), version)


def set_values(
    session: Session,
    viewer: Viewer,
    about: str,
    wanted: Mapping[str, Raw],
    now: datetime,
    *,
    version: int | None = None,
) -> RecordValues:
    """Write these values, "" or none to empty a field; the others stay.  `version`, where given, is the one that was read.

    All or nothing.  Raises NotFound, NotAllowed, InvalidValue (which names every field that can't be so), Outdated.
    """
    record = find_record(session, viewer, about, Action.EDIT)
    fields = fields_in_use(session, record.entity, wanted)
    unknown = [key for key in wanted if key not in fields or is_hidden(viewer, record.entity, key)]
    if unknown:
        raise NotFound(
            f"field {unknown[0][:40]!r}: a {record.entity} has none; 'tradepost field list {record.entity}' names them"
        )
    row = _lock(session, record)
    if version is not None and row.version != version:
        raise Outdated(f"{about}: was changed meanwhile (version {row.version}); read it again")
    stored = _read_all(session, viewer, fields, wanted)
    changed = {key: value for key, value in stored.items() if row.held.get(key) != value}
    if changed:
        before = {key: row.held.get(key) for key in changed}
        row.held = {key: value for key, value in (row.held | changed).items() if value is not None}
        row.version += 1
        for key, value in changed.items():
            _index(session, fields[key], record, value)
        _tell(session, viewer, record, before, changed, now)
        session.flush()
    return fetch_values(session, viewer, about)


def missing_for_stage(session: Session, entity: str, record_id: int, stage_key: str) -> tuple[str, ...]:
    """Return the names of the fields that must be filled before a record goes to a stage, and are empty."""
    needed = [field for field in fields_in_use(session, entity).values() if stage_key in field.stages]
    if not needed:
        return ()
    held = session.scalars(
        select(CustomValues.held).where(CustomValues.entity == entity, CustomValues.record_id == record_id)
    ).one_or_none()
    return tuple(field.name_en for field in needed if (held or {}).get(field.key) is None)


def require_for_stage(session: Session, entity: str, record_id: int, stage_key: str) -> None:
    """Raise InvalidValue unless every field is filled that the stage asks for."""
    if missing := missing_for_stage(session, entity, record_id, stage_key):
        raise InvalidValue(f"stage {stage_key}: fill in first: {', '.join(missing)}")


def merge_values(session: Session, entity: str, kept: int, gone: int) -> dict[str, Any]:
    """Fill what is empty in one record from another that became one with it; return what was filled, for an undo.

    What stood in the other stays there.
    """
    other = session.get(CustomValues, (entity, gone))
    if other is None or not other.held:
        return {}
    row = _lock(session, Record(entity, kept, 0, None))
    filled = {key: value for key, value in other.held.items() if key not in row.held}
    if filled:
        row.held = row.held | filled
        row.version += 1
        for key, field in fields_in_use(session, entity, filled).items():
            if not field.is_unique:
                _index(session, field, Record(entity, kept, 0, None), filled[key])
    return filled


def unmerge_values(session: Session, entity: str, kept: int, filled: Mapping[str, Any]) -> None:
    """Take back what `merge_values` filled, where it still stands so."""
    if not filled:
        return
    row = _lock(session, Record(entity, kept, 0, None))
    gone = [key for key, value in filled.items() if row.held.get(key) == value]
    row.held = {key: value for key, value in row.held.items() if key not in gone}
    row.version += 1
    for field in fields_in_use(session, entity, gone).values():
        _index(session, field, Record(entity, kept, 0, None), None)


def _read_all(
    session: Session, viewer: Viewer, fields: Mapping[str, FieldDef], wanted: Mapping[str, Raw]
) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
    wrong: list[str] = []
    for key, raw in wanted.items():
        field = fields[key]
        asking = Asking(session, viewer, msgspec.convert(field.options, Options))
        try:
            found[key] = TYPES[field.type].read_all(raw, asking)
        except InvalidValue as error:
            wrong.append(f"{key}: {error}")
            continue
        if found[key] is None and field.is_required:
            wrong.append(f"{key}: must not be empty")
    if wrong:
        raise InvalidValue("\n".join(wrong))
    return found


def _index(session: Session, field: FieldDef, record: Record, value: Stored) -> None:
    if not field.is_filterable:
        return
    rows = field_rows(field, record.id, value)
    if field.is_unique and rows:
        _check_alone(session, field, record, rows[0])
    mine = delete(FieldValue).where(FieldValue.field_id == field.id, FieldValue.record_id == record.id)
    session.execute(mine)
    insert_rows(session.connection(), table(FieldValue), rows)


def _check_alone(session: Session, field: FieldDef, record: Record, row: Mapping[str, Any]) -> None:
    # Whoever writes the same at the same moment waits for this row, and then finds it.
    session.execute(select(FieldDef.id).where(FieldDef.id == field.id).with_for_update())
    same = select(FieldValue.record_id).where(
        FieldValue.field_id == field.id,
        FieldValue.record_id != record.id,
        FieldValue.k.is_(None) if row["k"] is None else FieldValue.k == row["k"],
        FieldValue.n.is_(None) if row["n"] is None else FieldValue.n == row["n"],
    )
    if session.scalars(same.limit(1)).one_or_none() is not None:
        raise InvalidValue(f"{field.key}: another {field.entity} holds the same, and it must be unique")


def _held(session: Session, record: Record) -> tuple[dict[str, Any], int]:
    row = session.execute(
        select(CustomValues.held, CustomValues.version).where(
            CustomValues.entity == record.entity, CustomValues.record_id == record.id
        )
    ).one_or_none()
    return ({}, 0) if row is None else (row.held, row.version)


def _lock(session: Session, record: Record) -> CustomValues:
    """Return the row to change; a first one is made, and whoever makes it at the same moment gets the same."""
    key = {"entity": record.entity, "record_id": record.id}
    insert_rows(session.connection(), table(CustomValues), [{**key, "held": {}, "version": 0}], missing=True)
    return session.get_one(CustomValues, (record.entity, record.id), with_for_update=True, populate_existing=True)


def _tell(
    session: Session, viewer: Viewer, record: Record, before: dict[str, Any], after: dict[str, Any], now: datetime
) -> None:
    session.add(
        Event(
            cause_id=str(ULID()),
            step="fields-changed",
            subject=f"{record.entity}:{record.id}",
            at=now,
            customer_id=record.customer_id,
            person_id=viewer.actor_id,
            details={"changes": {key: [before[key], after[key]] for key in after}},
        )
    )


def _view(field: FieldDef, stored: Stored) -> ValueView:
    text = TYPES[field.type].show_all(stored)
    return ValueView(field.key, field.type, field.name_en, field.name_zh, stored, text, field.is_required)

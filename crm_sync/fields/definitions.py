# SPDX-License-Identifier: GPL-3.0-or-later
"""Which fields the company has added to its records.

A key never changes, and a type only to one that takes all that stands there: files, filters and scripts name them.  A field is
retired, not deleted: what stands in it comes back with it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue, NotFound, Outdated, checked_names, require_company
from crm_sync.bulk_rows import insert_rows
from crm_sync.fields.plain_types import check_pattern
from crm_sync.fields.registry import TYPES
from crm_sync.fields.types import Options, Stored
from crm_sync.models.base import table
from crm_sync.models.choices import ChoiceList
from crm_sync.models.fields import CustomValues, FieldDef, FieldValue
from crm_sync.models.pipeline import Stage
from crm_sync.rights import Action, Entity, Viewer
from crm_sync.setup_events import note_setup

ENTITIES: Final = ("customer", "contact", "opportunity")
# Under which right a field of that entity is seen, hidden and changed.
RIGHT_OF: Final = {"customer": Entity.CUSTOMER, "contact": Entity.CUSTOMER, "opportunity": Entity.OPPORTUNITY}
MOST_FIELDS: Final = 200
_KEY = re.compile(r"[a-z][a-z0-9-]{0,39}")
_LONGEST_HELP = 1000
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class FieldEntry:
    """What is said of a field; None leaves what is."""

    name_en: str | None = None
    name_zh: str | None = None
    help_en: str | None = None
    help_zh: str | None = None
    options: Options | None = None
    stages: tuple[str, ...] | None = None
    is_required: bool | None = None
    is_filterable: bool | None = None
    is_unique: bool | None = None
    place: int | None = None  # 1 is first


@dataclass(frozen=True, slots=True)
class FieldView:
    """A field as people see it."""

    entity: str
    key: str
    type: str
    name_en: str
    name_zh: str
    help_en: str
    help_zh: str
    options: Options
    stages: tuple[str, ...]
    is_required: bool
    is_filterable: bool
    is_unique: bool
    is_retired: bool
    version: int


def hidden_name(entity: str, key: str) -> str:
    """Return the name by which a role is kept from a field (`tradepost role hide`)."""
    return f"contact:{key}" if entity == "contact" else f"field:{key}"


def is_hidden(viewer: Viewer, entity: str, key: str) -> bool:
    """Is the field kept from the viewer?"""
    return viewer.hides(RIGHT_OF[entity], hidden_name(entity, key))


def fetch_fields(session: Session, viewer: Viewer, entity: str, *, with_retired: bool = False) -> list[FieldView]:
    """Return the fields of an entity, in order, without those that are hidden from the viewer.  Raises InvalidValue."""
    _check_entity(entity)
    rows = _listed(session, entity)
    return [
        _view(row)
        for row in rows
        if (with_retired or row.retired_at is None) and not is_hidden(viewer, entity, row.key)
    ]


def add_field(
    session: Session, viewer: Viewer, entity: str, key: str, type_name: str, entry: FieldEntry, now: datetime
) -> FieldView:
    """Add a field behind the others.  Raises InvalidValue, NotAllowed."""
    require_company(viewer, Action.EDIT)
    _check_entity(entity)
    if not _KEY.fullmatch(key):
        raise InvalidValue(f"key {key[:60]!r}: is 1 to 40 of a-z, 0-9 and -, and begins with a letter")
    if type_name not in TYPES:
        raise InvalidValue(f"type {type_name[:40]!r}: there is none; there are {', '.join(sorted(TYPES))}")
    listed = _listed(session, entity)
    if any(row.key == key for row in listed):
        raise InvalidValue(f"field {key!r}: a {entity} has it already, perhaps retired")
    if len(listed) >= MOST_FIELDS:
        raise InvalidValue(f"a {entity} has {MOST_FIELDS} fields and no room for more")
    names = checked_names(entry.name_en or "", entry.name_zh)
    row = FieldDef(
        entity=entity,
        key=key,
        type=type_name,
        name_en=names["name_en"],
        name_zh=names.get("name_zh", ""),
        help_en="",
        help_zh="",
        options={},
        stages=[],
        is_required=False,
        is_filterable=False,
        is_unique=False,
        position=len(listed),
        version=1,
    )
    _set(session, row, entry, listed)
    session.add(row)
    session.flush()
    note_setup(session, viewer, f"field:{entity}/{key}", "field-added", now, type=type_name)
    return _view(row)


def change_field(
    session: Session, viewer: Viewer, entity: str, key: str, entry: FieldEntry, now: datetime, *, version: int | None = None
) -> FieldView:  # fmt: skip
    """Change what is said of a field; `version`, where given, is the one that was read.

    Raises NotFound, InvalidValue, NotAllowed, Outdated.
    """
    require_company(viewer, Action.EDIT)
    row = _lock(session, entity, key)
    if version is not None and row.version != version:
        raise Outdated(f"field {key}: was changed meanwhile (version {row.version}); read it again")
    was_filterable, was_unique = row.is_filterable, row.is_unique
    names = checked_names(entry.name_en, entry.name_zh)
    for column, name in names.items():
        setattr(row, column, name)
    _set(session, row, entry, _listed(session, entity))
    row.version += 1
    session.flush()
    if row.is_filterable and not was_filterable:
        index_field(session, row)
    elif was_filterable and not row.is_filterable:
        session.execute(delete(FieldValue).where(FieldValue.field_id == row.id))
    if row.is_unique and not was_unique:
        _check_unique(session, row)
    note_setup(session, viewer, f"field:{entity}/{key}", "field-changed", now)
    session.flush()
    return _view(row)


def retire_field(
    session: Session, viewer: Viewer, entity: str, key: str, now: datetime, *, is_retired: bool = True
) -> FieldView:
    """Take a field out of use, or into use again with all that stands in it.  Raises NotFound, NotAllowed."""
    require_company(viewer, Action.EDIT)
    row = _lock(session, entity, key)
    row.retired_at = (row.retired_at or now) if is_retired else None
    row.version += 1
    note_setup(session, viewer, f"field:{entity}/{key}", "field-retired" if is_retired else "field-restored", now)
    session.flush()
    return _view(row)


def find_field(session: Session, viewer: Viewer, entity: str, key: str) -> FieldDef:
    """Return a field in use that the viewer may see.  Raises NotFound, InvalidValue."""
    _check_entity(entity)
    found = _one(session, entity, key)
    if found is None or found.retired_at is not None or is_hidden(viewer, entity, key):
        raise NotFound(f"field {key[:40]!r}: a {entity} has none; 'tradepost field list {entity}' names them")
    return found


def field_rows(field: FieldDef, record_id: int, stored: Stored) -> list[dict[str, Any]]:
    """Return what filters and sorts go by."""
    keys = TYPES[field.type].keys_all(stored)
    return [
        {"field_id": field.id, "record_id": record_id, "position": position, "k": key.k, "n": key.n}
        for position, key in enumerate(keys)
    ]


def index_field(session: Session, field: FieldDef) -> int:
    """Write anew what filters and sorts go by, for every record; return how many have a value."""
    session.execute(delete(FieldValue).where(FieldValue.field_id == field.id))
    filled, last = 0, -1
    while page := session.execute(
        select(CustomValues.record_id, CustomValues.held)
        .where(CustomValues.entity == field.entity, CustomValues.record_id > last)
        .order_by(CustomValues.record_id)
        .limit(_PAGE)
    ).all():
        rows = [row for record_id, held in page for row in field_rows(field, record_id, held.get(field.key))]
        insert_rows(session.connection(), table(FieldValue), rows)
        filled += sum(1 for _, held in page if held.get(field.key) is not None)
        last = page[-1].record_id
    return filled


def _set(session: Session, row: FieldDef, entry: FieldEntry, listed: list[FieldDef]) -> None:
    for column in ("help_en", "help_zh"):
        said = getattr(entry, column)
        if said is not None:
            if len(said) > _LONGEST_HELP:
                raise InvalidValue(f"a help text has {_LONGEST_HELP} characters at most")
            setattr(row, column, said.replace("\x00", "").strip())
    options = entry.options or msgspec.convert(row.options, Options)
    _check_options(session, row.type, options)
    row.options = msgspec.to_builtins(options)
    if entry.stages is not None:
        row.stages = _known_stages(session, row.entity, entry.stages)
    for column in ("is_required", "is_filterable", "is_unique"):
        said = getattr(entry, column)
        if said is not None:
            setattr(row, column, said)
    if row.is_unique and not row.is_filterable:
        raise InvalidValue(f"field {row.key}: to be unique it must be filterable")
    if row.is_unique and TYPES[row.type].takes_many:
        raise InvalidValue(f"field {row.key}: several values can't be unique")
    if entry.place is not None:
        others = [one for one in listed if one is not row]
        others.insert(max(0, entry.place - 1), row)
        for position, one in enumerate(others):
            one.position = position


def _check_options(session: Session, type_name: str, options: Options) -> None:
    said = msgspec.to_builtins(options)
    known = TYPES[type_name].options
    if unknown := sorted(said.keys() - known):
        fit = ", ".join(sorted(known)) or "nothing"
        raise InvalidValue(f"option {unknown[0]}: says nothing to a {type_name}; {fit} may be set")
    if "list" in known and (options.list is None or session.get(ChoiceList, options.list) is None):
        raise InvalidValue(f"a {type_name} needs the list to choose from; 'tradepost choice lists' names them")
    if options.pattern is not None:
        check_pattern(options.pattern)
    if options.minimum is not None and options.maximum is not None and options.minimum > options.maximum:
        raise InvalidValue(f"minimum {options.minimum:g}: is above the maximum {options.maximum:g}")
    if options.decimals is not None and not 0 <= options.decimals <= 6:
        raise InvalidValue("decimals: 0 to 6")
    if options.longest is not None and options.longest < 1:
        raise InvalidValue("longest: 1 and more")


def _known_stages(session: Session, entity: str, wanted: Sequence[str]) -> list[str]:
    if entity == "contact" and wanted:
        raise InvalidValue("a contact has no stages")
    known = set(session.scalars(select(Stage.key).where(Stage.retired_at.is_(None))))
    for key in wanted:
        if key not in known:
            raise InvalidValue(f"stage {key[:40]!r}: there is none; 'tradepost stage list' names them")
    return list(dict.fromkeys(wanted))


def _check_unique(session: Session, field: FieldDef) -> None:
    twice = (
        select(func.count())
        .where(FieldValue.field_id == field.id)
        .group_by(FieldValue.k, FieldValue.n)
        .having(func.count() > 1)
        .limit(1)
    )
    if session.scalar(twice) is not None:
        raise InvalidValue(f"field {field.key}: some records hold the same; it can't be unique")


def _check_entity(entity: str) -> None:
    if entity not in ENTITIES:
        raise InvalidValue(f"{entity[:40]!r}: fields are added to {', '.join(ENTITIES)}")


def _listed(session: Session, entity: str) -> list[FieldDef]:
    wanted = select(FieldDef).where(FieldDef.entity == entity).order_by(FieldDef.position, FieldDef.id)
    return list(session.scalars(wanted))


def _one(session: Session, entity: str, key: str) -> FieldDef | None:
    if not _KEY.fullmatch(key):
        return None
    return session.scalars(select(FieldDef).where(FieldDef.entity == entity, FieldDef.key == key)).one_or_none()


def _lock(session: Session, entity: str, key: str) -> FieldDef:
    _check_entity(entity)
    found = _one(session, entity, key)
    if found is None:
        raise NotFound(f"field {key[:40]!r}: a {entity} has none; 'tradepost field list {entity}' names them")
    session.refresh(found, with_for_update=True)
    return found


def fields_in_use(session: Session, entity: str, keys: Iterable[str] | None = None) -> dict[str, FieldDef]:
    """Return the fields in use by key, of these keys or all."""
    wanted = select(FieldDef).where(FieldDef.entity == entity, FieldDef.retired_at.is_(None))
    if keys is not None:
        wanted = wanted.where(FieldDef.key.in_(list(keys)))
    return {row.key: row for row in session.scalars(wanted.order_by(FieldDef.position, FieldDef.id))}


def _view(row: FieldDef) -> FieldView:
    return FieldView(
        row.entity,
        row.key,
        row.type,
        row.name_en,
        row.name_zh,
        row.help_en,
        row.help_zh,
        msgspec.convert(row.options, Options),
        tuple(row.stages),
        row.is_required,
        row.is_filterable,
        row.is_unique,
        row.retired_at is not None,
        row.version,
    )

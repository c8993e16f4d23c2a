# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists to choose from: shown, extended, renamed, ordered, retired.  A key never changes: files and scripts name it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue, NotFound, checked_names, require_company
from crm_sync.models.choices import Choice, ChoiceList
from crm_sync.rights import Action, Viewer
from crm_sync.setup_events import note_setup

SUBJECTS: Final = ("customer", "contact", "opportunity", "field")
MOST_CHOICES: Final = 1000
_MOST_LISTS: Final = 1000
_KEY = re.compile(r"[a-z0-9][a-z0-9+-]{0,39}")


@dataclass(frozen=True, slots=True)
class ListView:
    """One list."""

    key: str
    subject: str
    name_en: str
    name_zh: str
    takes_many: bool
    choices: int  # that are offered


@dataclass(frozen=True, slots=True)
class ChoiceView:
    """One choice of a list."""

    list: str
    key: str
    name_en: str
    name_zh: str
    is_retired: bool


def fetch_lists(session: Session, viewer: Viewer) -> list[ListView]:
    """Return every list, in order.  Raises NotAllowed."""
    require_company(viewer, Action.SEE)
    offered = (
        select(Choice.list_key, func.count().label("n"))
        .where(Choice.retired_at.is_(None))
        .group_by(Choice.list_key)
        .subquery()
    )
    rows = session.execute(
        select(ChoiceList, func.coalesce(offered.c.n, 0))
        .outerjoin(offered, offered.c.list_key == ChoiceList.key)
        .order_by(ChoiceList.position, ChoiceList.key)
    )
    return [ListView(row.key, row.subject, row.name_en, row.name_zh, row.takes_many, n) for row, n in rows]


def fetch_choices(session: Session, viewer: Viewer, list_key: str, *, with_retired: bool = False) -> list[ChoiceView]:
    """Return the choices of a list, in order.  Raises NotFound, NotAllowed."""
    require_company(viewer, Action.SEE)
    _find_list(session, list_key)
    wanted = select(Choice).where(Choice.list_key == list_key).order_by(Choice.position, Choice.id)
    if not with_retired:
        wanted = wanted.where(Choice.retired_at.is_(None))
    return [_view(row) for row in session.scalars(wanted)]


def add_list(
    session: Session,
    viewer: Viewer,
    key: str,
    subject: str,
    name_en: str,
    name_zh: str,
    now: datetime,
    *,
    takes_many: bool = False,
) -> None:
    """Make an empty list.  Raises InvalidValue, NotAllowed."""
    require_company(viewer, Action.EDIT)
    names = checked_names(name_en, name_zh)
    _check_key(key)
    if subject not in SUBJECTS:
        raise InvalidValue(f"subject {subject[:40]!r}: a list describes {', '.join(SUBJECTS)}")
    if session.get(ChoiceList, key) is not None:
        raise InvalidValue(f"list {key!r}: is there already")
    count = session.scalars(select(func.count()).select_from(ChoiceList)).one()
    if count >= _MOST_LISTS:
        raise InvalidValue(f"list {key!r}: there are {count} lists, and no room for more")
    session.add(ChoiceList(key=key, subject=subject, takes_many=takes_many, position=count, **names))
    note_setup(session, viewer, f"choice-list:{key}", "choice-list-added", now, **names)
    session.flush()


def add_choice(
    session: Session, viewer: Viewer, list_key: str, key: str, name_en: str, name_zh: str, now: datetime
) -> ChoiceView:
    """Add a choice at the end of its list.  Raises NotFound, InvalidValue, NotAllowed."""
    require_company(viewer, Action.EDIT)
    names = checked_names(name_en, name_zh)
    _find_list(session, list_key)
    _check_key(key)
    listed = _listed(session, list_key)
    if any(row.key == key for row in listed):
        raise InvalidValue(f"choice {key!r}: is in the list {list_key} already, perhaps retired")
    if len(listed) >= MOST_CHOICES:
        raise InvalidValue(f"list {list_key}: holds {MOST_CHOICES} choices and no more")
    row = Choice(list_key=list_key, key=key, position=len(listed), **names)
    session.add(row)
    note_setup(session, viewer, f"choice:{list_key}/{key}", "choice-added", now, **names)
    session.flush()
    return _view(row)


def change_choice(
    session: Session,
    viewer: Viewer,
    list_key: str,
    key: str,
    now: datetime,
    *,
    name_en: str | None = None,
    name_zh: str | None = None,
    place: int | None = None,
    is_retired: bool | None = None,
) -> ChoiceView:
    """Rename a choice, move it to a place (1 is first), retire it or offer it again.

    Raises NotFound, InvalidValue, NotAllowed.
    """
    require_company(viewer, Action.EDIT)
    names = checked_names(name_en, name_zh)
    listed = _listed(session, list_key)
    row = next((one for one in listed if one.key == key), None)
    if row is None:
        raise NotFound(f"choice {key[:40]!r}: the list {list_key[:40]!r} has none")
    for column, name in names.items():
        setattr(row, column, name)
    if place is not None:
        listed.remove(row)
        listed.insert(max(0, place - 1), row)
        for position, one in enumerate(listed):
            one.position = position
    if is_retired is not None:
        row.retired_at = (row.retired_at or now) if is_retired else None
    said = {**names, "place": place, "is_retired": is_retired}
    details = {name: value for name, value in said.items() if value is not None}
    note_setup(session, viewer, f"choice:{list_key}/{key}", "choice-changed", now, **details)
    session.flush()
    return _view(row)


def find_choices(session: Session, list_key: str, keys: Sequence[str]) -> list[Choice]:
    """Return the offered choices of these keys.  Raises NotFound, which names those that there are."""
    offered = {row.key: row for row in _listed(session, list_key) if row.retired_at is None}
    for key in keys:
        if key not in offered:
            known = ", ".join(list(offered)[:20]) or "none"
            raise NotFound(f"{list_key[:40]} {key[:40]!r}: there is none; there are {known}")
    return [offered[key] for key in dict.fromkeys(keys)]


def _listed(session: Session, list_key: str) -> list[Choice]:
    wanted = select(Choice).where(Choice.list_key == list_key).order_by(Choice.position, Choice.id)
    return list(session.scalars(wanted))


def _find_list(session: Session, key: str) -> ChoiceList:
    found = session.get(ChoiceList, key) if key.isprintable() else None
    if found is None:
        raise NotFound(f"list {key[:40]!r}: there is none; 'tradepost choice lists' names them")
    return found


def _check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise InvalidValue(f"key {key[:60]!r}: is 1 to 40 of a-z, 0-9, + and -")


def _view(row: Choice) -> ChoiceView:
    return ChoiceView(row.list_key, row.key, row.name_en, row.name_zh, row.retired_at is not None)

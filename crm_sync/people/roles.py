# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles: how far each may do what, and which fields it never sees."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue, NotAllowed, NotFound
from crm_sync.hideable_fields import fetch_hideable
from crm_sync.models.people import Person, Role, RoleHiddenField, RoleRight
from crm_sync.people.keepers import begin_staff_change, check_keeper_stays
from crm_sync.people.staff import sees_people
from crm_sync.rights import POSSIBLE, Action, Entity, Reach, Viewer, role_hidden_fields, role_rights
from crm_sync.setup_events import note_setup

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
# New people and the program itself name these.
_KEPT: Final = ("administrator", "rep")


@dataclass(frozen=True, slots=True)
class RightView:
    """How far a role may do something."""

    entity: Entity
    action: Action
    reach: Reach


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role with every right it could have, and the fields it never sees as `entity.field`.  `people`: who has it now."""

    name: str
    people: int
    rights: tuple[RightView, ...]
    hidden: tuple[str, ...]


def list_roles(session: Session, viewer: Viewer) -> tuple[RoleView, ...]:
    """Return all roles by name.  Raises NotAllowed."""
    _require_sight(viewer)
    counted = select(Person.role, func.count()).where(Person.left_at.is_(None)).group_by(Person.role)
    people: dict[str, int] = dict(session.execute(counted).all())
    names = session.scalars(select(Role.name).order_by(Role.name)).all()
    return tuple(_view(session, name, people.get(name, 0)) for name in names)


def fetch_role(session: Session, viewer: Viewer, name: str) -> RoleView:
    """Return one role.  Raises NotAllowed, NotFound."""
    _require_sight(viewer)
    found = [role for role in list_roles(session, viewer) if role.name == name]
    if not found:
        raise _unknown(session, name)
    return found[0]


def add_role(session: Session, viewer: Viewer, name: str, like: str, now: datetime) -> RoleView:
    """Add a role that may do and see what another does.  Raises NotAllowed, NotFound, InvalidValue."""
    begin_staff_change(session, viewer)
    if not _NAME.fullmatch(name):
        raise InvalidValue(f"role {name[:60]!r}: a name is small letters, digits and hyphens, as sales-lead")
    _check_known(session, like)
    if session.get(Role, name) is not None:
        raise InvalidValue(f"role {name}: there is one already")
    session.add(Role(name=name))
    session.flush()
    session.add_all(
        RoleRight(role=name, entity=entity, action=action, reach=reach)
        for (entity, action), reach in role_rights(session, like).items()
    )
    session.add_all(
        RoleHiddenField(role=name, entity=entity, field=field) for entity, field in role_hidden_fields(session, like)
    )
    note_setup(session, viewer, f"role:{name}", "role-added", now, like=like)
    session.flush()
    return fetch_role(session, viewer, name)


def set_right(
    session: Session, viewer: Viewer, name: str, entity: Entity, action: Action, reach: Reach, now: datetime
) -> RoleView:
    """Let a role do something that far.  Raises NotAllowed, NotFound, InvalidValue, LastKeeper."""
    begin_staff_change(session, viewer)
    _check_known(session, name)
    if (entity, action) not in POSSIBLE:
        actions = ", ".join(one for of, one in POSSIBLE if of is entity)
        raise InvalidValue(f"{entity} {action}: nobody can; with {entity} there are {actions}")
    if entity is Entity.COMPANY and reach in (Reach.OWN, Reach.TEAM):
        raise InvalidValue(f"company {action} {reach}: what all records share is everybody's; there are none and all")
    row = session.get(RoleRight, (name, entity, action))
    before = Reach(row.reach) if row is not None else Reach.NONE
    if before is not reach:
        if (entity, before) == (Entity.COMPANY, Reach.ALL) and action in (Action.SEE, Action.EDIT):
            check_keeper_stays(session, without_role=name)
        if row is None:
            session.add(RoleRight(role=name, entity=entity, action=action, reach=reach))
        else:
            row.reach = reach
        note_setup(
            session, viewer, f"role:{name}", "right-set", now, entity=entity, action=action, was=before, becomes=reach
        )
        session.flush()
    return fetch_role(session, viewer, name)


def hide_field(session: Session, viewer: Viewer, name: str, entity: Entity, field: str, now: datetime) -> RoleView:
    """Keep a field from a role.  Raises NotAllowed, NotFound; also for a field that nothing hides."""
    begin_staff_change(session, viewer)
    _check_known(session, name)
    known = fetch_hideable(session)[entity]
    if field not in known:
        there_are = f"there are {', '.join(known)}" if known else "it has none"
        raise NotFound(f"{entity} {field[:60]!r}: is no field that can be hidden; {there_are}")
    if session.get(RoleHiddenField, (name, entity, field)) is None:
        session.add(RoleHiddenField(role=name, entity=entity, field=field))
        note_setup(session, viewer, f"role:{name}", "field-hidden", now, entity=entity, field=field)
        session.flush()
    return fetch_role(session, viewer, name)


def show_field(session: Session, viewer: Viewer, name: str, entity: Entity, field: str, now: datetime) -> RoleView:
    """Let a role see a field again.  Raises NotAllowed, NotFound."""
    begin_staff_change(session, viewer)
    _check_known(session, name)
    row = session.get(RoleHiddenField, (name, entity, field if field.isprintable() else ""))
    if row is None:
        raise NotFound(f"role {name}: {entity} {field[:60]!r} is not hidden from it")
    session.delete(row)
    note_setup(session, viewer, f"role:{name}", "field-shown", now, entity=entity, field=field)
    session.flush()
    return fetch_role(session, viewer, name)


def remove_role(session: Session, viewer: Viewer, name: str, now: datetime) -> None:
    """Take away a role that nobody has, nor had when he left.  Raises NotAllowed, NotFound, InvalidValue."""
    begin_staff_change(session, viewer)
    _check_known(session, name)
    if name in _KEPT:
        raise InvalidValue(f"role {name}: belongs to the program; its rights can be changed")
    people = session.scalars(select(Person.email).where(Person.role == name).order_by(Person.email)).all()
    if people:
        raise InvalidValue(f"role {name}: {', '.join(people[:5])} has it; 'tradepost person edit --role' gives another")
    session.execute(delete(RoleRight).where(RoleRight.role == name))
    session.execute(delete(RoleHiddenField).where(RoleHiddenField.role == name))
    session.execute(delete(Role).where(Role.name == name))
    note_setup(session, viewer, f"role:{name}", "role-removed", now)
    session.flush()


def list_hideable(session: Session, viewer: Viewer) -> Mapping[Entity, tuple[str, ...]]:
    """Return which fields can be hidden.  Raises NotAllowed."""
    _require_sight(viewer)
    return fetch_hideable(session)


def _require_sight(viewer: Viewer) -> None:
    if not sees_people(viewer):
        raise NotAllowed(f"{viewer.actor} may not see roles; who may see 'company' may")


def _check_known(session: Session, name: str) -> None:
    if not _NAME.fullmatch(name) or session.get(Role, name) is None:
        raise _unknown(session, name)


def _unknown(session: Session, name: str) -> NotFound:
    roles = ", ".join(sorted(session.scalars(select(Role.name))))
    return NotFound(f"role {name[:60]!r}: there is none; there are {roles}")


def _view(session: Session, name: str, people: int) -> RoleView:
    rights = role_rights(session, name)
    return RoleView(
        name=name,
        people=people,
        rights=tuple(
            RightView(entity, action, rights.get((entity, action), Reach.NONE)) for entity, action in POSSIBLE
        ),
        hidden=tuple(sorted(f"{entity}.{field}" for entity, field in role_hidden_fields(session, name))),
    )

# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles of a company file: rights and hidden fields it names are set, what it does not name stays."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from crm_sync.company_file import CompanyFileError, RoleEntry
from crm_sync.hideable_fields import fetch_hideable
from crm_sync.models.people import Role, RoleHiddenField, RoleRight
from crm_sync.rights import POSSIBLE, Action, Entity, Reach, role_hidden_fields, role_rights


def apply_roles(session: Session, entries: Sequence[RoleEntry]) -> list[str]:
    """Make the records say what the entries say; return one line per difference.  Raises CompanyFileError."""
    known = set(session.scalars(select(Role.name)))
    lines = []
    for entry in entries:
        if entry.name not in known:
            session.add(Role(name=entry.name))
            session.flush()
            known.add(entry.name)
            lines.append(f"+ role {entry.name}")
        lines += _apply_rights(session, entry)
        if entry.hidden is not None:
            lines += _apply_hidden(session, entry.name, entry.hidden)
    session.flush()
    return lines


def _apply_rights(session: Session, entry: RoleEntry) -> list[str]:
    found = role_rights(session, entry.name)
    lines = []
    for entity, actions in entry.rights.items():
        for action, reach in actions.items():
            _check_possible(entry.name, entity, action, reach)
            before = found.get((entity, action), Reach.NONE)
            if before is not reach:
                session.merge(RoleRight(role=entry.name, entity=entity, action=action, reach=reach))
                lines.append(f"~ role {entry.name}: {entity} {action}: {before} -> {reach}")
    return lines


def _check_possible(role: str, entity: Entity, action: Action, reach: Reach) -> None:
    if (entity, action) not in POSSIBLE:
        actions = ", ".join(one for of, one in POSSIBLE if of is entity)
        raise CompanyFileError(f"role {role}: {entity} {action}: nobody can; with {entity} there are {actions}")
    if entity is Entity.COMPANY and reach in (Reach.OWN, Reach.TEAM):
        raise CompanyFileError(f"role {role}: {entity} {action}: there are none and all, not {reach}")


def _apply_hidden(session: Session, role: str, names: Sequence[str]) -> list[str]:
    hideable = fetch_hideable(session)
    wanted = set()
    for name in names:
        entity, _, field = name.partition(".")
        if entity not in tuple(Entity) or field not in hideable[Entity(entity)]:
            raise CompanyFileError(
                f"role {role}: {name} is no field that can be hidden; 'tradepost role fields' names them"
            )
        wanted.add((Entity(entity), field))
    found = role_hidden_fields(session, role)
    for entity, field in found - wanted:
        session.execute(
            delete(RoleHiddenField).where(
                RoleHiddenField.role == role, RoleHiddenField.entity == entity, RoleHiddenField.field == field
            )
        )
    session.add_all(RoleHiddenField(role=role, entity=entity, field=field) for entity, field in wanted - found)
    return [f"~ role {role}: never sees {entity}.{field}" for entity, field in sorted(wanted - found)] + [
        f"~ role {role}: sees {entity}.{field}" for entity, field in sorted(found - wanted)
    ]

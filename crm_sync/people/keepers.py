# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody must be able to look after people and roles: the last one who may is not taken away."""

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from crm_sync.admission import NotAllowed
from crm_sync.advisory_locks import STAFF, hold_for_transaction
from crm_sync.models.people import Person, RoleRight
from crm_sync.people.staff import manages_people
from crm_sync.rights import Action, Entity, Reach, Viewer

_Sees = aliased(RoleRight)
_KEEPING_ROLES = (
    select(RoleRight.role)
    .join(_Sees, _Sees.role == RoleRight.role)
    .where(
        RoleRight.entity == Entity.COMPANY,
        RoleRight.action == Action.EDIT,
        RoleRight.reach == Reach.ALL,
        _Sees.entity == Entity.COMPANY,
        _Sees.action == Action.SEE,
        _Sees.reach == Reach.ALL,
    )
)


class LastKeeper(NotAllowed):
    """Nobody would be left who may change people and roles."""


def require_keeper(viewer: Viewer) -> None:
    """Raise NotAllowed unless the viewer may change people, teams and roles."""
    if not manages_people(viewer):
        raise NotAllowed(f"{viewer.actor} may not change people, teams and roles; who may edit 'company' may")


def begin_staff_change(session: Session, viewer: Viewer) -> None:
    """Raise NotAllowed unless the viewer may change people, teams and roles; nobody else does until this transaction ends.

    Else two could close a circle of substitutes or teams, or take each other's right away.
    """
    require_keeper(viewer)
    hold_for_transaction(session.connection(), STAFF)


def has_keeper(session: Session) -> bool:
    """May anybody who works here change people and roles?"""
    wanted = select(Person.id).where(Person.left_at.is_(None), Person.role.in_(_KEEPING_ROLES)).limit(1)
    return session.scalars(wanted).one_or_none() is not None


def keeps_company(session: Session, role: str) -> bool:
    """May people of that role change people and roles?"""
    return session.scalars(_KEEPING_ROLES.where(RoleRight.role == role)).one_or_none() is not None


def check_keeper_stays(session: Session, *, without_person: int | None = None, without_role: str | None = None) -> None:
    """Raise LastKeeper when without that person, or that role's right, nobody would be left who may change people and roles.

    Where nobody may now, nothing is lost.
    """
    keepers = session.execute(
        select(Person.id, Person.role).where(Person.left_at.is_(None), Person.role.in_(_KEEPING_ROLES))
    ).all()
    if keepers and not any(row.id != without_person and row.role != without_role for row in keepers):
        raise LastKeeper("nobody would be left who may change people and roles; give somebody else such a role first")

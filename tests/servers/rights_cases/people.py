# SPDX-License-Identifier: GPL-3.0-or-later
"""People, teams, roles and shares."""

from collections.abc import Callable

from rights_case import Allowed, Case, changes, lists, manages, reads
from rights_world import World
from sqlalchemy.orm import Session

from crm_sync.models.people import Person, Role, Team
from crm_sync.people.absences import end_absence, plan_absence
from crm_sync.people.effective_rights import fetch_effective_rights
from crm_sync.people.hiring import PersonWish, add_person, edit_person
from crm_sync.people.keepers import begin_staff_change, require_keeper
from crm_sync.people.leaving import count_belongings, let_leave, take_back
from crm_sync.people.roles import (
    add_role,
    fetch_role,
    hide_field,
    list_hideable,
    list_roles,
    remove_role,
    set_right,
    show_field,
)
from crm_sync.people.shares import Level, list_shares, share_customer, withdraw_share
from crm_sync.people.staff import fetch_person, list_people, manages_people, sees_people
from crm_sync.people.teams import add_team, list_teams, move_team, remove_team, rename_team
from crm_sync.rights import Action, Entity, Reach, Viewer


def _of_people(ask: Callable[[Session, Viewer, World], object], action: Action = Action.SEE) -> Case:
    """A question about what all records share, for whoever may do that with the company."""
    return lists(
        ask,
        Entity.COMPANY,
        is_plain=True,
        allowed=lambda world, name, _: world.may(name, Entity.COMPANY, action, world.missing),
    )


def _may_plan(tag: str) -> Allowed:
    """Who may change people may say when one is away; so may who sees people and may give away what that one has."""
    return lambda world, name, _: (
        world.may(name, Entity.COMPANY, Action.SEE, world.missing)
        and (
            world.may(name, Entity.COMPANY, Action.EDIT, world.missing)
            or world.may(name, Entity.CUSTOMER, Action.ASSIGN, world.planted[tag])
        )
    )


CASES: dict[str, Case] = {
    # Everybody sees himself.
    "crm_sync.people.staff.list_people": _of_people(
        lambda s, v, w: [one for one in list_people(s, v, with_former=True) if one.id != v.person_id]
    ),
    "crm_sync.people.staff.fetch_person": _of_people(lambda s, v, w: fetch_person(s, v, w.email("bob"))),
    "crm_sync.people.staff.sees_people": _of_people(lambda s, v, w: sees_people(v)),
    "crm_sync.people.staff.manages_people": _of_people(lambda s, v, w: manages_people(v), Action.EDIT),
    "crm_sync.people.keepers.require_keeper": _of_people(lambda s, v, w: require_keeper(v), Action.EDIT),
    "crm_sync.people.keepers.begin_staff_change": _of_people(lambda s, v, w: begin_staff_change(s, v), Action.EDIT),
    "crm_sync.people.effective_rights.fetch_effective_rights": _of_people(
        lambda s, v, w: fetch_effective_rights(s, v, w.email("bob"), w.now)
    ),
    "crm_sync.people.hiring.add_person": manages(
        lambda s, v, w: add_person(s, v, "new@own.example", PersonWish(team="north", logins=("new",)), w.now)
    ),
    "crm_sync.people.hiring.edit_person": manages(
        lambda s, v, w: edit_person(s, v, w.email("ann"), PersonWish(team="south"), w.now)
    ),
    "crm_sync.people.absences.plan_absence": manages(
        lambda s, v, w: plan_absence(s, v, w.email("ann"), w.now, substitute=w.email("carl")),
        allowed=lambda w, name, r: name == "ann" or _may_plan("ofann")(w, name, r),
    ),
    "crm_sync.people.absences.end_absence": manages(
        lambda s, v, w: end_absence(s, v, w.email("bob"), w.now), allowed=_may_plan("ofbob")
    ),
    "crm_sync.people.leaving.count_belongings": _of_people(
        lambda s, v, w: count_belongings(s, v, w.email("ann")), Action.EDIT
    ),
    "crm_sync.people.leaving.let_leave": manages(
        lambda s, v, w: let_leave(s, v, w.email("ann"), w.now, leaves_things=True)
    ),
    "crm_sync.people.leaving.take_back": manages(lambda s, v, w: take_back(s, v, w.email("former"), w.now)),
    "crm_sync.people.teams.list_teams": _of_people(lambda s, v, w: list_teams(s, v)),
    "crm_sync.people.teams.add_team": manages(lambda s, v, w: add_team(s, v, "east", w.now, under="sales")),
    "crm_sync.people.teams.rename_team": manages(lambda s, v, w: rename_team(s, v, "north", "far north", w.now)),
    "crm_sync.people.teams.move_team": manages(lambda s, v, w: move_team(s, v, "north", w.now, under="south")),
    "crm_sync.people.teams.remove_team": manages(lambda s, v, w: remove_team(s, v, "empty", w.now)),
    "crm_sync.people.roles.list_roles": _of_people(lambda s, v, w: list_roles(s, v)),
    "crm_sync.people.roles.fetch_role": _of_people(lambda s, v, w: fetch_role(s, v, "rep")),
    "crm_sync.people.roles.list_hideable": _of_people(lambda s, v, w: list_hideable(s, v)),
    "crm_sync.people.roles.add_role": manages(lambda s, v, w: add_role(s, v, "sales-lead", "manager", w.now)),
    "crm_sync.people.roles.set_right": manages(
        lambda s, v, w: set_right(s, v, "rep", Entity.CUSTOMER, Action.EXPORT, Reach.ALL, w.now)
    ),
    "crm_sync.people.roles.hide_field": manages(
        lambda s, v, w: hide_field(s, v, "rep", Entity.CUSTOMER, "grade", w.now)
    ),
    "crm_sync.people.roles.show_field": manages(
        lambda s, v, w: show_field(s, v, "blind", Entity.CUSTOMER, "grade", w.now)
    ),
    "crm_sync.people.roles.remove_role": manages(lambda s, v, w: remove_role(s, v, "unused", w.now)),
    "crm_sync.people.shares.list_shares": reads(lambda s, v, w, r: list_shares(s, v, r.public_id), is_plain=True),
    "crm_sync.people.shares.share_customer": changes(
        lambda s, v, w, r: share_customer(s, v, r.public_id, Level.EDIT, w.now, person=w.email("dan"))
    ),
    "crm_sync.people.shares.withdraw_share": changes(
        lambda s, v, w, r: withdraw_share(s, v, r.public_id, w.now, person=w.email("carl")), also=(("bob", "lent"),)
    ),
}


def plant(session: Session, world: World) -> None:
    """Somebody who left, a team and a role that can be taken away."""

    session.add_all((Role(name="unused"), Team(id=world.key(), name="empty")))
    session.add(Person(id=world.key(), email=world.email("former"), role="rep", left_at=world.now))

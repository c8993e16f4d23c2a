# SPDX-License-Identifier: GPL-3.0-or-later
"""People come, change, are away and leave; teams form a tree; roles are edited; nobody is locked out; arrival is told."""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from record_servers import RecordServer
from sqlalchemy import select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import InvalidValue, NotAllowed, NotFound, Outdated
from crm_sync.database import Database, open_database
from crm_sync.models.conversations import Event
from crm_sync.models.customers import Customer, Scope, ScopeShare
from crm_sync.models.people import Company, Person, Pool, PoolAddress, PoolMember
from crm_sync.models.service import DirectoryChange
from crm_sync.people.absence_clock import AbsenceClock
from crm_sync.people.absences import end_absence, is_absence_due, keep_absences, plan_absence
from crm_sync.people.effective_rights import EffectiveRights, fetch_effective_rights
from crm_sync.people.hiring import PersonWish, add_person, edit_person
from crm_sync.people.keepers import LastKeeper
from crm_sync.people.leaving import StillOwns, let_leave, take_back
from crm_sync.people.roles import add_role, fetch_role, hide_field, remove_role, set_right, show_field
from crm_sync.people.shares import Level, list_shares, share_customer, withdraw_share
from crm_sync.people.staff import fetch_person, list_people
from crm_sync.people.teams import add_team, list_teams, move_team, remove_team, rename_team
from crm_sync.policy_store import fetch_policy
from crm_sync.rights import (
    Action,
    Entity,
    Reach,
    Viewer,
    fetch_viewer,
    may,
    role_hidden_fields,
    role_rights,
    root_viewer,
)
from crm_sync.timers import database_now

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
ROOT = root_viewer()
ANN, BOB, EVE = "ann@own.example", "bob@own.example", "eve@own.example"


@pytest.fixture(scope="module")
def office(server: RecordServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Eve administers; Ann and Bob sell, in the teams north and south below sales."""
    url = server.new(tmp_path_factory.mktemp("people"), found)
    with closing(open_database(url)) as database:
        yield database
    server.drop(url)


@pytest.fixture
def session(office: Database) -> Iterator[Session]:
    """A transaction that is rolled back."""
    with Session(office.writer, expire_on_commit=False) as session, session.begin() as transaction:
        yield session
        transaction.rollback()


def found(database: Database) -> None:
    with database.writing() as session:
        add_team(session, ROOT, "sales", NOW)
        add_team(session, ROOT, "north", NOW, under="sales")
        add_team(session, ROOT, "south", NOW, under="sales")
        add_person(session, ROOT, EVE, PersonWish(role="administrator"), NOW)
        add_person(session, ROOT, ANN, PersonWish(name="Ann", team="north", logins=["ann"]), NOW)
        add_person(session, ROOT, BOB, PersonWish(team="south"), NOW)


def key_of(session: Session, email: str) -> int:
    return session.scalars(select(Person.id).where(Person.email == email)).one()


def viewer_of(session: Session, email: str) -> Viewer:
    viewer = fetch_viewer(session, key_of(session, email), NOW)
    assert viewer is not None
    return viewer


def own(session: Session, email: str | None) -> Customer:
    """Give somebody a customer."""
    person = session.get_one(Person, key_of(session, email)) if email else None
    scope = Scope(kind="customer", owner_id=person.id if person else None, team_id=person.team_id if person else None)
    session.add(scope)
    session.flush()
    customer = Customer(public_id=str(ULID()), scope_id=scope.id, name="Acme", created_at=NOW)
    session.add(customer)
    session.flush()
    return customer


def sees(session: Session, email: str, customer: Customer, action: Action = Action.SEE) -> bool:
    seen = may(viewer_of(session, email), Entity.CUSTOMER, action, Customer.scope_id)
    return session.scalars(select(Customer.id).where(Customer.id == customer.id, seen)).one_or_none() is not None


def version(session: Session) -> int:
    return session.scalars(select(Company.policy_version)).one()


def steps(session: Session, subject: str) -> list[str]:
    return list(session.scalars(select(Event.step).where(Event.subject == subject).order_by(Event.id)))


def refused(kind: type[Exception] | tuple[type[Exception], ...], words: str, ask: Any, *args: Any, **more: Any) -> None:
    with pytest.raises(kind, match=words) as caught:
        ask(*args, **more)
    assert "\n" not in str(caught.value)


def test_who_is_added_is_known_to_arrival(session: Session) -> None:
    before = version(session)
    wish = PersonWish(
        name=" Cao  Li ", languages=["ZH", "en", "zh"], countries=["mx"], logins=["cao"], addresses=["Cao@Home.example"]
    )
    cao = add_person(session, viewer_of(session, EVE), "Cao@Own.example", wish, NOW)
    assert (cao.email, cao.name, cao.role) == ("cao@own.example", "Cao Li", "rep")
    assert (cao.languages, cao.countries) == (("zh", "en"), ("MX",))
    assert (cao.logins, cao.addresses) == (("cao",), ("cao@home.example",))
    assert version(session) > before
    known = fetch_policy(session).policy.person("cao@home.example")
    assert known is not None
    assert known.logins == ("cao",)
    assert session.scalars(select(DirectoryChange.key).where(DirectoryChange.key.contains("cao@own.example"))).all()
    event = session.scalars(select(Event).where(Event.subject == f"person:{cao.id}")).one()
    assert (event.step, event.person_id) == ("person-added", key_of(session, EVE))


@pytest.mark.parametrize(
    ("email", "wish", "words"),
    [
        ("nobody", PersonWish(), "is no e-mail address"),
        ("a b@own.example", PersonWish(), "is no e-mail address"),
        ("x\0@own.example", PersonWish(), "is no e-mail address"),
        (ANN, PersonWish(), "works here already"),
        ("sales@own.example", PersonWish(), "is a pool's"),
        ("new@own.example", PersonWish(role="king"), "there are administrator, manager, owner, rep, viewer"),
        ("new@own.example", PersonWish(team="west"), "team 'west': there is none"),
        ("new@own.example", PersonWish(languages=["english"]), "is no ISO 639 code"),
        ("new@own.example", PersonWish(countries=["Mexico"]), "is no ISO 3166 code"),
        ("new@own.example", PersonWish(logins=["ann"]), "login 'ann': belongs to somebody else"),
        ("new@own.example", PersonWish(addresses=[ANN]), "belongs to somebody else"),
        ("new@own.example", PersonWish(name="x" * 201), "printable characters"),
    ],
)
def test_who_can_not_be_is_not_added(session: Session, email: str, wish: PersonWish, words: str) -> None:
    pool = Pool(name="sales")
    session.add(pool)
    session.flush()
    session.add(PoolAddress(address_key="sales@own.example", pool_id=pool.id))
    refused((InvalidValue, NotFound), words, add_person, session, ROOT, email, wish, NOW)


def test_with_another_team_go_the_customers_he_owns(session: Session) -> None:
    customer, other = own(session, ANN), own(session, BOB)
    edit_person(session, ROOT, ANN, PersonWish(team="south"), NOW)
    teams = dict(session.execute(select(Scope.id, Scope.team_id)).all())
    south = session.get_one(Person, key_of(session, BOB)).team_id
    assert (teams[customer.scope_id], teams[other.scope_id]) == (south, south)
    edit_person(session, ROOT, ANN, PersonWish(team=""), NOW)
    session.expire_all()
    assert session.get_one(Scope, customer.scope_id).team_id is None


def test_two_who_edit_the_same_person_are_told(session: Session) -> None:
    read = fetch_person(session, ROOT, ANN)
    edited = edit_person(session, ROOT, ANN, PersonWish(name="Ann B."), NOW, version=read.version)
    assert edited.version == read.version + 1
    refused(Outdated, "was changed meanwhile", edit_person, session, ROOT, ANN, PersonWish(), NOW, version=read.version)


def test_what_is_so_already_is_no_change(session: Session) -> None:
    before = version(session), steps(session, f"person:{key_of(session, ANN)}")
    edit_person(session, ROOT, ANN, PersonWish(name="Ann", team="north", logins=["ann"]), NOW)
    assert (version(session), steps(session, f"person:{key_of(session, ANN)}")) == before


def test_logins_are_seen_by_himself_and_who_manages(session: Session) -> None:
    seen = {email: fetch_person(session, viewer_of(session, email), ANN).logins for email in (ANN, BOB, EVE)}
    assert seen == {ANN: ("ann",), BOB: (), EVE: ("ann",)}


def test_who_may_not_see_the_company_sees_himself(session: Session) -> None:
    set_right(session, ROOT, "rep", Entity.COMPANY, Action.SEE, Reach.NONE, NOW)
    viewer = viewer_of(session, BOB)
    assert [one.email for one in list_people(session, viewer)] == [BOB]
    assert fetch_person(session, viewer, BOB).email == BOB
    refused(NotFound, "is nobody registered", fetch_person, session, viewer, ANN)
    assert fetch_effective_rights(session, viewer, BOB, NOW).email == BOB
    refused(NotAllowed, "may not see who works here", list_teams, session, viewer)


def test_a_substitute_sees_only_while_the_other_is_away(session: Session) -> None:
    customer = own(session, ANN)
    assert not sees(session, BOB, customer)
    before = version(session)
    away = plan_absence(session, viewer_of(session, ANN), ANN, NOW, substitute=BOB, until=NOW + timedelta(days=7))
    assert (away.is_away, away.substitute) == (True, BOB)
    assert version(session) > before
    known = fetch_policy(session).policy.person(ANN)
    assert known is not None
    assert (known.is_away, known.substitute) == (True, BOB)
    assert sees(session, BOB, customer)
    assert sees(session, BOB, customer, Action.EDIT)
    end_absence(session, viewer_of(session, ANN), ANN, NOW)
    assert not sees(session, BOB, customer)
    assert steps(session, f"person:{key_of(session, ANN)}")[-2:] == ["away", "back"]


def test_a_planned_absence_begins_and_ends_by_the_clock(session: Session) -> None:
    customer = own(session, ANN)
    first, last = NOW + timedelta(days=1), NOW + timedelta(days=2)
    planned = plan_absence(session, ROOT, ANN, NOW, since=first, until=last, substitute=BOB)
    assert not planned.is_away
    assert not is_absence_due(session, NOW)
    assert keep_absences(session, NOW) == 0
    assert not sees(session, BOB, customer)
    before = version(session)
    assert is_absence_due(session, first)
    assert keep_absences(session, first) == 1
    assert keep_absences(session, first) == 0
    assert version(session) > before
    assert sees(session, BOB, customer)
    assert keep_absences(session, last) == 1
    back = fetch_person(session, ROOT, ANN)
    assert (back.is_away, back.away_from, back.away_until, back.substitute) == (False, None, None, BOB)


def test_a_worker_lets_absences_begin(office: Database) -> None:
    with office.writing() as session:
        now = database_now(session)
        plan_absence(session, ROOT, EVE, now, since=now + timedelta(milliseconds=1))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not _is_away(office, EVE):
        AbsenceClock(office).step()
    assert _is_away(office, EVE)
    with office.writing() as session:
        end_absence(session, ROOT, EVE, now)


def _is_away(office: Database, email: str) -> bool:
    with office.reading() as session:
        return fetch_person(session, ROOT, email).is_away


def test_nobody_stands_in_for_himself_nor_in_a_circle(session: Session) -> None:
    refused(InvalidValue, "would stand in for himself", plan_absence, session, ROOT, ANN, NOW, substitute=ANN)
    plan_absence(session, ROOT, ANN, NOW, substitute=BOB)
    plan_absence(session, ROOT, BOB, NOW, substitute=EVE)
    refused(InvalidValue, f"{EVE} > {ANN} > {BOB} > {EVE}", plan_absence, session, ROOT, EVE, NOW, substitute=ANN)
    refused(NotFound, "is nobody registered", plan_absence, session, ROOT, ANN, NOW, substitute="who@own.example")
    refused(InvalidValue, "is over already", plan_absence, session, ROOT, ANN, NOW, until=NOW)
    refused(
        InvalidValue,
        "ends after it began",
        plan_absence,
        session,
        ROOT,
        ANN,
        NOW,
        since=NOW + timedelta(days=2),
        until=NOW + timedelta(days=1),
    )
    refused(InvalidValue, "is not away", end_absence, session, ROOT, EVE, NOW)


def test_a_manager_says_who_is_away_and_a_colleague_does_not(session: Session) -> None:
    refused(NotAllowed, "may not say when he is away", plan_absence, session, viewer_of(session, BOB), ANN, NOW)
    edit_person(session, ROOT, BOB, PersonWish(role="manager"), NOW)
    assert plan_absence(session, viewer_of(session, BOB), ANN, NOW).is_away


def test_who_leaves_hands_over_first(session: Session) -> None:
    own(session, ANN)
    pool = Pool(name="sales")
    session.add(pool)
    session.flush()
    session.add(PoolMember(pool_id=pool.id, person_id=key_of(session, ANN)))
    shared = own(session, BOB)
    share_customer(session, ROOT, shared.public_id, Level.SEE, NOW, person=ANN)
    plan_absence(session, ROOT, BOB, NOW, substitute=ANN)
    refused(StillOwns, "has 1 customer; hand them over first", let_leave, session, ROOT, ANN, NOW)
    former = let_leave(session, ROOT, ANN, NOW, leaves_things=True)
    assert (former.left_at, former.pools) == (NOW, ())
    assert fetch_viewer(session, former.id) is None
    assert fetch_policy(session).policy.person(ANN) is None
    assert fetch_person(session, ROOT, BOB).substitute == ""
    assert list_shares(session, ROOT, shared.public_id) == ()
    assert ANN not in [one.email for one in list_people(session, ROOT)]
    refused(NotFound, "has left", edit_person, session, ROOT, ANN, PersonWish(name="x"), NOW)
    refused(InvalidValue, "takes him back", add_person, session, ROOT, ANN, PersonWish(), NOW)
    heir = edit_person(session, ROOT, BOB, PersonWish(logins=["ann"], addresses=[ANN]), NOW)
    assert (heir.logins, heir.addresses) == (("ann",), (ANN,))
    refused(InvalidValue, "belongs to somebody else", take_back, session, ROOT, ANN, NOW)
    edit_person(session, ROOT, BOB, PersonWish(addresses=[]), NOW)
    back = take_back(session, ROOT, ANN, NOW)
    assert (back.left_at, back.team, back.logins) == (None, "north", ())
    refused(NotFound, "works here", take_back, session, ROOT, ANN, NOW)


def test_the_last_who_may_change_people_stays(session: Session) -> None:
    eve = viewer_of(session, EVE)
    for ask, args in (
        (edit_person, (EVE, PersonWish(role="rep"), NOW)),
        (let_leave, (EVE, NOW)),
        (set_right, ("administrator", Entity.COMPANY, Action.EDIT, Reach.NONE, NOW)),
        (set_right, ("administrator", Entity.COMPANY, Action.SEE, Reach.NONE, NOW)),
    ):
        refused(LastKeeper, "nobody would be left", ask, session, eve, *args)
    edit_person(session, eve, BOB, PersonWish(role="owner"), NOW)
    assert let_leave(session, viewer_of(session, BOB), EVE, NOW).left_at == NOW


def test_a_team_reaches_all_below_it(session: Session) -> None:
    add_role(session, ROOT, "lead", "manager", NOW)
    set_right(session, ROOT, "lead", Entity.CUSTOMER, Action.SEE, Reach.TEAM, NOW)
    edit_person(session, ROOT, BOB, PersonWish(role="lead", team="sales"), NOW)
    customer = own(session, ANN)
    assert sees(session, BOB, customer)
    move_team(session, ROOT, "north", NOW)
    assert not sees(session, BOB, customer)
    move_team(session, ROOT, "north", NOW, under="south")
    assert sees(session, BOB, customer)
    assert [(team.name, team.parent, team.depth) for team in list_teams(session, ROOT)] == [
        ("sales", "", 0),
        ("south", "sales", 1),
        ("north", "south", 2),
    ]
    refused(InvalidValue, "would lie below itself", move_team, session, ROOT, "sales", NOW, under="north")
    refused(InvalidValue, "would lie below itself", move_team, session, ROOT, "sales", NOW, under="sales")


def test_only_an_empty_team_goes(session: Session) -> None:
    refused(InvalidValue, "is not empty: ann@own.example", remove_team, session, ROOT, "north", NOW)
    refused(InvalidValue, "the teams north, south lie below it", remove_team, session, ROOT, "sales", NOW)
    refused(InvalidValue, "there is one already", rename_team, session, ROOT, "north", "south", NOW)
    before = version(session)
    assert rename_team(session, ROOT, "north", " far  north ", NOW).name == "far north"
    assert version(session) > before
    customer = own(session, ANN)
    edit_person(session, ROOT, ANN, PersonWish(team="south"), NOW)
    share_customer(session, ROOT, customer.public_id, Level.SEE, NOW, team="far north")
    refused(InvalidValue, "1 are shared with it", remove_team, session, ROOT, "far north", NOW)
    withdraw_share(session, ROOT, customer.public_id, NOW, team="far north")
    remove_team(session, ROOT, "far north", NOW)
    assert "far north" not in [team.name for team in list_teams(session, ROOT)]


def test_a_role_is_copied_edited_and_removed(session: Session) -> None:
    hide_field(session, ROOT, "rep", Entity.CUSTOMER, "grade", NOW)
    made = add_role(session, ROOT, "junior", "rep", NOW)
    assert made.hidden == ("customer.grade",)
    assert role_rights(session, "junior") == role_rights(session, "rep")
    set_right(session, ROOT, "junior", Entity.CUSTOMER, Action.EDIT, Reach.NONE, NOW)
    assert role_rights(session, "rep")[Entity.CUSTOMER, Action.EDIT] is Reach.OWN
    show_field(session, ROOT, "junior", Entity.CUSTOMER, "grade", NOW)
    assert role_hidden_fields(session, "junior") == frozenset()
    refused(NotFound, "is not hidden", show_field, session, ROOT, "junior", Entity.CUSTOMER, "grade", NOW)
    refused(NotFound, "is no field that can be hidden", hide_field, session, ROOT, "rep", Entity.CUSTOMER, "x", NOW)
    refused(
        InvalidValue,
        "there are none and all",
        set_right,
        session,
        ROOT,
        "rep",
        Entity.COMPANY,
        Action.EDIT,
        Reach.OWN,
        NOW,
    )
    edit_person(session, ROOT, BOB, PersonWish(role="junior"), NOW)
    refused(InvalidValue, f"{BOB} has it", remove_role, session, ROOT, "junior", NOW)
    edit_person(session, ROOT, BOB, PersonWish(role="rep"), NOW)
    remove_role(session, ROOT, "junior", NOW)
    refused(NotFound, "there is none", fetch_role, session, ROOT, "junior")
    refused(InvalidValue, "belongs to the program", remove_role, session, ROOT, "rep", NOW)
    assert steps(session, "role:junior") == ["role-added", "right-set", "field-shown", "role-removed"]


def test_the_defaults_are_what_a_trading_company_expects(session: Session) -> None:
    reach = {name: role_rights(session, name) for name in ("owner", "administrator", "manager", "rep", "viewer")}
    see = {name: rights[Entity.CUSTOMER, Action.SEE] for name, rights in reach.items()}
    assert see == {"owner": "all", "administrator": "all", "manager": "all", "rep": "own", "viewer": "team"}
    keepers = {name for name, rights in reach.items() if rights.get((Entity.COMPANY, Action.EDIT)) is Reach.ALL}
    assert keepers == {"owner", "administrator"}
    # Nothing walks out of the house with a rep; a viewer changes nothing, not even a label.
    assert (Entity.CUSTOMER, Action.EXPORT) not in reach["rep"]
    assert {action for _, action in reach["viewer"]} == {Action.SEE}


def test_a_customer_is_shown_to_one_more(session: Session) -> None:
    customer = own(session, ANN)
    ann, bob = viewer_of(session, ANN), viewer_of(session, BOB)
    refused(
        NotFound, "there is none that bob", share_customer, session, bob, customer.public_id, Level.SEE, NOW, person=BOB
    )
    made = share_customer(session, ann, customer.public_id, Level.SEE, NOW, person=BOB)
    assert (made.person, made.level, made.created_by) == (BOB, Level.SEE, ANN)
    assert sees(session, BOB, customer)
    assert not sees(session, BOB, customer, Action.EDIT)
    refused(NotAllowed, "may see, but not edit", withdraw_share, session, bob, customer.public_id, NOW, person=BOB)
    share_customer(session, ann, customer.public_id, Level.EDIT, NOW, person=BOB)
    assert sees(session, BOB, customer, Action.EDIT)
    assert not sees(session, BOB, customer, Action.ASSIGN)
    assert len(list_shares(session, ann, customer.public_id)) == 1
    withdraw_share(session, ann, customer.public_id, NOW, person=BOB)
    assert not sees(session, BOB, customer)
    refused(InvalidValue, "own", share_customer, session, ann, customer.public_id, Level.SEE, NOW, person=ANN)
    refused(InvalidValue, "one person, or one team", share_customer, session, ann, customer.public_id, Level.SEE, NOW)
    refused(NotFound, "nobody shared it", withdraw_share, session, ann, customer.public_id, NOW, team="south")
    assert steps(session, f"customer:{customer.id}") == ["shared", "shared", "share-withdrawn"]


def test_what_is_shared_with_a_team_reaches_those_below_it(session: Session) -> None:
    customer = own(session, None)
    share_customer(session, ROOT, customer.public_id, Level.SEE, NOW, team="sales")
    assert sees(session, BOB, customer)


def test_a_share_that_came_by_itself_is_not_withdrawn_by_hand(session: Session) -> None:
    customer = own(session, ANN)
    bob = key_of(session, BOB)
    session.add(ScopeShare(scope_id=customer.scope_id, person_id=bob, cause="conversation:9", created_at=NOW))
    session.flush()
    refused(NotFound, "nobody shared it", withdraw_share, session, ROOT, customer.public_id, NOW, person=BOB)
    share_customer(session, ROOT, customer.public_id, Level.EDIT, NOW, person=BOB)
    withdraw_share(session, ROOT, customer.public_id, NOW, person=BOB)
    assert [share.cause for share in list_shares(session, ROOT, customer.public_id)] == ["conversation:9"]


def test_effective_rights_say_why(session: Session) -> None:
    own(session, ANN)
    plan_absence(session, ROOT, ANN, NOW, substitute=BOB)
    share_customer(session, ROOT, own(session, EVE).public_id, Level.SEE, NOW, person=BOB)
    hide_field(session, ROOT, "rep", Entity.CUSTOMER, "grade", NOW)
    found = fetch_effective_rights(session, viewer_of(session, BOB), BOB, NOW)
    assert (found.owned, found.seen_by_share, found.edited_by_share) == ("1", "1", "0")
    assert (found.stands_in_for, found.hidden) == ((ANN,), ("customer.grade",))
    assert right(found, Action.SEE) == (
        "own",
        ("role rep: own", f"stands in for {ANN}", "shared with him: 1"),
    )
    assert right(found, Action.EDIT) == ("own", ("role rep: own", f"stands in for {ANN}"))
    set_right(session, ROOT, "rep", Entity.CUSTOMER, Action.EDIT, Reach.ALL, NOW)
    found = fetch_effective_rights(session, ROOT, BOB, NOW)
    assert right(found, Action.EDIT)[0] == "own"
    assert right(found, Action.EDIT)[1][:2] == ("role rep: all", "sees own")


def right(found: EffectiveRights, action: Action) -> tuple[str, tuple[str, ...]]:
    return next((one.reach, one.why) for one in found.rights if (one.entity, one.action) == (Entity.CUSTOMER, action))

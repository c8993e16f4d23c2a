# SPDX-License-Identifier: GPL-3.0-or-later
"""`may` in SQL says what the rule in plain Python says, for any owners, teams, pools, shares, substitutes and reaches."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_servers import RecordServer, nothing
from rights_model import Lying, Share, Someone, may_do
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from crm_sync.database import Database, open_database
from crm_sync.models.base import Base, table
from crm_sync.models.customers import Scope, ScopeShare
from crm_sync.models.people import Person, Pool, PoolMember, Role, RoleRight, Team
from crm_sync.rights import Action, Entity, Reach, fetch_viewer, may

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
PEOPLE, POOLS = (1, 2, 3, 4), (1, 2)
ENTITY = Entity.MESSAGE
ACTIONS = (Action.SEE, Action.EDIT, Action.CORRECT, Action.ASSIGN)


@dataclass
class Office:
    """A drawn company: teams with the team above each, people by id, where records lie."""

    parents: dict[int, int | None] = field(default_factory=dict)
    people: dict[int, Someone] = field(default_factory=dict)
    lying: list[Lying] = field(default_factory=list)


def maybe(values: tuple[int, ...]) -> st.SearchStrategy[int | None]:
    return st.none() | st.sampled_from(values)


@st.composite
def offices(draw: st.DrawFn) -> Office:
    office = Office()
    for team in range(1, draw(st.integers(1, 4)) + 1):
        office.parents[team] = draw(maybe(tuple(office.parents))) if office.parents else None
    teams = tuple(office.parents)
    reaches = st.dictionaries(
        st.tuples(st.just(ENTITY), st.sampled_from(ACTIONS)), st.sampled_from(list(Reach)), min_size=1
    )
    for person in PEOPLE:
        office.people[person] = Someone(
            person,
            draw(maybe(teams)),
            draw(reaches),
            draw(st.frozensets(st.sampled_from(POOLS), max_size=1)),
            draw(maybe(tuple(one for one in PEOPLE if one != person))),
            draw(st.booleans()),
            has_left=draw(st.integers(0, 9)) == 0,
        )
    share = st.builds(Share, st.sampled_from(["see", "edit"]), person=st.sampled_from(PEOPLE)) | st.builds(
        Share, st.sampled_from(["see", "edit"]), team=st.sampled_from(teams)
    )
    office.lying = draw(
        st.lists(
            st.builds(
                Lying,
                maybe(PEOPLE),
                maybe(teams),
                maybe(POOLS),
                st.lists(share, max_size=2).map(tuple),
            ),
            min_size=1,
            max_size=6,
        )
    )
    return office


@pytest.fixture(scope="module")
def empty(server: RecordServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    url = server.new(tmp_path_factory.mktemp("rule"), nothing)
    with closing(open_database(url)) as database:
        yield database
    server.drop(url)


def _insert(session: Session, model: type[Base], rows: list[dict[str, Any]]) -> None:
    if rows:
        session.connection().execute(insert(table(model)), rows)


def found_company(session: Session, office: Office) -> None:
    """Write the drawn company down."""
    _insert(
        session, Team, [{"id": team, "name": f"t{team}", "parent_id": above} for team, above in office.parents.items()]
    )
    _insert(session, Role, [{"name": f"r{person}"} for person in office.people])
    rights = [
        {"role": f"r{one.id}", "entity": entity, "action": action, "reach": reach}
        for one in office.people.values()
        for (entity, action), reach in one.rights.items()
    ]
    _insert(session, RoleRight, rights)
    people = [
        {
            "id": one.id,
            "email": f"p{one.id}@own.example",
            "role": f"r{one.id}",
            "team_id": one.team,
            "is_away": one.is_away,
            "left_at": NOW if one.has_left else None,
        }
        for one in office.people.values()
    ]
    _insert(
        session,
        Person,
        [{"name": "", "languages": [], "countries": [], "open_conversations": 0, **one} for one in people],
    )
    for one in office.people.values():
        session.get_one(Person, one.id).substitute_id = one.substitute
    session.flush()
    pools = [{"id": pool, "name": f"pool {pool}", "delivery": "copy", "distribution": "none"} for pool in POOLS]
    _insert(session, Pool, [{**pool, "archive": "", "expands": False, "turn": 0, "position": 0} for pool in pools])
    members = [(pool, one.id) for one in office.people.values() for pool in one.pools]
    _insert(session, PoolMember, [{"pool_id": pool, "person_id": one, "position": 0} for pool, one in members])
    _insert(
        session,
        Scope,
        [
            {"id": number, "kind": "customer", "owner_id": one.owner, "team_id": one.team, "pool_id": one.pool}
            for number, one in enumerate(office.lying, 1)
        ],
    )
    shares = [(number, share) for number, one in enumerate(office.lying, 1) for share in one.shares]
    _insert(
        session,
        ScopeShare,
        [
            {
                "scope_id": number,
                "person_id": share.person,
                "team_id": share.team,
                "level": share.level,
                "cause": "hand",
            }
            | {"created_at": NOW, "created_by": None}
            for number, share in shares
        ],
    )


@given(office=offices())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_decides_as_the_rule_says(empty: Database, office: Office) -> None:
    with Session(empty.writer, expire_on_commit=False) as session, session.begin() as transaction:
        found_company(session, office)
        for person in PEOPLE:
            viewer = fetch_viewer(session, person, NOW)
            for action in ACTIONS:
                wanted = {
                    number
                    for number, lying in enumerate(office.lying, 1)
                    if may_do(office.people, office.parents, person, ENTITY, action, lying)
                }
                if viewer is None:
                    assert not wanted
                    continue
                found = set(session.scalars(select(Scope.id).where(may(viewer, ENTITY, action, Scope.id))))
                assert found == wanted, (person, action)
        transaction.rollback()


def test_who_was_to_be_back_by_now_is_back(empty: Database) -> None:
    rights = {(ENTITY, Action.SEE): Reach.OWN}
    absent, other = Someone(1, None, rights, substitute=2, is_away=True), Someone(2, None, rights)
    office = Office({}, {1: absent, 2: other}, [Lying(owner=1)])
    with Session(empty.writer, expire_on_commit=False) as session, session.begin() as transaction:
        found_company(session, office)
        session.get_one(Person, 1).away_until = NOW
        session.flush()
        before, after = fetch_viewer(session, 2, NOW - timedelta(seconds=1)), fetch_viewer(session, 2, NOW)
        transaction.rollback()
    assert before is not None
    assert after is not None
    assert before.stands_in_for == {1}
    assert not after.stands_in_for


def test_a_substitute_of_a_substitute_sees_what_both_see() -> None:
    """The plain rule, which the first test holds the database to."""
    rights = {(ENTITY, Action.SEE): Reach.OWN}
    people = {
        1: Someone(1, None, rights, substitute=2, is_away=True),
        2: Someone(2, None, rights, substitute=3, is_away=True),
        3: Someone(3, None, rights),
    }
    lying = Lying(owner=1)
    assert may_do(people, {}, 3, ENTITY, Action.SEE, lying)
    back = {**people, 2: replace(people[2], is_away=False)}
    assert not may_do(back, {}, 3, ENTITY, Action.SEE, lying)
    assert may_do(back, {}, 2, ENTITY, Action.SEE, lying)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand-over of a person: a look beforehand, everything at once, a way back that takes exactly what is still there."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from customer_plots import person_id, plant, seen_customers, talk, viewer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mailroom import ANN, BOB, EVE, START, Mail, MailRoom
from record_servers import PostgreSQLServer, RecordServer
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.customers.claims import give_customer
from crm_sync.customers.hand_back import fetch_hand_overs, undo_hand_over
from crm_sync.customers.hand_over import HAND_BACK, HandOver, HandOverError, Wish, plan_hand_over, run_hand_over
from crm_sync.customers.holdings import HISTORY, OWNERSHIP, PERSONAL
from crm_sync.customers.reclaim import refresh_reclaim_dates
from crm_sync.directory_rows import changed_threads, read_conversations, read_threads
from crm_sync.models.conversations import Conversation, Event, MessageAnchor
from crm_sync.models.customers import Customer, Scope, ScopeShare
from crm_sync.models.followups import Task
from crm_sync.models.mail import Message
from crm_sync.models.people import Person, Pool, Role, RoleRight, Team
from crm_sync.models.public_pool import CustomerTenure, PublicPool
from crm_sync.models.schema import metadata
from crm_sync.models.service import DirectoryChange
from crm_sync.models.timers import TimerRow
from crm_sync.rights import root_viewer
from tradepost.directory import id_digest
from tradepost.settings import WorkerSettings
from tradepost.unknown import UNKNOWN

# What a hand-over may change, and a way back must restore.  Histories grow, and versions count.
_STATE = (
    select(Scope.id, Scope.owner_id, Scope.team_id, Scope.pool_id).order_by(Scope.id),
    select(Conversation.id, Conversation.assignee_id, Conversation.status).order_by(Conversation.id),
    select(Person.id, Person.open_conversations, Person.substitute_id).order_by(Person.id),
    select(Task.id, Task.assignee_id, Task.state).order_by(Task.id),
    # Those of who works for another owner follow from the above.
    select(ScopeShare.scope_id, ScopeShare.person_id, ScopeShare.level)
    .where(ScopeShare.cause == "hand")
    .order_by(ScopeShare.scope_id, ScopeShare.person_id),
    select(
        Customer.id, Customer.owner_since, Customer.home_pool_id, Customer.reclaim_days, Customer.reclaim_at
    ).order_by(Customer.id),
)


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


def rows(session: Session) -> list[list[Any]]:
    return [[tuple(row) for row in session.execute(wanted)] for wanted in _STATE]


def hand_over(room: MailRoom, *takers: str, who: str = EVE, **wish: Any) -> HandOver:
    room.clock += timedelta(minutes=1)
    with room.database.writing() as session:
        key = str(ULID.from_datetime(room.clock))
        return run_hand_over(session, viewer(session, who), Wish(ANN, takers, **wish), key, room.clock)


def add_task(session: Session, who: str, scope_id: int, state: str = "open") -> None:
    session.add(
        Task(
            public_id=str(ULID()),
            scope_id=scope_id,
            title="Call",
            assignee_id=person_id(session, who),
            state=state,
            created_at=START,
        )
    )


def furnish(session: Session) -> dict[str, int]:
    """Give Ann something of every kind, and let some things be Bob's."""
    acme = plant(session, "acme", ANN, conversations=((ANN, "open"), (None, "open"), (BOB, "open"), (ANN, "closed")))
    bolt = plant(session, "bolt", ANN, country="DE")
    cart = plant(session, "cart", BOB, conversations=((ANN, "open"),))
    pool = plant(session, "pond", None, "sales", conversations=((ANN, "waiting"),))
    unknown = Scope(kind="conversation", owner_id=person_id(session, ANN))
    own_task = Scope(kind="task", owner_id=person_id(session, ANN))
    session.add_all([unknown, own_task])
    session.flush()
    talk(session, "nobody", unknown.id, None, ANN, "open", START)
    for scope in (acme.scope_id, own_task.id):
        add_task(session, ANN, scope)
    add_task(session, ANN, acme.scope_id, "done")
    ann, bob, eve = (person_id(session, who) for who in (ANN, BOB, EVE))
    session.execute(update(Person).where(Person.id == eve).values(substitute_id=ann))
    for person, scope in ((ann, cart.scope_id), (ann, pool.scope_id), (bob, pool.scope_id)):
        session.add(ScopeShare(scope_id=scope, person_id=person, level="see", cause="hand", created_at=START))
    session.flush()
    return {"acme": acme.id, "bolt": bolt.id, "cart": cart.id, "pond": pool.id}


def test_every_column_that_names_a_person_is_his_or_his_past() -> None:
    """A later part that adds one must say in crm_sync/customers/holdings.py what a hand-over does with it."""
    named = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        for key in column.foreign_keys
        if key.target_fullname == "person.id"
    }
    listed = [*OWNERSHIP, *HISTORY, *PERSONAL]
    assert named - set(listed) == set(), "enter them in crm_sync/customers/holdings.py"
    assert set(listed) - named == set(), "there are none of these any more"
    assert len(listed) == len(set(listed)), "one is in two lists"


def test_the_successor_has_everything_at_once_and_the_other_nothing(room: MailRoom) -> None:
    with room.database.writing() as session:
        furnish(session)
    with room.database.reading() as session:
        before = rows(session)
        planned = plan_hand_over(session, viewer(session, EVE), Wish(ANN, (BOB,)), room.clock)
        assert rows(session) == before
    done = hand_over(room, BOB, note="She moves to Vigo.")
    assert (planned.parts, planned.warnings, planned.id) == (done.parts, done.warnings, None)
    [part] = done.parts
    assert (part.taker, part.customers, part.conversations, part.unfinished) == (BOB, 2, 6, 5)
    assert (part.others, part.samples) == ({"tasks": 2, "shares": 2}, ["acme", "bolt"])
    with room.database.reading() as session:
        ann, bob = person_id(session, ANN), person_id(session, BOB)
        assert session.scalars(select(Scope).where(Scope.owner_id == ann)).all() == []
        assert session.scalars(select(Conversation).where(Conversation.assignee_id == ann)).all() == []
        assert session.scalars(select(ScopeShare).where(ScopeShare.person_id == ann)).all() == []
        assert {(one.assignee_id, one.state) for one in session.scalars(select(Task))} == {(bob, "open"), (ann, "done")}
        assert seen_customers(session, ANN) == {"pond"}, "that lies in a pool of hers"
        assert seen_customers(session, BOB) == {"acme", "bolt", "cart", "pond"}
        eve = session.scalars(select(Person).where(Person.email == EVE)).one()
        assert eve.substitute_id == bob
        counted = {who: 0 for who in (ANN, BOB)}
        for conversation in session.scalars(select(Conversation).where(Conversation.status == "open")):
            counted[BOB] += conversation.assignee_id == bob
        loads = dict(session.execute(select(Person.email, Person.open_conversations)).all())
        assert {who: loads[who] for who in counted} == counted
        tenures = session.execute(
            select(Customer.name, CustomerTenure.person_id, CustomerTenure.came_by, CustomerTenure.until)
            .join(Customer, Customer.id == CustomerTenure.customer_id)
            .where(Customer.name == "acme")
            .order_by(CustomerTenure.id)
        ).all()
        assert [tuple(row) for row in tenures] == [
            ("acme", ann, "before", room.clock), ("acme", bob, "handed-over", None),
        ]  # fmt: skip
        steps = session.scalars(select(Event.subject).where(Event.cause_id == done.id, Event.step == "handed-over"))
        assert len(list(steps)) == 2 + 6
    room.worker.drain()
    with closing(room.directory()) as directory:
        keys = [
            "a:buyer@acme.example", "d:bolt.example", f"t:{id_digest('<acme3@x.example>')}",
            f"t:{id_digest('<nobody@x.example>')}", f"t:{id_digest('<cart0@x.example>')}",
        ]  # fmt: skip
        known = directory.fetch(keys)
    assert known is not UNKNOWN
    assert all(BOB.encode() in known[key] and ANN.encode() not in known[key] for key in keys)


def test_many_are_told_as_few_are(room: MailRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    with room.database.writing() as session:
        furnish(session)
        first = select(Conversation.id).order_by(Conversation.id).limit(1).scalar_subquery()
        digest = id_digest("<acme3@x.example>")
        session.add(MessageAnchor(id_digest=digest, conversation_id=session.scalars(select(first)).one()))
    room.worker.drain()
    monkeypatch.setattr("crm_sync.directory_rows._PAGE", 2)
    hand_over(room, BOB)
    with room.database.reading() as session:
        keys = set(session.scalars(select(Conversation.id)))
        few = dict(read_threads(session, changed_threads(session, keys)))
        assert dict(read_conversations(session, keys)) == few
        assert len(few) == 7
        told = session.execute(select(DirectoryChange.key, DirectoryChange.value).order_by(DirectoryChange.seq))
        newest = {key: value for key, value in told if key.startswith("t:")}
        assert all(newest[key] == few[key] for key in newest)
        assert len(newest) == 6, "all but the one that Bob works on"


def test_mail_that_is_recorded_meanwhile_goes_to_the_successor(tmp_path: Path, postgresql: PostgreSQLServer) -> None:
    with closing(MailRoom(tmp_path, postgresql, settings=WorkerSettings(batch_mails=5, batch_ms=60_000))) as room:
        with room.database.writing() as session:
            plant(session, "acme", ANN)
        for number in range(60):
            room.post(
                Mail(message_id=f"<m{number}@acme.example>", subject=f"Request {number}", text=f"{number} pieces")
            )
        with ThreadPoolExecutor(1) as threads:
            recorded = threads.submit(room.worker.drain)
            while True:
                with room.database.reading() as session:
                    if session.scalars(select(Conversation.id)).first() is not None:
                        break
            done = hand_over(room, BOB)
            recorded.result(60)
        with room.database.reading() as session:
            assignees = list(session.scalars(select(Conversation.assignee_id)))
            assert len(assignees) == 60
            assert set(assignees) == {person_id(session, BOB)}
            assert done.parts[0].conversations > 0
            loads = dict(session.execute(select(Person.email, Person.open_conversations)).all())
            assert (loads[ANN], loads[BOB]) == (0, 60)


def test_undone_it_is_as_before(room: MailRoom) -> None:
    with room.database.writing() as session:
        furnish(session)
        before = rows(session)
    done = hand_over(room, BOB, until=START + timedelta(days=30))
    assert done.id is not None
    with room.database.writing() as session:
        timer = session.scalars(select(TimerRow).where(TimerRow.kind == HAND_BACK)).one()
        assert (timer.ref, timer.due_at, timer.state) == (done.id, START + timedelta(days=30), "waiting")
        back = undo_hand_over(session, viewer(session, EVE), done.id, str(ULID()), room.clock + timedelta(hours=1))
        assert (back.customers, back.conversations, back.others, back.left) == (2, 6, 4, ())
    with room.database.writing() as session:
        assert rows(session) == before
        assert session.scalars(select(TimerRow.state).where(TimerRow.kind == HAND_BACK)).one() == "done"
        with pytest.raises(HandOverError, match=f"hand-over {done.id}: was undone at"):
            undo_hand_over(session, viewer(session, EVE), done.id, str(ULID()), room.clock)
        [row] = fetch_hand_overs(session, root_viewer())
        assert (row.id, row.giver, row.takers, row.customers, row.by) == (done.id, ANN, (BOB,), 2, EVE)
        assert row.undone_at == room.clock + timedelta(hours=1)
        assert fetch_hand_overs(session, root_viewer(), before=done.id) == ()


def test_what_went_elsewhere_since_stays_and_is_named(room: MailRoom) -> None:
    with room.database.writing() as session:
        keys = furnish(session)
    done = hand_over(room, BOB)
    assert done.id is not None
    with room.database.writing() as session:
        acme = session.get_one(Customer, keys["acme"])
        give_customer(session, root_viewer(), acme.public_id, EVE, str(ULID()), room.clock)
        session.execute(update(Task).where(Task.scope_id == acme.scope_id).values(state="done"))
    with room.database.writing() as session:
        back = undo_hand_over(session, root_viewer(), done.id, str(ULID()), room.clock)
        assert (back.customers, back.conversations) == (1, 3)
        said = "\n".join(back.left)
        assert f"customer {acme.public_id} acme: belongs to {EVE} now" in said
        assert said.count("somebody else works on it") == 3
        assert "1 tasks: done, or somebody else's now" in said
    with room.database.reading() as session:
        assert seen_customers(session, ANN) >= {"bolt", "cart", "pond"}
        assert "acme" not in seen_customers(session, ANN)


def test_several_share_it_evenly_or_by_country_or_language(room: MailRoom) -> None:
    with room.database.writing() as session:
        session.execute(update(Person).where(Person.email == BOB).values(countries=["DE", "AT"], languages=["de"]))
        for number in range(9):
            country = ("DE", "MX", "AT")[number % 3]
            plot = plant(session, f"firm{number}", ANN, country=country, conversations=((ANN, "open"),) * (number // 3))
            for key in plot.conversations:
                session.add(
                    Message(
                        content_key=str(ULID()),
                        conversation_id=key,
                        scope_id=plot.scope_id,
                        direction="inbound",
                        at=START,
                        language="de" if number % 3 else "es",
                        subject="",
                        defects=[],
                    )
                )
    with room.database.reading() as session:
        admin = viewer(session, EVE)

        def shares(by: str, **more: Any) -> list[tuple[str, int, int]]:
            planned = plan_hand_over(session, admin, Wish(ANN, (BOB, EVE), by, **more), room.clock)
            return [(part.taker, part.customers, part.unfinished) for part in planned.parts]

        assert shares("evenly") == [(BOB, 5, 5), (EVE, 4, 4)]
        assert shares("country") == [(BOB, 6, 6), (EVE, 3, 3)], (
            "Bob looks after Germany and Austria, nobody after Mexico"
        )
        assert shares("language") == [(BOB, 5, 6), (EVE, 4, 3)]
        assert shares("evenly", countries=("mx",)) == [(BOB, 2, 2), (EVE, 1, 1)]


def test_only_some_customers_and_what_hangs_on_them(room: MailRoom) -> None:
    with room.database.writing() as session:
        keys = furnish(session)
        acme, cart = (session.get_one(Customer, keys[name]).public_id for name in ("acme", "cart"))
    [part] = hand_over(room, BOB, customers=(acme,)).parts
    assert (part.customers, part.conversations, part.others) == (1, 3, {"tasks": 1})
    with room.database.reading() as session:
        assert seen_customers(session, ANN) == {"bolt", "cart", "pond"}
        with pytest.raises(HandOverError, match=f"customer '{cart}': {ANN} has none that {EVE} may give away"):
            plan_hand_over(session, viewer(session, EVE), Wish(ANN, (BOB,), customers=(cart,)), room.clock)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(ANN, (ANN,)), "ann@own.example: is named twice"),
        (Wish(ANN, (BOB, BOB)), "bob@own.example: is named twice"),
        (Wish(ANN, ()), "name 1 to 50 people"),
        (Wish(ANN, ("x@y.example",)), "'x@y.example': is no registered person"),
        (Wish("\0", (BOB,)), "is no registered person"),
        (Wish(ANN, (BOB,), "colour"), "by 'colour': there are evenly, country, language"),
        (Wish(ANN, (BOB,), until=START - timedelta(days=1)), "until: is past already"),
        (Wish(BOB, (ANN,)), "bob@own.example: has nothing that eve@own.example may hand over"),
        (Wish(ANN, (BOB,), note="x" * 2001), "note: at most 2,000"),
        (Wish(ANN, (BOB,), customers=("\0",)), "is named by its id"),
        (Wish(ANN, (BOB,), customers=("a",) * 10_001), "name at most 10,000"),
    ],
)
def test_what_can_not_be_is_refused(one_room: MailRoom, wish: Wish, said: str) -> None:
    with one_room.database.reading() as session:
        with pytest.raises(HandOverError) as refused:
            plan_hand_over(session, viewer(session, EVE), wish, START)
        assert said in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1


@pytest.fixture(scope="module")
def one_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailRoom]:
    """One for all that change nothing."""
    room = MailRoom(tmp_path_factory.mktemp("room"))
    with room.database.writing() as session:
        plant(session, "acme", ANN)
    yield room
    room.close()


def test_a_rep_may_not_and_a_leader_only_his_team(room: MailRoom) -> None:
    with room.database.writing() as session:
        north, south = Team(name="North"), Team(name="South")
        session.add_all([north, south])
        session.flush()
        session.execute(update(Person).where(Person.email == ANN).values(team_id=north.id))
        session.execute(update(Person).where(Person.email == BOB).values(team_id=south.id))
        plant(session, "acme", ANN)
        foreign = plant(session, "bolt", ANN)
        session.get_one(Scope, foreign.scope_id).team_id = south.id
        furnish_role(session, "lead", "team")
        session.execute(update(Person).where(Person.email == EVE).values(role="lead", team_id=north.id))
    with pytest.raises(HandOverError, match=f"{BOB} may not give customers to others"):
        hand_over(room, BOB, who=BOB)
    done = hand_over(room, BOB)
    assert done.id is not None
    assert done.parts[0].samples == ["acme"], "what is not hers to give is not there"
    with room.database.writing() as session:
        with pytest.raises(HandOverError, match="may not hand over"):
            fetch_hand_overs(session, viewer(session, BOB))
        with pytest.raises(HandOverError, match="may not hand over"):
            undo_hand_over(session, viewer(session, BOB), done.id, "c", room.clock)
        assert len(fetch_hand_overs(session, viewer(session, EVE))) == 1
        session.execute(update(Person).where(Person.email == BOB).values(role="lead"))
        assert fetch_hand_overs(session, viewer(session, BOB)) == (), "hers are not his"
        with pytest.raises(HandOverError, match=f"there is none that {BOB} may undo"):
            undo_hand_over(session, viewer(session, BOB), done.id, "c", room.clock)
        session.execute(update(Person).where(Person.email == ANN).values(left_at=START))
        with pytest.raises(HandOverError, match=f"{ANN} is no longer with the company"):
            undo_hand_over(session, root_viewer(), done.id, "c", room.clock)


def furnish_role(session: Session, name: str, reach: str) -> None:
    session.add(Role(name=name))
    session.flush()
    for entity in ("customer", "message", "note"):
        for action in ("see", "edit", "assign"):
            session.add(RoleRight(role=name, entity=entity, action=action, reach=reach))
    session.flush()


_WHO = st.sampled_from([None, ANN, BOB])
_TALKS = st.lists(st.tuples(_WHO, st.sampled_from(["open", "waiting", "solved", "closed"])), max_size=3).map(tuple)
_FIRMS = st.lists(st.tuples(_WHO, _TALKS, st.sampled_from([None, "DE", "US"])), max_size=5)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    firms=_FIRMS, takers=st.sampled_from([(BOB,), (BOB, EVE), (EVE, BOB)]), by=st.sampled_from(["evenly", "country"])
)
def test_there_and_back_changes_nothing(room: MailRoom, firms: list[Any], takers: tuple[str, ...], by: str) -> None:
    with Session(room.database.writer, expire_on_commit=False) as session, session.begin() as transaction:
        pool = session.scalars(select(Pool.id).where(Pool.name == "sales")).one()
        session.add(PublicPool(pool_id=pool, is_default=True, idle_days=30, protected_grades=[], version=1))
        for number, (owner, talks, country) in enumerate(firms):
            plant(session, f"firm{number}", owner, None if owner else "sales", conversations=talks, country=country)
        refresh_reclaim_dates(session)
        session.expire_all()
        before = rows(session)
        admin = viewer(session, EVE)
        if any(owner == ANN or any(who == ANN for who, _ in talks) for owner, talks, _ in firms):
            done = run_hand_over(session, admin, Wish(ANN, takers, by), str(ULID()), START)
            ann = person_id(session, ANN)
            assert session.scalars(select(Scope.id).where(Scope.owner_id == ann)).all() == []
            assert session.scalars(select(Conversation.id).where(Conversation.assignee_id == ann)).all() == []
            assert done.id is not None
            assert undo_hand_over(session, admin, done.id, str(ULID()), START).left == ()
        else:
            with pytest.raises(HandOverError, match="has nothing"):
                run_hand_over(session, admin, Wish(ANN, takers, by), str(ULID()), START)
        assert rows(session) == before
        transaction.rollback()

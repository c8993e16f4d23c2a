# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipelines, their stages and rules, lists to choose from: data that people change; every move of a customer kept."""

from collections.abc import Iterator
from dataclasses import astuple
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from mailroom import ANN, BOB, EVE, START, Mail, MailRoom
from record_servers import RecordServer
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue, NotAllowed, NotFound
from crm_sync.choices.chosen import choose_for_contact, choose_for_customer, fetch_chosen
from crm_sync.choices.lists import add_choice, add_list, change_choice, fetch_choices, fetch_lists
from crm_sync.fields.definitions import FieldEntry, add_field
from crm_sync.models.conversations import Event
from crm_sync.models.customers import Contact, Customer, Scope
from crm_sync.models.people import Person, RoleHiddenField
from crm_sync.models.pipeline import Stage, StageMove, StageRule
from crm_sync.pipeline.moving import count_standing, fetch_customer_moves, list_customers_in, move_customer
from crm_sync.pipeline.stage_rules import apply_stage_rules, fetch_stage_rules, switch_stage_rule
from crm_sync.pipeline.stages import add_pipeline, add_stage, change_stage, fetch_pipelines, retire_stage
from crm_sync.rights import Viewer, fetch_viewer, root_viewer
from tradepost.rules import RuleError


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


@pytest.fixture
def session(room: MailRoom) -> Iterator[Session]:
    """A customer of Ann's, and a session to work in."""
    room.record(Mail())
    with room.database.writing() as session:
        scope = session.scalars(select(Scope).where(Scope.kind == "customer")).one()
        scope.owner_id, scope.pool_id = session.scalars(select(Person.id).where(Person.email == ANN)).one(), None
        session.flush()
        yield session
        session.rollback()


def person(session: Session, email: str) -> Viewer:
    viewer = fetch_viewer(session, session.scalars(select(Person.id).where(Person.email == email)).one())
    assert viewer is not None
    return viewer


def acme(session: Session) -> Customer:
    return session.scalars(select(Customer)).one()


def keys(session: Session, pipeline: str = "customer") -> list[str]:
    [found] = [one for one in fetch_pipelines(session, root_viewer()) if one.key == pipeline]
    return [stage.key for stage in found.stages]


def test_a_fresh_installation_has_the_stages_of_the_trade_in_both_languages(session: Session) -> None:
    customers, deals = fetch_pipelines(session, root_viewer())
    assert [stage.name_zh for stage in customers.stages] == [
        "初步接触", "报价中", "样品确认", "谈判中", "已成交", "休眠客户",
    ]  # fmt: skip
    assert [stage.name_en for stage in customers.stages][:2] == ["First contact", "Quoting"]
    assert {stage.kind for stage in deals.stages} == {"open", "won", "lost"}


def test_stages_are_added_renamed_ordered_and_retired_with_what_stands_in_them(session: Session) -> None:
    root = root_viewer()
    add_stage(session, root, "customer", "visit", "Visit", "拜访", START, probability=40, place=2)
    assert keys(session)[:3] == ["first-contact", "visit", "quoting"]
    changed = change_stage(
        session, root, "customer", "visit", START, name_zh="上门拜访", guide="Show samples.", place=4
    )
    assert (changed.name_en, changed.name_zh, changed.probability) == ("Visit", "上门拜访", 40)
    assert changed.guide == "Show samples."
    assert keys(session)[3] == "visit"
    move_customer(session, root, acme(session).public_id, "visit", START)
    assert retire_stage(session, root, "customer", "visit", "quoting", START + timedelta(days=1)) == 1
    assert "visit" not in keys(session)
    session.expire_all()
    [last, *_] = fetch_customer_moves(session, root, acme(session).public_id)
    assert (last.before, last.after, last.reason) == ("visit", "quoting", "the stage visit was retired")
    with pytest.raises(NotFound, match="customer has none; there are first-contact, quoting"):
        move_customer(session, root, acme(session).public_id, "visit", START)
    with pytest.raises(InvalidValue, match="one of its kind"):
        retire_stage(session, root, "customer", "won", "quoting", START)
    with pytest.raises(InvalidValue, match="is open, won, dormant"):
        add_stage(session, root, "customer", "gone", "Gone", "", START, kind="lost")
    add_pipeline(session, root, "tenders", "Tenders", "招标", START)
    assert keys(session, "tenders") == keys(session, "opportunity")


def test_rules_lead_to_the_stage_that_takes_the_records_over(session: Session) -> None:
    add_stage(session, root_viewer(), "customer", "offered", "Offered", "", START)
    retire_stage(session, root_viewer(), "customer", "quoting", "offered", START)
    session.expire_all()
    row = session.get_one(StageRule, "quote-sent")
    assert session.get_one(Stage, row.stage_id).key == "offered"


def test_a_customer_is_moved_by_hand_anywhere_and_every_move_is_kept(session: Session) -> None:
    ann, public_id = person(session, ANN), acme(session).public_id
    for number, stage in enumerate(("won", "first-contact", "dormant")):
        move_customer(session, ann, public_id, stage, START + timedelta(hours=number), reason=f"reason {number}")
    assert move_customer(session, ann, public_id, "dormant", START) is None
    found = fetch_customer_moves(session, ann, public_id)
    assert [(move.before, move.after, move.who, move.reason) for move in found[:3]] == [
        ("first-contact", "dormant", ANN, "reason 2"),
        ("won", "first-contact", ANN, "reason 1"),
        (found[2].before, "won", ANN, "reason 0"),
    ]
    events = session.scalars(select(Event).where(Event.step == "stage-moved", Event.person_id == ann.person_id)).all()
    assert [event.details["to"] for event in events] == ["won", "first-contact", "dormant"]
    assert {event.subject for event in events} == {f"customer:{acme(session).id}"}
    assert [row.customer for row in list_customers_in(session, ann, "dormant")] == [public_id]
    assert list_customers_in(session, ann, "dormant", after=public_id) == []


def test_a_stage_may_ask_for_a_field_first(session: Session) -> None:
    root, public_id = root_viewer(), acme(session).public_id
    add_field(session, root, "customer", "port", "text", FieldEntry(name_en="Port", stages=("negotiating",)), START)
    with pytest.raises(InvalidValue, match="stage negotiating: fill in first: Port"):
        move_customer(session, root, public_id, "negotiating", START)
    assert move_customer(session, root, public_id, "sample", START) is not None


def test_whose_he_is_not_learns_nothing_and_moves_nothing(session: Session) -> None:
    bob, public_id = person(session, BOB), acme(session).public_id
    move_customer(session, person(session, ANN), public_id, "quoting", START)
    for ask in (
        lambda: move_customer(session, bob, public_id, "won", START),
        lambda: fetch_customer_moves(session, bob, public_id),
        lambda: fetch_chosen(session, bob, public_id),
        lambda: choose_for_customer(session, bob, public_id, "size", ["1-10"], START),
    ):
        with pytest.raises(NotFound) as refused:
            ask()
        with pytest.raises(NotFound) as missing:
            move_customer(session, bob, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "won", START)
        assert str(refused.value).replace(public_id, "X") == str(missing.value).replace(
            "01ARZ3NDEKTSV4RRFFQ69G5FAV", "X"
        )
    assert sum(row.records for row in count_standing(session, bob)) == 0
    assert sum(row.records for row in count_standing(session, person(session, ANN))) == 1


def test_a_rep_reads_what_all_share_and_changes_nothing_of_it(session: Session) -> None:
    ann = person(session, ANN)
    for found in (fetch_pipelines(session, ann), fetch_lists(session, ann), fetch_stage_rules(session, ann)):
        assert found
    for change in (
        lambda: add_stage(session, ann, "customer", "x", "X", "", START),
        lambda: retire_stage(session, ann, "customer", "quoting", "sample", START),
        lambda: switch_stage_rule(session, ann, "quote-sent", START, is_enabled=False),
        lambda: add_choice(session, ann, "tag", "x", "X", "", START),
    ):
        with pytest.raises(NotAllowed, match="may not edit what all records share"):
            change()
    switch_stage_rule(session, person(session, EVE), "quote-sent", START, is_enabled=False)
    assert [rule.enabled for rule in fetch_stage_rules(session, ann) if rule.id == "quote-sent"] == [False]


def test_stage_rules_come_from_a_file_and_a_wrong_one_is_refused_with_its_place(session: Session) -> None:
    root = root_viewer()
    rule = {
        "id": "big",
        "name": "Wants much",
        "when": {"all": [{"field": "text", "op": "contains", "value": "container"}]},
        "then": [{"action": "set_stage", "value": "customer/negotiating"}],
    }
    assert apply_stage_rules(session, root, {"rule": [rule]}, START) == 1
    assert [astuple(found)[:4] for found in fetch_stage_rules(session, root)] == [
        ("big", "Wants much", True, "customer/negotiating")
    ]
    for then, said in (
        ({"action": "assign", "value": ANN}, "there is no action 'assign'"),
        ({"action": "set_stage", "value": "customer/nowhere"}, "there is no stage 'customer/nowhere'; there are"),
    ):
        with pytest.raises(RuleError, match=said):
            apply_stage_rules(session, root, {"rule": [rule | {"then": [then]}]}, START)
    bad = {"all": [{"field": "colour", "op": "is", "value": "red"}]}
    with pytest.raises(RuleError, match="there is no field 'colour'"):
        apply_stage_rules(session, root, {"rule": [rule | {"when": bad}]}, START)


def test_lists_are_extended_renamed_ordered_and_retired(session: Session) -> None:
    root = root_viewer()
    by_key = {found.key: found for found in fetch_lists(session, root)}
    assert {"customer-type", "tag", "timezone", "size", "star", "intent", "volume", "source", "industry"} <= set(by_key)
    assert {"job-level", "decision-role", "lost-reason"} <= set(by_key)
    assert [row.name_zh for row in fetch_choices(session, root, "decision-role")] == ["决策者", "影响者", "使用者"]
    add_list(session, root, "port", "customer", "Port", "港口", START)
    add_choice(session, root, "port", "hamburg", "Hamburg", "汉堡", START)
    add_choice(session, root, "port", "santos", "Santos", "", START)
    change_choice(session, root, "port", "santos", START, place=1, name_zh="桑托斯")
    assert [row.key for row in fetch_choices(session, root, "port")] == ["santos", "hamburg"]
    change_choice(session, root, "port", "santos", START, is_retired=True)
    assert [row.key for row in fetch_choices(session, root, "port")] == ["hamburg"]
    assert len(fetch_choices(session, root, "port", with_retired=True)) == 2
    with pytest.raises(InvalidValue, match="is there already"):
        add_list(session, root, "port", "customer", "Port", "", START)
    with pytest.raises(InvalidValue, match="perhaps retired"):
        add_choice(session, root, "port", "santos", "Santos", "", START)


def test_what_is_chosen_is_kept_once_and_hidden_from_whom_it_is_hidden(session: Session) -> None:
    ann, public_id = person(session, ANN), acme(session).public_id
    choose_for_customer(session, ann, public_id, "tag", ["oem", "key-account"], START)
    choose_for_customer(session, ann, public_id, "size", ["51-200"], START)
    choose_for_customer(session, ann, public_id, "volume", ["1m-5m"], START)
    choose_for_customer(session, ann, public_id, "tag", ["oem"], START)
    assert fetch_chosen(session, ann, public_id) == {"size": ("51-200",), "tag": ("oem",), "volume": ("1m-5m",)}
    assert acme(session).size == "51-200"
    contact = session.scalars(select(Contact)).one()
    choose_for_contact(session, ann, public_id, contact.id, "decision-role", ["decider"], START)
    assert contact.decision_role == "decider"
    with pytest.raises(InvalidValue, match="takes one choice"):
        choose_for_customer(session, ann, public_id, "size", ["1-10", "11-50"], START)
    with pytest.raises(NotFound, match="size '9': there is none; there are 1-10"):
        choose_for_customer(session, ann, public_id, "size", ["9"], START)
    session.add(RoleHiddenField(role="rep", entity="customer", field="volume"))
    session.flush()
    assert "volume" not in fetch_chosen(session, person(session, ANN), public_id)
    with pytest.raises(NotAllowed, match="does not see that field"):
        choose_for_customer(session, person(session, ANN), public_id, "volume", ["over-5m"], START)


def test_random_moves_make_one_unbroken_way(session: Session) -> None:
    random, public_id, root = Random(7), acme(session).public_id, root_viewer()
    for number in range(40):
        what = random.random()
        if what < 0.8:
            move_customer(session, root, public_id, random.choice(keys(session)), START + timedelta(minutes=number))
        elif what < 0.9:
            add_stage(session, root, "customer", f"s{number}", f"Stage {number}", "", START, place=random.randint(1, 5))
        elif len(made := [key for key in keys(session) if key.startswith("s") and key != "sample"]) > 0:
            retire_stage(session, root, "customer", random.choice(made), "quoting", START + timedelta(minutes=number))
            session.expire_all()
    moves = session.scalars(
        select(StageMove)
        .where(StageMove.customer_id == acme(session).id, StageMove.opportunity_id.is_(None))
        .order_by(StageMove.id)
    ).all()
    assert len(moves) > 20
    assert all(later.from_id == earlier.to_id for earlier, later in pairwise(moves))
    assert moves[-1].to_id == acme(session).stage_id
    assert session.get_one(Stage, acme(session).stage_id).retired_at is None

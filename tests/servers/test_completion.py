# SPDX-License-Identifier: GPL-3.0-or-later
"""What arrival could not know the worker decides: exactly that, by the same order, and both are told of a difference."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mailroom import ANN, BOB, COMPANY, EVE, OWNER_FIELDS, START, Mail, MailRoom, reply
from record_servers import RecordServer
from sqlalchemy import update

from crm_sync.company import apply_company, apply_rules
from crm_sync.company_file import parse_company
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Scope
from crm_sync.models.people import Person
from tradepost.rules import parse_rules
from tradepost.verdict import Direction


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


def company(room: MailRoom, **tables: object) -> None:
    with room.database.writing() as session:
        apply_company(session, parse_company(COMPANY | tables, "company"))


def test_exactly_what_is_missing_is_decided(room: MailRoom) -> None:
    [entry] = room.record(Mail(owner=BOB, owner_reason="distribution", missing=("customer", "conversation")))
    with room.looking() as look:
        completion = look.arrival(entry).completion
        assert completion is not None
        assert completion["decided_by"] == "completion"
        assert completion["fields"] == {
            "customer": look.customers()[0].public_id,
            "conversation": look.conversation(entry).public_id,
        }
        assert look.assignee(entry) == BOB


def test_labels_that_arrival_left_open_are_filled_in(room: MailRoom) -> None:
    [entry] = room.record(
        Mail(category=None, headers=(("X-Category", "order"),), missing=("category", "priority", *OWNER_FIELDS))
    )
    with room.looking() as look:
        completion = look.arrival(entry).completion
        assert completion is not None
        assert (completion["fields"]["category"], completion["fields"]["priority"]) == ("order", "normal")
        assert look.message(entry).category == "order"
        assert look.arrival(entry).verdict["labels"]["category"] is None


def test_labels_that_arrival_gave_are_not_touched(room: MailRoom) -> None:
    [entry] = room.record(Mail(category="complaint", headers=(("X-Category", "order"),)))
    with room.looking() as look:
        assert look.message(entry).category == "complaint"


def test_the_assignee_comes_before_the_owner_of_the_customer(room: MailRoom) -> None:
    company(room, customer=[{"name": "Acme", "owner": ANN, "domains": ["acme.example"]}])
    first = room.record(reply(BOB, to="buyer@acme.example", missing=(), owner=ANN))[0]
    with room.looking() as look:
        assert look.assignee(first) == ANN  # the customer's owner keeps the work, whoever writes
    [second] = room.record(Mail(references=("<r1@own.example>",)))
    with room.looking() as look:
        assert look.assignee(second) == ANN
        assert look.arrival(second).completion == {
            "decided_by": "completion",
            "fields": {
                "customer": look.customers()[0].public_id,
                "contact": look.message(second).contact_id,
                "conversation": look.conversation(first).public_id,
                "owner": ANN,
            },
        }


def test_the_company_domain_tells_the_owner(room: MailRoom) -> None:
    company(room, customer=[{"name": "Acme", "owner": BOB, "domains": ["acme.example"]}])
    [entry] = room.record(Mail(sender="nobody-knows-me@acme.example"))
    with room.looking() as look:
        assert look.assignee(entry) == BOB


def test_the_person_addressed_gets_it_when_no_pool_is_addressed(room: MailRoom) -> None:
    [entry] = room.record(Mail(to=(BOB,)))
    with room.looking() as look:
        assert look.assignee(entry) == BOB
        assert look.owner(look.customers()[0]) == BOB


def test_a_rule_that_held_at_arrival_assigns(room: MailRoom) -> None:
    rule = {"id": "to-eve", "when": {"all": []}, "then": [{"action": "assign", "value": EVE}]}
    with room.database.writing() as session:
        apply_rules(session, parse_rules({"rule": [rule]}))
    [entry] = room.record(Mail(reasons=("model", "rule:to-eve")))
    with room.looking() as look:
        assert look.assignee(entry) == EVE


def test_distribution_takes_the_least_loaded_and_equals_take_turns(room: MailRoom) -> None:
    entries = room.record(
        *(Mail(sender=f"x@company{n}.example", message_id=f"<{n}@x>", text=f"Mail {n}") for n in range(6))
    )
    with room.looking() as look:
        assert sorted(look.assignee(entry) or "" for entry in entries) == [ANN] * 3 + [BOB] * 3
        assert (look.load(ANN), look.load(BOB)) == (3, 3)


def test_round_robin_goes_on_from_batch_to_batch(room: MailRoom) -> None:
    company(
        room,
        pool=[
            {"name": "sales", "addresses": ["sales@own.example"], "members": [ANN, BOB], "distribution": "round-robin"}
        ],
    )
    room.record(*(reply(ANN, to=f"p{n}@p{n}.example", message_id=f"<p{n}>", missing=(), owner=ANN) for n in range(4)))
    entries = [
        room.record(Mail(sender=f"x@company{n}.example", message_id=f"<{n}@x>", text=f"Mail {n}"))[0] for n in range(4)
    ]
    with room.looking() as look:
        found = [look.assignee(entry) for entry in entries]
    assert found[0] != found[1]
    assert found[:2] == found[2:]


def test_who_is_away_gets_nothing_new(room: MailRoom) -> None:
    people = [person | {"is_away": person["email"] == ANN} for person in COMPANY["person"]]
    company(room, person=people)
    entries = room.record(
        *(Mail(sender=f"x@company{n}.example", message_id=f"<{n}@x>", text=f"Mail {n}") for n in range(3))
    )
    with room.looking() as look:
        assert {look.assignee(entry) for entry in entries} == {BOB}


def test_a_newsletter_busies_nobody(room: MailRoom) -> None:
    [entry] = room.record(Mail(category="marketing"))
    with room.looking() as look:
        assert look.assignee(entry) is None
        assert look.conversation(entry).status == "closed"
        assert (look.load(ANN), look.load(BOB)) == (0, 0)


def test_an_unowned_lead_lies_in_the_pool(room: MailRoom) -> None:
    company(
        room,
        pool=[{"name": "sales", "addresses": ["sales@own.example"], "members": [ANN, BOB], "distribution": "none"}],
    )
    [entry] = room.record(Mail())
    with room.looking() as look:
        [lead] = look.customers()
        assert (look.owner(lead), look.assignee(entry)) == (None, None)
        assert look.session.get_one(Scope, lead.scope_id).pool_id is not None


def test_two_headers_that_named_two_owners_end_with_one_and_say_so(room: MailRoom) -> None:
    """First mails of one unknown domain at two hosts: the unique domain row decides, the record names both."""
    first, second = room.record(
        Mail(owner=ANN, owner_reason="distribution", missing=()),
        Mail(
            sender="boss@acme.example",
            message_id="<2@acme.example>",
            text="Also.",
            owner=BOB,
            owner_reason="distribution",
            missing=(),
        ),
    )
    with room.looking() as look:
        assert (look.assignee(first), look.assignee(second)) == (ANN, ANN)
        assert look.details(second, "owner-differs") == {"header": BOB, "in_force": ANN}
        assert "owner-differs" not in look.steps(first)
        assert look.arrival(second).verdict["owner"] == BOB


def test_a_person_who_left_is_not_given_work(room: MailRoom) -> None:
    [entry] = room.record(Mail(owner="gone@own.example", owner_reason="contact", missing=()))
    with room.looking() as look:
        assert look.assignee(entry) is None
        assert look.details(entry, "owner-differs") == {"header": "gone@own.example", "in_force": None}


@pytest.mark.parametrize(
    ("login", "to", "direction"),
    [
        ("", ("sales@own.example",), Direction.INBOUND),
        ("bob", ("buyer@acme.example",), Direction.OUTBOUND),
        ("bob", (ANN,), Direction.INTERNAL),
    ],
)
def test_a_direction_that_was_open_is_decided(
    room: MailRoom, login: str, to: tuple[str, ...], direction: Direction
) -> None:
    """The first mails come before anybody told the milter which domains are ours."""
    [entry] = room.record(
        Mail(
            sender=BOB if login else "buyer@acme.example",
            to=to,
            login=login,
            direction=Direction.INBOUND if direction is not Direction.INTERNAL else Direction.OUTBOUND,
            missing=("direction", *OWNER_FIELDS),
        )
    )
    with room.looking() as look:
        assert look.arrival(entry).direction == direction
        completion = look.arrival(entry).completion
        assert completion is not None
        assert completion["fields"]["direction"] == direction


def test_loads_follow_what_is_reopened(room: MailRoom) -> None:
    [first] = room.record(Mail(owner=ANN, owner_reason="distribution", missing=(), category="other"))
    with room.database.writing() as session:
        session.execute(update(Conversation).values(status="closed"))
        session.execute(update(Person).values(open_conversations=0))
    [again] = room.record(Mail(message_id="<2@acme.example>", references=("<1@acme.example>",), text="One more thing."))
    with room.looking() as look:
        assert look.conversation(first).status == "open"
        assert "reopened" in look.steps(again)
        assert look.load(ANN) == 1
        assert look.arrival(first).arrived_at > START

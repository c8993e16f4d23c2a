# SPDX-License-Identifier: GPL-3.0-or-later
"""Who stands in for whom: rights, arrival and the list say the same; arrival and recording name the same owner."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from customer_plots import person_id, plant, viewer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mailroom import ANN, BOB, EVE, Mail, MailRoom
from record_servers import RecordServer
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm_sync.customers.substitutes import SubstitutesUnseen, fetch_stand_ins
from crm_sync.models.people import Company, Person
from crm_sync.policy_store import fetch_policy
from crm_sync.rights import Viewer, fetch_viewer, root_viewer
from tradepost.directory import AddressFact, DomainFact, decode_fact
from tradepost.ownership import Facts, decide_owner
from tradepost.unknown import UNKNOWN


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


_SETS = st.lists(st.tuples(st.booleans(), st.integers(-1, 4)), min_size=5, max_size=5)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=_SETS)
def test_rights_arrival_and_the_list_agree(room: MailRoom, plan: list[tuple[bool, int]]) -> None:
    with Session(room.database.writer, expire_on_commit=False) as session, session.begin() as transaction:
        people = [Person(email=f"p{number}@own.example", role="rep", languages=[], countries=[]) for number in range(5)]
        session.add_all(people)
        session.flush()
        for person, (is_away, substitute) in zip(people, plan, strict=True):
            person.is_away = is_away
            person.substitute_id = people[substitute].id if substitute >= 0 else None
        session.flush()
        policy = fetch_policy(session).policy
        listed = {one.person: one for one in fetch_stand_ins(session, root_viewer(), room.clock)}
        assert set(listed) == {person.email for person in people if person.is_away}
        viewers = {person.email: fetch_viewer(session, person.id, room.clock) for person in people}
        for person in people:
            known = policy.person(person.email)
            assert known is not None
            does = policy.stand_in(known)
            assert (does.email if does else None) == (listed[person.email].substitute if person.is_away else None)
            for email, one in viewers.items():
                assert one is not None
                is_there = email not in listed
                if is_there or (does is not None and does.email == email):
                    assert (person.id in one.stands_in_for) == (does is not None and does.email == email)
        transaction.rollback()


def test_the_list_names_what_lies_with_nobody_first(room: MailRoom) -> None:
    with room.database.writing() as session:
        back = room.clock + timedelta(days=2)
        session.execute(update(Person).where(Person.email == ANN).values(is_away=True, away_until=back))
        session.execute(
            update(Person).where(Person.email == BOB).values(is_away=True, substitute_id=person_id(session, EVE))
        )
        plant(session, "acme", ANN, conversations=((ANN, "open"),))
    with room.database.reading() as session:
        found = fetch_stand_ins(session, viewer(session, BOB), room.clock)
        assert [(one.person, one.substitute, one.until, one.waiting) for one in found] == [
            (ANN, None, back, 1),
            (BOB, EVE, None, 0),
        ]
        later = fetch_stand_ins(session, viewer(session, BOB), room.clock + timedelta(days=3))
        assert [one.person for one in later] == [BOB], "who was to be back is back"
        with pytest.raises(SubstitutesUnseen, match=r"is not for x@own\.example to see"):
            fetch_stand_ins(session, Viewer(7, "x@own.example"), room.clock)


@pytest.mark.parametrize("state", ["away", "left"])
def test_arrival_and_recording_name_the_same_owner(room: MailRoom, state: str) -> None:
    with room.database.writing() as session:
        plant(session, "acme", ANN)
        bob = person_id(session, BOB)
        values = {"is_away": True, "substitute_id": bob} if state == "away" else {"left_at": room.clock}
        session.execute(update(Person).where(Person.email == ANN).values(**values))
        session.execute(update(Company).values(policy_version=Company.policy_version + 1))
    [entry] = room.record(Mail())
    with closing(room.directory()) as directory:
        known = directory.fetch(["a:buyer@acme.example", "d:acme.example"])
    assert known is not UNKNOWN
    address = decode_fact(known["a:buyer@acme.example"], AddressFact)
    domain = decode_fact(known["d:acme.example"], DomainFact)
    with room.looking() as look:
        policy = fetch_policy(look.session).policy
        pool = policy.pool("sales@own.example")
        assert pool is not None
        said = decide_owner(
            policy, Facts("buyer@acme.example", address=address, domain=domain), ("sales@own.example",), [pool]
        )
        recorded = look.assignee(entry)
        if state == "away":
            assert said.owner == recorded == ANN, "the owner is unchanged; who stands in sees it and gets a copy"
            stand_in = policy.stand_in(policy.people[0])
            assert stand_in is not None
            assert stand_in.email == BOB
        else:
            assert said.owner is None
            assert said.candidates == (BOB,)
            assert recorded == BOB
            assert look.session.scalars(select(Person.open_conversations).where(Person.email == BOB)).one() == 1

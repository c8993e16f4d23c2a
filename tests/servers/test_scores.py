# SPDX-License-Identifier: GPL-3.0-or-later
"""Completeness and grade: weighed from facts with their reasons, kept up to date, told to the directory, a person's first."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mailroom import ANN, EVE, START, Mail, MailRoom, reply
from record_servers import RecordServer
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue, NotAllowed
from crm_sync.choices.chosen import choose_for_customer
from crm_sync.company import apply_company
from crm_sync.company_file import parse_company
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.people import Person, RoleHiddenField
from crm_sync.models.pipeline import ScoreDue
from crm_sync.models.service import DirectoryChange
from crm_sync.pipeline.dealing import move_opportunity
from crm_sync.pipeline.grading import Point
from crm_sync.pipeline.opportunities import OpportunityFilter, list_opportunities
from crm_sync.pipeline.score_chore import ScoreChore
from crm_sync.pipeline.scores import change_scale, fetch_score, list_scored, set_grade, show_scale, weigh_due
from crm_sync.rights import Viewer, fetch_viewer, root_viewer
from tradepost.directory import DomainFact, decode_fact


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


def person(session: Session, email: str) -> Viewer:
    viewer = fetch_viewer(session, session.scalars(select(Person.id).where(Person.email == email)).one())
    assert viewer is not None
    return viewer


def acme(session: Session) -> Customer:
    return session.scalars(select(Customer)).one()


def test_what_is_known_is_weighed_and_what_is_missing_is_named(room: MailRoom) -> None:
    room.record(Mail())
    with room.database.writing() as session:
        public_id = acme(session).public_id
        before = fetch_score(session, root_viewer(), public_id)
        assert before.completeness is not None
        assert {"country", "industry", "volume"} <= set(before.missing)
        assert "domain" not in before.missing
        assert "star" not in before.missing, "it weighs nothing"
        for name, key in (("industry", "lighting"), ("customer-type", "importer"), ("volume", "over-5m")):
            choose_for_customer(session, root_viewer(), public_id, name, [key], START)
        after = fetch_score(session, root_viewer(), public_id)
        assert after.completeness is not None
        assert after.completeness > before.completeness
        assert "industry" not in after.missing
        assert Point("volume", "over-5m", 30) in after.reasons


def test_orders_answers_and_deals_earn_a_grade_that_arrival_learns(room: MailRoom) -> None:
    room.record(Mail(), reply(references=("<1@acme.example>",)))
    for number in range(3):
        room.record(Mail(message_id=f"<o{number}@acme.example>", references=("<1@acme.example>",), category="order"))
    ScoreChore(room.database).step()
    with room.database.writing() as session:
        customer = acme(session)
        assert (customer.grade, customer.grade_by, customer.grade_points) == ("B", "points", 50)
        found = fetch_score(session, root_viewer(), customer.public_id)
        assert [(one.fact, one.value, one.points) for one in found.reasons] == [
            ("orders", "3", 40), ("inquiries", "1", 5), ("replies", "1", 5),
        ]  # fmt: skip
        assert session.scalars(select(ScoreDue)).all() == []
        [deal] = list_opportunities(session, root_viewer(), OpportunityFilter())
        move_opportunity(session, root_viewer(), deal.id, "won", START)
        assert weigh_due(session) > 0
        assert (acme(session).grade, acme(session).grade_points) == ("A", 70)
        said = session.scalars(
            select(DirectoryChange.value).where(DirectoryChange.key == "d:acme.example").order_by(DirectoryChange.seq)
        ).all()[-1]
        assert said is not None
        assert decode_fact(said, DomainFact).grade == "A"
        [line] = list_scored(session, root_viewer())
        assert (line.customer, line.grade, line.points) == (customer.public_id, "A", 70)
        assert list_scored(session, root_viewer(), after=line.customer) == []
        assert weigh_due(session) == 0


def test_a_grade_by_hand_stays_until_it_is_taken_back(room: MailRoom) -> None:
    room.record(Mail(category="order"))
    with room.database.writing() as session:
        public_id = acme(session).public_id
        set_grade(session, root_viewer(), public_id, "A", START)
        weigh_due(session)
        assert (acme(session).grade, acme(session).grade_by) == ("A", "person")
        assert fetch_score(session, root_viewer(), public_id).grade == "A"
        set_grade(session, root_viewer(), public_id, None, START)
        assert (acme(session).grade, acme(session).grade_by) == ("C", "points")
        with pytest.raises(InvalidValue, match="is 1 to 10 letters and digits"):
            set_grade(session, root_viewer(), public_id, "very good", START)


def test_a_company_file_gives_a_persons_grade_and_takes_none_that_points_gave(room: MailRoom) -> None:
    entry = {"name": "Acme", "domains": ["acme.example"], "grade": "A"}
    room.record(Mail())
    with room.database.writing() as session:
        weigh_due(session)
        assert acme(session).grade_by == "points"
        lines = apply_company(session, parse_company({"customer": [entry | {"grade": ""}]}, "file"))
        assert "grade" not in " ".join(lines)
        assert acme(session).grade_by == "points"
        apply_company(session, parse_company({"customer": [entry]}, "file"))
        assert (acme(session).grade, acme(session).grade_by) == ("A", "person")
        assert apply_company(session, parse_company({"customer": [entry]}, "file")) == ()


def test_the_scale_is_data(room: MailRoom) -> None:
    room.record(Mail())
    with room.database.writing() as session:
        root, public_id = root_viewer(), acme(session).public_id
        due = change_scale(
            session, root, START,
            weights={"domain": 0, "contact": 100}, points=[Point("inquiries", "1", 77), Point("orders", "1", 0)],
            bands={"top": 70, "rest": 0},
        )  # fmt: skip
        assert due == 1
        weigh_due(session)
        assert (acme(session).grade, acme(session).grade_points) == ("top", 77)
        scale = show_scale(session, root)
        assert scale.bands == [("top", 70), ("rest", 0)]
        assert Point("orders", "1", 25) not in scale.points
        for wrong in (
            {"weights": {"shoe-size": 5}},
            {"points": [Point("orders", "many", 5)]},
            {"points": [Point("moon", "1", 5)]},
            {"bands": {"a grade": 5}},
        ):
            with pytest.raises(InvalidValue):
                change_scale(session, root, START, **wrong)
        assert fetch_score(session, root, public_id).grade == "top"


def test_whom_grades_are_hidden_from_sees_and_sorts_by_none(room: MailRoom) -> None:
    room.record(Mail())
    with room.database.writing() as session:
        weigh_due(session)
        owner = session.scalars(select(Person.id).where(Person.email == ANN)).one()
        session.execute(update(Scope).values(owner_id=owner, pool_id=None))
        session.add(RoleHiddenField(role="rep", entity="customer", field="grade"))
        session.flush()
        ann, public_id = person(session, ANN), acme(session).public_id
        found = fetch_score(session, ann, public_id)
        assert (found.grade, found.points, found.reasons) == (None, None, ())
        [line] = list_scored(session, ann, by="completeness")
        assert (line.grade, line.points) == (None, None)
        with pytest.raises(NotAllowed, match="does not see grades"):
            list_scored(session, ann)
        with pytest.raises(NotAllowed, match="does not see grades"):
            set_grade(session, ann, public_id, "A", START)
        with pytest.raises(NotAllowed, match="what all records share"):
            change_scale(session, ann, START, weights={"name": 1})
        assert list_scored(session, person(session, EVE))

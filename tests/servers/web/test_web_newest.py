# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest mails by every way they are found: along the ledger, by time, by scope, by category."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import select
from web_company import START, Company

import crm_sync.newest_mails
from crm_sync.models.mail import Arrival
from crm_sync.queries import counts, newest
from crm_sync.rights import Action, Entity, Reach, Viewer, root_viewer
from tradepost.verdict import Direction


@pytest.fixture(params=[0, 20_000], ids=["many", "few"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a rep's letters count as many."""
    monkeypatch.setattr(crm_sync.newest_mails, "MANY", request.param)


def viewer_of(company: Company, name: str, reach: Reach = Reach.OWN) -> Viewer:
    """Return a person as a viewer with that reach."""
    rights = {(Entity.MESSAGE, Action.SEE): reach}
    return Viewer(company.people[name], f"{name}@brightway.example", rights=rights)


def read_by_pages(company: Company, viewer: Viewer, **wanted: str | None) -> list[str]:
    """Return the entry ids of the whole list, read three at a time."""
    return [entry_id for page in _pages(company, viewer, wanted) for entry_id in page]


def _pages(company: Company, viewer: Viewer, wanted: dict[str, str | None]) -> Iterator[list[str]]:
    before = None
    while True:
        with company.database.reading() as session:
            page = [row.entry_id for row in newest(session, viewer, before=before, limit=3, **wanted)]
        if not page:
            return
        yield page
        before = page[-1]


@pytest.mark.usefixtures("way")
def test_every_way_finds_the_same_mails_in_the_same_order(company: Company) -> None:
    made = []
    for number in range(24):
        owner = ("li.na", "zhang.wei", None)[number % 3]
        direction = (Direction.INBOUND, Direction.OUTBOUND)[number % 2]
        category = ("inquiry", "order", "other", "spam")[number % 4]
        acceptance = "refused" if number % 7 == 3 else "pending" if number % 5 == 1 else "confirmed"
        entry_id = company.add_letter(owner=owner, direction=direction, category=category, acceptance=acceptance)
        made.append((entry_id, owner, direction.value, category, acceptance))
    sight: dict[str, tuple[Viewer, set[str | None]]] = {
        "chen": (viewer_of(company, "chen", Reach.ALL), {"li.na", "zhang.wei", None}),
        "li.na": (viewer_of(company, "li.na"), {"li.na", None}),
        "zhang.wei": (viewer_of(company, "zhang.wei"), {"zhang.wei"}),
        "zhao": (viewer_of(company, "zhao"), set()),
    }
    for name, direction_, category_ in product(sight, (None, "inbound", "outbound"), (None, "order", "payment")):
        viewer, owners = sight[name]
        expected = [
            entry_id
            for entry_id, owner, direction, category, acceptance in reversed(made)
            if owner in owners
            and acceptance != "refused"
            and direction_ in (None, direction)
            and category_ in (None, category)
        ]
        found = read_by_pages(company, viewer, direction=direction_, category=category_)
        assert found == expected, (name, direction_, category_)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("reach", [Reach.ALL, Reach.OWN])
def test_a_letter_that_arrived_twice_shows_once(company: Company, reach: Reach) -> None:
    first = company.add_letter(owner="li.na")
    again = company.add_arrival(first)
    viewer = viewer_of(company, "li.na", reach)
    assert read_by_pages(company, viewer) == [first]
    with company.database.writing() as session:
        session.get_one(Arrival, first).acceptance = "refused"
    assert read_by_pages(company, viewer) == [again]


@pytest.mark.usefixtures("way")
def test_letters_of_one_moment_are_not_lost_between_pages(company: Company) -> None:
    with company.stopped_time():
        made = [company.add_letter(owner="li.na") for _ in range(10)]
    assert sorted(read_by_pages(company, viewer_of(company, "li.na"))) == sorted(made)


def test_a_page_may_begin_after_an_envelope_or_nothing(company: Company) -> None:
    letter = company.add_letter(owner="li.na")
    envelope = company.add_envelope()
    viewer = viewer_of(company, "li.na")
    with company.database.reading() as session:
        assert [row.entry_id for row in newest(session, viewer, before=envelope)] == [letter]
        assert newest(session, viewer, before="0" * 26) == ()


def test_counts_are_of_a_time_and_of_what_postfix_accepted(company: Company) -> None:
    for acceptance in ("confirmed", "confirmed", "assumed", "pending", "refused"):
        company.add_letter(owner="li.na", acceptance=acceptance)
    company.add_envelope()
    with company.database.reading() as session:
        assert len(session.execute(select(Arrival.entry_id)).all()) == 6
        whole, late = (counts(session, root_viewer(), since) for since in (START, START + timedelta(minutes=2)))
    assert (whole.recorded, whole.pending) == (4, 1)
    assert (late.recorded, late.pending) == (3, 1)

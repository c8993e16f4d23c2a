# SPDX-License-Identifier: GPL-3.0-or-later
"""The public pool: claims, the limits on them, releases, gifts; what follows a customer and who learns of it."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from customer_plots import Plot, plant, seen_customers, viewer
from mailroom import ANN, BOB, EVE, START, Mail, MailRoom, reply
from record_servers import RecordServer
from sqlalchemy import delete, select, update
from ulid import ULID

from crm_sync.company import apply_company
from crm_sync.company_file import parse_company
from crm_sync.customers.allotting import allot_customers
from crm_sync.customers.claims import ClaimError, Handed, claim_customer, give_customer, release_customer
from crm_sync.customers.hand_over import HandOverError
from crm_sync.customers.pool_customers import PageError, fetch_falling_customers, fetch_pool_customers, reclaim_words
from crm_sync.customers.public_pools import (
    PublicPoolError,
    PublicPoolView,
    ReasonView,
    add_public_pool,
    change_public_pool,
    fetch_public_pools,
    fetch_release_reasons,
    set_release_reason,
)
from crm_sync.customers.reclaim import refresh_reclaim_dates
from crm_sync.database import Database, open_database
from crm_sync.followups.touches import TouchEntry, add_touch
from crm_sync.models.conversations import Activity, Conversation, Event
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.people import Person
from crm_sync.models.public_pool import CustomerTenure
from crm_sync.rights import root_viewer
from tradepost.directory import id_digest
from tradepost.unknown import UNKNOWN


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


def lay(room: MailRoom, name: str, *where: Any, **more: Any) -> Plot:
    with room.database.writing() as session:
        return plant(session, name, *where, **more)


def claim(room: MailRoom, who: str, plot: Plot, database: Database | None = None, **later: float) -> Handed:
    with (database or room.database).writing() as session:
        return claim_customer(session, viewer(session, who), plot.public_id, str(ULID()), START + timedelta(**later))


def release(room: MailRoom, who: str, plot: Plot, reason: str = "price", **later: float) -> Handed:
    with room.database.writing() as session:
        now = START + timedelta(**later)
        return release_customer(session, viewer(session, who), plot.public_id, reason, str(ULID()), now, "too dear")


def give(room: MailRoom, who: str, plot: Plot, to: str) -> Handed:
    with room.database.writing() as session:
        return give_customer(session, viewer(session, who), plot.public_id, to, str(ULID()), START)


def settle(room: MailRoom, pool: str = "sales", **wanted: Any) -> PublicPoolView:
    with room.database.writing() as session:
        return change_public_pool(session, root_viewer(), pool, wanted, str(ULID()), START)


def state(room: MailRoom, plot: Plot) -> dict[str, Any]:
    with room.database.reading() as session:
        emails = {None: None} | dict(session.execute(select(Person.id, Person.email)).all())
        scope = session.get_one(Scope, plot.scope_id)
        wanted = (
            select(Conversation.assignee_id).where(Conversation.id.in_(plot.conversations)).order_by(Conversation.id)
        )
        return {
            "owner": emails[scope.owner_id],
            "pool": scope.pool_id is not None,
            "work": [emails[key] for key in session.scalars(wanted)],
            "loads": {email: load for email, load in session.execute(select(Person.email, Person.open_conversations))},
        }


def test_who_claims_owns_it_and_its_idle_conversations_and_the_milter_knows(room: MailRoom) -> None:
    plot = lay(room, "acme", None, "sales", conversations=((None, "open"), (None, "closed"), (BOB, "open")))
    handed = claim(room, ANN, plot)
    assert (handed.owner, handed.pool, handed.conversations, handed.name) == (ANN, None, 1, "acme")
    found = state(room, plot)
    assert (found["owner"], found["pool"]) == (ANN, False)
    assert found["work"] == [ANN, None, BOB], "what lies closed is nobody's, and Bob goes on with his"
    assert (found["loads"][ANN], found["loads"][BOB]) == (1, 1)
    room.worker.drain()
    with closing(room.directory()) as directory:
        keys = ["a:buyer@acme.example", "d:acme.example", f"t:{id_digest('<acme0@x.example>')}", f"l:{ANN}"]
        known = directory.fetch(keys)
    assert known is not UNKNOWN
    assert [ANN.encode() in known[key] for key in keys[:3]] == [True, True, True]
    with room.database.reading() as session:
        assert seen_customers(session, BOB) == {"acme"}, "as long as he works on one of its conversations"
        [tenure] = session.scalars(select(CustomerTenure))
        assert (tenure.came_by, tenure.since, tenure.until) == ("claimed", START, None)
        [event] = session.scalars(select(Event).where(Event.customer_id == plot.id))
        assert (event.step, event.subject) == ("claimed", f"customer:{plot.id}")


def test_of_many_who_claim_at_once_one_has_it_and_the_others_are_told_who(room: MailRoom) -> None:
    plot = lay(room, "acme", None, "sales", conversations=((None, "open"),))
    started = threading.Barrier(4)

    def try_it(who: str) -> str:
        started.wait(10)
        try:
            return claim(room, who, plot, patient).owner or ""
        except ClaimError as error:
            return str(error)

    with closing(open_database(room.url, busy_ms=30_000)) as patient, ThreadPoolExecutor(4) as threads:
        said = list(threads.map(try_it, (ANN, BOB, ANN, BOB)))
    owner = state(room, plot)["owner"]
    assert owner in (ANN, BOB)
    assert said.count(owner) == 1
    for who, words in zip((ANN, BOB, ANN, BOB), said, strict=True):
        if words != owner and who != owner:
            assert re.fullmatch(rf"customer \w+: {owner} claimed it at 2026-03-02 08:00 UTC", words)
        elif words != owner:
            assert words.endswith(f"is {owner}'s already")
    assert state(room, plot)["loads"][owner] == 1, "counted once"


def test_limits_say_their_number_and_when_it_goes_again(room: MailRoom) -> None:
    plots = [lay(room, f"firm{number}", None, "sales") for number in range(5)]
    settle(room, most_customers=3, claims_per_day=2, cool_down_hours=48, is_default=True)
    claim(room, ANN, plots[0])
    claim(room, ANN, plots[1], hours=1)
    with pytest.raises(ClaimError, match="claimed 2 and may claim 2 in 24 hours, again from 2026-03-03 08:00 UTC on"):
        claim(room, ANN, plots[2], hours=23)
    claim(room, ANN, plots[2], hours=25)
    with pytest.raises(ClaimError, match=r"ann@own\.example has 3 customers and may have 3; release one first"):
        claim(room, ANN, plots[3], hours=60)
    release(room, ANN, plots[0], hours=61)
    with pytest.raises(
        ClaimError,
        match="had it until 2026-03-04 21:00 UTC and may claim it again after 48 hours, from 2026-03-06 21:00 UTC on",
    ):
        claim(room, ANN, plots[0], hours=62)
    claim(room, BOB, plots[0], hours=62)
    release(room, BOB, plots[0], hours=63)
    claim(room, ANN, plots[0], hours=61 + 48)
    settle(room, claims_per_day=0)
    with pytest.raises(ClaimError, match=r"may claim 0 in 24 hours$"):
        claim(room, BOB, plots[4], hours=500)


def test_a_release_gives_its_work_back_and_keeps_why(room: MailRoom) -> None:
    settle(room, is_default=True)
    plot = lay(room, "acme", ANN, conversations=((ANN, "open"), (ANN, "closed"), (BOB, "open")))
    handed = release(room, ANN, plot, days=3)
    assert (handed.owner, handed.pool, handed.conversations) == (None, "sales", 2)
    found = state(room, plot)
    assert (found["owner"], found["pool"], found["work"]) == (None, True, [None, None, BOB])
    assert (found["loads"][ANN], found["loads"][BOB]) == (0, 1)
    with room.database.reading() as session:
        [tenure] = session.scalars(select(CustomerTenure))
        assert (tenure.came_by, tenure.since, tenure.until) == ("before", START, START + timedelta(days=3))
        assert (tenure.ended_by, tenure.reason, tenure.note) == ("released", "price", "too dear")
        page = fetch_pool_customers(session, viewer(session, BOB))
        assert [(row.name, row.reason, row.since) for row in page.rows] == [
            ("acme", "price", START + timedelta(days=3))
        ]


def test_what_can_not_be_released_says_why(room: MailRoom) -> None:
    plot, other = lay(room, "acme", ANN), lay(room, "bolt", BOB)
    with pytest.raises(ClaimError, match="release: there is no public pool; 'tradepost customer pool-settings"):
        release(room, ANN, plot)
    settle(room, is_default=True)
    with pytest.raises(ClaimError, match="reason 'lazy': there is none; there are unreachable, no-need"):
        release(room, ANN, plot, "lazy")
    with pytest.raises(ClaimError, match=f"customer {other.public_id}: there is none that {ANN} may release"):
        release(room, ANN, other)
    release(room, ANN, plot)
    with pytest.raises(ClaimError, match="nobody owns it; it can be claimed"):
        release(room, ANN, plot)
    release(room, EVE, other)
    with pytest.raises(ClaimError, match="at most 2,000 characters"):
        with room.database.writing() as session:
            claim_customer(session, viewer(session, ANN), plot.public_id, str(ULID()), START, "x" * 2001)


def test_a_gift_needs_the_right_to_assign(room: MailRoom) -> None:
    plot = lay(room, "acme", ANN, conversations=((ANN, "open"), (None, "open")))
    with pytest.raises(ClaimError, match=f"there is none that {ANN} may give away"):
        give(room, ANN, plot, BOB)
    with pytest.raises(ClaimError, match=r"'nobody@own\.example': is no registered person"):
        give(room, EVE, plot, "nobody@own.example")
    assert give(room, EVE, plot, BOB).conversations == 2
    with room.database.reading() as session:
        assert [seen_customers(session, who) for who in (ANN, BOB)] == [set(), {"acme"}]
    assert state(room, plot)["work"] == [BOB, BOB]
    with pytest.raises(ClaimError, match=f"is {BOB}'s already"):
        give(room, EVE, plot, BOB)


def test_a_pool_is_given_out_to_several_newest_first(room: MailRoom) -> None:
    with room.database.writing() as session:
        session.execute(update(Person).where(Person.email == BOB).values(countries=["DE"]))
        for number in range(6):
            at, country = START + timedelta(hours=number), ("DE", "MX")[number % 2]
            plant(session, f"firm{number}", None, "sales", at=at, country=country, conversations=((None, "open"),))
        plant(session, "press", None, "sales", kind="supplier", at=START + timedelta(hours=9))
        admin, rep = viewer(session, EVE), viewer(session, ANN)
        with pytest.raises(ClaimError, match=f"nothing lies there that {ANN} may give away"):
            allot_customers(session, rep, "sales", (BOB,), str(ULID()), START)
        with pytest.raises(HandOverError, match=f"{BOB}: is named twice"):
            allot_customers(session, admin, "sales", (BOB, BOB), str(ULID()), START)
        for wrong in ({"by": "colour"}, {"most": 0}, {"note": "x" * 2001}):
            with pytest.raises(ClaimError):
                allot_customers(session, admin, "sales", (BOB,), str(ULID()), START, **wrong)
        given = allot_customers(session, admin, "sales", (BOB, ANN), str(ULID()), START, by="country", most=4)
        assert [(one.taker, one.customers) for one in given] == [(BOB, 2), (ANN, 2)]
        assert seen_customers(session, BOB) == {"firm2", "firm4", "firm0", "firm1", "press"}, (
            "the oldest lie there still"
        )
        loads = dict(session.execute(select(Person.email, Person.open_conversations)).all())
        assert (loads[ANN], loads[BOB]) == (2, 2)


def test_to_strangers_nothing_is_told_from_what_is_not_there(room: MailRoom) -> None:
    hidden = lay(room, "acme", None, "info")  # Bob is no member of that pool
    with pytest.raises(ClaimError) as foreign:
        claim(room, BOB, hidden)
    claim(room, ANN, hidden)
    with pytest.raises(ClaimError) as taken:
        claim(room, BOB, hidden)
    with pytest.raises(ClaimError) as absent:
        claim(room, BOB, Plot(0, "01AAAAAAAAAAAAAAAAAAAAAAAA", 0))
    unnamed = {str(error.value).partition(":")[2] for error in (foreign, taken, absent)}
    assert len(unnamed) == 1
    with pytest.raises(ClaimError, match="say who with --as"):
        with room.database.writing() as session:
            claim_customer(session, root_viewer(), hidden.public_id, str(ULID()), START)
    for text in ("\0", "x" * 100_000, "", "\udcff"):
        with pytest.raises(ClaimError, match="there is none"):
            claim(room, BOB, Plot(0, text, 0))


def test_the_pool_is_paged_newest_first_by_rights(room: MailRoom) -> None:
    with room.database.writing() as session:
        for number in range(7):
            plant(session, f"firm{number}", None, "sales" if number % 2 else "info", at=START + timedelta(hours=number))
        plant(session, "owned", ANN)
    with room.database.reading() as session:
        mine = viewer(session, ANN)
        names, before = [], None
        while True:
            page = fetch_pool_customers(session, mine, before=before, limit=3)
            names += [row.name for row in page.rows]
            if (before := page.next) is None:
                break
        assert names == [f"firm{number}" for number in reversed(range(7))]
        assert (page.count, page.counted) == (7, "7")
        assert [row.name for row in fetch_pool_customers(session, viewer(session, BOB)).rows] == [
            "firm5",
            "firm3",
            "firm1",
        ]
        assert [row.pool for row in fetch_pool_customers(session, mine, pool="info").rows] == ["info"] * 4
        with pytest.raises(PageError, match="is no key of a page"):
            fetch_pool_customers(session, mine, before="yesterday")


def test_a_date_follows_the_last_word_and_the_settings(room: MailRoom) -> None:
    settle(room, is_default=True, idle_days=30, protected_grades=["A"])
    room.record(Mail(owner=ANN, owner_reason="rule", missing=("customer", "contact", "conversation")))
    with room.looking() as look:
        [customer] = look.customers()
        first = customer.reclaim_at
        assert first is not None
        assert abs(first - (room.clock + timedelta(days=30))) < timedelta(minutes=5)
    room.clock += timedelta(hours=2)
    room.record(reply(references=("<1@acme.example>",)))
    with room.looking() as look:
        assert look.customers()[0].reclaim_at == first, "a few hours are not worth a write"
    room.clock += timedelta(days=2)
    room.record(reply(references=("<1@acme.example>",), message_id="<r2@own.example>", text="And once more."))
    with room.looking() as look:
        moved = look.customers()[0].reclaim_at
        assert moved == room.clock + timedelta(days=30)
        [row] = fetch_falling_customers(look.session, viewer(look.session, ANN), room.clock + timedelta(days=28)).rows
        assert (row.days, row.words, row.owner) == (2, "falls into the pool in 2 days", ANN)
        assert not fetch_falling_customers(look.session, viewer(look.session, BOB), room.clock).rows
        assert not fetch_falling_customers(look.session, viewer(look.session, ANN), room.clock, within_days=3).rows
        key = customer.id
    with room.database.writing() as session:
        call = TouchEntry("call", room.clock + timedelta(days=5), "Spoke with the buyer")
        about = f"customer:{session.get_one(Customer, key).public_id}"
        add_touch(session, viewer(session, ANN), about, call, room.clock + timedelta(days=5))
        session.expire_all()
        assert session.get_one(Customer, key).reclaim_at == room.clock + timedelta(days=35)
        assert refresh_reclaim_dates(session) == 0
        session.execute(delete(Activity).where(Activity.kind == "touch"))
        assert refresh_reclaim_dates(session) == 1
        session.execute(update(Customer).values(grade="A"))
        assert refresh_reclaim_dates(session) == 1
        session.expire_all()
        assert session.get_one(Customer, key).reclaim_at is None
        session.execute(update(Customer).values(grade="B"))
        assert refresh_reclaim_dates(session, [key]) == 1
        assert refresh_reclaim_dates(session, [key]) == 0
    settle(room, idle_days=10)
    with room.looking() as look:
        assert look.customers()[0].reclaim_at == room.clock + timedelta(days=10)
    settle(room, idle_days=None)
    with room.looking() as look:
        assert look.customers()[0].reclaim_at is None
    assert [reclaim_words(days) for days in (0, 1)] == ["falls into the pool now", "falls into the pool in 1 day"]


def test_automatic_mail_keeps_no_customer(room: MailRoom) -> None:
    settle(room, is_default=True, idle_days=30)
    room.record(Mail(owner=ANN, owner_reason="rule", missing=("customer", "contact", "conversation")))
    room.clock += timedelta(days=9)
    room.record(
        Mail(is_automatic=True, category="automatic", references=("<1@acme.example>",), message_id="<2@acme.example>")
    )
    with room.looking() as look:
        date = look.customers()[0].reclaim_at
        assert date is not None
        assert date < room.clock + timedelta(days=22)


def test_a_company_file_that_names_another_owner_gives_the_customer_to_him(room: MailRoom) -> None:
    settle(room, is_default=True, idle_days=30)
    plot = lay(room, "acme", ANN, conversations=((ANN, "open"), (BOB, "open")))
    entry = {"name": "Acme", "domains": ["acme.example"], "owner": BOB}
    with room.database.writing() as session:
        apply_company(session, parse_company({"customer": [entry]}, "file"))
    found = state(room, plot)
    assert (found["owner"], found["work"], found["loads"][BOB]) == (BOB, [BOB, BOB], 2)
    with room.database.writing() as session:
        apply_company(session, parse_company({"customer": [entry | {"owner": ""}]}, "file"))
    found = state(room, plot)
    assert (found["owner"], found["pool"], found["work"]) == (None, True, [None, None])
    with room.database.reading() as session:
        wanted = select(CustomerTenure.came_by, CustomerTenure.ended_by).order_by(CustomerTenure.id)
        assert [tuple(row) for row in session.execute(wanted)] == [("before", "given"), ("given", "given")]


def test_settings_are_the_companys_and_are_checked(room: MailRoom) -> None:
    found = settle(room, most_customers=200, idle_days=30, protected_grades=["A", "B"], is_default=True)
    assert (found.most_customers, found.is_default, found.protected_grades, found.version) == (200, True, ("A", "B"), 1)
    assert found.members == (ANN, BOB)
    assert settle(room, most_customers=200).version == 1, "nothing was changed"
    settle(room, "info", is_default=True)
    with room.database.writing() as session:
        add_public_pool(session, root_viewer(), "公海", (ANN, BOB), str(ULID()), START)
        pools = {one.pool: one for one in fetch_public_pools(session, viewer(session, BOB))}
        assert [name for name, one in pools.items() if one.is_default] == ["info"]
        assert pools["公海"].members == (ANN, BOB)
        rep = viewer(session, BOB)
        for refused in (
            lambda: change_public_pool(session, rep, "sales", {"idle_days": 1}, "c", START),
            lambda: add_public_pool(session, rep, "mine", (), "c", START),
            lambda: set_release_reason(session, rep, ReasonView("mine", "Mine", "", True), "c", START),
        ):
            with pytest.raises(PublicPoolError, match=f"not for {BOB} to edit"):
                refused()
        admin = root_viewer()
        for wanted, said in (
            ({"idle_days": -1}, "is not between 0 and 3,650"),
            ({"most_customers": True}, "is not between"),
            ({"colour": 1}, "has no such setting"),
            ({"protected_grades": ["x" * 11]}, "at most 50 grades"),
        ):
            with pytest.raises(PublicPoolError, match=said):
                change_public_pool(session, admin, "sales", wanted, "c", START)
        with pytest.raises(PublicPoolError, match="'nowhere': there is none"):
            change_public_pool(session, admin, "nowhere", {}, "c", START)
        with pytest.raises(PublicPoolError, match="is there already"):
            add_public_pool(session, admin, "sales", (), "c", START)
        with pytest.raises(PublicPoolError, match=r"'x@y\.example' is no registered person"):
            add_public_pool(session, admin, "new", ("x@y.example",), "c", START)
        set_release_reason(session, admin, ReasonView("moved", "Moved away", "搬迁", True), str(ULID()), START)
        set_release_reason(session, admin, ReasonView("price", "Too dear", "价格", False), str(ULID()), START)
        reasons = fetch_release_reasons(session, rep)
        assert reasons[-1] == ReasonView("moved", "Moved away", "搬迁", True)
        assert [one.code for one in reasons if not one.is_active] == ["price"]
        with pytest.raises(PublicPoolError, match="a code is of small letters"):
            set_release_reason(session, admin, ReasonView("Über", "x", "", True), "c", START)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Deals: what mail moves on by itself, opportunities opened from inquiries and by hand, won, lost, and whose they are."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from mailroom import ANN, BOB, EVE, START, Mail, MailRoom, PlainAnalyst, reply
from record_servers import RecordServer
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue, NotAllowed, NotFound, Outdated
from crm_sync.company import apply_rules
from crm_sync.models.conversations import Conversation, Event
from crm_sync.models.customers import Customer, Scope
from crm_sync.models.people import Person, RoleHiddenField
from crm_sync.models.pipeline import Opportunity, ScoreDue, Stage, StageMove
from crm_sync.pipeline.dealing import OpportunityEntry, change_opportunity, move_opportunity, open_opportunity
from crm_sync.pipeline.moving import move_customer
from crm_sync.pipeline.opportunities import (
    OpportunityFilter,
    fetch_opportunity,
    fetch_opportunity_moves,
    list_opportunities,
)
from crm_sync.pipeline.products import (
    ProductEntry,
    fetch_categories,
    fetch_product,
    list_products,
    save_category,
    save_product,
)
from crm_sync.pipeline.stage_rules import apply_stage_rules
from crm_sync.policy_store import fetch_policy
from crm_sync.rights import Viewer, fetch_viewer, root_viewer
from tradepost.analysis import Extract
from tradepost.message import Message as Letter
from tradepost.rules import Condition, Effect, Group, Rule
from tradepost.verdict import Labels


class Reader(PlainAnalyst):
    """Takes goods from header fields."""

    def extract(self, message: Letter, labels: Labels | None = None) -> Extract:
        said: dict[str, Any] = {
            name: message.header(f"X-{name}")
            for name in ("product", "unit", "currency", "incoterm")
            if message.header(f"X-{name}")
        }
        for name in ("quantity", "target_price"):
            if value := message.header(f"X-{name.replace('_', '-')}"):
                said[name] = float(value)
        return replace(super().extract(message, labels), **said)


@pytest.fixture
def room(tmp_path: Path, server: RecordServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailRoom]:
    monkeypatch.setattr("mailroom.PlainAnalyst", Reader)
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


INQUIRY = Mail(
    headers=(
        ("X-product", "LED high bay lamps 200W"), ("X-quantity", "1200"), ("X-unit", "pcs"),
        ("X-target-price", "18.5"), ("X-currency", "USD"), ("X-incoterm", "FOB"),
    )
)  # fmt: skip


def person(session: Session, email: str) -> Viewer:
    viewer = fetch_viewer(session, session.scalars(select(Person.id).where(Person.email == email)).one())
    assert viewer is not None
    return viewer


def give(session: Session, email: str) -> None:
    """Let all customers be somebody's."""
    owner = session.scalars(select(Person.id).where(Person.email == email)).one()
    session.execute(update(Scope).values(owner_id=owner, pool_id=None, team_id=None))


def deals(room: MailRoom) -> list[tuple[str, str]]:
    with room.looking() as look:
        rows = look.session.execute(
            select(Opportunity.title, Stage.key).join(Stage, Stage.id == Opportunity.stage_id).order_by(Opportunity.id)
        )
        return [(title, stage) for title, stage in rows]


def stage_of(room: MailRoom) -> str:
    with room.looking() as look:
        return look.session.scalars(select(Stage.key).join(Customer, Customer.stage_id == Stage.id)).one()


def test_an_inquiry_opens_an_opportunity_with_what_it_says(room: MailRoom) -> None:
    with room.database.writing() as session:
        save_category(session, root_viewer(), "lighting", ProductEntry(name_en="Lighting", words=["lamp"]), START)
        entry = ProductEntry(name_en="High bay light", category="lighting", words=["LED high bay lamp"])
        save_product(session, root_viewer(), "HB-200", entry, START)
    [first] = room.record(INQUIRY)
    with room.database.reading() as session:
        [deal] = list_opportunities(session, root_viewer(), OpportunityFilter())
        assert (deal.title, deal.stage, deal.source, deal.kind) == ("Request", "first-contact", "mail", "open")
        assert (deal.product, deal.category, deal.product_text) == ("HB-200", "lighting", "LED high bay lamps 200W")
        assert (deal.quantity, deal.unit, deal.target_price) == (Decimal(1200), "pcs", Decimal("18.5"))
        assert (deal.currency, deal.incoterm, deal.amount) == ("USD", "FOB", Decimal(22200))
        [move] = fetch_opportunity_moves(session, root_viewer(), deal.id)
        assert (move.before, move.after, move.reason) == ("", "first-contact", "opened from an inquiry")
        events = session.scalars(select(Event).where(Event.cause_id == first, Event.step == "opportunity-opened")).all()
        assert [event.subject.partition(":")[0] for event in events] == ["opportunity"]
        assert session.scalars(select(ScoreDue)).all()
    assert stage_of(room) == "first-contact"


def test_one_open_opportunity_a_conversation_and_a_later_mail_fills_it_in(room: MailRoom) -> None:
    room.record(
        Mail(),
        replace(INQUIRY, message_id="<2@acme.example>", references=("<1@acme.example>",)),
        Mail(message_id="<3@acme.example>", references=("<2@acme.example>",), category="sample"),
    )
    assert deals(room) == [("Request", "sample")]
    with room.database.reading() as session:
        [deal] = list_opportunities(session, root_viewer(), OpportunityFilter())
        assert (deal.quantity, deal.incoterm, deal.product_text) == (Decimal(1200), "FOB", "LED high bay lamps 200W")
        moves = fetch_opportunity_moves(session, root_viewer(), deal.id)
        assert [(move.after, move.rule) for move in moves] == [("sample", "sample-wanted-deal"), ("first-contact", "")]
    room.record(Mail(message_id="<9@acme.example>", subject="Another"))
    assert deals(room) == [("Request", "sample"), ("Another", "first-contact")]


def test_what_is_no_inquiry_opens_nothing(room: MailRoom) -> None:
    room.record(
        Mail(sender="a@one.example", message_id="<a@x>", category="marketing"),
        Mail(sender="b@two.example", message_id="<b@x>", is_automatic=True),
        Mail(sender="c@three.example", message_id="<c@x>", category="complaint"),
        reply(to="new@prospect.example"),
    )
    assert deals(room) == []


def test_the_trade_moves_a_customer_forward_only(room: MailRoom) -> None:
    room.record(Mail())
    assert stage_of(room) == "first-contact"
    quote = reply(references=("<1@acme.example>",), attachment=b"%PDF-1.4")
    with room.database.writing() as session:
        session.execute(update(Stage).values(name_zh="改名"))  # names are for people: nothing hangs on them
    room.record(replace(quote, message_id="<q0@own.example>", subject="Our offer"))
    assert stage_of(room) == "quoting", "offer.pdf was sent"
    room.record(Mail(message_id="<2@acme.example>", references=("<1@acme.example>",), category="order"))
    assert stage_of(room) == "won"
    room.record(Mail(message_id="<3@acme.example>", references=("<1@acme.example>",), category="sample"))
    assert stage_of(room) == "won", "nothing leads back by itself"
    with room.looking() as look:
        moves = look.session.scalars(
            select(StageMove).where(StageMove.opportunity_id.is_(None)).order_by(StageMove.id)
        ).all()
        assert [(move.rule_id, move.person_id) for move in moves] == [
            ("inquiry-received", None), ("quote-sent", None), ("order-received", None),
        ]  # fmt: skip
        assert moves[0].from_id is None


def test_who_sleeps_wakes_and_whom_a_rep_moved_back_goes_on_from_there(room: MailRoom) -> None:
    room.record(Mail())
    with room.database.writing() as session:
        customer = session.scalars(select(Customer)).one()
        move_customer(session, root_viewer(), customer.public_id, "dormant", START)
    room.record(Mail(message_id="<2@acme.example>", references=("<1@acme.example>",)))
    assert stage_of(room) == "first-contact"


def test_a_batch_moves_as_its_mails_do_one_by_one(room: MailRoom) -> None:
    mails = [
        Mail(sender=f"buyer@firm{number}.example", message_id=f"<{number}.{step}@x.example>", category=category)
        for step, category in enumerate(("inquiry", "sample", "order"))
        for number in range(5)
    ]
    room.record(*mails)
    with room.looking() as look:
        stages = look.session.scalars(select(Stage.key).join(Customer, Customer.stage_id == Stage.id)).all()
        assert stages == ["won"] * 5
        assert look.count(Opportunity) == 15
        ways = look.session.scalars(
            select(StageMove).where(StageMove.opportunity_id.is_(None)).order_by(StageMove.customer_id, StageMove.id)
        ).all()
        assert [move.rule_id for move in ways] == ["inquiry-received", "sample-wanted", "order-received"] * 5


def test_after_a_deal_only_an_inquiry_begins_another(room: MailRoom) -> None:
    room.record(Mail())
    with room.database.writing() as session:
        [deal] = list_opportunities(session, root_viewer(), OpportunityFilter())
        move_opportunity(session, root_viewer(), deal.id, "won", START)
    room.record(Mail(message_id="<2@acme.example>", references=("<1@acme.example>",), category="order"))
    assert deals(room) == [("Request", "won")]
    room.record(Mail(message_id="<3@acme.example>", references=("<1@acme.example>",), subject="Re: More"))
    assert deals(room) == [("Request", "won"), ("More", "first-contact")]


def test_hostile_numbers_and_long_words_lose_no_mail(room: MailRoom) -> None:
    fields = (
        ("X-product", "x" * 900),
        ("X-quantity", "1e300"),
        ("X-unit", "u" * 90),
        ("X-target-price", "inf"),
        ("X-incoterm", "FOBFOB"),
    )
    room.record(Mail(headers=fields, subject="s" * 900))
    with room.database.reading() as session:
        [deal] = list_opportunities(session, root_viewer(), OpportunityFilter())
        assert (deal.quantity, deal.target_price, deal.unit, deal.incoterm) == (None, None, "", "FOB")
        assert (len(deal.product_text), len(deal.title)) == (300, 300)


def test_conversations_that_become_one_keep_their_deals(room: MailRoom) -> None:
    room.record(Mail(message_id="<1@acme.example>"), Mail(message_id="<2@acme.example>", subject="Other"))
    room.record(
        Mail(message_id="<3@acme.example>", references=("<1@acme.example>", "<2@acme.example>"), category="support")
    )
    with room.looking() as look:
        [kept] = look.session.scalars(select(Conversation.id).where(Conversation.merged_into.is_(None)))
        assert set(look.session.scalars(select(Opportunity.conversation_id))) == {kept}
        assert look.count(Opportunity) == 2


def test_by_hand_an_opportunity_is_opened_filled_won_and_lost_with_a_reason(room: MailRoom) -> None:
    room.record(Mail(category="support"))
    with room.database.writing() as session:
        give(session, ANN)
        ann, customer = person(session, ANN), session.scalars(select(Customer)).one()
        conversation = session.scalars(select(Conversation.public_id)).one()
        deal = open_opportunity(
            session, ann, customer.public_id,
            OpportunityEntry(title="Tender", amount="50000", currency="usd", expected_on="2026-12-01"),
            START, conversation=conversation,
        )  # fmt: skip
        assert (deal.title, deal.amount, deal.currency, deal.owner) == ("Tender", Decimal(50000), "USD", ANN)
        assert (deal.conversation, deal.customer) == (conversation, customer.public_id)
        changed = change_opportunity(session, ann, deal.id, OpportunityEntry(incoterm="cif", quantity="7.5"), START)
        assert (changed.incoterm, changed.quantity, changed.version) == ("CIF", Decimal("7.5"), deal.version + 1)
        with pytest.raises(Outdated, match="somebody changed it meanwhile"):
            change_opportunity(session, ann, deal.id, OpportunityEntry(title="x"), START, version=deal.version)
        with pytest.raises(InvalidValue, match="say why it was lost"):
            move_opportunity(session, ann, deal.id, "lost", START)
        with pytest.raises(NotFound, match="lost-reason 'bad luck': there is none; there are price"):
            move_opportunity(session, ann, deal.id, "lost", START, lost_reason="bad luck")
        lost = move_opportunity(session, ann, deal.id, "lost", START, lost_reason="price", note="8 % too dear")
        assert (lost.kind, lost.lost_reason, lost.lost_note, lost.closed_at) == ("lost", "price", "8 % too dear", START)
        again = move_opportunity(session, ann, deal.id, "negotiating", START)
        assert (again.lost_reason, again.lost_note, again.closed_at) == ("", "", None)
        assert move_opportunity(session, ann, deal.id, "won", START).closed_at == START
        moves = fetch_opportunity_moves(session, ann, deal.id)
        assert [(move.after, move.reason) for move in moves] == [
            ("won", ""), ("negotiating", ""), ("lost", "price 8 % too dear"), ("first-contact", "opened by hand"),
        ]  # fmt: skip


_REFUSED = [
    (OpportunityEntry(amount="1e99"), "amount '1e99': is a number from 0 to"),
    (OpportunityEntry(amount="NaN"), "amount 'NaN': is a number"),
    (OpportunityEntry(quantity="-1"), "quantity '-1': is a number"),
    (OpportunityEntry(currency="dollars"), "is a code of ISO 4217"),
    (OpportunityEntry(incoterm="F0B!"), "has three letters"),
    (OpportunityEntry(expected_on="tomorrow"), "is written as 2026-12-31"),
    (OpportunityEntry(title="x" * 301), "at most 300"),
    (OpportunityEntry(product="nothing"), "product 'nothing': there is none"),
]


def test_what_can_not_be_is_refused_in_one_line(room: MailRoom) -> None:
    room.record(Mail())
    with room.database.writing() as session:
        [deal] = list_opportunities(session, root_viewer(), OpportunityFilter())
        for entry, said in _REFUSED:
            with pytest.raises((InvalidValue, NotFound), match=said) as refused:
                change_opportunity(session, root_viewer(), deal.id, entry, START)
            assert "\n" not in str(refused.value)


def test_a_hand_over_takes_deals_along_and_a_stranger_sees_none(room: MailRoom) -> None:
    room.record(INQUIRY)
    with room.database.writing() as session:
        give(session, ANN)
        ann, bob = person(session, ANN), person(session, BOB)
        [deal] = list_opportunities(session, ann, OpportunityFilter())
        assert list_opportunities(session, bob, OpportunityFilter()) == []
        with pytest.raises(NotFound):
            fetch_opportunity(session, bob, deal.id)
        with pytest.raises(NotFound):
            move_opportunity(session, bob, deal.id, "won", START)
        give(session, BOB)
        assert [one.id for one in list_opportunities(session, bob, OpportunityFilter(owner=BOB))] == [deal.id]
        assert list_opportunities(session, ann, OpportunityFilter()) == []


def test_hidden_amounts_and_floors_are_hidden_and_can_not_be_set(room: MailRoom) -> None:
    room.record(INQUIRY)
    with room.database.writing() as session:
        give(session, ANN)
        eve = person(session, EVE)
        entry = ProductEntry(name_en="Lamp", price="20", price_floor="16.55", currency="USD")
        assert save_product(session, eve, "L1", entry, START).price_floor == Decimal("16.55")
        for entity, field in (("company", "price_floor"), ("opportunity", "amount"), ("opportunity", "target_price")):
            for role in ("rep", "administrator"):
                session.add(RoleHiddenField(role=role, entity=entity, field=field))
        session.flush()
        ann, eve = person(session, ANN), person(session, EVE)
        assert [product.price_floor for product in list_products(session, ann)] == [None]
        assert fetch_product(session, ann, "L1").price == Decimal(20)
        [deal] = list_opportunities(session, ann, OpportunityFilter())
        assert (deal.amount, deal.target_price, deal.quantity) == (None, None, Decimal(1200))
        with pytest.raises(NotAllowed, match="does not see the price floor"):
            save_product(session, eve, "L1", ProductEntry(price_floor="1"), START)
        with pytest.raises(NotAllowed, match="does not see that field"):
            change_opportunity(session, ann, deal.id, OpportunityEntry(amount="1"), START)
        said = str(session.execute(select(Event.details).where(Event.step == "product-saved")).all())
        assert "16.55" not in said


def test_the_tree_of_products(room: MailRoom) -> None:
    with room.database.writing() as session:
        root = root_viewer()
        save_category(session, root, "tools", ProductEntry(name_en="Tools", name_zh="工具"), START)
        save_category(session, root, "drills", ProductEntry(category="tools", words=["drill", "电钻"]), START)
        save_product(session, root, "D-10", ProductEntry(category="drills", words=["impact drill"]), START)
        save_product(session, root, "X-1", ProductEntry(name_en="Other"), START)
        assert [one.path for one in fetch_categories(session, root)] == [("tools",), ("tools", "drills")]
        assert [one.code for one in list_products(session, root, category="tools")] == ["D-10"]
        assert [one.code for one in list_products(session, root, after="D-10")] == ["X-1"]
        with pytest.raises(InvalidValue, match="stands for another product or category already"):
            save_product(session, root, "X-1", ProductEntry(words=["Drills"]), START)
        with pytest.raises(InvalidValue, match="would stand in itself"):
            save_category(session, root, "tools", ProductEntry(category="drills"), START)
        session.rollback()


def test_random_deals_keep_their_history_whole(room: MailRoom) -> None:
    random, stages = Random(11), ("first-contact", "intent", "quoting", "sample", "negotiating", "won", "lost")
    for number in range(12):
        category = random.choice(("inquiry", "sample", "order", "support"))
        before = random.randrange(number) if number else 0
        room.record(
            Mail(message_id=f"<{number}@acme.example>", references=(f"<{before}@acme.example>",), category=category)
        )
        with room.database.writing() as session:
            for deal in list_opportunities(session, root_viewer(), OpportunityFilter()):
                to = random.choice(stages)
                reason = "price" if to == "lost" else None
                now = START + timedelta(days=number)
                move_opportunity(session, root_viewer(), deal.id, to, now, lost_reason=reason)
    with room.looking() as look:
        found = look.session.execute(select(Opportunity, Stage).join(Stage, Stage.id == Opportunity.stage_id)).all()
        assert found
        for row, stage in found:
            wanted = select(StageMove).where(StageMove.opportunity_id == row.id).order_by(StageMove.id)
            moves = look.session.scalars(wanted).all()
            assert moves[0].from_id is None
            assert all(later.from_id == earlier.to_id for earlier, later in pairwise(moves))
            assert moves[-1].to_id == row.stage_id
            assert (row.closed_at is None) is (stage.kind == "open")
            assert (row.lost_reason_id is not None) is (stage.kind == "lost")


def test_rules_about_products_reach_arrival_and_stages(room: MailRoom) -> None:
    with room.database.writing() as session:
        root = root_viewer()
        save_category(session, root, "lighting", ProductEntry(name_en="Lighting"), START)
        save_product(session, root, "HB-200", ProductEntry(category="lighting", words=["high bay"]), START)
        assert fetch_policy(session).policy.products == (), "nobody asks: arrival need not know"
        rule = Rule(
            "lights",
            "Lights",
            Group("all", (Condition("product_category", "is", "lighting"),)),
            (Effect("assign", ANN),),
        )
        apply_rules(session, (rule,))
        policy = fetch_policy(session).policy
        assert policy.products_named("High bay, please", "") == (("HB-200",), ("lighting",))
        when = {"all": [{"field": "product", "op": "is", "value": "HB-200"}]}
        then = [{"action": "set_stage", "value": "customer/negotiating"}]
        apply_stage_rules(session, root, {"rule": [{"id": "bay", "when": when, "then": then}]}, START)
    room.record(Mail(subject="High bays"))
    assert stage_of(room) == "negotiating"

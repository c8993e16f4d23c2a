# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages, opportunities, products, scores, and lists to choose from."""

from decimal import Decimal

from rights_case import Case, changes, lists, manages, reads
from rights_world import Planted, World
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.admission import find_customer, require_company
from crm_sync.choices.chosen import choose_for_contact, choose_for_customer, fetch_chosen
from crm_sync.choices.lists import add_choice, add_list, change_choice, fetch_choices, fetch_lists
from crm_sync.models.customers import Customer
from crm_sync.models.pipeline import Opportunity, Pipeline, Product, Stage, StageMove
from crm_sync.pipeline.dealing import OpportunityEntry, change_opportunity, move_opportunity, open_opportunity
from crm_sync.pipeline.grading import Point
from crm_sync.pipeline.moving import count_standing, fetch_customer_moves, list_customers_in, move_customer
from crm_sync.pipeline.opportunities import (
    OpportunityFilter,
    fetch_opportunity,
    fetch_opportunity_moves,
    find_opportunity,
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
from crm_sync.pipeline.scores import change_scale, fetch_score, list_scored, set_grade, show_scale
from crm_sync.pipeline.stage_rules import apply_stage_rules, fetch_stage_rules, switch_stage_rule
from crm_sync.pipeline.stages import add_pipeline, add_stage, change_stage, fetch_pipelines, retire_stage
from crm_sync.rights import Action, Entity


def plant(session: Session, world: World) -> None:
    """Let every customer stand in a stage and have an opportunity; let a product have a price that is hidden."""
    stages = dict(
        session.execute(
            select(Pipeline.key, Stage.id)
            .join(Stage, Stage.pipeline_id == Pipeline.id)
            .where(Stage.key == "quoting", Pipeline.key.in_(("customer", "opportunity")))
        ).all()
    )
    session.execute(
        update(Customer).values(
            stage_id=stages["customer"], stage_at=world.now, grade_by="person", grade_points=7, completeness=40
        )
    )
    floor = world.hide(Entity.COMPANY, "price_floor", "4711.9137")
    session.add(Product(id=world.key(), code="W-1", name_en="Wrench", price_floor=Decimal(floor), version=1))
    for number, record in enumerate(world.planted.values()):
        secret = world.secret(record, Entity.OPPORTUNITY, "deal")
        deal = Opportunity(
            id=world.key(),
            public_id=str(ULID()),
            customer_id=record.customer_id,
            scope_id=record.scope_id,
            conversation_id=record.conversation_id,
            stage_id=stages["opportunity"],
            stage_at=world.now,
            title=secret,
            product_text=secret,
            created_at=world.now,
            version=1,
            **{
                name: Decimal(world.hide(Entity.OPPORTUNITY, name, f"{start + number}.7351"))
                for name, start in (("amount", 8_130_000), ("quantity", 8_240_000), ("target_price", 8_350_000))
            },
        )
        session.add(deal)
        session.flush()
        record.more["deal"] = deal.public_id
        for deal_id, entity in ((None, Entity.CUSTOMER), (deal.id, Entity.OPPORTUNITY)):
            subject = "customer" if deal_id is None else "opportunity"
            session.add(
                StageMove(
                    id=world.key(),
                    customer_id=record.customer_id,
                    opportunity_id=deal_id,
                    to_id=stages[subject],
                    at=world.now,
                    reason=world.secret(record, entity, "move"),
                    cause_id=str(ULID()),
                )
            )
    world.missing.more["deal"] = str(ULID())


def _may_open(world: World, name: str, record: Planted) -> bool:
    return world.may(name, Entity.CUSTOMER, Action.SEE, record) and world.may(
        name, Entity.OPPORTUNITY, Action.EDIT, record
    )


def _deal(record: Planted) -> str:
    return str(record.more["deal"])


_RULES = {
    "rule": [
        {
            "id": "new",
            "when": {"all": []},
            "then": [{"action": "set_stage", "value": "customer/quoting"}],
        }
    ]
}
_DEAL = Entity.OPPORTUNITY
_CHOICES, _PIPELINE = "crm_sync.choices", "crm_sync.pipeline"
CASES: dict[str, Case] = {
    "crm_sync.admission.find_customer": reads(lambda s, v, w, r: find_customer(s, v, r.public_id).name),
    "crm_sync.admission.require_company": lists(
        lambda s, v, w: require_company(v, Action.SEE), Entity.COMPANY, is_plain=True
    ),
    f"{_CHOICES}.lists.fetch_lists": lists(lambda s, v, w: fetch_lists(s, v), Entity.COMPANY, is_plain=True),
    f"{_CHOICES}.lists.fetch_choices": lists(lambda s, v, w: fetch_choices(s, v, "tag"), Entity.COMPANY, is_plain=True),
    f"{_CHOICES}.lists.add_list": manages(lambda s, v, w: add_list(s, v, "port", "customer", "Port", "", w.now)),
    f"{_CHOICES}.lists.add_choice": manages(lambda s, v, w: add_choice(s, v, "tag", "new", "New", "", w.now)),
    f"{_CHOICES}.lists.change_choice": manages(
        lambda s, v, w: change_choice(s, v, "tag", "oem", w.now, name_en="Own brand")
    ),
    f"{_CHOICES}.chosen.fetch_chosen": reads(lambda s, v, w, r: fetch_chosen(s, v, r.public_id), is_plain=True),
    f"{_CHOICES}.chosen.choose_for_customer": changes(
        lambda s, v, w, r: choose_for_customer(s, v, r.public_id, "tag", ["oem"], w.now)
    ),
    f"{_CHOICES}.chosen.choose_for_contact": changes(
        lambda s, v, w, r: choose_for_contact(s, v, r.public_id, r.contact_id, "job-level", ["owner"], w.now)
    ),
    f"{_PIPELINE}.stages.fetch_pipelines": lists(lambda s, v, w: fetch_pipelines(s, v), Entity.COMPANY, is_plain=True),
    f"{_PIPELINE}.stages.add_pipeline": manages(lambda s, v, w: add_pipeline(s, v, "more", "More", "", w.now)),
    f"{_PIPELINE}.stages.add_stage": manages(lambda s, v, w: add_stage(s, v, "customer", "x", "X", "", w.now)),
    f"{_PIPELINE}.stages.change_stage": manages(
        lambda s, v, w: change_stage(s, v, "customer", "quoting", w.now, name_en="Offer")
    ),
    f"{_PIPELINE}.stages.retire_stage": manages(
        lambda s, v, w: retire_stage(s, v, "customer", "quoting", "sample", w.now)
    ),
    f"{_PIPELINE}.stage_rules.fetch_stage_rules": lists(
        lambda s, v, w: fetch_stage_rules(s, v), Entity.COMPANY, is_plain=True
    ),
    f"{_PIPELINE}.stage_rules.apply_stage_rules": manages(lambda s, v, w: apply_stage_rules(s, v, _RULES, w.now)),
    f"{_PIPELINE}.stage_rules.switch_stage_rule": manages(
        lambda s, v, w: switch_stage_rule(s, v, "quote-sent", w.now, is_enabled=False)
    ),
    f"{_PIPELINE}.moving.move_customer": changes(
        lambda s, v, w, r: move_customer(s, v, r.public_id, "won", w.now, reason="at last")
    ),
    f"{_PIPELINE}.moving.fetch_customer_moves": reads(lambda s, v, w, r: fetch_customer_moves(s, v, r.public_id)),
    f"{_PIPELINE}.moving.count_standing": lists(
        lambda s, v, w: [count_standing(s, v), count_standing(s, v, "opportunity")], is_plain=True
    ),
    f"{_PIPELINE}.moving.list_customers_in": lists(lambda s, v, w: list_customers_in(s, v, "quoting")),
    f"{_PIPELINE}.opportunities.find_opportunity": reads(
        lambda s, v, w, r: find_opportunity(s, v, _deal(r)).title, _DEAL
    ),
    f"{_PIPELINE}.opportunities.fetch_opportunity": reads(lambda s, v, w, r: fetch_opportunity(s, v, _deal(r)), _DEAL),
    f"{_PIPELINE}.opportunities.fetch_opportunity_moves": reads(
        lambda s, v, w, r: fetch_opportunity_moves(s, v, _deal(r)), _DEAL
    ),
    f"{_PIPELINE}.opportunities.list_opportunities": lists(
        lambda s, v, w: [
            list_opportunities(s, v, OpportunityFilter()),
            list_opportunities(s, v, OpportunityFilter(stage="quoting", owner=w.email("ann"))),
        ],
        _DEAL,
    ),
    f"{_PIPELINE}.dealing.open_opportunity": changes(
        lambda s, v, w, r: open_opportunity(s, v, r.public_id, OpportunityEntry(title="new"), w.now),
        Entity.CUSTOMER,
        Action.EDIT,
        allowed=_may_open,
    ),
    f"{_PIPELINE}.dealing.change_opportunity": changes(
        lambda s, v, w, r: change_opportunity(s, v, _deal(r), OpportunityEntry(title="new"), w.now), _DEAL
    ),
    f"{_PIPELINE}.dealing.move_opportunity": changes(
        lambda s, v, w, r: move_opportunity(s, v, _deal(r), "lost", w.now, lost_reason="price"), _DEAL
    ),
    f"{_PIPELINE}.products.fetch_categories": lists(
        lambda s, v, w: fetch_categories(s, v), Entity.COMPANY, is_plain=True
    ),
    f"{_PIPELINE}.products.save_category": manages(
        lambda s, v, w: save_category(s, v, "new", ProductEntry(name_en="New"), w.now)
    ),
    f"{_PIPELINE}.products.list_products": lists(lambda s, v, w: list_products(s, v), Entity.COMPANY, is_plain=True),
    f"{_PIPELINE}.products.fetch_product": lists(
        lambda s, v, w: fetch_product(s, v, "W-1"), Entity.COMPANY, is_plain=True
    ),
    f"{_PIPELINE}.products.save_product": manages(
        lambda s, v, w: save_product(s, v, "W-1", ProductEntry(price="12"), w.now)
    ),
    f"{_PIPELINE}.scores.fetch_score": reads(lambda s, v, w, r: fetch_score(s, v, r.public_id)),
    f"{_PIPELINE}.scores.list_scored": lists(lambda s, v, w: [list_scored(s, v, by="completeness"), list_scored(s, v)]),
    f"{_PIPELINE}.scores.set_grade": changes(lambda s, v, w, r: set_grade(s, v, r.public_id, "B", w.now)),
    f"{_PIPELINE}.scores.show_scale": lists(lambda s, v, w: show_scale(s, v), Entity.COMPANY, is_plain=True),
    f"{_PIPELINE}.scores.change_scale": manages(
        lambda s, v, w: change_scale(s, v, w.now, weights={"name": 3}, points=[Point("orders", "9", 9)])
    ),
}

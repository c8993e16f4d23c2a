# SPDX-License-Identifier: GPL-3.0-or-later
"""One letter as the pipeline looks at it: is it business, what can rules ask of it, what deal does it speak of.  Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from crm_sync.letters import Letter
from crm_sync.pipeline.amounts import amount_of, product_of
from crm_sync.pipeline.snapshot import PipelineSnapshot, ProductState
from tradepost.rules import Value
from tradepost.subjects import subject_proper
from tradepost.verdict import Direction

if TYPE_CHECKING:
    from crm_sync.customers.party_states import CustomerState

_IDLE: Final = ("marketing", "spam", "automatic")
# An inbound mail of these begins a deal.
_OPENING: Final = ("inquiry", "sample", "order")
_NOTHING: Final = ProductState(None, None)


@dataclass(frozen=True, slots=True)
class Details:
    """What a letter says of a deal, as columns of an opportunity."""

    title: str
    product_id: int | None
    category_id: int | None
    product_text: str
    quantity: Decimal | None
    unit: str
    target_price: Decimal | None
    currency: str | None
    incoterm: str
    incoterm_place: str
    amount: Decimal | None


def is_business(letter: Letter) -> bool:
    """Was it written by a human being, across the company's border, and not to sell us something?"""
    labels = letter.labels
    is_across = letter.arrival.verdict.direction is not Direction.INTERNAL
    return is_across and not labels.is_automatic and labels.category not in _IDLE


def may_open(letter: Letter) -> bool:
    """Does such a letter begin a deal?"""
    return letter.arrival.verdict.direction is Direction.INBOUND and letter.labels.category in _OPENING


def facts_of(letter: Letter, customer: "CustomerState", pipeline: PipelineSnapshot) -> dict[str, Value]:
    """Return what stage rules may ask: the fields of arrival's rules, as they are in force now."""
    message, labels, verdict = letter.message, letter.labels, letter.arrival.verdict
    assert message is not None
    facts: dict[str, Value] = {
        "subject": message.subject,
        "text": message.text,
        "from_address": message.from_.address,
        "from_domain": message.from_.address.rpartition("@")[2],
        "recipient": letter.arrival.envelope.recipients,
        "language": labels.language or "",
        "country": labels.country or "",
        "category": labels.category or "",
        "priority": labels.priority.value if labels.priority else "",
        "size": letter.arrival.raw_bytes,
        "attachment_name": tuple(kept.part.filename for kept in letter.attachments),
        "is_automatic": labels.is_automatic,
        "customer_grade": customer.grade or "",
        "customer_kind": customer.kind,
        "direction": verdict.direction.value,
        "owner": verdict.owner or "",
        "pool": verdict.pools,
    }
    if pipeline.rules.ask_for_products:
        facts["product"], facts["product_category"] = pipeline.named(message.subject, message.text)
    if pipeline.rules.ask_for_headers:
        for name, value in message.fields:
            before = facts.get(key := f"header:{name.lower()}", ())
            assert isinstance(before, tuple)
            facts[key] = (*before, value)
    return facts


def details_of(letter: Letter, pipeline: PipelineSnapshot) -> Details:
    """Return what the letter says of a deal, cut to what a row can hold."""
    message, extract = letter.message, letter.extract
    assert message is not None
    assert extract is not None
    goods = _NOTHING
    for text in (extract.product or "", message.subject, extract.new_text):
        if (meaning := pipeline.words.find(text)) is not None:
            goods = pipeline.goods[meaning]
            break
    quantity, price = amount_of(extract.quantity), amount_of(extract.target_price)
    return Details(
        title=subject_proper(message.subject)[:300],
        product_id=goods.product_id,
        category_id=goods.category_id,
        product_text=(extract.product or "")[:300],
        quantity=quantity,
        unit=(extract.unit or goods.unit)[:20] if quantity is not None else "",
        target_price=price,
        currency=(extract.currency or "")[:3] or None,
        incoterm=(extract.incoterm or "")[:3],
        incoterm_place=(extract.incoterm_place or "")[:100],
        amount=product_of(quantity, price),
    )

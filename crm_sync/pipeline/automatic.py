# SPDX-License-Identifier: GPL-3.0-or-later
"""What recorded mail does by itself: it moves customers and their opportunities on, and opens an opportunity for an inquiry.

It is decided once a batch, when all its rows are written: whatever is asked is asked once for all its letters.  Customers
and opportunities are locked in the order of their keys, after the conversations and before the people
(`crm_sync.batch_locks`), and only those that are to be changed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select, update
from ulid import ULID

from crm_sync.bulk_rows import insert_rows
from crm_sync.key_lists import among_keys
from crm_sync.letters import Letter
from crm_sync.models.base import table
from crm_sync.models.conversations import Event
from crm_sync.models.customers import Customer
from crm_sync.models.pipeline import Opportunity, ScoreDue, StageMove
from crm_sync.pipeline.inquiries import Details, details_of, facts_of, is_business, may_open
from crm_sync.pipeline.snapshot import PipelineSnapshot

if TYPE_CHECKING:
    from crm_sync.batch import Batch
    from crm_sync.customers.party_states import CustomerState
    from crm_sync.lookups import ConversationState

CUSTOMER_KINDS: Final = ("customer", "lead")
_FIRST_MAIL: Final = "first mail"
_STAGES = select(Customer.id, Customer.stage_id).where(among_keys(Customer.id))
_LOCKED = _STAGES.order_by(Customer.id).with_for_update(key_share=True)
_FILLABLE: Final = tuple(field for field in Details.__slots__ if field not in ("title", "amount"))
_DEALS = (
    select(
        Opportunity.id,
        Opportunity.conversation_id,
        Opportunity.stage_id,
        Opportunity.stage_at,
        Opportunity.closed_at,
        *(getattr(Opportunity, name) for name in _FILLABLE),
    )
    .where(among_keys(Opportunity.conversation_id))
    .order_by(Opportunity.id)
    .with_for_update(key_share=True)
)
_CUSTOMER, _OPPORTUNITY = table(Customer), table(Opportunity)
_MOVE_CUSTOMER = (
    update(_CUSTOMER)
    .where(_CUSTOMER.c.id == bindparam("key"))
    .values(stage_id=bindparam("stage"), stage_at=bindparam("since"))
)
_CHANGE_DEAL = (
    update(_OPPORTUNITY)
    .where(_OPPORTUNITY.c.id == bindparam("key"))
    .values(
        {"stage_id": bindparam("stage"), "stage_at": bindparam("since"), "version": _OPPORTUNITY.c.version + 1}
        | {name: bindparam(f"new_{name}") for name in _FILLABLE}
    )
)


@dataclass(slots=True)
class _Deal:
    """An opportunity while the batch works on it.  `said` are what is known of it, by column."""

    id: int
    stage_id: int
    stage_at: datetime
    is_open: bool
    said: dict[str, Any] = field(default_factory=dict)
    is_changed: bool = False
    row: dict[str, Any] | None = None  # of one that is opened now


@dataclass(frozen=True, slots=True)
class _Wish:
    """What one letter wants."""

    letter: Letter
    message_id: int
    conversation: "ConversationState"
    customer: "CustomerState"
    of_customer: tuple[str, int] | None  # rule, stage
    of_deal: tuple[str, int] | None
    opens: bool

    @property
    def cause(self) -> str:
        """The entry id."""
        return self.letter.arrival.entry_id


@dataclass(slots=True)
class _Rows:
    """What is to be written."""

    deals: list[dict[str, Any]] = field(default_factory=list)
    moves: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)


def move_on(batch: "Batch", letters: Sequence[Letter]) -> None:
    """Let these new letters move on whom they are from or to.  Every row of the batch is written already."""
    wishes = list(_wishes(batch, letters))
    if not wishes:
        return
    rows = _Rows()
    _move_customers(batch, wishes, rows)
    _move_deals(batch, wishes, rows)
    connection = batch.session.connection()
    insert_rows(connection, _OPPORTUNITY, rows.deals)
    insert_rows(connection, table(StageMove), rows.moves)
    insert_rows(connection, table(Event), rows.events)
    due = sorted({wish.customer.id for wish in wishes})
    insert_rows(connection, table(ScoreDue), [{"customer_id": key} for key in due])


def _wishes(batch: "Batch", letters: Sequence[Letter]) -> Iterable[_Wish]:
    pipeline, found = batch.view.pipeline, batch.found
    for letter in letters:
        message = found.messages[letter.content_key]
        conversation = found.conversations[message.conversation_id]
        customer = found.customers.get(conversation.customer_id or 0)
        if customer is None or customer.kind not in CUSTOMER_KINDS or not is_business(letter):
            continue
        matched = pipeline.rules.evaluate(facts_of(letter, customer, pipeline)).matched
        yield _Wish(
            letter,
            message.id,
            conversation,
            customer,
            pipeline.wanted(matched, "customer"),
            pipeline.wanted(matched, "opportunity"),
            may_open(letter) and "opportunity" in pipeline.first,
        )


def _move_customers(batch: "Batch", wishes: Sequence[_Wish], rows: _Rows) -> None:
    """Look first without locks: most letters move nobody."""
    pipeline, connection = batch.view.pipeline, batch.session.connection()
    known = dict(connection.execute(_STAGES, {"keys": list({wish.customer.id for wish in wishes})}).all())
    movers = {wish.customer.id for wish in wishes if _step(pipeline, known[wish.customer.id], wish)}
    if not movers:
        return
    # With them those that the batch writes anyway: of two who lock the same, neither waits for the other.
    written = {one.id for one in batch.found.customers.values() if one.is_changed}
    stages = dict(connection.execute(_LOCKED, {"keys": list(movers | written)}).all())
    since: dict[int, datetime] = {}
    for wish in wishes:
        key = wish.customer.id
        if key not in movers or (step := _step(pipeline, stages[key], wish)) is None:
            continue
        rule, stage = step
        _note(batch, rows, wish, None, stages[key], stage, rule, "" if rule else _FIRST_MAIL)
        stages[key], since[key] = stage, wish.letter.arrival.arrived_at
    changed = [{"key": key, "stage": stages[key], "since": since[key]} for key in sorted(since)]
    if changed:
        connection.execute(_MOVE_CUSTOMER, changed)


def _step(pipeline: PipelineSnapshot, at: int | None, wish: _Wish) -> tuple[str | None, int] | None:
    """Return (rule, stage) that a customer standing there goes to; None: he stays."""
    if wish.of_customer is not None and pipeline.is_forward(at, wish.of_customer[1]):
        return wish.of_customer
    first = pipeline.first.get("customer")
    return (None, first) if at is None and first is not None else None


def _move_deals(batch: "Batch", wishes: Sequence[_Wish], rows: _Rows) -> None:
    wishes = [wish for wish in wishes if wish.opens or wish.of_deal is not None]
    if not wishes:
        return
    connection, deals = batch.session.connection(), dict[int, list[_Deal]]()
    for row in connection.execute(_DEALS, {"keys": list({wish.conversation.id for wish in wishes})}):
        said = {name: getattr(row, name) for name in _FILLABLE}
        deals.setdefault(row.conversation_id, []).append(
            _Deal(row.id, row.stage_id, row.stage_at, row.closed_at is None, said)
        )
    for wish in wishes:
        of_conversation = deals.setdefault(wish.conversation.id, [])
        deal = next((one for one in of_conversation if one.is_open), None)
        if deal is None:
            # After a deal was won or lost, only a new inquiry begins another: an order is most likely the one it was about.
            if wish.opens and (not of_conversation or wish.letter.labels.category == "inquiry"):
                of_conversation.append(_open(batch, wish, rows))
        else:
            _bring_on(batch, wish, deal, rows)
    changed = [one for several in deals.values() for one in several if one.is_changed]
    for deal in changed:
        if deal.row is not None:
            deal.row |= {"stage_id": deal.stage_id, "stage_at": deal.stage_at, **deal.said}
    old = sorted((deal for deal in changed if deal.row is None), key=lambda deal: deal.id)
    if old:
        connection.execute(_CHANGE_DEAL, [_deal_fields(deal) for deal in old])


def _open(batch: "Batch", wish: _Wish, rows: _Rows) -> _Deal:
    """Open an opportunity: in the first stage, or where the letter leads at once."""
    pipeline = batch.view.pipeline
    first, rule = pipeline.first["opportunity"], None
    if wish.of_deal is not None and pipeline.is_forward(first, wish.of_deal[1]):
        rule, first = wish.of_deal
    at = wish.letter.arrival.arrived_at
    details = details_of(wish.letter, pipeline)
    said = {name: getattr(details, name) for name in _FILLABLE}
    key = batch.keys.take(Opportunity)
    row = {
        "id": key,
        "public_id": str(ULID()),
        "customer_id": wish.customer.id,
        "scope_id": wish.customer.scope_id,
        "conversation_id": wish.conversation.id,
        "message_id": wish.message_id,
        "stage_id": first,
        "stage_at": at,
        "title": details.title,
        "amount": details.amount,
        "lost_note": "",
        "source": "mail",
        "created_at": at,
        "version": 1,
        **said,
    }
    rows.deals.append(row)
    _note(batch, rows, wish, key, None, first, rule, "opened from an inquiry")
    return _Deal(key, first, at, True, said, row=row)


def _bring_on(batch: "Batch", wish: _Wish, deal: _Deal, rows: _Rows) -> None:
    """Move an open deal forward, and fill in what this letter says and none before it did."""
    if wish.of_deal is not None and batch.view.pipeline.is_forward(deal.stage_id, wish.of_deal[1]):
        rule, stage = wish.of_deal
        _note(batch, rows, wish, deal.id, deal.stage_id, stage, rule, "")
        deal.stage_id, deal.stage_at, deal.is_changed = stage, wish.letter.arrival.arrived_at, True
    if wish.opens:
        details = details_of(wish.letter, batch.view.pipeline)
        for name in _FILLABLE:
            value = getattr(details, name)
            if value and not deal.said[name]:
                deal.said[name], deal.is_changed = value, True


def _deal_fields(deal: _Deal) -> dict[str, Any]:
    said = {f"new_{name}": value for name, value in deal.said.items()}
    return {"key": deal.id, "stage": deal.stage_id, "since": deal.stage_at, **said}


def _note(
    batch: "Batch",
    rows: _Rows,
    wish: _Wish,
    deal_id: int | None,
    before: int | None,
    after: int,
    rule: str | None,
    reason: str,
) -> None:
    stages = batch.view.pipeline.stages
    at = wish.letter.arrival.arrived_at
    move = {"customer_id": wish.customer.id, "opportunity_id": deal_id, "from_id": before, "to_id": after, "at": at}
    rows.moves.append({**move, "rule_id": rule, "reason": reason, "cause_id": wish.cause})
    is_new = deal_id is not None and before is None
    rows.events.append(
        {
            "cause_id": wish.cause,
            "step": "opportunity-opened" if is_new else "stage-moved",
            "subject": f"customer:{wish.customer.id}" if deal_id is None else f"opportunity:{deal_id}",
            "at": batch.now,
            "conversation_id": wish.conversation.id,
            "customer_id": wish.customer.id,
            "details": {
                "from": stages[before].key if before is not None and before in stages else None,
                "to": stages[after].key,
                "rule": rule,
                "reason": reason,
            },
        }
    )

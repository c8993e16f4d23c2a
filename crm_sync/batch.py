# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of one recording transaction: what is known, what will be written, what the directory must learn."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from crm_sync.completion import Desk
from crm_sync.conversations.binding import OPEN
from crm_sync.conversations.likeness import Opened, suggest_alike
from crm_sync.conversations.shares import share_with_assignees
from crm_sync.customers.party_states import ContactState, CustomerState
from crm_sync.customers.reclaim import move_dates_on
from crm_sync.customers.sides import Side
from crm_sync.directory_rows import DirtyKeys, changed_customers, changed_threads
from crm_sync.duplicates.changed_records import mark_changed
from crm_sync.letters import Letter
from crm_sync.lookups import ConversationState, Lookups
from crm_sync.missing_rows import MissingRows
from crm_sync.models.base import Base, table
from crm_sync.models.conversations import Conversation, ConversationParticipant, Event
from crm_sync.models.customers import Contact, Customer
from crm_sync.models.people import Person, Pool
from crm_sync.new_keys import NewKeys
from crm_sync.pipeline.automatic import move_on
from crm_sync.policy_store import PolicyView
from crm_sync.row_buffer import RowBuffer

_CONVERSATION = table(Conversation)
_PERSON, _POOL = table(Person), table(Pool)
_COUNT_LOAD = (
    update(_PERSON)
    .where(_PERSON.c.id == bindparam("key"))
    .values(open_conversations=_PERSON.c.open_conversations + bindparam("change"))
)
_COUNT_TURNS = update(_POOL).where(_POOL.c.id == bindparam("key")).values(turn=_POOL.c.turn + bindparam("change"))
# What recording changes of a conversation.
_CHANGEABLE = (
    "scope_id",
    "customer_id",
    "assignee_id",
    "status",
    "last_in_at",
    "last_out_at",
    "unanswered_since",
    "snoozed_until",
)
_UPDATE_CONVERSATION = (
    update(_CONVERSATION)
    .where(_CONVERSATION.c.id == bindparam("key"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGEABLE} | {"version": _CONVERSATION.c.version + 1})
)

_CUSTOMER, _CONTACT = table(Customer), table(Contact)
_FILLED_OF_CUSTOMER = ("name", "name_key", "kind", "kind_reason", "website", "address", "phone", "origins")
_FILLED_OF_CONTACT = ("customer_id", "name", "name_key", "title", "origins")
_UPDATE_CUSTOMER = (
    update(_CUSTOMER)
    .where(_CUSTOMER.c.id == bindparam("key"))
    .values({name: bindparam(f"new_{name}") for name in _FILLED_OF_CUSTOMER} | {"version": _CUSTOMER.c.version + 1})
)
_UPDATE_CONTACT = (
    update(_CONTACT)
    .where(_CONTACT.c.id == bindparam("key"))
    .values({name: bindparam(f"new_{name}") for name in _FILLED_OF_CONTACT} | {"version": _CONTACT.c.version + 1})
)
_PARTICIPANT = table(ConversationParticipant)
_UPDATE_PARTICIPANT = (
    update(_PARTICIPANT)
    .where(
        _PARTICIPANT.c.conversation_id == bindparam("conversation"),
        _PARTICIPANT.c.address_key == bindparam("address"),
    )
    .values(is_named_only=False)
)


@dataclass(slots=True)
class Batch:
    """One transaction.  `finish` writes what was collected; nothing is asked of it after that."""

    session: Session
    view: PolicyView
    found: Lookups
    now: datetime
    keys: NewKeys
    sides: Mapping[str, Side] = field(default_factory=dict)  # by entry id
    rows: RowBuffer = field(default_factory=RowBuffer)
    missing: MissingRows = field(default_factory=MissingRows)
    retold: set[int] = field(default_factory=set)  # customers whose kind or name changed: the directory must know
    dirty: DirtyKeys = field(default_factory=DirtyKeys)
    spread: set[int] = field(default_factory=set)  # conversations of which every id must be told anew
    shared: set[int] = field(default_factory=set)  # conversations whose assignee may need a share, or need it no more
    acting: set[tuple[int, str]] = field(default_factory=set)  # (conversation, who was only named there before)
    business: list[Letter] = field(default_factory=list)  # new letters that may move a deal on
    alike: dict[int, Opened] = field(default_factory=dict)  # conversations opened, by key
    # Conversations that were opened and not written yet, by key: what happens to them until then changes their row.
    _opened: dict[int, dict[str, Any]] = field(default_factory=dict)
    _loads: dict[int, int] | None = None
    _load_changes: Counter[int] = field(default_factory=Counter)
    _turns: Counter[str] = field(default_factory=Counter)
    _turns_before: dict[str, int] = field(default_factory=dict)

    def insert(self, model: type[Base], **row: Any) -> int:
        """Remember one row and return the key it will have."""
        key = self.keys.take(model)
        added = self.rows.add(model, id=key, **row)
        if model is Conversation:
            self._opened[key] = added
        return key

    def flush(self) -> None:
        """Write the rows remembered so far.  Call it before a statement that asks for them or changes them."""
        for key, row in self._opened.items():
            if (state := self.found.conversations[key]).is_changed:
                row |= _fields(state)
                state.is_changed = False
        self._opened.clear()
        self.rows.flush(self.session.connection())

    def note(self, cause: str, step: str, conversation: ConversationState | None, **details: Any) -> None:
        """Remember an event.  Its cause, the entry id, leads to arrival and message."""
        self.rows.add(
            Event,
            cause_id=cause,
            step=step,
            at=self.now,
            conversation_id=conversation.id if conversation else None,
            person_id=None,
            details=details,
        )

    def desk(self) -> Desk:
        """Return the people as completion needs them."""
        return Desk(self.view.policy, self.view.emails, self._load_of, self._next_turn)

    def _load_of(self, email: str) -> int:
        if self._loads is None:
            rows = self.session.execute(select(Person.id, Person.open_conversations))
            self._loads = dict(rows.all())
        person = self.view.person_ids[email]
        return self._loads[person] + self._load_changes[person]

    def _next_turn(self, pool: str) -> int:
        if pool not in self._turns_before:
            wanted = select(Pool.turn).where(Pool.id == self.view.pool_ids[pool])
            self._turns_before[pool] = self.session.scalars(wanted).one()
        self._turns[pool] += 1
        return self._turns_before[pool] + self._turns[pool]

    def recount(self, before: int | None, after: int | None) -> None:
        """An open conversation went from one person's count to another's; None is nobody's."""
        if before != after:
            if before is not None:
                self._load_changes[before] -= 1
            if after is not None:
                self._load_changes[after] += 1

    def finish(self) -> None:
        """Write everything collected, the directory's changes last: their values are read from what stands then."""
        self.flush()
        self.missing.write(self.session.connection())
        if self.business:
            move_on(self, self.business)
        self._write_parties()
        self._write_conversations()
        if self.acting:
            self._write_acting()
        if self.alike:
            suggest_alike(self.session, self.alike, self.now)
        if self.shared:
            share_with_assignees(self.session, self.shared, self.now)
        if self.spread:
            self.dirty.threads |= changed_threads(self.session, self.spread)
        self.dirty.index_customers(self.session)
        changes = self.dirty.read(self.session)
        # Of people and pools there are few and every batch changes some: they are held no longer than must be.
        self._write_reclaim_dates()
        self._write_counters()
        self.dirty.write(self.session, changes)

    def _write_conversations(self) -> None:
        changed = [
            {"key": state.id} | {f"new_{name}": value for name, value in _fields(state).items()}
            for state in self.found.conversations.values()
            if state.is_changed
        ]
        if changed:
            self.session.connection().execute(_UPDATE_CONVERSATION, changed)

    def _write_parties(self) -> None:
        """Write what letters filled in.  Sorted, so that two workers lock the same rows in the same order."""
        connection = self.session.connection()
        customers = sorted((one for one in self.found.customers.values() if one.is_changed), key=lambda one: one.id)
        contacts = {one.id: one for one in self.found.contacts.values() if one.is_changed}
        if customers:
            connection.execute(_UPDATE_CUSTOMER, [_customer_fields(one) for one in customers])
        if contacts:
            connection.execute(_UPDATE_CONTACT, [_contact_fields(contacts[key]) for key in sorted(contacts)])
        if customers or contacts:
            mark_changed(self.session, customers=[one.id for one in customers], contacts=sorted(contacts))
            self.dirty.customers.update(one.id for one in customers)
            self.dirty.customers.update(one.customer_id for one in contacts.values() if one.customer_id is not None)
        if self.retold:
            changed_customers(self.session, self.dirty, sorted(self.retold))

    def _write_reclaim_dates(self) -> None:
        """Whoever wrote or was written to falls into the public pool later.  Most mails change nothing by it."""
        words: dict[int, datetime] = {}
        for state in self.found.conversations.values():
            times = [at for at in (state.last_in_at, state.last_out_at) if at is not None]
            if state.customer_id is not None and times:
                words[state.customer_id] = max(*times, words.get(state.customer_id, times[0]))
        known = [customer for key in words if (customer := self.found.customers.get(key)) is not None]
        move_dates_on(self.session.connection(), known, words)

    def _write_acting(self) -> None:
        rows = [{"conversation": conversation, "address": address} for conversation, address in sorted(self.acting)]
        self.session.connection().execute(_UPDATE_PARTICIPANT, rows)

    def _write_counters(self) -> None:
        connection = self.session.connection()
        loads = [{"key": person, "change": change} for person, change in sorted(self._load_changes.items()) if change]
        if loads:
            self.dirty.people.update(load["key"] for load in loads)
            connection.execute(_COUNT_LOAD, loads)
        turns = sorted((self.view.pool_ids[pool], turns) for pool, turns in self._turns.items())
        if turns:
            connection.execute(_COUNT_TURNS, [{"key": pool, "change": change} for pool, change in turns])


def counted_for(state: ConversationState) -> int | None:
    """Return whose open conversations this one counts among."""
    return state.assignee_id if state.status == OPEN else None


def _fields(state: ConversationState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in _CHANGEABLE}


def _customer_fields(state: CustomerState) -> dict[str, Any]:
    fields = {f"new_{name}": getattr(state, name) for name in _FILLED_OF_CUSTOMER if name != "name_key"}
    return {"key": state.id, "new_name_key": state.name.casefold()[:300]} | fields


def _contact_fields(state: ContactState) -> dict[str, Any]:
    return {"key": state.id} | {f"new_{name}": getattr(state, name) for name in _FILLED_OF_CONTACT}

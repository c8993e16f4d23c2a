# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the records against the truth.

*Wrong*: a customer record stands for the party that most of its mails are of; each mail on it that is not that party's is wrong.  So
is each mail of a supplier, forwarder, bank, platform, newsletter or advertiser on a record called lead or customer.  A recorded
conversation stands for the thread that most of its mails are of; each other mail in it is wrong.

*Missed*: of each core of a party (see `truth`) one record is the right one, that which holds most of it; a customer's mail anywhere
else, or on no record, is missed, and so is one on a record that is called a supplier or the like.  Of each core of a thread one
recorded conversation is the right one, a mail anywhere else is missed.  One record for all mails, or one for each, gains nothing.

A mail counts once.  *Not knowable*: nothing in it told; counted apart when it is not where it belongs.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from bench.simulation.office import number_of
from bench.simulation.truth import ANY, Truth
from bench.simulation.world import Kind
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Customer
from crm_sync.models.mail import Arrival, Message

First = TypeVar("First", bound=Hashable)
Second = TypeVar("Second", bound=Hashable)

BUYERS = (Kind.CUSTOMER, Kind.AGENT)
_OUTWEIGHS = 10**9  # more than there are mails
SALES_KINDS = frozenset({"lead", "customer", "agent"})


@dataclass(slots=True)
class Row:
    """Figures of one situation."""

    mails: int = 0
    wrong_customer: int = 0
    wrong_thread: int = 0
    missed_customer: int = 0
    missed_thread: int = 0
    not_knowable: int = 0


@dataclass(slots=True)
class Judgement:
    """Figures of all mails, and a few examples of each failure: (what, situation) -> mail numbers."""

    mails: int = 0
    lost: int = 0
    wrong: int = 0
    missed: int = 0
    not_knowable: int = 0
    by_situation: dict[str, Row] = field(default_factory=lambda: defaultdict(Row))
    examples: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    told: dict[int, str] = field(default_factory=dict)  # of the examples: what was decided, what is true


@dataclass(frozen=True, slots=True)
class Found:
    """What the records say, by number of mail: 0 is none."""

    customers: dict[int, int]
    conversations: dict[int, int]
    kinds: dict[int, str]
    names: dict[int, str]

    def decided(self, number: int) -> str:
        """Say in one line where a mail hangs."""
        record = self.customers.get(number, 0)
        customer = f"customer {record} {self.names[record]!r} ({self.kinds[record]})" if record else "no customer"
        return f"{customer}, conversation {self.conversations.get(number)}"


def read_records(session: Session) -> Found:
    """Read where every mail hangs."""
    rows = session.execute(select(Customer.id, Customer.merged_into, Customer.kind, Customer.name)).all()
    merged = {row.id: row.merged_into for row in rows if row.merged_into}

    def live(key: int | None) -> int:
        while key in merged:
            key = merged[key]
        return key or 0

    found = Found({}, {}, {row.id: row.kind for row in rows}, {row.id: row.name for row in rows})
    wanted = (
        select(Arrival.entry_id, Message.conversation_id, Conversation.customer_id)
        .join(Message, Message.id == Arrival.message_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .execution_options(yield_per=5000)
    )
    for entry_id, conversation, customer in session.execute(wanted):
        number = number_of(entry_id)
        found.conversations[number] = conversation
        found.customers[number] = live(customer)
    return found


def judge(truth: Truth, found: Found) -> Judgement:
    """Count."""
    result = Judgement(mails=truth.mails)
    linked = [number for number, record in found.customers.items() if record]
    owner = _owners(truth, found, linked)
    thread_of = _majority((found.conversations[n], truth.threads[n]) for n in found.conversations)
    home = _majority(
        (core, found.customers[n]) for n in linked for core in truth.cores[n] if owner[found.customers[n]] == core[0]
    )
    place = _majority(
        (truth.core(n), found.conversations[n])
        for n in found.conversations
        if thread_of[found.conversations[n]] == truth.threads[n]
    )
    for n in range(truth.mails):
        rows = [result.by_situation[name] for name in truth.situations[n]]
        for row in rows:
            row.mails += 1
        if n not in found.conversations:
            result.lost += 1
            result.missed += 1
            continue
        faults = [_customer_fault(truth, found, owner, home, n), _thread_fault(truth, found, thread_of, place, n)]
        faults = [fault for fault in faults if fault]
        if not faults:
            continue
        if n in truth.unknowable:
            result.not_knowable += 1
            for row in rows:
                row.not_knowable += 1
            continue
        is_wrong = any(fault.startswith("wrong") for fault in faults)
        result.wrong += is_wrong
        result.missed += not is_wrong
        for fault in faults:
            for row in rows:
                setattr(row, fault, getattr(row, fault) + 1)
            for name in truth.situations[n]:
                if len(result.examples[fault, name]) < 3:
                    result.examples[fault, name].append(n)
    for numbers in result.examples.values():
        for n in numbers:
            result.told[n] = _tell(truth, found, owner, home, place, n)
    return result


def _owners(truth: Truth, found: Found, linked: Iterable[int]) -> dict[int, int]:
    """Return whose each record is.

    A mail speaks for each party it may hang on; where an agent and his buyer stand alike, it is the first of them.
    """
    counts: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for n in linked:
        for party in {party for party, _ in truth.cores[n]}:
            counts[found.customers[n]][party] += _OUTWEIGHS
        counts[found.customers[n]][truth.cores[n][0][0]] += 1
    return {record: max(counter.items(), key=lambda item: item[1])[0] for record, counter in counts.items()}


def _tell(
    truth: Truth,
    found: Found,
    owner: dict[int, int],
    home: dict[tuple[int, int], int],
    place: dict[int, int],
    n: int,
) -> str:
    whose = truth.name(owner[found.customers[n]]) if found.customers[n] else "nobody"
    right = ", ".join(f"{truth.name(party)} -> record {home.get((party, core))}" for party, core in truth.cores[n])
    return (
        f"decided: {found.decided(n)}, which is {whose}'s; true: {right}; "
        f"thread {truth.threads[n]}, mostly in conversation {place.get(truth.core(n))}"
    )


def _customer_fault(truth: Truth, found: Found, owner: dict[int, int], home: dict[tuple[int, int], int], n: int) -> str:
    record, cores = found.customers[n], truth.cores[n]
    is_buyer = any(truth.kind(party) in BUYERS for party, _ in cores)
    if not record:
        return "missed_customer" if is_buyer and n not in truth.needs_no_party else ""
    if owner[record] not in {party for party, _ in cores}:
        return "wrong_customer"
    is_sales = found.kinds[record] in SALES_KINDS
    if not is_buyer:
        return "wrong_customer" if is_sales else ""
    if n in truth.needs_no_party:
        return ""
    candidates = [
        (party, one) for party, core in cores for one in (range(truth.core_count[party]) if core == ANY else (core,))
    ]
    is_home = any(home.get(core) == record for core in candidates)
    return "" if is_home and is_sales else "missed_customer"


def _thread_fault(truth: Truth, found: Found, thread_of: dict[int, int], place: dict[int, int], n: int) -> str:
    conversation = found.conversations[n]
    if thread_of[conversation] != truth.threads[n]:
        return "wrong_thread"
    return "" if place[truth.core(n)] == conversation else "missed_thread"


def _majority(pairs: Iterable[tuple[First, Second]]) -> dict[First, Second]:
    """Return for each first the second that comes with it most often."""
    counts: defaultdict[First, Counter[Second]] = defaultdict(Counter)
    for first, second in pairs:
        counts[first][second] += 1
    return {first: max(counter.items(), key=lambda item: item[1])[0] for first, counter in counts.items()}

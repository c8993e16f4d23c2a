# SPDX-License-Identifier: GPL-3.0-or-later
"""Find likely duplicates: of what changed, a few at a time; of everything, page by page.  Never all with all."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from crm_sync.advisory_locks import DUPLICATES, hold_for_transaction, try_for_transaction
from crm_sync.bulk_rows import insert_rows
from crm_sync.database import Database
from crm_sync.duplicates.block_keys import ContactFacts, CustomerFacts, Key, contact_keys, customer_keys
from crm_sync.duplicates.changed_records import CONTACT, CUSTOMER
from crm_sync.duplicates.facts import customers_of, fetch_contact_facts, fetch_customer_facts
from crm_sync.duplicates.key_rows import find_shared, keep_keys
from crm_sync.duplicates.scoring import LIKELY, score_contacts, score_customers
from crm_sync.key_lists import among_keys
from crm_sync.models.base import table
from crm_sync.models.customers import Contact, Customer
from crm_sync.models.duplicates import ChangedRecord, LikelyDuplicate

OPEN, DECLINED = "open", "declined"
_PAGE = 500  # of a full run, in one transaction

_CHANGED, _PAIRS = table(ChangedRecord), table(LikelyDuplicate)
_OLDEST = select(ChangedRecord.id, ChangedRecord.record, ChangedRecord.record_id).order_by(ChangedRecord.id)
_TAKE = delete(_CHANGED).where(among_keys(ChangedRecord.id))
_KNOWN = select(
    LikelyDuplicate.id,
    LikelyDuplicate.first_id,
    LikelyDuplicate.second_id,
    LikelyDuplicate.state,
    LikelyDuplicate.score,
    LikelyDuplicate.reasons,
).where(LikelyDuplicate.record == bindparam("record"))
_KNOWN_FIRST = _KNOWN.where(among_keys(LikelyDuplicate.first_id))
_KNOWN_SECOND = _KNOWN.where(among_keys(LikelyDuplicate.second_id))
_FORGET = delete(_PAIRS).where(among_keys(LikelyDuplicate.id))
_CHANGE = (
    update(_PAIRS)
    .where(_PAIRS.c.id == bindparam("key"))
    .values(score=bindparam("new_score"), reasons=bindparam("new_reasons", type_=_PAIRS.c.reasons.type))
)


@dataclass(slots=True)
class Found:
    """What a run did."""

    records: int = 0  # looked at
    pairs: int = 0  # likely duplicates among them that nobody declined
    new: int = 0  # of those, not known before
    skipped: int = 0  # keys that too many records have

    def add(self, other: "Found") -> None:
        """Count another part of the run."""
        self.records += other.records
        self.pairs += other.pairs
        self.new += other.new
        self.skipped += other.skipped


def find_changed(session: Session, now: datetime, limit: int, *, waits: bool = False) -> Found:
    """Look at records that changed, oldest change first, at most `limit` changes.

    While somebody else looks, nothing is done, or `waits` for its turn.
    """
    connection = session.connection()
    found = Found()
    if waits:
        hold_for_transaction(connection, DUPLICATES)
    elif not try_for_transaction(connection, DUPLICATES):
        return found
    taken = connection.execute(_OLDEST.limit(limit)).all()
    if not taken:
        return found
    connection.execute(_TAKE, {"keys": [row.id for row in taken]})
    contacts = {row.record_id for row in taken if row.record == CONTACT}
    customers = {row.record_id for row in taken if row.record == CUSTOMER} | customers_of(session, contacts)
    for record, keys in ((CUSTOMER, customers), (CONTACT, contacts)):
        if keys:
            index_records(session, record, keys)
            found.add(pair_records(session, record, keys, now))
    return found


def find_waiting(database: Database, now: Callable[[], datetime], progress: Callable[[int, int], None]) -> Found:
    """Look at everything that changed and was not looked at yet; `progress` is told (done, of how many)."""
    with database.reading() as session:
        total = session.scalar(select(func.count()).select_from(ChangedRecord)) or 0
    found = Found()
    while True:
        with database.writing() as session:
            part = find_changed(session, now(), _PAGE, waits=True)
        if not part.records:
            return found
        found.add(part)
        progress(min(found.records, total), total)


def find_all(database: Database, now: Callable[[], datetime], progress: Callable[[int, int], None]) -> Found:
    """Look at every record, page by page, each in a transaction; `progress` is told (done, of how many).

    First all keys, then what has them in common: then a key is common or telling whichever page comes first.
    """
    models: Mapping[str, type[Customer | Contact]] = {CUSTOMER: Customer, CONTACT: Contact}
    with database.reading() as session:
        total = 2 * sum(session.scalar(select(func.count()).select_from(one)) or 0 for one in models.values())
    found, done = Found(), 0
    for record, model in models.items():
        for step in ("index", "pair"):
            for keys in _pages(database, model):
                with database.writing() as session:
                    hold_for_transaction(session.connection(), DUPLICATES)
                    if step == "index":
                        index_records(session, record, keys)
                    else:
                        found.add(pair_records(session, record, keys, now()))
                done += len(keys)
                progress(done, total)
    return found


def _pages(database: Database, model: type[Customer | Contact]) -> Iterator[list[int]]:
    last = 0
    while True:
        with database.reading() as session:
            keys = list(session.scalars(select(model.id).where(model.id > last).order_by(model.id).limit(_PAGE)))
        if not keys:
            return
        last = keys[-1]
        yield keys


def index_records(session: Session, record: str, records: Collection[int]) -> None:
    """Make the keys of these records right.  Those that were merged, or are gone, have none."""
    wanted: dict[int, Collection[Key]] = dict.fromkeys(records, frozenset())
    if record == CUSTOMER:
        wanted |= {key: customer_keys(facts) for key, facts in fetch_customer_facts(session, records).items()}
    else:
        wanted |= {key: contact_keys(facts) for key, facts in fetch_contact_facts(session, records).items()}
    keep_keys(session, record, wanted)


def pair_records(session: Session, record: str, records: Collection[int], now: datetime) -> Found:
    """Make right what is said of these records and those they have keys in common with."""
    shared = find_shared(session, record, records)
    scored = _scored(session, record, shared.pairs)
    known = _known(session, record, records)
    connection = session.connection()
    gone = [row.id for pair, row in known.items() if row.state == OPEN and pair not in scored]
    if gone:
        connection.execute(_FORGET, {"keys": gone})
    changed = [
        {"key": row.id, "new_score": scored[pair][0], "new_reasons": scored[pair][1]}
        for pair, row in known.items()
        if pair in scored and row.state == OPEN and (row.score, row.reasons) != scored[pair]
    ]
    if changed:
        connection.execute(_CHANGE, changed)
    new = [
        {
            "record": record,
            "first_id": first,
            "second_id": second,
            "score": score,
            "reasons": reasons,
            "state": OPEN,
            "found_at": now,
        }
        for (first, second), (score, reasons) in sorted(scored.items())
        if (first, second) not in known
    ]
    insert_rows(connection, _PAIRS, new)
    declined = sum(1 for pair, row in known.items() if row.state == DECLINED and pair in scored)
    return Found(len(records), len(scored) - declined, len(new), shared.skipped)


def _scored(
    session: Session, record: str, pairs: Mapping[tuple[int, int], Collection[Key]]
) -> dict[tuple[int, int], tuple[int, list[str]]]:
    concerned = {key for pair in pairs for key in pair}
    if not concerned:
        return {}
    scored: dict[tuple[int, int], tuple[int, list[str]]] = {}
    if record == CUSTOMER:
        customers: Mapping[int, CustomerFacts] = fetch_customer_facts(session, concerned)
        for (one, other), keys in pairs.items():
            if one in customers and other in customers:
                scored[one, other] = score_customers(customers[one], customers[other], keys)
    else:
        contacts: Mapping[int, ContactFacts] = fetch_contact_facts(session, concerned)
        for (one, other), keys in pairs.items():
            if one in contacts and other in contacts:
                scored[one, other] = score_contacts(contacts[one], contacts[other], keys)
    return {pair: said for pair, said in scored.items() if said[0] >= LIKELY}


def _known(session: Session, record: str, records: Collection[int]) -> dict[tuple[int, int], Any]:
    connection, wanted = session.connection(), {"record": record, "keys": list(records)}
    rows = [*connection.execute(_KNOWN_FIRST, wanted), *connection.execute(_KNOWN_SECOND, wanted)]
    return {(row.first_id, row.second_id): row for row in rows}

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the directory must learn of a change: derived keys, their values read from SQL in the changing transaction."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVarTuple, cast

import psycopg
from sqlalchemy import Connection, Row, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from crm_sync.advisory_locks import DIRECTORY_CHANGES, hold_for_transaction
from crm_sync.bulk_rows import insert_rows
from crm_sync.duplicates.changed_records import mark_changed
from crm_sync.key_lists import among_keys
from crm_sync.models.base import table
from crm_sync.models.conversations import Conversation, ConversationParticipant, ConversationPool, MessageAnchor
from crm_sync.models.customers import Contact, ContactAddress, Customer, CustomerDomain, Scope, SharedDomain
from crm_sync.models.people import Person, Pool
from crm_sync.models.service import DirectoryChange
from crm_sync.policy_store import fetch_policy
from crm_sync.search.record_rows import index_customers
from tradepost.directory import (
    POLICY_KEY,
    SHARED,
    AddressFact,
    DomainFact,
    LoadFact,
    ThreadFact,
    address_fact_key,
    domain_fact_key,
    encode_fact,
    load_fact_key,
)

_PAGE = 2000
DirectoryRow = dict[str, object]
_Columns = TypeVarTuple("_Columns")


@dataclass(frozen=True)
class _Question(Generic[*_Columns]):
    """A statement for everything, and the same for a list of keys: built once, that costs more than asking."""

    everything: Select[*_Columns]
    of_keys: Select[*_Columns]

    def pages(self, session: Session, keys: Collection[object] | None) -> Iterator[Sequence[Row[*_Columns]]]:
        """Yield the rows of these keys (None: all), many at a time."""
        connection = session.connection()
        if keys is not None and len(keys) <= _PAGE:  # a server-side cursor costs three questions instead of one
            if rows := connection.execute(self.of_keys, {"keys": list(keys)}).all():
                yield rows
            return
        statement = self.everything if keys is None else self.of_keys
        parameters = {} if keys is None else {"keys": list(keys)}
        yield from connection.execute(statement.execution_options(yield_per=_PAGE), parameters).partitions()

    def rows(self, session: Session, keys: Collection[object] | None) -> Iterator[Row[*_Columns]]:
        """Yield the rows of these keys (None: all)."""
        for page in self.pages(session, keys):
            yield from page


def _question(statement: Select[*_Columns], key: InstrumentedAttribute[Any]) -> _Question[*_Columns]:
    return _Question(statement, statement.where(among_keys(key)))


_ADDRESSES = _question(
    select(ContactAddress.address_key, Contact.id, Customer.public_id, Person.email, Customer.kind, Customer.grade)
    .join(Contact, Contact.id == ContactAddress.contact_id)
    .outerjoin(Customer, Customer.id == Contact.customer_id)
    .outerjoin(Scope, Scope.id == Customer.scope_id)
    .outerjoin(Person, Person.id == Scope.owner_id),
    ContactAddress.address_key,
)
_DOMAINS = _question(
    select(CustomerDomain.domain, Customer.public_id, Person.email, Customer.kind, Customer.grade)
    .join(Customer, Customer.id == CustomerDomain.customer_id)
    .join(Scope, Scope.id == Customer.scope_id)
    .outerjoin(Person, Person.id == Scope.owner_id),
    CustomerDomain.domain,
)
_SHARED_DOMAINS = _question(select(SharedDomain.domain), SharedDomain.domain)
_THREADS = _question(
    select(
        MessageAnchor.id_digest,
        Conversation.id,
        Conversation.public_id,
        Person.email,
        Customer.public_id,
        Conversation.last_out_at,
    )
    .join(Conversation, Conversation.id == MessageAnchor.conversation_id)
    .outerjoin(Customer, Customer.id == Conversation.customer_id)
    .outerjoin(Person, Person.id == Conversation.assignee_id)
    .order_by(MessageAnchor.id_digest, MessageAnchor.conversation_id),
    MessageAnchor.id_digest,
)
_CUSTOMERS_OF_ADDRESSES = (
    select(Contact.customer_id)
    .join(ContactAddress, ContactAddress.contact_id == Contact.id)
    .where(among_keys(ContactAddress.address_key), Contact.customer_id.is_not(None))
)
_CONTACTS_OF_ADDRESSES = select(ContactAddress.contact_id).where(among_keys(ContactAddress.address_key))
_CUSTOMERS_OF_DOMAINS = select(CustomerDomain.customer_id).where(among_keys(CustomerDomain.domain))
# The same for whole conversations: all ids of one share one fact.  An id of several names the oldest.
_ANY = aliased(MessageAnchor)
_OLDEST = (
    select(MessageAnchor.id_digest, func.min(_ANY.conversation_id))
    .join(_ANY, _ANY.id_digest == MessageAnchor.id_digest)
    .where(among_keys(MessageAnchor.conversation_id))
    .group_by(MessageAnchor.id_digest)
    .order_by(MessageAnchor.id_digest)
)
_CONVERSATIONS = (
    select(Conversation.id, Conversation.public_id, Person.email, Customer.public_id, Conversation.last_out_at)
    .outerjoin(Customer, Customer.id == Conversation.customer_id)
    .outerjoin(Person, Person.id == Conversation.assignee_id)
    .where(among_keys(Conversation.id))
)
_LOADS = _question(select(Person.email, Person.open_conversations).order_by(Person.id), Person.id)
_PARTICIPANTS = (
    select(ConversationParticipant.conversation_id, ConversationParticipant.address_key)
    .where(among_keys(ConversationParticipant.conversation_id))
    .order_by(ConversationParticipant.conversation_id, ConversationParticipant.address_key)
)
_POOLS = (
    select(ConversationPool.conversation_id, Pool.name)
    .join(Pool, Pool.id == ConversationPool.pool_id)
    .where(among_keys(ConversationPool.conversation_id))
    .order_by(Pool.position.desc(), Pool.id.desc())
)
_ADDRESSES_OF_CUSTOMERS = (
    select(ContactAddress.address_key)
    .join(Contact, Contact.id == ContactAddress.contact_id)
    .where(among_keys(Contact.customer_id))
)
_DOMAINS_OF_CUSTOMERS = select(CustomerDomain.domain).where(among_keys(CustomerDomain.customer_id))
_THREADS_OF_CONVERSATIONS = select(MessageAnchor.id_digest).where(among_keys(MessageAnchor.conversation_id))


@dataclass(slots=True)
class DirtyKeys:
    """Keys whose facts a transaction changed.  Call `write` last, before the commit: nobody else writes meanwhile."""

    addresses: set[str] = field(default_factory=set)
    domains: set[str] = field(default_factory=set)
    threads: set[str] = field(default_factory=set)  # id digests
    conversations: set[int] = field(default_factory=set)  # all of whose ids are told, where there may be thousands
    people: set[int] = field(default_factory=set)  # whose load changed
    policy: bool = False
    customers: set[int] = field(default_factory=set)  # whose names may have changed, beside those of the keys above

    def index_customers(self, session: Session) -> set[int]:
        """Bring the customers behind these keys into the search index: what changed for arrival may be looked for.

        Returns them.
        """
        session.flush()
        customers = set(self.customers)
        connection = session.connection()
        for keys, question in ((self.addresses, _CUSTOMERS_OF_ADDRESSES), (self.domains, _CUSTOMERS_OF_DOMAINS)):
            if keys:
                customers.update(connection.scalars(question, {"keys": list(keys)}))
        index_customers(connection, customers)
        return customers

    def read(self, session: Session) -> list[DirectoryRow]:
        """Return a `directory_change` row for every key but the loads, with the value in force or None."""
        rows: list[DirectoryRow] = []
        for keys, name_of, read in (
            (self.addresses, address_fact_key, read_addresses),
            (self.domains, domain_fact_key, read_domains),
            (self.threads, _thread_key, read_threads),
        ):
            facts = dict(read(session, keys)) if keys else {}
            # Sorted, so that the same change writes the same rows.
            rows += [{"key": name, "value": facts.get(name)} for name in sorted(map(name_of, keys))]
        if self.conversations:
            rows += [{"key": name, "value": value} for name, value in read_conversations(session, self.conversations)]
        if self.policy:
            rows.append({"key": POLICY_KEY, "value": encode_fact(fetch_policy(session).policy)})
        return rows

    def write(self, session: Session, changes: list[DirectoryRow] | None = None) -> int:
        """Write what `read` returned, or would return, and the loads in force.  Returns how many rows.

        Numbers are given before a commit.  Who has given some keeps the others waiting until he has committed: whoever
        reads the newest number has read all that are lower.
        """
        if changes is None:
            # What a person changed may make duplicates of two; what a batch writes is marked by its rows.
            customers = self.index_customers(session)
            contacts = session.connection().scalars(_CONTACTS_OF_ADDRESSES, {"keys": list(self.addresses)})
            mark_changed(session, customers=customers, contacts=contacts)
            changes = self.read(session)
        rows = changes
        if self.people:
            rows = rows + [{"key": name, "value": value} for name, value in read_loads(session, self.people)]
        if rows:
            connection = session.connection()
            hold_for_transaction(connection, DIRECTORY_CHANGES)
            if len(rows) > _PAGE:
                _write_many(connection, rows)
            else:
                insert_rows(connection, table(DirectoryChange), rows)
        return len(rows)


def _write_many(connection: Connection, rows: list[DirectoryRow]) -> None:
    """Write thousands of rows past SQLAlchemy, which takes longer to prepare them than the database to write them."""
    values = [(row["key"], row["value"]) for row in rows]
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("INSERT INTO directory_change (key, value) VALUES (?, ?)", values)
        return
    driver = cast(psycopg.Connection[Any], connection.connection.driver_connection)
    with driver.cursor().copy("COPY directory_change (key, value) FROM STDIN") as copy:
        for value in values:
            copy.write_row(value)


def _thread_key(digest: str) -> str:
    return f"t:{digest}"


def read_addresses(session: Session, keys: Collection[str] | None = None) -> Iterator[tuple[str, bytes]]:
    """Yield (key, fact) of these addresses; None: of all."""
    for address, contact, customer, owner, kind, grade in _ADDRESSES.rows(session, keys):
        yield address_fact_key(address), encode_fact(AddressFact(contact, customer, owner, kind or "unknown", grade))


def read_domains(session: Session, keys: Collection[str] | None = None) -> Iterator[tuple[str, bytes]]:
    """Yield (key, fact) of these company domains; None: of all.  One that several companies share has nobody's owner."""
    for domain, customer, owner, kind, grade in _DOMAINS.rows(session, keys):
        yield domain_fact_key(domain), encode_fact(DomainFact(customer, owner, kind, grade))
    for (domain,) in _SHARED_DOMAINS.rows(session, keys):
        yield domain_fact_key(domain), encode_fact(DomainFact(kind=SHARED))


def read_threads(session: Session, keys: Collection[str] | None = None) -> Iterator[tuple[str, bytes]]:
    """Yield (key, fact) of these id digests; None: of all.  An id of several conversations names the oldest."""
    last = ""
    for page in _THREADS.pages(session, keys):
        conversations = {row[1] for row in page}
        participants, pools = _participants(session, conversations), _pools(session, conversations)
        for digest, conversation, public_id, assignee, customer, answered_at in page:
            if digest == last:
                continue
            last = digest
            fact = ThreadFact(
                conversation=public_id,
                assignee=assignee,
                customer=customer,
                pool=pools.get(conversation),
                participants=tuple(participants[conversation]),
                last_answer_at=answered_at,
            )
            yield _thread_key(digest), encode_fact(fact)


def read_conversations(session: Session, keys: Collection[int]) -> Iterator[tuple[str, bytes]]:
    """Yield (key, fact) of every id that leads to these conversations: as read_threads, in a third of the time for many."""
    oldest = dict(session.connection().execute(_OLDEST, {"keys": list(keys)}).all())
    facts: dict[int, bytes] = {}
    conversations = sorted(set(oldest.values()))
    for start in range(0, len(conversations), _PAGE):
        page = conversations[start : start + _PAGE]
        participants, pools = _participants(session, page), _pools(session, page)
        for conversation, public_id, assignee, customer, answered_at in session.connection().execute(
            _CONVERSATIONS, {"keys": list(page)}
        ):
            fact = ThreadFact(
                conversation=public_id,
                assignee=assignee,
                customer=customer,
                pool=pools.get(conversation),
                participants=tuple(participants[conversation]),
                last_answer_at=answered_at,
            )
            facts[conversation] = encode_fact(fact)
    for digest, conversation in oldest.items():
        yield _thread_key(digest), facts[conversation]


def read_loads(session: Session, keys: Collection[int] | None = None) -> Iterator[tuple[str, bytes]]:
    """Yield (key, fact) of these people; None: of all."""
    for email, open_conversations in _LOADS.rows(session, keys):
        yield load_fact_key(email), encode_fact(LoadFact(open_conversations))


def read_everything(session: Session) -> Iterator[tuple[str, bytes]]:
    """Yield every derived key with its fact, for a rebuild."""
    yield POLICY_KEY, encode_fact(fetch_policy(session).policy)
    yield from read_addresses(session)
    yield from read_domains(session)
    yield from read_threads(session)
    yield from read_loads(session)


def changed_threads(session: Session, conversation_ids: Collection[int]) -> set[str]:
    """Return every id digest that leads to these conversations."""
    return set(session.connection().scalars(_THREADS_OF_CONVERSATIONS, {"keys": list(conversation_ids)}))


def changed_owners(session: Session, dirty: DirtyKeys, customer_ids: Collection[int]) -> None:
    """Mark every address and domain of these customers: their owner, kind or grade changed.  Threads name none of these."""
    connection, keys = session.connection(), {"keys": list(customer_ids)}
    dirty.addresses.update(connection.scalars(_ADDRESSES_OF_CUSTOMERS, keys))
    dirty.domains.update(connection.scalars(_DOMAINS_OF_CUSTOMERS, keys))


def changed_customers(session: Session, dirty: DirtyKeys, customer_ids: Collection[int]) -> None:
    """Mark every address, domain and thread of these customers: what stands for them changed."""
    changed_owners(session, dirty, customer_ids)
    dirty.customers.update(customer_ids)
    conversations = set(session.scalars(select(Conversation.id).where(Conversation.customer_id.in_(customer_ids))))
    dirty.threads.update(changed_threads(session, conversations))


def _participants(session: Session, conversations: Collection[int]) -> defaultdict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for conversation, address in session.connection().execute(_PARTICIPANTS, {"keys": list(conversations)}):
        found[conversation].append(address)
    return found


def _pools(session: Session, conversations: Collection[int]) -> dict[int, str]:
    return dict(session.connection().execute(_POOLS, {"keys": list(conversations)}).all())

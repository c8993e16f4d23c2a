# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill a database with years of mail in minutes, seeded: the same numbers make the same company history.

Rows go past the recording, by COPY on PostgreSQL and by executemany on SQLite, without foreign keys being checked and with
the secondary indexes made anew at the end.  The bytes of the letters are not made: blobs have names only.
"""

import itertools
import json
import random
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypedDict, cast

import msgspec
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import Connection, Table, func, select, text

from bench.speech import TEXTS, speech_of
from crm_sync.database import Database
from crm_sync.models.base import Base, table
from crm_sync.models.conversations import (
    Activity,
    Conversation,
    ConversationParticipant,
    ConversationPool,
    Event,
    MessageAnchor,
)
from crm_sync.models.customers import Contact, ContactAddress, Customer, CustomerDomain, Scope
from crm_sync.models.mail import Arrival, Blob, Message, MessagePart, MessageRecipient, MessageText
from crm_sync.models.people import Person, Pool, PoolAddress
from crm_sync.search.documents import MailText, mail_row
from crm_sync.search.index_rows import IndexName, insert_index_rows
from crm_sync.search.record_rows import index_customers
from crm_sync.search.tokens import tokenize
from tradepost.directory import id_digest
from tradepost.envelope import Envelope
from tradepost.verdict import Direction, Labels, Priority, Verdict

_BUFFERED = 20_000  # rows of one table
_INDEXED = 2_000
_YEARS = 3
_CUSTOMERS_PER_MESSAGE = 0.1
# Messages in a conversation; the mean is 3.1.
_LENGTHS = (1, 1, 1, 2, 2, 3, 3, 4, 6, 8)
_CATEGORIES = (
    "inquiry",
    "inquiry",
    "order",
    "sample",
    "payment",
    "logistics",
    "complaint",
    "support",
    "other",
    "marketing",
)
_LANGUAGES = ("en", "en", "en", "de", "es", "zh", "ru", "ar")
_COUNTRIES = ("US", "DE", "MX", "CN", "RU", "AE", "FR", "BR", None)
# As the migration makes it.
_POSTGRESQL_INDEX = (
    "CREATE INDEX ix_message_index_tokens ON message_index USING gin (tokens) WITH (gin_pending_list_limit = 1024)"
)
_json = msgspec.json.Encoder()


class Filled(TypedDict):
    """Rows of each table that were added, and how long it took."""

    messages: int
    seconds: float
    rows: dict[str, int]


class _Loader:
    """Takes rows of any table in memory and hands them to the database in large pieces."""

    def __init__(self, connection: Connection, columns: dict[type[Base], tuple[str, ...]]) -> None:
        self.is_postgresql = connection.dialect.name == "postgresql"
        self._driver = cast(Any, connection.connection.driver_connection)
        self._rows: dict[type[Base], list[tuple[Any, ...]]] = {model: [] for model in columns}
        self._columns: dict[type[Base], tuple[str, ...]] = {}
        self._constants: dict[type[Base], tuple[Any, ...]] = {}
        self.count: dict[type[Base], int] = dict.fromkeys(columns, 0)
        for model, names in columns.items():
            defaults = _defaults(table(model), names)
            self._columns[model] = (*names, *defaults)
            self._constants[model] = tuple(defaults.values())

    def add(self, model: type[Base], *values: Any) -> None:
        """Add a row: the values of the columns that were named for this table, in that order."""
        rows = self._rows[model]
        rows.append(values + self._constants[model])
        if len(rows) >= _BUFFERED:
            self._flush(model)

    def when(self, moment: datetime) -> Any:
        """Return a time as the driver takes it: SQLAlchemy stores text on SQLite."""
        return moment if self.is_postgresql else moment.replace(tzinfo=None).isoformat(" ", "microseconds")

    def finish(self) -> None:
        """Hand over what is still in memory."""
        for model in self._rows:
            self._flush(model)

    def _flush(self, model: type[Base]) -> None:
        rows, name, columns = self._rows[model], table(model).name, ", ".join(f'"{c}"' for c in self._columns[model])
        if self.is_postgresql:
            with self._driver.cursor().copy(f"COPY {name} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join("?" * len(self._columns[model]))
            self._driver.executemany(f"INSERT INTO {name} ({columns}) VALUES ({marks})", rows)
        self.count[model] += len(rows)
        rows.clear()


def _defaults(filled: Table, names: Collection[str]) -> dict[str, Any]:
    """Return the constants of the columns that nobody named: a column added later needs no word here."""
    found: dict[str, Any] = {}
    for column in filled.columns:
        if column.name in names or column.default is None:
            continue
        default = cast(Any, column.default)
        # The only callables in the models make empty lists and objects.
        found[column.name] = default.arg if default.is_scalar else json.dumps(default.arg(None))
    return found


_COLUMNS: dict[type[Base], tuple[str, ...]] = {
    Scope: ("id", "kind", "owner_id", "pool_id"),
    Customer: ("id", "public_id", "scope_id", "name", "name_key", "kind", "grade", "country", "created_at"),
    CustomerDomain: ("domain", "customer_id"),
    Contact: ("id", "customer_id", "name", "created_at"),
    ContactAddress: ("address_key", "contact_id"),
    Conversation: (
        "id", "public_id", "scope_id", "customer_id", "assignee_id", "status", "subject", "opened_at", "last_in_at",
        "last_out_at",
    ),
    ConversationPool: ("conversation_id", "pool_id"),
    ConversationParticipant: ("conversation_id", "address_key"),
    Event: ("cause_id", "step", "at", "conversation_id", "details"),
    Message: (
        "id", "content_key", "rfc_message_id", "id_digest", "conversation_id", "scope_id", "direction", "at", "sent_at",
        "from_address", "from_name", "subject", "category", "priority", "language", "country", "party_kind", "contact_id",
        "operator_id",
    ),
    MessageAnchor: ("id_digest", "conversation_id"),
    Activity: ("customer_id", "at", "kind", "message_id", "conversation_id"),
    MessageRecipient: ("message_id", "address_key", "kind"),
    MessageText: ("message_id", "new_text", "rest", "signature", "entities"),
    Blob: ("sha256", "octets"),
    MessagePart: ("message_id", "part_no", "sha256", "filename", "content_type", "octets"),
    Arrival: (
        "entry_id", "instance", "queue_id", "arrived_at", "recorded_at", "direction", "recording", "envelope_sender",
        "envelope", "rfc_message_id", "verdict", "facts", "message_id", "raw_bytes", "raw_sha256", "acceptance",
        "accepted_at",
    ),
}  # fmt: skip


class _IndexLoader:
    """Takes letters and hands their rows to the search index in large pieces; texts come again, their tokens are kept."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: dict[int, str] = {}
        self._tokenize = lru_cache(maxsize=2 * TEXTS)(tokenize)

    def add(self, number: int, mail: MailText) -> None:
        """Add the letter with that id."""
        self._rows[number] = mail_row(mail, self._tokenize)
        if len(self._rows) >= _INDEXED:
            self.finish()

    def finish(self) -> None:
        """Hand over what is still in memory."""
        insert_index_rows(self._connection, IndexName.MAIL, self._rows)
        self._rows.clear()


class _History:
    """Makes up customers, conversations and letters and hands their rows to the loader."""

    def __init__(
        self,
        loader: _Loader,
        connection: Connection,
        chance: random.Random,
        messages: int,
        shares: Mapping[str, float] | None,
    ) -> None:
        self._loader = loader
        self._chance = chance
        self._scope, self._customer, self._contact, self._conversation, self._message = (
            int(connection.scalar(select(func.max(table(model).c.id))) or 0)
            for model in (Scope, Customer, Contact, Conversation, Message)
        )
        self._people: list[tuple[int, str]] = [
            (row.id, row.email) for row in connection.execute(select(table(Person).c.id, table(Person).c.email))
        ]
        weights = [1.0 if shares is None else shares.get(email, 0.0) for _, email in self._people]
        self._weights = list(itertools.accumulate(weights))
        self._pool = int(connection.scalar(select(func.min(table(Pool).c.id))) or 0)
        self._pool_name = str(connection.scalar(select(table(Pool).c.name).where(table(Pool).c.id == self._pool)))
        addresses = select(func.min(PoolAddress.address_key)).where(PoolAddress.pool_id == self._pool)
        self._sales = str(connection.scalar(addresses))
        # Newest mail last, up to yesterday.
        self._start = datetime.now(UTC) - timedelta(days=365 * _YEARS + 1)
        self._pace = timedelta(days=365 * _YEARS) / messages
        self._speech = speech_of(messages)
        self._index = _IndexLoader(connection)
        self._buyers: list[tuple[int, str, int, str, int, tuple[int, str]]] = []
        self._made = 0

    def finish(self) -> None:
        """Hand over what is still in memory."""
        self._loader.finish()
        self._index.finish()

    def add_customers(self, count: int) -> None:
        """Add so many customers with domain, contacts and addresses; each belongs to a rep."""
        chance, loader = self._chance, self._loader
        for _ in range(count):
            self._scope += 1
            self._customer += 1
            number, owner = self._customer, chance.choices(self._people, cum_weights=self._weights)[0]
            created = loader.when(self._start)
            public_id = f"01C{number:023d}"
            name = f"{self._speech.words(2)} {number}"
            kind = chance.choice(("lead", "lead", "customer"))
            loader.add(Scope, self._scope, "customer", owner[0], None)
            loader.add(
                Customer, number, public_id, self._scope, name.title(), name.replace(" ", ""), kind,
                chance.choice((None, None, "A", "B")), chance.choice(_COUNTRIES), created,
            )  # fmt: skip
            is_company = chance.random() < 0.8
            if is_company:
                loader.add(CustomerDomain, f"c{number}.example", number)
            for person in range(chance.choice((1, 1, 1, 2, 3)) if is_company else 1):
                self._contact += 1
                address = f"buyer{person}@c{number}.example" if is_company else f"c{number}@gmail.com"
                loader.add(Contact, self._contact, number, f"Ann {number}", created)
                loader.add(ContactAddress, address, self._contact)
                self._buyers.append((number, public_id, self._contact, address, self._scope, owner))

    def add_conversation(self, most: int) -> int:
        """Add one conversation of at most so many messages; return how many it has."""
        chance, loader = self._chance, self._loader
        self._conversation += 1
        conversation, public_id = self._conversation, f"01D{self._conversation:023d}"
        length = min(most, chance.choice(_LENGTHS))
        if chance.random() < 0.12:  # newsletters, strangers: nobody's customer, the pool sees them
            self._scope += 1
            loader.add(Scope, self._scope, "conversation", None, self._pool)
            customer, customer_public, contact, address, scope = (
                None,
                None,
                None,
                f"news{conversation}@list.example",
                self._scope,
            )
            assignee: tuple[int | None, str | None] = (None, None)
        else:
            # Some customers write much more than others.
            buyer = self._buyers[int(len(self._buyers) * chance.random() ** 2)]
            customer, customer_public, contact, address, scope, assignee = buyer
        subject = f"{self._speech.words(2)} {conversation}".capitalize()
        last_in = last_out = None
        opened = self._start + self._pace * self._made
        previous = ""
        for turn in range(length):
            is_inbound = turn == 0 or customer is None or chance.random() < 0.55
            at = self._start + self._pace * self._made
            last_in, last_out = (at, last_out) if is_inbound else (last_in, at)
            person, colleague = assignee
            previous = self._add_message(
                at=at,
                thread=(conversation, public_id, subject if turn == 0 else f"Re: {subject}", previous),
                other=(customer, customer_public, contact, address, scope),
                operator=None if is_inbound else person,
                owner=colleague,
            )
        loader.add(
            Conversation, conversation, public_id, scope, customer, assignee[0],
            "open" if chance.random() < 0.1 else "closed", subject, loader.when(opened),
            loader.when(last_in) if last_in else None, loader.when(last_out) if last_out else None,
        )  # fmt: skip
        loader.add(ConversationPool, conversation, self._pool)
        loader.add(ConversationParticipant, conversation, address)
        loader.add(Event, public_id, "opened", loader.when(opened), conversation, "{}")
        if assignee[1]:
            details = f'{{"person":"{assignee[1]}","reason":"distribution"}}'
            loader.add(Event, public_id, "assigned", loader.when(opened), conversation, details)
        return length

    def _add_message(
        self,
        *,
        at: datetime,
        thread: tuple[int, str, str, str],
        other: tuple[int | None, str | None, int | None, str, int],
        operator: int | None,
        owner: str | None,
    ) -> str:
        """Add one letter and its arrivals; return its Message-ID."""
        chance, loader = self._chance, self._loader
        self._made += 1
        self._message += 1
        number, moment = self._message, loader.when(at)
        conversation, public_id, subject, _ = thread
        customer, customer_public, contact, address, scope = other
        is_inbound = operator is None
        direction = Direction.INBOUND if is_inbound else Direction.OUTBOUND
        sender, recipient = (address, self._sales) if is_inbound else (self._sales, address)
        message_id = f"<{number}@{'c' if is_inbound else 'own'}.bulk.example>"
        digest = id_digest(message_id)
        category, language, country = chance.choice(_CATEGORIES), chance.choice(_LANGUAGES), chance.choice(_COUNTRIES)
        raw_bytes = chance.randrange(3_000, 60_000)
        loader.add(
            Message, number, f"{chance.getrandbits(256):064x}", message_id, digest, conversation, scope, str(direction),
            moment, moment, sender, "Ann", subject, category, "normal", language, country,
            "lead" if customer else "unknown", contact, operator,
        )  # fmt: skip
        loader.add(MessageAnchor, digest, conversation)
        if customer is not None:
            loader.add(Activity, customer, moment, "mail-in" if is_inbound else "mail-out", number, conversation)
        for kind in ("envelope", "to"):
            loader.add(MessageRecipient, number, recipient, kind)
        if chance.random() < 0.3:
            loader.add(MessageRecipient, number, f"copy{chance.randrange(1000)}@cc.example", "cc")
        text, quoted = chance.choice(self._speech.texts), chance.choice(self._speech.texts) if conversation % 2 else ""
        loader.add(MessageText, number, text, quoted, "Ann", "{}")
        files: list[str] = []
        if chance.random() < 0.25:
            files.append(f"PO-{number}.pdf")
            attached = f"{chance.getrandbits(256):064x}"
            loader.add(Blob, attached, raw_bytes)
            loader.add(MessagePart, number, "2", attached, f"PO-{number}.pdf", "application/pdf", raw_bytes)
        self._index.add(
            number,
            MailText(subject, ("Ann", sender), (("", recipient),), text, quoted, files, category, language, "normal"),
        )
        labels = Labels(category, 0.9, Priority.NORMAL, "model", language, country, reasons=("model",), model="1")
        verdict = _json.encode(
            Verdict(
                direction, labels, customer=customer_public, contact=contact, conversation=public_id, owner=owner,
                owner_reason="customer", pool=self._pool_name, pools=(self._pool_name,), reasons=("model",),
            )
        ).decode()  # fmt: skip
        facts = _json.encode(
            {
                "subject": subject, "from_address": sender, "recipient": [recipient], "attachment_name": [],
                "size": raw_bytes, "language": language, "country": country, "category": category,
                "priority": "normal", "is_automatic": False, "direction": direction, "pool": [self._pool_name],
            }
        ).decode()  # fmt: skip
        for repeat in range(2 if chance.random() < 0.03 else 1):
            raw = f"{chance.getrandbits(256):064x}"
            loader.add(Blob, raw, raw_bytes)
            # Below every ULID of this century's mail: bulk is older than what a benchmark records.
            entry_id, queue_id = f"00B{number:021d}{repeat:02d}", f"B{number:010d}{repeat}"
            envelope = _json.encode(Envelope(queue_id, sender, (recipient,))).decode()
            loader.add(
                Arrival, entry_id, "mx", queue_id, moment, moment, str(direction), "full", sender, envelope, message_id,
                verdict, facts, number, raw_bytes, raw, "confirmed", moment,
            )  # fmt: skip
        return message_id


def fill_database(
    database: Database, messages: int, *, seed: int = 1, shares: Mapping[str, float] | None = None
) -> Filled:
    """Add so many messages with all that belongs to them, and a customer for each ten.

    `shares`: how many customers of a thousand each person has, by address; None: all have alike.

    The company must be there (people and a pool).  Raises DatabaseError; nothing is kept then, on PostgreSQL.
    """
    began = time.monotonic()
    with database.explained(), database.writer.connect() as connection:
        is_postgresql = connection.dialect.name == "postgresql"
        driver = cast(Any, connection.connection.driver_connection)
        if not is_postgresql:
            # Void inside a transaction; the worker opens connections of its own.
            for pragma in ("foreign_keys=OFF", "synchronous=OFF", "cache_size=-500000", "temp_store=MEMORY"):
                driver.execute(f"PRAGMA {pragma}")
        with connection.begin():
            if is_postgresql:
                for setting in (
                    "session_replication_role = replica",
                    "statement_timeout = 0",
                    "maintenance_work_mem = '256MB'",
                ):
                    connection.exec_driver_sql(f"SET LOCAL {setting}")
            rows = _fill(connection, messages, random.Random(f"{seed} {messages}"), shares)
        if not is_postgresql:
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.invalidate()  # with its pragmas
    _analyze(database)
    return {"messages": messages, "seconds": time.monotonic() - began, "rows": rows}


def _fill(
    connection: Connection, messages: int, chance: random.Random, shares: Mapping[str, float] | None
) -> dict[str, int]:
    # Every index written row by row at random places costs many times more than one built from sorted keys.
    indexes = [index for model in _COLUMNS for index in table(model).indexes]
    for index in indexes:
        index.drop(connection)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("DROP INDEX ix_message_index_tokens")
    before = connection.scalar(select(func.max(Customer.id))) or 0
    loader = _Loader(connection, _COLUMNS)
    history = _History(loader, connection, chance, messages, shares)
    history.add_customers(max(1, int(messages * _CUSTOMERS_PER_MESSAGE)))
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{messages:,} stored messages", total=messages)
        done = 0
        for count in itertools.count():
            if done >= messages:
                break
            done += history.add_conversation(messages - done)
            if count % 500 == 0:
                progress.update(task, completed=done)
    history.finish()
    for index in indexes:
        index.create(connection)
    if loader.is_postgresql:
        connection.exec_driver_sql(_POSTGRESQL_INDEX)
    customers = list(connection.scalars(select(Customer.id).where(Customer.id > before)))
    index_customers(connection, customers)
    if loader.is_postgresql:
        _move_sequences(connection)
    connection.execute(
        text(
            "UPDATE person SET open_conversations = (SELECT count(*) FROM conversation "
            "WHERE assignee_id = person.id AND status = 'open')"
        )
    )
    return {table(model).name: count for model, count in loader.count.items()}


def _move_sequences(connection: Connection) -> None:
    for model in _COLUMNS:
        name = table(model).name
        if "id" in table(model).columns:
            connection.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT coalesce(max(id), 1) FROM {name}))"
            )


def _analyze(database: Database) -> None:
    """Let PostgreSQL know its tables, as its autovacuum would within minutes.  SQLite keeps what the program gives it."""
    if database.writer.dialect.name == "postgresql":
        with database.writer.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("SET statement_timeout = 0")
            connection.exec_driver_sql("VACUUM ANALYZE")
            connection.invalidate()


def sample_threads(database: Database, count: int, chance: random.Random) -> list[tuple[str, str]]:
    """Return (address, Message-ID) of so many stored letters from outside, drawn at random; none where nothing is stored."""
    with database.reading() as session:
        newest = session.scalar(select(func.max(Message.id)))
        if newest is None:
            return []
        wanted: Sequence[int] = [chance.randrange(1, newest + 1) for _ in range(count * 2)]
        found = session.execute(
            select(Message.from_address, Message.rfc_message_id)
            .where(Message.id.in_(wanted), Message.direction == "inbound", Message.contact_id.is_not(None))
            .order_by(Message.id)
        )
        threads = [(row.from_address, row.rfc_message_id) for row in found]
    chance.shuffle(threads)
    return threads[:count]

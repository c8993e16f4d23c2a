# SPDX-License-Identifier: GPL-3.0-or-later
"""A company full of secrets, to ask every function of crm_sync as somebody who must not learn them.

Every text that is planted holds a marker that names the record and the kind of right it stands under (`World.secret`).  An
answer to somebody without that right must hold none of them.  People and teams are everybody's knowledge.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from rights_model import Lying, Parents, Share, Someone, may_do
from sqlalchemy import select
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.models.conversations import (
    Activity,
    Conversation,
    ConversationParticipant,
    ConversationPool,
    Event,
    MessageAnchor,
)
from crm_sync.models.customers import Contact, ContactAddress, Customer, CustomerDomain, Scope, ScopeShare
from crm_sync.models.mail import Arrival, Blob, Message, MessagePart, MessageRecipient, MessageText
from crm_sync.models.people import (
    Company,
    OwnDomain,
    Person,
    Pool,
    PoolAddress,
    PoolMember,
    Role,
    RoleHiddenField,
    RoleRight,
    Team,
)
from crm_sync.rights import Action, Entity, Reach, role_rights
from tradepost.envelope import Client, Envelope
from tradepost.verdict import Direction, Labels, Priority, Verdict

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
# Keys that occur in no count and no date: in a text they are the keys they look like.
_FIRST_KEY = 7_100_100

# Everybody by first name: (role, team).
CAST: Mapping[str, tuple[str, str | None]] = {
    "eve": ("administrator", None),
    "olga": ("owner", None),
    "mia": ("manager", "sales"),
    "lea": ("team-lead", "sales"),  # sees by team: north and south lie below
    "nora": ("team-lead", "north"),
    "ann": ("rep", "north"),
    "bob": ("rep", "north"),  # away: sue stands in for him
    "carl": ("rep", "south"),
    "sue": ("rep", "south"),
    "dan": ("rep", "north"),  # handed all he had over to ann
    "vic": ("viewer", "north"),
    "iris": ("blind", "sales"),  # may do everything, and sees none of the fields that can be hidden
    "max": ("mail-only", "north"),  # sees all mail, and no customer
    "sid": ("stranger", None),  # works here, and may do nothing
}
_OF_RECORDS = (Entity.CUSTOMER, Entity.MESSAGE, Entity.OPPORTUNITY, Entity.NOTE)
TEAMS: Mapping[str, str | None] = {"sales": None, "north": "sales", "south": "sales"}


@dataclass
class Planted:
    """One customer and all that hangs on it.  `tag` is in every marker."""

    tag: str
    scope_id: int
    lying: Lying
    customer_id: int = 0
    public_id: str = ""
    contact_id: int = 0
    address: str = ""
    domain: str = ""
    conversation_id: int = 0
    conversation: str = ""  # its public id
    message_ids: list[int] = field(default_factory=list)
    entry_ids: list[str] = field(default_factory=list)
    more: dict[str, int | str] = field(
        default_factory=dict
    )  # what `plant` of rights_cases adds: keys of notes, tasks ...

    def keys(self) -> list[str]:
        """Return every key by which the record may be named, in an order that is the same for all."""
        mine = [self.scope_id, self.customer_id, self.public_id, self.contact_id, self.address, self.domain]
        mine += [self.conversation_id, self.conversation, *self.message_ids, *self.entry_ids, *self.more.values()]
        return [str(key) for key in mine if key]


@dataclass
class World:
    """The company.  `planted` are its records by tag; `missing` is named like one, and is not there."""

    people: dict[str, int] = field(default_factory=dict)
    teams: dict[str, int] = field(default_factory=dict)
    pools: dict[str, int] = field(default_factory=dict)
    someone: dict[int, Someone] = field(default_factory=dict)
    parents: Parents = field(default_factory=dict)
    planted: dict[str, Planted] = field(default_factory=dict)
    missing: Planted = field(default_factory=lambda: Planted("missing", 0, Lying()))
    hidden: dict[tuple[Entity, str], list[str]] = field(default_factory=dict)
    now: datetime = START + timedelta(days=30)
    _next: int = _FIRST_KEY

    def key(self) -> int:
        """Return a number that no row has."""
        self._next += 137
        return self._next

    def email(self, name: str) -> str:
        """Return somebody's address."""
        return f"{name}@own.example"

    def secret(self, record: Planted, entity: Entity, what: str = "") -> str:
        """Return a word that only those may read who may see that entity of that record."""
        return f"{marker(record.tag, entity)}{what}"

    def hide(self, entity: Entity, name: str, value: str) -> str:
        """Remember a value of a field that roles may hide, and return it.  It must occur nowhere else."""
        self.hidden.setdefault((entity, name), []).append(value)
        return value

    def may(self, name: str, entity: Entity, action: Action, record: Planted) -> bool:
        """May that person do that with the record?  By the plain rule."""
        return may_do(self.someone, self.parents, self.people[name], entity, action, record.lying)

    def forbidden(self, name: str) -> Iterator[str]:
        """Yield what no answer to that person may hold."""
        for record in self.planted.values():
            hidden = [entity for entity in _OF_RECORDS if not self.may(name, entity, Action.SEE, record)]
            yield from (marker(record.tag, entity) for entity in hidden)
            if {Entity.CUSTOMER, Entity.MESSAGE} <= set(hidden):
                yield f"zq{record.tag}address"
        if CAST[name][0] == "blind":
            for values in self.hidden.values():
                yield from values


def marker(tag: str, entity: Entity) -> str:
    """Return the beginning of all secrets of a record that stand under a right."""
    return f"zq{tag}{entity.value}"


def build(session: Session) -> World:
    """Fill an empty, migrated database."""
    world = World()
    session.scalars(select(Company)).one().name = "Own Trading"
    session.add(OwnDomain(domain="own.example"))
    _give_roles(session)
    _hire(session, world)
    north, south = world.teams["north"], world.teams["south"]
    ann, bob, carl = (world.people[name] for name in ("ann", "bob", "carl"))
    pool = world.pools["sales pool"]
    records = {
        "ofann": Lying(ann, north),
        "ofbob": Lying(bob, north),
        "ofcarl": Lying(carl, south),
        "inpool": Lying(pool=pool),
        "nobodys": Lying(),
        "handed": Lying(ann, north),
        "shown": Lying(ann, north, shares=(Share("see", person=carl),)),
        "lent": Lying(bob, north, shares=(Share("edit", person=carl),)),
        "toteam": Lying(carl, south, shares=(Share("see", team=north),)),
    }
    for tag, lying in records.items():
        world.planted[tag] = _plant_customer(session, world, tag, lying)
    handed = world.planted["handed"]
    _remember_dan(session, world, handed)
    world.missing = _name_missing(world, handed)
    return world


def _give_roles(session: Session) -> None:
    """Add a role that reaches its team, one that sees no hidden field, one that sees mail alone, one that may do nothing."""
    session.add_all(Role(name=name) for name in ("team-lead", "blind", "mail-only", "stranger"))
    session.flush()
    for (entity, action), reach in role_rights(session, "administrator").items():
        session.add(RoleRight(role="blind", entity=entity, action=action, reach=reach))
        if entity is not Entity.COMPANY:
            session.add(RoleRight(role="team-lead", entity=entity, action=action, reach=Reach.TEAM))
    session.add(RoleRight(role="mail-only", entity=Entity.MESSAGE, action=Action.SEE, reach=Reach.ALL))
    session.flush()


def _hire(session: Session, world: World) -> None:
    for name, parent in TEAMS.items():
        team = Team(id=world.key(), name=name, parent_id=world.teams[parent] if parent else None)
        session.add(team)
        session.flush()
        world.teams[name] = team.id
    world.parents = {world.teams[name]: world.teams[parent] if parent else None for name, parent in TEAMS.items()}
    pool = Pool(id=world.key(), name="sales pool")
    session.add(pool)
    session.flush()
    world.pools["sales pool"] = pool.id
    for name, (role, team_name) in CAST.items():
        person = Person(
            id=world.key(),
            email=world.email(name),
            name=name.title(),
            role=role,
            team_id=world.teams[team_name] if team_name else None,
            open_conversations=0,
        )
        session.add(person)
        session.flush()
        world.people[name] = person.id
    bob = session.get_one(Person, world.people["bob"])
    bob.is_away, bob.substitute_id = True, world.people["sue"]
    session.add(PoolAddress(address_key="sales@own.example", pool_id=pool.id))
    session.add(PoolMember(pool_id=pool.id, person_id=world.people["carl"]))
    session.flush()
    for name, (role, team_name) in CAST.items():
        key = world.people[name]
        world.someone[key] = Someone(
            key,
            world.teams[team_name] if team_name else None,
            role_rights(session, role),
            pools=frozenset({pool.id}) if name == "carl" else frozenset(),
            substitute=world.people["sue"] if name == "bob" else None,
            is_away=name == "bob",
        )


def _plant_customer(session: Session, world: World, tag: str, lying: Lying) -> Planted:
    scope = Scope(id=world.key(), kind="customer", owner_id=lying.owner, team_id=lying.team, pool_id=lying.pool)
    session.add(scope)
    session.flush()
    for share in lying.shares:
        session.add(
            ScopeShare(
                id=world.key(),
                scope_id=scope.id,
                person_id=share.person,
                team_id=share.team,
                level=share.level,
                created_at=START,
            )
        )
    domain = f"zq{tag}address.example"  # stands in the customer and in his mails
    record = Planted(tag, scope.id, lying, address=f"buyer@{domain}", domain=domain)
    grade = world.hide(Entity.CUSTOMER, "grade", f"GQ{len(world.planted)}X")
    name = f"{world.secret(record, Entity.CUSTOMER, 'name')} Trading"
    customer = Customer(
        id=world.key(),
        public_id=str(ULID()),
        scope_id=scope.id,
        name=name,
        name_key=name.casefold(),
        kind="customer",
        grade=grade,
        country="MX",
        created_at=START,
        version=1,
    )
    session.add(customer)
    session.flush()
    record.customer_id, record.public_id = customer.id, customer.public_id
    session.add(CustomerDomain(domain=domain, customer_id=customer.id))
    contact = Contact(
        id=world.key(),
        customer_id=customer.id,
        name=world.secret(record, Entity.CUSTOMER, "contact"),
        created_at=START,
    )
    session.add(contact)
    session.flush()
    record.contact_id = contact.id
    session.add(ContactAddress(address_key=record.address, contact_id=contact.id))
    _plant_conversation(session, world, record)
    for direction in (Direction.INBOUND, Direction.OUTBOUND):
        _plant_mail(session, world, record, direction)
    return record


def _plant_conversation(session: Session, world: World, record: Planted) -> None:
    conversation = Conversation(
        id=world.key(),
        public_id=str(ULID()),
        scope_id=record.scope_id,
        customer_id=record.customer_id,
        assignee_id=record.lying.owner,
        status="open",
        subject=f"Wrenches {world.secret(record, Entity.MESSAGE, 'subject')}",
        opened_at=START,
        last_in_at=START,
        version=1,
    )
    session.add(conversation)
    session.flush()
    record.conversation_id, record.conversation = conversation.id, conversation.public_id
    session.add(ConversationParticipant(conversation_id=conversation.id, address_key=record.address))
    session.add(MessageAnchor(id_digest=f"{conversation.id:032}", conversation_id=conversation.id))
    session.add(ConversationPool(conversation_id=conversation.id, pool_id=world.pools["sales pool"]))
    if record.lying.owner is not None:
        session.get_one(Person, record.lying.owner).open_conversations += 1
    session.add(
        Event(
            id=world.key(),
            cause_id=str(ULID()),
            step="assigned",
            at=START,
            conversation_id=conversation.id,
            details={"why": world.secret(record, Entity.MESSAGE, "event")},
        )
    )


def _plant_mail(session: Session, world: World, record: Planted, direction: Direction) -> None:
    at = START + timedelta(minutes=len(record.entry_ids) + len(world.planted) * 10)
    secret = world.secret(record, Entity.MESSAGE)
    own, theirs = ("sales@own.example", record.address)
    is_inbound = direction is Direction.INBOUND
    message = Message(
        id=world.key(),
        content_key=f"{world.key():064}",
        rfc_message_id=f"<{secret}{direction}@mail.example>",
        id_digest=f"{world.key():032}",
        conversation_id=record.conversation_id,
        scope_id=record.scope_id,
        direction=direction.value,
        at=at,
        sent_at=at,
        from_address=theirs if is_inbound else own,
        from_name=f"{secret}writer",
        subject=f"Wrenches {secret}subject",
        category="inquiry",
        priority="high",
        language="en",
        country="MX",
        party_kind="customer",
        contact_id=record.contact_id,
        operator_id=None if is_inbound else world.people["dan"] if record.tag == "handed" else record.lying.owner,
    )
    session.add(message)
    session.flush()
    record.message_ids.append(message.id)
    session.add(
        MessageText(
            message_id=message.id,
            new_text=f"Please quote wrenches. {secret}text",
            rest=f"{secret}rest",
            signature=f"{secret}signature",
            entities={"product": f"{secret}product"},
        )
    )
    session.add(MessageRecipient(message_id=message.id, address_key=own if is_inbound else theirs, kind="to"))
    digest = f"{message.id:064}"
    session.add(Blob(sha256=digest, octets=2000))
    session.flush()
    session.add(
        MessagePart(
            message_id=message.id,
            part_no="1",
            sha256=digest,
            filename=f"{secret}file.pdf",
            content_type="application/pdf",
            octets=2000,
        )
    )
    session.add(
        Activity(
            id=world.key(),
            customer_id=record.customer_id,
            at=at,
            kind="mail-in" if is_inbound else "mail-out",
            message_id=message.id,
            conversation_id=record.conversation_id,
        )
    )
    entry_id = str(ULID.from_datetime(at))
    record.entry_ids.append(entry_id)
    labels = Labels("inquiry", 0.9, Priority.HIGH, "asks-for-quote", "en", "MX", "phone", reasons=("model",))
    envelope = Envelope(
        f"4Q{message.id}", message.from_address, (own if is_inbound else theirs,), Client(f"mx.{record.domain}")
    )
    session.add(
        Arrival(
            entry_id=entry_id,
            instance="mx.own.example",
            queue_id=envelope.queue_id,
            arrived_at=at,
            recorded_at=at,
            direction=direction.value,
            recording="full",
            envelope_sender=envelope.sender,
            envelope=msgspec.to_builtins(envelope),
            rfc_message_id=message.rfc_message_id,
            verdict=msgspec.to_builtins(Verdict(direction, labels)),
            facts={},
            message_id=message.id,
            operator_id=message.operator_id,
            raw_bytes=2000,
            acceptance="confirmed",
        )
    )
    session.flush()


def _remember_dan(session: Session, world: World, handed: Planted) -> None:
    """Let the records remember that it was Dan's: neither that nor his own letters are a right."""
    session.add(
        Event(
            id=world.key(),
            cause_id=str(ULID()),
            step="handed-over",
            subject=f"customer:{handed.customer_id}",
            at=START,
            customer_id=handed.customer_id,
            person_id=world.people["dan"],
            details={"from": world.people["dan"], "to": world.people["ann"]},
        )
    )


def _name_missing(world: World, like: Planted) -> Planted:
    return Planted(
        "missing",
        world.key(),
        Lying(),
        customer_id=world.key(),
        public_id=str(ULID()),
        contact_id=world.key(),
        address="buyer@zqmissingaddress.example",
        domain="zqmissingaddress.example",
        conversation_id=world.key(),
        conversation=str(ULID()),
        message_ids=[world.key() for _ in like.message_ids],
        entry_ids=[str(ULID.from_datetime(START)) for _ in like.entry_ids],
    )


def hide_fields(session: Session, world: World) -> None:
    """Keep every field that `World.hide` was told of from the role that may do everything else."""
    session.add_all(RoleHiddenField(role="blind", entity=entity, field=name) for entity, name in world.hidden)
    session.flush()

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a batch must know of the records: fetched with one query a table, then kept true while the batch is recorded."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select

from crm_sync.customers.party_lookups import Parties, WantedParties, fetch_parties
from crm_sync.customers.party_states import ContactState, CustomerState
from crm_sync.key_lists import among_keys
from crm_sync.models.conversations import Conversation, ConversationParticipant, ConversationPool, MessageAnchor
from crm_sync.models.mail import Arrival, Message

# Every further look means that another worker merged one of the few conversations in question since the last.
_MERGES_FOLLOWED = 10

# Built once: putting a statement together costs more than asking it.  Each is asked with a list of `keys`.
_ENTRIES = select(Arrival.entry_id).where(among_keys(Arrival.entry_id))
_MESSAGES = select(Message.content_key, Message.id, Message.conversation_id).where(among_keys(Message.content_key))
_CARRIERS = select(Message.id_digest, Message.conversation_id, Message.has_id_clash).where(
    among_keys(Message.id_digest)
)
_ANCHORS = select(MessageAnchor.id_digest, MessageAnchor.conversation_id).where(among_keys(MessageAnchor.id_digest))
_CONVERSATIONS = (
    select(
        Conversation.id,
        Conversation.public_id,
        Conversation.scope_id,
        Conversation.customer_id,
        Conversation.assignee_id,
        Conversation.status,
        Conversation.last_in_at,
        Conversation.last_out_at,
        Conversation.unanswered_since,
        Conversation.snoozed_until,
    )
    .where(among_keys(Conversation.id), Conversation.merged_into.is_(None))
    .order_by(Conversation.id)
    .with_for_update(key_share=True)
)
_PARTICIPANTS = select(
    ConversationParticipant.conversation_id,
    ConversationParticipant.address_key,
    ConversationParticipant.is_named_only,
).where(among_keys(ConversationParticipant.conversation_id))
_POOLS = select(ConversationPool.conversation_id, ConversationPool.pool_id).where(
    among_keys(ConversationPool.conversation_id)
)


@dataclass(slots=True)
class ConversationState:
    """A conversation while the batch works on it; `is_changed` says that its row must be written again.

    `active` are the participants who wrote, or to whom we wrote; the others were named by somebody outside.
    """

    id: int
    public_id: str
    scope_id: int
    customer_id: int | None
    assignee_id: int | None
    status: str
    last_in_at: datetime | None = None
    last_out_at: datetime | None = None
    unanswered_since: datetime | None = None
    snoozed_until: datetime | None = None
    participants: set[str] = field(default_factory=set)
    active: set[str] = field(default_factory=set)
    pools: set[int] = field(default_factory=set)
    is_changed: bool = False


@dataclass(frozen=True, slots=True)
class MessageState:
    """A letter that is recorded already."""

    id: int
    conversation_id: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a batch asks for."""

    entry_ids: Collection[str]
    content_keys: Collection[str]
    id_digests: Collection[str]  # of own and referenced ids
    parties: WantedParties


class Lookups:
    """The answers.  What is not in a mapping does not exist."""

    def __init__(self) -> None:
        self.recorded: set[str] = set()
        self.messages: dict[str, MessageState] = {}
        # id digest -> conversations with a message that carries this id, not only refers to it
        self.carriers: defaultdict[str, set[int]] = defaultdict(set)
        self.ids_repeated: set[str] = set()  # digests that messages of different content carry
        self.anchors: defaultdict[str, set[int]] = defaultdict(set)
        self.conversations: dict[int, ConversationState] = {}
        self.parties = Parties()

    @property
    def contacts(self) -> dict[str, ContactState]:
        """Address key -> contact."""
        return self.parties.contacts

    @property
    def domains(self) -> dict[str, int]:
        """Company domain -> its one customer."""
        return self.parties.domains

    @property
    def customers(self) -> dict[int, CustomerState]:
        """Every customer that the batch came upon."""
        return self.parties.customers

    def conversations_of(self, digest: str) -> list[ConversationState]:
        """Return the conversations this id leads to, oldest first."""
        return [self.conversations[conversation] for conversation in sorted(self.anchors.get(digest, ()))]


def fetch_lookups(connection: Connection, wanted: Wanted) -> Lookups:
    """Ask for everything a batch will touch.  On the bare connection: mapped objects would only be unpacked again.

    Raises LookupError when the records contradict themselves.
    """
    found = Lookups()
    found.recorded = set(connection.scalars(_ENTRIES, {"keys": list(wanted.entry_ids)}))
    if not any(_fetch_threads(connection, wanted, found) for _ in range(_MERGES_FOLLOWED)):
        raise LookupError("an id leads to a conversation that was merged into another")
    # Where these lie can't change any more: their conversations are ours now.
    for digest, carrier, is_repeated in connection.execute(_CARRIERS, {"keys": list(wanted.id_digests)}):
        found.carriers[digest].add(carrier)
        if is_repeated:
            found.ids_repeated.add(digest)
    theirs = {state.customer_id for state in found.conversations.values() if state.customer_id is not None}
    found.parties = fetch_parties(connection, wanted.parties, theirs)
    return found


def _fetch_threads(connection: Connection, wanted: Wanted, found: Lookups) -> bool:
    """Fetch letters, ids and the conversations they lead to; False: another worker merged one meanwhile, ask again."""
    messages = connection.execute(_MESSAGES, {"keys": list(wanted.content_keys)})
    found.messages = {key: MessageState(message, conversation) for key, message, conversation in messages}
    found.anchors.clear()
    for digest, conversation in connection.execute(_ANCHORS, {"keys": list(wanted.id_digests)}):
        found.anchors[digest].add(conversation)
    keys = {state.conversation_id for state in found.messages.values()}
    keys.update(*found.anchors.values())
    found.conversations = _lock_conversations(connection, keys)
    return len(found.conversations) == len(keys)


def _lock_conversations(connection: Connection, keys: Collection[int]) -> dict[int, ConversationState]:
    """Return those conversations with participants and pools, ours until the commit; without those that were merged."""
    if not keys:
        return {}
    rows = connection.execute(_CONVERSATIONS, {"keys": list(keys)})
    found = {row.id: ConversationState(*row) for row in rows}
    left = {"keys": list(found)}
    for conversation, address, is_named_only in connection.execute(_PARTICIPANTS, left):
        found[conversation].participants.add(address)
        if not is_named_only:
            found[conversation].active.add(address)
    for conversation, pool in connection.execute(_POOLS, left):
        found[conversation].pools.add(pool)
    return found

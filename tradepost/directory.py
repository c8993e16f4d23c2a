# SPDX-License-Identifier: GPL-3.0-or-later
"""What the milter must know within microseconds.  Two backends, one interface, one contract test.

Unknown is not none: `UNKNOWN` says that the directory can't answer (no generation mark, a rebuild under way, the projector
silent, a lookup too slow), `None` that it knows there is nothing.

Derived keys are written only by the projector, in the order of `directory_change.seq`; arrival's own keys (claims, turns,
ids just seen) expire and survive a rebuild.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Protocol, TypeVar

import msgspec

from tradepost.addresses import address_key, domain_key
from tradepost.errors import Refusal
from tradepost.policy import Policy
from tradepost.unknown import UNKNOWN, Unknown

__all__ = [
    "POLICY_KEY",
    "SHARED",
    "UNKNOWN",
    "AddressFact",
    "Change",
    "Directory",
    "DirectoryError",
    "DirectoryState",
    "DirectoryWriter",
    "DomainFact",
    "Fact",
    "LoadFact",
    "ThreadFact",
    "Unknown",
    "address_fact_key",
    "claim_key",
    "decode_fact",
    "digest_fact_key",
    "domain_fact_key",
    "encode_fact",
    "id_digest",
    "load_fact_key",
    "storable",
    "thread_fact_key",
]


class DirectoryError(Refusal, RuntimeError):
    """The directory can't be opened or written; the text names file, cause and way out."""


@dataclass(frozen=True, slots=True)
class AddressFact:
    """Who an address is to us."""

    contact: int | None = None
    customer: str | None = None  # public id
    owner: str | None = None  # email of the owner
    kind: str = "customer"  # party kind
    grade: str | None = None


# The kind of a domain that several companies write from: it has no customer and no owner.
SHARED = "shared"


@dataclass(frozen=True, slots=True)
class DomainFact:
    """Whose company a registrable domain is; `kind` is the party kind, or `SHARED`."""

    customer: str | None = None
    owner: str | None = None
    kind: str = "customer"
    grade: str | None = None


@dataclass(frozen=True, slots=True)
class ThreadFact:
    """The conversation that a Message-ID belongs to."""

    conversation: str  # public id
    assignee: str | None = None  # email
    customer: str | None = None
    pool: str | None = None
    participants: tuple[str, ...] = ()  # address keys of everybody outside who took part
    last_answer_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LoadFact:
    """How many open conversations a person has."""

    open: int = 0


Fact = AddressFact | DomainFact | ThreadFact | LoadFact | Policy
_F = TypeVar("_F", AddressFact, DomainFact, ThreadFact, LoadFact, Policy)


def address_fact_key(address: str) -> str:
    """Key of an AddressFact."""
    return f"a:{address_key(address)}"


def domain_fact_key(domain: str) -> str:
    """Key of a DomainFact; the domain is a registrable one."""
    return f"d:{domain_key(domain)}"


def thread_fact_key(message_id: str) -> str:
    """Key of a ThreadFact: a digest, because Message-IDs are long, hostile and personal."""
    return digest_fact_key(id_digest(message_id))


def digest_fact_key(digest: str) -> str:
    """Key of a ThreadFact by the digest of what leads to it: a Message-ID, or an index of Outlook's."""
    return f"t:{digest}"


def load_fact_key(email: str) -> str:
    """Key of a LoadFact."""
    return f"l:{address_key(email)}"


def claim_key(claim: str) -> str:
    """Key under which `fetch` shows who holds a claim."""
    return f"c:{claim}"


POLICY_KEY = "policy"


def storable(key: str) -> str:
    """Return the key as UTF-8 can hold it: addresses from broken mail hold halves of characters."""
    return key if key.isascii() else key.encode("utf-8", "backslashreplace").decode()


def id_digest(message_id: str) -> str:
    """Return the 128-bit digest of a Message-ID (without white space and angle brackets) as hex."""
    return blake2b(
        "".join(message_id.split()).strip("<>").encode("utf-8", "surrogateescape"), digest_size=16
    ).hexdigest()


def encode_fact(fact: Fact) -> bytes:
    """Return a fact as stored."""
    return msgspec.msgpack.encode(fact)


def decode_fact(data: bytes, kind: type[_F]) -> _F:
    """Read a stored fact.  Raises msgspec.ValidationError when it was written by another version."""
    return msgspec.msgpack.decode(data, type=kind)


@dataclass(frozen=True, slots=True)
class Change:
    """One row of `directory_change`: a derived key's new value, or None when it is gone."""

    seq: int
    key: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class DirectoryState:
    """Generation mark: which generation is in force, how far it was projected and when the projector last spoke."""

    generation: int
    seq: int
    projected_at: datetime
    rebuilding: bool = False


class Directory(Protocol):
    """What the milter asks.  No call raises for a slow or broken backend: the answer is then UNKNOWN, and counted."""

    def state(self) -> DirectoryState | None:
        """Return the mark, or None when there is none."""

    def policy(self) -> Policy | None:
        """Return the company's policy, also a stale one: whose domains are ours does not change by the minute."""

    def fetch(self, keys: Sequence[str]) -> dict[str, bytes] | Unknown:
        """Return the values of the keys that exist, in one look."""

    def claim(self, key: str, value: str, ttl_seconds: float) -> str | Unknown:
        """Set the key if nobody holds it; return the value in force.  Idempotent for the same key."""

    def next_turn(self, key: str) -> int | Unknown:
        """Count up and return the new number: round robin."""

    def note(self, values: dict[str, bytes], ttl_seconds: float) -> None:
        """Remember arrival's own keys for that long; `fetch` sees them where no derived key of that name exists."""

    def close(self) -> None:
        """Release the backend."""


class DirectoryWriter(Protocol):
    """What only the projector calls.  Every call raises DirectoryError when the backend can't be written."""

    def seq(self) -> int | None:
        """Return how far the generation in force was projected; None: there is none, rebuild."""

    def project(self, changes: Iterable[Change], at: datetime) -> int:
        """Write changes in order, an older sequence never replacing a newer; move the mark; return the last seq."""

    def begin_rebuild(self) -> int:
        """Start a new generation beside the old one and return its number; until `finish_rebuild` it is not read."""

    def fill(self, generation: int, changes: Iterable[Change]) -> None:
        """Write into a generation being built."""

    def finish_rebuild(self, generation: int, seq: int, at: datetime) -> None:
        """Switch to the new generation atomically and drop the old."""

    def heartbeat(self, at: datetime) -> None:
        """Say that the projector is alive and has nothing new."""

    def close(self) -> None:
        """Release the backend."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""A host and its workers' end of the stream in a folder, for tests: entries are posted, shipped and taken step by step."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crm_sync.stream_source import StreamSource
from tradepost.arrival import Arrival
from tradepost.envelope import Envelope
from tradepost.journal import Journal, Reserve
from tradepost.mail_stream import StreamKeys
from tradepost.redis_link import RedisClient, open_redis
from tradepost.settings import RedisSettings
from tradepost.verdict import Direction, Verdict
from tradepost_milter.shipper import Shipper


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


@dataclass
class Clock:
    """Time that a test moves; added to the real one's pace it would make no test slower."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Host:
    """One host's journal and its shippers, of which there is one at a time."""

    folder: Path
    url: str
    instance: str = "mx1.own.example"
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = RedisSettings(url=self.url, **self.changes)
        self.keys = StreamKeys(self.settings)
        self.journal = Journal(self.folder / self.instance, Reserve(0, 0))
        self.journal.create()
        self.clock = Clock()
        self.clients: list[RedisClient] = []

    def connect(self) -> RedisClient:
        client = open_redis(self.settings, timeout_seconds=3)
        self.clients.append(client)
        return client

    def shipper(self, kind: type[Shipper] = Shipper) -> Shipper:
        """Return a shipper as after a (re)start."""
        return kind(
            journal=self.journal,
            connect=self.connect,
            instance=self.instance,
            settings=self.settings,
            stop=threading.Event(),
            clock=self.clock,
        )

    def source(self, consumer: str = "worker", **changes: Any) -> StreamSource:
        """Return a worker's end of the stream."""
        wanted: dict[str, Any] = {"batch": 50, "stop": threading.Event(), "settings": self.settings} | changes
        return StreamSource(connect=self.connect, consumer=consumer, **wanted)

    def post(self, raw: bytes = b"Subject: x\r\n\r\nhello\r\n") -> str:
        """Put an entry into the journal as the milter does."""
        entry_id = self.journal.new_id()
        envelope = Envelope("4XyZ", "ann@far.example", ("sales@own.example",))
        arrival = Arrival(
            entry_id, self.instance, datetime.now(UTC), envelope, Verdict(Direction.INBOUND), raw_bytes=len(raw)
        )
        self.journal.write(arrival, [raw])
        return entry_id

    def later(self, shipper: Shipper, seconds: float = 1.5, steps: int = 1) -> int:
        """Let time pass for the shipper, in steps; return what moved."""
        moved = 0
        for _ in range(steps):
            self.clock.now += seconds
            moved += shipper.step()
        return moved

    def close(self) -> None:
        for client in self.clients:
            client.close()


def settle(shipper: Shipper, holds: Callable[[], bool], steps: int = 400) -> None:
    """Step until it holds."""
    for _ in range(steps):
        if holds():
            return
        shipper.step()
        threading.Event().wait(0.01)
    raise AssertionError("did not come about")


def emptied(client: Any, keys: StreamKeys, instance: str) -> bool:
    """Tell whether nothing of a host is left in Redis."""
    # The hash keeps its count of shipments.
    return [client.xlen(keys.mail), client.xlen(keys.done(instance)), client.hlen(keys.sent(instance))] == [0, 0, 1]

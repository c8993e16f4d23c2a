# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to Redis for callers with a deadline in milliseconds.

A thread of its own does what takes long (names, TCP, TLS, login, Sentinels, a cluster's nodes), so that a call waits for
an answer at most, never for a connection being made.  redis-py's client retries and reconnects within a call; here each
connection is used directly.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import redis

from tradepost.breaker import Breaker
from tradepost.redis_link import RedisClient

log = logging.getLogger("tradepost.directory")

# More than this many callers at once find the interpreter's lock before they find Redis.
MOST_LINES = 8
LONGEST_REST_SECONDS = 2.0
# A Redis that is away is met by every mail; one line in so long tells it.
_SILENCE_SECONDS = 30
# Another server is to be asked.  Any other error that it answers (full, no permission) leaves a connection usable.
_ELSEWHERE = (
    redis.exceptions.ReadOnlyError,
    redis.exceptions.AskError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.TryAgainError,
)


class LinesDown(Exception):
    """Redis is away, or not the one that may be asked: not asked for a while."""


class LinesLate(Exception):
    """No answer, or no free connection, in time."""


class RedisLines:
    """A few connections kept ready, behind a circuit breaker.  Safe in threads; make it after a fork.

    `open_client` returns the client whose connections are copied (a cluster's: to the node that holds `key`);
    `is_ready` is called with each new connection before anybody uses it and must raise redis.RedisError where that can't
    serve.
    """

    def __init__(
        self,
        open_client: Callable[[], RedisClient],
        key: str,
        is_ready: Callable[["Line"], None],
        *,
        name: str,
        breaker: Breaker | None = None,
    ) -> None:
        self._open_client = open_client
        self._key = key
        self._is_ready = is_ready
        self._name = name
        self._breaker = breaker or Breaker(longest_seconds=LONGEST_REST_SECONDS)
        self._changed = threading.Condition()
        self._free: deque[Line] = deque()
        self._lines = 0  # free or in use
        self._wanted = 1
        self._outages = 0  # how often the breaker opened: after each, Redis may have forgotten what it had acknowledged
        self._attempts = 0
        self._is_closing = False
        self._client: RedisClient | None = None
        self._told_at = -float("inf")
        self._opener = threading.Thread(target=self._keep_open, daemon=True, name="redis-lines")
        self._opener.start()

    def wait_until_tried(self, seconds: float) -> None:
        """Return as soon as the first attempt to connect has ended, well or not."""
        with self._changed:
            self._changed.wait_for(lambda: self._attempts > 0, seconds)

    def ask(self, until: float, *command: str | bytes | int) -> Any:
        """Send one command and return its answer, by `until` (time.monotonic).

        Raises LinesDown, LinesLate, and redis.ResponseError where Redis has declined.
        """
        line = self._take(until)
        try:
            answer = line.ask(until, *command)
        except redis.TimeoutError as error:
            self._drop(line, self._breaker.came_late, error)
            raise LinesLate(str(error)) from error
        except (redis.RedisError, OSError) as error:
            if isinstance(error, redis.ResponseError) and not isinstance(error, _ELSEWHERE):
                self._give_back(line)
                raise
            # Gone, still loading, no longer the master, a slot that moved: found anew by the opener.
            self._drop(line, self._breaker.failed, error)
            raise LinesDown(str(error)) from error
        except BaseException:
            self._drop(line, lambda: None, None)
            raise
        self._give_back(line)
        return answer

    def close(self) -> None:
        """End the opener and every connection."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._opener.join()
        with self._changed:
            self._disconnect_free()

    def _take(self, until: float) -> "Line":
        with self._changed:
            while not self._free:
                if self._breaker.is_open or self._is_closing:
                    raise LinesDown("not asked: it failed a moment ago")
                if self._lines >= self._wanted and self._wanted < MOST_LINES:
                    self._wanted += 1
                    self._changed.notify_all()
                if not self._changed.wait(until - time.monotonic()) and time.monotonic() >= until:
                    if not self._lines:  # not even one that others use: it is being made, for too long
                        self._count(self._breaker.came_late, "no connection in time")
                    raise LinesLate("no connection was free in time")
            if self._breaker.is_open:
                raise LinesDown("not asked: it failed a moment ago")
            return self._free.popleft()  # the one that rested longest: none is forgotten by a firewall

    def _give_back(self, line: "Line") -> None:
        with self._changed:
            # An answer from before an outage says nothing about the server of now.
            is_current = line.outages == self._outages
            if is_current:
                self._breaker.succeeded()
            if is_current and not self._is_closing:
                self._free.append(line)
            else:
                self._lines -= 1
                line.close()
            self._changed.notify_all()  # one alone might be the opener, and who waits for a line would wait in vain

    def _drop(self, line: "Line", count: Callable[[], None], error: Exception | None) -> None:
        line.close()
        with self._changed:
            self._lines -= 1
            if line.outages == self._outages:  # an older one says nothing about the server of now
                self._count(count, error)
            self._changed.notify_all()

    def _count(self, count: Callable[[], None], reason: object) -> None:
        """Let the breaker count, and note an outage where it opens thereby."""
        was_open = self._breaker.is_open
        count()
        if self._breaker.is_open and not was_open:
            self._outages += 1
            self._disconnect_free()
            self._tell(reason)
            self._changed.notify_all()

    def _disconnect_free(self) -> None:
        while self._free:
            self._lines -= 1
            self._free.popleft().close()

    def _tell(self, reason: object) -> None:
        now = time.monotonic()
        if now - self._told_at >= _SILENCE_SECONDS:
            self._told_at = now
            log.warning("%s: %s", self._name, reason)

    def _keep_open(self) -> None:
        outages = 0
        while self._wait_for_work():
            with self._changed:
                if outages != self._outages:
                    outages = self._outages
                    self._forget_client()
            try:
                line = self._connect(outages)
            except Exception as error:  # noqa: BLE001 - whatever it is, this thread must try again
                self._forget_client()
                with self._changed:
                    self._count(self._breaker.failed, error)
                    self._attempts += 1
                    self._changed.notify_all()
                continue
            with self._changed:
                if outages == self._outages:
                    self._breaker.succeeded()
                    self._lines += 1
                    self._free.append(line)
                else:
                    line.close()
                self._attempts += 1
                self._changed.notify_all()
        self._forget_client()

    def _wait_for_work(self) -> bool:
        """Sleep until a connection is wanted and may be made; False: the end has come."""
        with self._changed:
            while not self._is_closing:
                rest = self._breaker.seconds_to_probe()
                if self._lines < self._wanted and rest == 0.0:
                    return True
                self._changed.wait(rest or None)
        return False

    def _connect(self, outages: int) -> "Line":
        if self._client is None:
            self._client = self._open_client()
        client = self._client
        if isinstance(client, redis.RedisCluster):
            nodes: Any = client
            client = nodes.get_redis_connection(nodes.get_node_from_key(self._key))
        pool: Any = client.connection_pool
        line = Line(pool.connection_class(**pool.connection_kwargs), outages)
        try:
            line.connect()
            self._is_ready(line)
        except BaseException:
            line.close()
            raise
        return line

    def _forget_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


class Line:
    """One connection, used by one thread at a time."""

    def __init__(self, connection: Any, outages: int) -> None:
        self._connection = connection
        self.outages = outages  # how often the breaker had opened when it was made

    def connect(self) -> None:
        """Connect and log in.  Raises redis.RedisError."""
        self._connection.connect()

    def ask(self, until: float, *command: str | bytes | int) -> Any:
        """Send and read.  Raises redis.RedisError; after a TimeoutError an answer is still to come: close it."""
        connection = self._connection
        connection.send_packed_command(connection.pack_command(*command), check_health=False)
        return connection.read_response(timeout=max(0.001, until - time.monotonic()))

    def close(self) -> None:
        """Disconnect."""
        self._connection.disconnect()

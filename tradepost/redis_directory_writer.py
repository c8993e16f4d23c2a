# SPDX-License-Identifier: GPL-3.0-or-later
"""The projector's side of the directory in Redis.  Workers on several hosts may each run one: steps are atomic and repeatable."""

import logging
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import redis

from tradepost.directory import Change, DirectoryError, storable
from tradepost.redis_link import open_redis, shown_address
from tradepost.redis_scripts import (
    BEGIN,
    BEHIND,
    DONE,
    FILL,
    FINISH,
    LOST,
    PROJECT,
    SEQ,
    Script,
    directory_keys,
)
from tradepost.settings import RedisSettings

log = logging.getLogger("tradepost.directory")

# Changes in one script: a lookup at arrival must not wait behind all of them.
_SLICE = 250
# Longer than a reader leaves a failing Redis alone (RedisLines) and the second between two looks for the policy together.
SETTLE_SECONDS = 4.0
# The worker records in the same thread: it must not wait long for a Redis that hangs.
_TIMEOUT_SECONDS = 2.0
# A generation that nobody fills any more goes by itself after so long.
_ABANDONED_SECONDS = 600


class RedisDirectoryWriter:
    """Writes changes and whole generations.  Every call raises DirectoryError when Redis can't be written.

    Where Redis had lost everything, a generation comes into force only after `settle_seconds`: by then the readers have told
    it again what they had promised (RedisDirectory), and the mail that came meanwhile is recorded.
    """

    def __init__(self, settings: RedisSettings, *, settle_seconds: float = SETTLE_SECONDS) -> None:
        """Open.  Raises DirectoryError and RedisRefused."""
        self._name = shown_address(settings)
        self._keys = directory_keys(settings)
        self._settle_seconds = settle_seconds
        self._reached = 0
        self._filling: tuple[int, str, int] | None = None  # number, its word, pages filled
        try:
            self._client = open_redis(settings, timeout_seconds=_TIMEOUT_SECONDS)
        except redis.RedisError as error:
            raise self._broken(error) from error
        try:
            self._refuse_eviction()
            self.seq()
        except BaseException:
            self.close()
            raise

    def seq(self) -> int | None:
        status, *found = self._run(SEQ, (self._keys.mark,), (self._keys.generations,))
        if status != DONE:
            return None
        self._reached = int(found[0])
        return self._reached

    def project(self, changes: Iterable[Change], at: datetime) -> int:
        seq = None
        for words in _slices(changes):
            seq = self._move_mark(words, at)
        return self._move_mark((), at) if seq is None else seq

    def heartbeat(self, at: datetime) -> None:
        self._move_mark((), at)

    def begin_rebuild(self) -> int:
        self.seq()
        word = secrets.token_hex(8)
        answer = self._run(
            BEGIN, (self._keys.mark, self._keys.last), (self._keys.generations, word, _ABANDONED_SECONDS)
        )
        number = int(answer[1])
        self._filling = (number, word, 0)
        return number

    def fill(self, generation: int, changes: Iterable[Change]) -> None:
        for words in _slices(changes):
            number, word, pages = self._being_filled(generation)
            self._check_held(
                self._run(FILL, (f"{self._keys.generations}{number}",), (word, pages, _ABANDONED_SECONDS, *words))
            )
            self._filling = (number, word, pages + 1)

    def finish_rebuild(self, generation: int, seq: int, at: datetime) -> None:
        number, word, pages = self._being_filled(generation)
        self._check_held(
            self._run(
                FINISH,
                (self._keys.mark, self._keys.own_word, f"{self._keys.generations}{number}"),
                (
                    *(self._keys.generations, number, word, pages, seq, _age_ms(at)),
                    *(secrets.token_hex(8), round(self._settle_seconds * 1000)),
                ),
            )
        )
        self._filling = None

    def close(self) -> None:
        self._client.close()

    def _move_mark(self, words: Sequence[str | bytes], at: datetime) -> int:
        status, *found = self._run(
            PROJECT, (self._keys.mark,), (self._keys.generations, self._reached, _age_ms(at), *words)
        )
        if status == BEHIND:
            # A failover, or a restart from an older file: what lay between must be written again.
            raise DirectoryError(
                f"{self._name}: the directory fell back from change {self._reached} to {int(found[0])}; it is continued "
                "from there"
            )
        if status != DONE:
            raise DirectoryError(f"{self._name}: the directory has no generation: rebuild it first")
        self._reached = int(found[0])
        return self._reached

    def _being_filled(self, generation: int) -> tuple[int, str, int]:
        if self._filling is None or self._filling[0] != generation:
            raise DirectoryError(f"{self._name}: generation {generation} is not being built here: rebuild it")
        return self._filling

    def _check_held(self, answer: Sequence[Any]) -> None:
        if answer[0] == LOST:
            raise DirectoryError(
                f"{self._name}: Redis lost the generation while it was being built; the rebuild starts anew"
            )

    def _refuse_eviction(self) -> None:
        """Refuse a Redis that throws keys away to make room: it would forget claims, and mail in the stream."""
        memory = self._info("memory")
        policy = str(memory.get("maxmemory_policy", "noeviction"))
        if memory.get("maxmemory") and policy != "noeviction":
            raise DirectoryError(
                f"{self._name}: Redis throws keys away when it is full (maxmemory-policy {policy}); "
                "set it to noeviction in redis.conf"
            )

    def _info(self, section: str) -> dict[str, Any]:
        try:
            if isinstance(self._client, redis.RedisCluster):
                nodes: Any = self._client
                return dict(nodes.info(section, target_nodes=nodes.get_node_from_key(self._keys.mark)))
            return dict(self._client.info(section))
        except redis.exceptions.NoPermissionError:
            log.warning("%s: its eviction policy can't be read: the user lacks +info", self._name)
            return {}
        except (redis.RedisError, redis.exceptions.RedisClusterException) as error:
            raise self._broken(error) from error

    def _run(self, script: Script, keys: Sequence[str], words: Sequence[str | bytes | int]) -> list[Any]:
        try:
            try:
                answer: Any = self._client.evalsha(script.digest, len(keys), *keys, *words)
            except redis.exceptions.NoScriptError:
                answer = self._client.eval(script.text, len(keys), *keys, *words)
        except redis.RedisError as error:
            raise self._broken(error) from error
        return list(answer)

    def _broken(self, error: Exception) -> DirectoryError:
        return DirectoryError(
            f"{self._name}: the directory can't be used: {error}; once Redis is well, 'tradepost directory rebuild' "
            "writes it anew"
        )


def _slices(changes: Iterable[Change]) -> Iterator[list[str | bytes]]:
    """Yield keys and stored values in turn, some hundred changes at a time."""
    rest = iter(changes)
    while page := list(islice(rest, _SLICE)):
        yield [word for change in page for word in (storable(change.key), _stored(change))]


def _stored(change: Change) -> bytes:
    return b"%d" % change.seq if change.value is None else b"%d:%b" % (change.seq, change.value)


def _age_ms(at: datetime) -> int:
    """Return how old the news is: told by this host's clock alone, so that it counts on any other's."""
    return max(0, round((datetime.now(UTC) - at).total_seconds() * 1000))

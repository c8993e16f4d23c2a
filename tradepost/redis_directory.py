# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory that several hosts share: Redis, asked in one round trip and left alone when it does not answer.

Everything Redis holds may be lost at any moment.  What the projector wrote, it writes again; what this process was
promised (claims), it tells Redis again, before a new generation comes into force.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from typing import Any

import msgspec
import redis

from tradepost.directory import POLICY_KEY, UNKNOWN, DirectoryState, Unknown, claim_key, decode_fact, storable
from tradepost.metrics import Unanswered, count_unknown
from tradepost.policy import Policy
from tradepost.redis_lines import Line, LinesDown, LinesLate, RedisLines
from tradepost.redis_link import open_redis, shown_address
from tradepost.redis_scripts import (
    CLAIM,
    DONE,
    FETCH,
    NOTE,
    POLICY,
    PROMISE,
    STALE,
    STATE,
    TURN,
    Script,
    directory_keys,
)
from tradepost.redis_url import check_redis
from tradepost.settings import RedisSettings

log = logging.getLogger("tradepost.directory")

# Connecting may take so long (TLS, login, Sentinels); no mail waits for it.
_CONNECT_SECONDS = 1.0
_SILENCE_SECONDS = 30
# Claims of the last minutes, and one for each distributed letter of the last days: told again after a loss.
_MOST_PROMISES = 10_000
_READ_ONLY = frozenset({FETCH, POLICY, STATE})
_SCRIPTS = (FETCH, POLICY, STATE, CLAIM, TURN, NOTE)


class _Unanswered(Exception):
    """Redis can't answer now; `cause` says why."""

    def __init__(self, cause: Unanswered) -> None:
        super().__init__(cause.value)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class _Reached:
    """The newest mark this process saw, and when (time.monotonic)."""

    own_word: bytes | None = None
    generation: int = 0
    seq: int = 0
    at: float = 0.0


class RedisDirectory:
    """Reader and claimer: one per process, opened after the fork, safe in threads.

    A call ends within `deadline_ms`, waiting for a connection included; the lines to Redis are made by a thread of their
    own.  While Redis fails, calls answer UNKNOWN at once.
    """

    def __init__(self, settings: RedisSettings, *, deadline_ms: int = 20, stale_after_seconds: float = 300) -> None:
        """Connect in the background; wait a second at most for the first attempt.  Raises RedisRefused."""
        check_redis(settings)
        self._name = shown_address(settings)
        self._keys = directory_keys(settings)
        self._deadline_seconds = deadline_ms / 1000
        self._stale_after = stale_after_seconds
        self._lock = Lock()
        self._told_at: dict[str, float] = {}
        self._reached = _Reached()
        self._policy: Policy | None = None
        self._policy_mark = (b"", b"")  # the generation's word and seq of the policy at hand
        self._promises: OrderedDict[str, tuple[bytes, float]] = OrderedDict()  # own key -> value, expiry (monotonic)
        # The Redis that knows the promises: the word it keeps, and outages so far.
        self._promised_word: bytes | None = None
        self._promised_outages = 0
        self._lines = RedisLines(
            partial(open_redis, settings, timeout_seconds=_CONNECT_SECONDS),
            self._keys.mark,
            self._make_ready,
            name=self._name,
        )
        self._lines.wait_until_tried(_CONNECT_SECONDS)

    def state(self) -> DirectoryState | None:
        try:
            return self._read_state()
        except _Unanswered:
            return None

    def policy(self) -> Policy | None:
        """Asked every second in the background: so it also tells Redis again what it has forgotten."""
        try:
            self._read_policy()
        except (_Unanswered, LinesDown, LinesLate):
            pass  # the one at hand stays: whose domains are ours does not change by the minute
        return self._policy

    def fetch(self, keys: Sequence[str]) -> dict[str, bytes] | Unknown:
        try:
            return self._read_facts(keys)
        except _Unanswered as unanswered:
            count_unknown(unanswered.cause)
        except ValueError as error:
            self._count_spoilt("fetch", error)
        return UNKNOWN

    def claim(self, key: str, value: str, ttl_seconds: float) -> str | Unknown:
        own_key = self._own_key(claim_key(key))
        try:
            _, held, left_ms = self._run(
                "claim",
                CLAIM,
                (self._keys.mark, own_key),
                (self._keys.generations, value.encode(), _milliseconds(ttl_seconds)),
            )
            holder = bytes(held).decode()
        except _Unanswered as unanswered:
            count_unknown(unanswered.cause)
            return UNKNOWN
        except ValueError as error:
            self._count_spoilt("claim", error)
            return UNKNOWN
        self._remember(own_key, held, left_ms / 1000)
        return holder

    def next_turn(self, key: str) -> int | Unknown:
        try:
            answer = self._run(
                "next-turn", TURN, (self._keys.mark, self._keys.turns + storable(key)), (self._keys.generations,)
            )
        except _Unanswered as unanswered:
            count_unknown(unanswered.cause)
            return UNKNOWN
        return int(answer[1])

    def note(self, values: dict[str, bytes], ttl_seconds: float) -> None:
        try:
            self._run(
                "note",
                NOTE,
                (self._keys.mark, *map(self._own_key, values)),
                (self._keys.generations, _milliseconds(ttl_seconds), *values.values()),
            )
        except _Unanswered as unanswered:
            count_unknown(unanswered.cause)

    def close(self) -> None:
        self._lines.close()

    def _make_ready(self, line: Line) -> None:
        """Teach a new connection's server the scripts, then see whether it answers in time; of three, one must."""
        until = time.monotonic() + _CONNECT_SECONDS
        known = line.ask(until, "SCRIPT", "EXISTS", *(script.digest for script in _SCRIPTS))
        for script, is_known in zip(_SCRIPTS, known, strict=True):
            if not is_known:
                line.ask(until, "SCRIPT", "LOAD", script.text)
        probe = _command(FETCH, self._fetch_keys(()), self._fetch_words(()))
        for _ in range(3):
            asked_at = time.monotonic()
            line.ask(until, *probe)
            if time.monotonic() - asked_at < self._deadline_seconds:
                break
        else:
            raise redis.TimeoutError(f"its answers take longer than {self._deadline_seconds * 1000:.0f} ms")
        if line.outages != self._promised_outages:  # a failover or an older file: the last claims may be lost
            self._promise_again(lambda words: line.ask(time.monotonic() + _CONNECT_SECONDS, *words))
            self._promised_outages = line.outages

    def _run(self, stage: str, script: Script, keys: Sequence[str], words: Sequence[str | bytes | int]) -> list[Any]:
        """Run a script within the deadline; its answer begins with DONE.  Raises _Unanswered for whatever hinders it."""
        until = time.monotonic() + self._deadline_seconds
        try:
            try:
                answer: list[Any] = self._lines.ask(until, *_command(script, keys, words))
            except redis.exceptions.NoScriptError:  # a new master, or SCRIPT FLUSH
                answer = self._lines.ask(until, *_command(script, keys, words, whole=True))
        except LinesLate as error:
            raise _Unanswered(Unanswered.SLOW) from error
        except LinesDown as error:
            raise _Unanswered(Unanswered.ERROR) from error
        except redis.RedisError as error:
            self._tell(stage, error)
            raise _Unanswered(Unanswered.ERROR) from error
        if answer[0] != DONE and script is not POLICY:
            raise _Unanswered(Unanswered.STALE if answer[0] == STALE else Unanswered.NO_MARK)
        return answer

    def _read_state(self) -> DirectoryState:
        answer = self._run("state", STATE, (self._keys.mark, self._keys.last), (self._keys.generations,))
        _, generation, seq, at_ms, now_ms, rebuilding = answer
        # By this host's clock, whatever Redis' says.
        projected_at = datetime.now(UTC) - timedelta(milliseconds=int(now_ms) - int(at_ms))
        return DirectoryState(int(generation), int(seq), projected_at, rebuilding=bool(rebuilding))

    def _fetch_keys(self, keys: Sequence[str]) -> tuple[str, ...]:
        return (self._keys.mark, self._keys.own_word, *(self._keys.own + key for key in keys))

    def _fetch_words(self, keys: Sequence[str]) -> tuple[str | bytes | int, ...]:
        return (self._keys.generations, int(self._stale_after * 1000), *keys)

    def _read_facts(self, keys: Sequence[str]) -> dict[str, bytes]:
        reached = self._reached  # before asking: an answer on its way may be older than one another thread has read
        stored = [storable(key) for key in keys]
        _, own, derived = self._run("fetch", FETCH, self._fetch_keys(stored), self._fetch_words(stored))
        self._check_reached(reached, _Reached(own[1], int(own[0]), int(derived[0]), time.monotonic()))
        found = {}
        for key, noted, value in zip(keys, own[2:], derived[3:], strict=True):
            _, colon, fact = (value or b"").partition(b":")
            if colon:
                found[key] = fact
            elif noted is not None:
                found[key] = noted
        return found

    def _check_reached(self, before: _Reached, now: _Reached) -> None:
        """Raise _Unanswered when Redis came back with less than this process has seen: then "none" may be wrong.

        So it is after a failover or a restart from an older file, until the projector has continued.
        """
        is_older = now.own_word == before.own_word and (
            now.generation < before.generation or (now.generation == before.generation and now.seq < before.seq)
        )
        if is_older and now.at - before.at < self._stale_after:
            raise _Unanswered(Unanswered.STALE)
        self._reached = now

    def _read_policy(self) -> None:
        born, seq = self._policy_mark
        _, own_word, *changed = self._run(
            "policy",
            POLICY,
            (self._keys.mark, self._keys.own_word),
            (self._keys.generations, POLICY_KEY, born, seq),
        )
        if own_word != self._promised_word:  # all was lost
            self._promise_again(lambda words: self._lines.ask(time.monotonic() + self._deadline_seconds, *words))
            self._promised_word = own_word
        if not changed:
            return
        born, stored = changed
        seq, colon, value = stored.partition(b":")
        if not colon:
            return
        try:
            self._policy = decode_fact(value, Policy)
        except msgspec.MsgspecError as error:
            self._tell("policy", error)
            raise _Unanswered(Unanswered.ERROR) from error
        self._policy_mark = (born, seq)

    def _remember(self, own_key: str, value: bytes, left_seconds: float) -> None:
        with self._lock:
            self._promises[own_key] = (value, time.monotonic() + left_seconds)
            self._promises.move_to_end(own_key)
            if len(self._promises) > _MOST_PROMISES:
                self._promises.popitem(last=False)

    def _promise_again(self, ask: Callable[[tuple[str | bytes | int, ...]], object]) -> None:
        now = time.monotonic()
        with self._lock:
            for key in [key for key, (_, until) in self._promises.items() if until <= now]:
                del self._promises[key]
            promises = list(self._promises.items())
        for start in range(0, len(promises), 200):
            page = promises[start : start + 200]
            words = [word for _, (value, until) in page for word in (value, _milliseconds(until - now))]
            try:
                ask(_command(PROMISE, [key for key, _ in page], words, whole=True))
            except redis.ResponseError as error:  # full: what can't be promised again is lost
                self._tell("promise", error)
                return

    def _own_key(self, key: str) -> str:
        return self._keys.own + storable(key)

    def _count_spoilt(self, stage: str, error: ValueError) -> None:
        """Something that tradepost never writes stands there."""
        self._tell(stage, error)
        count_unknown(Unanswered.ERROR)

    def _tell(self, stage: str, error: Exception) -> None:
        now = time.monotonic()
        if now - self._told_at.get(stage, -_SILENCE_SECONDS) >= _SILENCE_SECONDS:
            self._told_at[stage] = now
            log.warning("%s: %s: %s", self._name, stage, error)


def _command(
    script: Script, keys: Sequence[str], words: Sequence[str | bytes | int], *, whole: bool = False
) -> tuple[str | bytes | int, ...]:
    # The read-only form is served while writing is paused, as in a failover.
    verb = ("EVAL" if whole else "EVALSHA") + ("_RO" if script in _READ_ONLY else "")
    return (verb, script.text if whole else script.digest, len(keys), *keys, *words)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))

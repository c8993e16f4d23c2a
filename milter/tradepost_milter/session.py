# SPDX-License-Identifier: GPL-3.0-or-later
"""libmilter's callbacks: collect a transaction, decide at EOM, journal, edit, answer CONTINUE whatever happens.

The order at EOM is the promise: decide -> journal entry fsynced -> header edits, X-Tradepost-Id last -> seen list ->
answer.  Killed anywhere in between, the mail is delivered, and either recorded or named by `tradepost reconcile`.
"""

import errno
import functools
import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec

import Milter

from tradepost.arrival import Arrival
from tradepost.envelope import Client, Envelope
from tradepost.journal import Journal, JournalFull, SeenList
from tradepost.metrics import Sighting, Stage, count_failure, count_journal_full, count_mail, count_seen, observe_eom
from tradepost.settings import Settings
from tradepost.verdict import Action, ActionKind, Recording, Verdict
from tradepost_milter.border import is_excluded
from tradepost_milter.decision import Decider, Seen
from tradepost_milter.heartbeat import Pulse
from tradepost_milter.policies import PolicySource
from tradepost_milter.thinking import DeadlinePassed, Thinkers
from tradepost_milter.transaction import Transaction

log = logging.getLogger("tradepost.milter")
P = ParamSpec("P")
_numbers = itertools.count()

MACROS = ("i", "j", "_", "{auth_authen}", "{auth_type}", "{mail_addr}", "{daemon_name}", "{tls_version}", "{cipher}")


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything a session needs; built once per child, after the fork."""

    settings: Settings
    decider: Decider
    policies: PolicySource
    journal: Journal
    seen: SeenList
    pulse: Pulse
    thinkers: Thinkers


def _guarded(
    callback_name: str,
) -> Callable[[Callable[Concatenate["Session", P], int]], Callable[Concatenate["Session", P], int]]:
    """The one guard: a bug of ours costs a mark, never a mail."""

    def wrap(callback: Callable[Concatenate["Session", P], int]) -> Callable[Concatenate["Session", P], int]:
        @functools.wraps(callback)
        def guarded(self: "Session", /, *args: P.args, **kwargs: P.kwargs) -> int:
            self._engine.pulse.enter(self._number)
            try:
                return callback(self, *args, **kwargs)
            except Exception:
                count_failure(Stage.CALLBACK)
                log.exception("%s: %s failed, the mail passes unmarked", self._queue_id(), callback_name)
                if self._transaction is not None:
                    self._transaction.failed = True
                return int(Milter.CONTINUE)
            finally:
                self._engine.pulse.leave(self._number)

        return guarded

    return wrap


@Milter.header_leading_space
class Session(Milter.Base):
    """One SMTP connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._number = next(_numbers)
        self._transaction: Transaction | None = None
        self._client_name = ""
        self._client_address = ""
        self._helo = ""

    @Milter.noreply
    @_guarded("connect")
    def connect(self, hostname: str, family: int, hostaddr: Any) -> int:
        self._client_name = hostname
        self._client_address = hostaddr[0] if isinstance(hostaddr, tuple) else ""
        return int(Milter.CONTINUE)

    @Milter.noreply
    @_guarded("hello")
    def hello(self, hostname: str) -> int:
        self._helo = hostname
        return int(Milter.CONTINUE)

    @Milter.noreply
    @Milter.decode("bytes")
    @_guarded("envfrom")
    def envfrom(self, sender: bytes, *esmtp: bytes) -> int:
        self._forget()
        settings = self._engine.settings.milter
        journal = self._engine.journal
        self._transaction = Transaction(
            _address(sender),
            tuple(parameter.decode("ascii", "replace") for parameter in esmtp),
            head_limit=settings.classify_bytes,
            spill_limit=settings.spill_bytes,
            open_draft=lambda: journal.draft(journal.new_id()),
        )
        return int(Milter.CONTINUE)

    @Milter.noreply
    @Milter.decode("bytes")
    @_guarded("envrcpt")
    def envrcpt(self, recipient: bytes, *esmtp: bytes) -> int:
        if self._transaction is not None:
            self._transaction.recipients.append(_address(recipient))
        return int(Milter.CONTINUE)

    # Answered on purpose: left out or unanswered, Postfix sends a lone macro packet that nobody acknowledges, which on
    # an inet socket costs 40 ms a mail.
    @_guarded("data")
    def data(self) -> int:
        recording = self._engine.settings.recording
        if self._transaction is not None and recording.excluded:
            envelope = self._envelope(self._transaction, self._macros())
            policy = self._engine.policies.current().policy
            self._transaction.may_store = not is_excluded(recording, policy, envelope, "")
        return int(Milter.CONTINUE)

    @Milter.noreply
    @Milter.decode("bytes")
    @_guarded("header")
    def header(self, name: str, value: bytes) -> int:
        if self._transaction is not None:
            self._transaction.fields.append((name.encode("utf-8", "surrogateescape"), value))
        return int(Milter.CONTINUE)

    @Milter.noreply
    @_guarded("body")
    def body(self, chunk: bytes) -> int:
        if self._transaction is not None:
            self._transaction.add_body(chunk)
        return int(Milter.CONTINUE)

    @_guarded("eom")
    def eom(self) -> int:
        transaction = self._transaction
        if transaction is None:
            return int(Milter.CONTINUE)
        started = time.perf_counter()
        try:
            return self._end_of_message(transaction, started)
        finally:
            self._forget()
            observe_eom(time.perf_counter() - started)

    @_guarded("abort")
    def abort(self) -> int:
        self._forget()
        return int(Milter.CONTINUE)

    @_guarded("close")
    def close(self) -> int:
        self._forget()
        return int(Milter.CONTINUE)

    def _end_of_message(self, transaction: Transaction, started: float) -> int:
        macros = self._macros()
        envelope = self._envelope(transaction, macros)
        if transaction.failed:
            self._note(envelope, "", Sighting.FAILED)
            return int(Milter.CONTINUE)
        entry_id = transaction.draft.entry_id if transaction.draft else self._engine.journal.new_id()
        seen = Seen(
            entry_id,
            envelope,
            tuple(transaction.fields),
            transaction.head(),
            transaction.is_cut(),
            transaction.raw_bytes(),
        )
        verdict = self._decide(seen)
        reason = self._record(transaction, seen, verdict, macros)
        is_kept = reason not in (Sighting.EXCLUDED, Sighting.JOURNAL_FULL, Sighting.JOURNAL_ERROR)
        if not is_kept and reason is not Sighting.EXCLUDED and self._engine.settings.milter.strict:
            self._note(envelope, "", reason)
            self.setreply("451", "4.3.0", "Mail can't be recorded at the moment, try again later")
            return int(Milter.TEMPFAIL)
        self._edit(verdict.actions)
        self._note(envelope, entry_id if is_kept else "", reason)
        count_mail(verdict)
        log.info(
            "%s: entry=%s direction=%s category=%s priority=%s owner-by=%s recording=%s missing=%s reasons=%s ms=%.1f",
            envelope.queue_id,
            entry_id,
            verdict.direction,
            verdict.labels.category,
            verdict.labels.priority,
            verdict.owner_reason,
            reason,
            ",".join(verdict.missing) or "-",
            " ".join(verdict.reasons),
            (time.perf_counter() - started) * 1000,
        )
        return int(Milter.CONTINUE)

    def _decide(self, seen: Seen) -> Verdict:
        """Decide within the soft deadline; a thread that does not come back makes this child due for replacement."""
        queue_id = seen.envelope.queue_id
        decider = self._engine.decider
        soft_deadline = self._engine.settings.milter.soft_deadline_ms / 1000
        try:
            return self._engine.thinkers.run(lambda: decider.decide(seen), soft_deadline)
        except DeadlinePassed:
            count_failure(Stage.DEADLINE)
            log.warning("%s: not decided within the soft deadline, marked without classifying", queue_id)
            self._engine.pulse.call_stuck()
            return decider.decide_blind(seen, "soft-deadline")
        except Exception:
            count_failure(Stage.DECIDE)
            log.exception("%s: deciding failed, marked without classifying", queue_id)
            return decider.decide_blind(seen, "decide-failed")

    def _record(self, transaction: Transaction, seen: Seen, verdict: Verdict, macros: dict[str, str]) -> Sighting:
        """Journal what the policy allows; return the reason for the seen list."""
        if verdict.recording is Recording.NONE:
            return Sighting.EXCLUDED
        is_full = verdict.recording is Recording.FULL
        arrival = Arrival(
            entry_id=seen.entry_id,
            instance=self._engine.settings.host.instance,
            arrived_at=datetime.now(UTC),
            envelope=seen.envelope,
            verdict=verdict,
            raw_bytes=seen.octets if is_full else 0,
            macros=macros,
        )
        try:
            if transaction.spill_error is not None and is_full:
                raise transaction.spill_error
            if not is_full:
                transaction.abandon()  # what was streamed may not stay, and the entry takes its name
                self._engine.journal.write(arrival, ())
            elif transaction.draft is not None:
                transaction.draft.commit(arrival)
                transaction.draft = None
            else:
                self._engine.journal.write(arrival, transaction.raw_chunks())
        except OSError as error:
            reason = Sighting.JOURNAL_FULL if _is_full(error) else Sighting.JOURNAL_ERROR
            count_failure(Stage.JOURNAL)
            if reason is Sighting.JOURNAL_FULL:
                count_journal_full()
            log.error("%s: passes without a journal entry (%s): %s", seen.envelope.queue_id, reason, error)
            return reason
        if "own-mark" in verdict.reasons:
            return Sighting.REINJECTED
        return Sighting.JOURNALED if is_full else Sighting.ENVELOPE

    def _edit(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            match action.kind:
                case ActionKind.REMOVE_HEADER:
                    self.chgheader(action.name, action.index, None)
                case ActionKind.ADD_HEADER:
                    # With leading space left as it is on the way in, ours need one on the way out.
                    self.addheader(action.name, f" {action.value}")
                case ActionKind.INSERT_HEADER:
                    self.addheader(action.name, f" {action.value}", action.index)
                case ActionKind.ADD_RECIPIENT:
                    self.addrcpt(f"<{action.value}>")
                case ActionKind.DELETE_RECIPIENT:
                    self.delrcpt(f"<{action.value}>")
                case ActionKind.HOLD:
                    self.quarantine(action.value)

    def _note(self, envelope: Envelope, entry_id: str, reason: Sighting) -> None:
        count_seen(reason.value)
        try:
            self._engine.seen.note(envelope.queue_id, entry_id, reason.value)
        except OSError as error:
            count_failure(Stage.SEEN)
            log.error("%s: not in the seen list (%s): %s", envelope.queue_id, reason, error)

    def _envelope(self, transaction: Transaction, macros: dict[str, str]) -> Envelope:
        client = Client(
            name=self._client_name,
            address=self._client_address,
            helo=self._helo,
            tls=" ".join([macros[name] for name in ("{tls_version}", "{cipher}") if name in macros]),
            login=macros.get("{auth_authen}", ""),
            daemon_name=macros.get("{daemon_name}", ""),
        )
        return Envelope(macros.get("i", "NOQUEUE"), transaction.sender, tuple(transaction.recipients), client)

    def _macro(self, name: str) -> str:
        try:
            return self.getsymval(name) or ""
        except (UnicodeDecodeError, Milter.error):
            return ""

    def _macros(self) -> dict[str, str]:
        return {name: value for name in MACROS if (value := self._macro(name))}

    def _queue_id(self) -> str:
        return self._macro("i") or "NOQUEUE"

    def _forget(self) -> None:
        if self._transaction is not None:
            self._transaction.abandon()
        self._transaction = None


def _address(spoken: bytes) -> str:
    """Return the address between the angle brackets; SMTPUTF8 is UTF-8, anything else is kept byte by byte."""
    return spoken.decode("utf-8", "backslashreplace").strip().removeprefix("<").removesuffix(">")


def _is_full(error: OSError) -> bool:

    return isinstance(error, JournalFull) or error.errno in (errno.ENOSPC, errno.EDQUOT)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Postfix in each set-up that is compared, all up side by side: none, a bare pymilter, tradepost, rspamd.  smtp-sink takes what they deliver."""

import re
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from bench.letters import Letter
from bench.machine import children_of, seconds_by_name
from bench.private_rspamd import PrivateRspamd
from bench.sending import SESSIONS, Sent, send_letters
from postfix.sandbox.company import COMPANY_FILE, RULES_FILE, read_company
from postfix.sandbox.private_postfix import PrivatePostfix
from postfix.sandbox.private_redis import PrivateRedis
from postfix.sandbox.processes import Program, find_program, free_port, processes_in, wait_until
from postfix.sandbox.service_stack import ServiceStack

KINDS = ("none", "bare", "unix", "inet", "worker", "rspamd")
_RECORDING = ("worker", "redis")
_MILTER = "{{ {address}, connect_timeout=2s, command_timeout=8s, content_timeout=12s, default_action=accept }}"
_LOG_SECONDS = 3  # the milter may write its line after Postfix has its answer
_ENTRY = re.compile(rb": entry=.* ms=([\d.]+)$", re.MULTILINE)


class Unmarked(Exception):
    """Mails passed without the milter: Postfix's speed alone would have been measured."""


class Sink:
    """smtp-sink for all stations: it takes mail and forgets it, so that no mailbox's disk is in the way."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = [find_program("smtp-sink", "postfix"), "-u", "nobody", f"127.0.0.1:{self.port}", "1000"]
        self._program = Program("smtp-sink", command, folder / "sink.log", folder=folder)

    def __enter__(self) -> Self:
        self._program.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._program.stop()


class Station:
    """One Postfix in one set-up; use as a context manager, as root.

    `kind`: none (no milter), bare (a pymilter that adds two fields, unix socket), unix or inet (tradepost, worker stopped), worker (tradepost on a unix socket, worker and SQLite
    beside it), redis (the same with Redis between them: shipper, stream and directory), rspamd (unix socket).
    """

    def __init__(self, kind: str, sink: Sink) -> None:
        self.kind = kind
        self._sink = sink
        self._stack = ExitStack()
        self._services: ServiceStack | None = None
        self._rspamd: PrivateRspamd | None = None
        self._bare: Program | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._build(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _build(self, stack: ExitStack) -> None:
        port = free_port()
        milters = {
            "none": [],
            "inet": [_MILTER.format(address=f"inet:127.0.0.1:{port}")],
            "rspamd": [_MILTER.format(address="unix:rspamd/milter.sock")],
            "bare": [_MILTER.format(address="unix:bare/milter.sock")],
        }.get(self.kind, ["tradepost"])
        parameters = {"virtual_transport": f"smtp:[127.0.0.1]:{self._sink.port}", "smtp_tls_security_level": "none"}
        self.postfix = stack.enter_context(
            PrivatePostfix(
                read_company().mailboxes, hostname="mx.brightway.example", parameters=parameters, milters=milters
            )
        )
        if self.kind == "rspamd":
            folder = self.postfix.folder / "rspamd"
            folder.mkdir()
            self._rspamd = stack.enter_context(PrivateRspamd(folder, self.postfix.site.queue / "rspamd"))
        elif self.kind == "bare":
            self._start_bare(stack)
        elif self.kind != "none":
            # The worker is what keeps the directory fresh; without it all would be unknown after five minutes.
            settings: dict[str, dict[str, object]] = {"directory": {"stale_after_seconds": 86400}}
            parts: tuple[str, ...] = ("sync", "milter")
            if self.kind == "inet":
                settings["milter"] = {"socket": f"inet:127.0.0.1:{port}"}
            if self.kind == "redis":
                redis = stack.enter_context(PrivateRedis(self.postfix.folder / "redis"))
                settings["redis"] = {"url": redis.url}
                parts = ("sync", "ship", "milter")
            self._services = stack.enter_context(
                ServiceStack(self.postfix, company=COMPANY_FILE, rules=RULES_FILE, parts=parts, settings=settings)
            )
            if self.kind not in _RECORDING:
                self._services.stop("sync")

    def _start_bare(self, stack: ExitStack) -> None:
        folder = self.postfix.site.queue / "bare"
        folder.mkdir()
        socket = folder / "milter.sock"
        script = Path(__file__).with_name("bare_milter.py")
        command = [sys.executable, str(script), str(socket)]
        self._bare = Program("bare", command, self.postfix.folder / "bare.log", folder=self.postfix.folder)
        stack.callback(self._bare.kill)
        self._bare.start()
        wait_until("the bare milter", socket.exists, 15)

    @property
    def services(self) -> ServiceStack:
        """Milter and worker.  Only where tradepost is."""
        assert self._services is not None, f"{self.kind} has no tradepost"
        return self._services

    def send(self, letters: Sequence[Letter], *, sessions: int = SESSIONS, rate: float = 0.0) -> Sent:
        """Send letters to port 25 and make sure that the milter saw each of them.  Raises Unmarked, SendingFailed."""
        before = self.handled()
        sent = send_letters(self.postfix.site.smtp_port, letters, sessions=sessions, rate=rate)
        if self.kind != "none":
            self._check_handled(before, len(letters))
        return sent

    def _check_handled(self, before: int, wanted: int) -> None:
        end = time.monotonic() + _LOG_SECONDS
        while (seen := self.handled() - before) < wanted:
            if time.monotonic() > end:
                raise Unmarked(f"{self.kind}: the milter saw {seen} of {wanted} mails")
            time.sleep(0.05)

    def handled(self) -> int:
        """Return how many mails the milter has answered so far, by its log."""
        if self._rspamd is not None:
            return self._rspamd.scanned()
        if self._bare is not None:
            return self._bare.log.read_bytes().count(b"+")
        return len(self.eom_milliseconds()) if self._services is not None else 0

    def eom_milliseconds(self) -> list[float]:
        """Return the time in EOM of every mail so far, as the milter logged it."""
        log = self.services.part("milter").log
        return [float(found) for found in _ENTRY.findall(log.read_bytes())]

    def processor_seconds(self) -> dict[str, float]:
        """Return the processor seconds that each program of this station has used: postfix, milter, sync, rspamd."""
        processes = list(processes_in(self.postfix.folder).items())
        if self._bare is not None:
            processes = [(pid, "bare" if pid == self._bare.pid else name) for pid, name in processes]
        if self._rspamd is not None:
            # It writes its title over its environment, by which a sandbox's processes are known.
            processes += [(pid, "rspamd") for pid in (self._rspamd.pid, *children_of(self._rspamd.pid))]
        return seconds_by_name(dict(processes).items())

    def settle(self, seconds: float = 600) -> None:
        """Return when all is delivered and, where the worker runs, recorded: the next run must not compete with it."""
        wait_until(f"{self.kind}: an empty queue", lambda: not self.postfix.queue().strip(), seconds, 0.1)
        if self.kind in _RECORDING:
            wait_until(f"{self.kind}: an empty journal", lambda: self.waiting() == 0, seconds, 0.1)

    def waiting(self) -> int:
        """Return how many entries are in the journal."""
        return sum(1 for _ in (self.services.settings.journal_dir / "new").iterdir())

# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor: plain Python, no threads, never inside libmilter.  Owns the socket, keeps children on it.

SIGHUP: new children first (settings, model and rules read anew), then the old drain.  SIGTERM and SIGINT: all drain, the
socket goes.  A child that dies, hangs or holds the GIL is replaced; one that can't even start is tried ever more slowly.
"""

import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from tradepost.metrics import Restart, count_restart, report_milter
from tradepost.metrics_sum import forget_process
from tradepost_milter.heartbeat import READY, STUCK, Heartbeats
from tradepost_milter.listener import close_listener

log = logging.getLogger("tradepost.milter")

_LOOK_EVERY_SECONDS = 0.25
_SHORTEST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 10.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

# (shared socket, control pipe, heartbeats, slot) -> never returns.
Serve = Callable[[socket.socket, int, Heartbeats, int], None]


@dataclass
class _Child:
    pid: int
    slot: int
    control: int
    leaving_since: float | None = None


class Supervisor:
    """Keeps `children` processes on one listening socket."""

    def __init__(
        self,
        listener: socket.socket,
        children: int,
        load: Callable[[], Serve],
        *,
        watchdog_seconds: float,
        drain_grace_seconds: float,
    ) -> None:
        self._listener = listener
        self._wanted = children
        self._load = load
        self._watchdog_seconds = watchdog_seconds
        self._grace = drain_grace_seconds
        # Twice as many slots and some: after a SIGHUP the old children drain beside the new.
        self._heartbeats = Heartbeats(children * 4 + 4)
        self._free_slots = list(range(children * 4 + 4))
        self._children: dict[int, _Child] = {}
        self._pause = 0.0
        self._spawn_after = 0.0
        self._stopping = False

    def run(self) -> None:
        """Run until told to stop and every child is gone."""
        wake, wake_writer = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(wake_writer, False)
        signal.set_wakeup_fd(wake_writer)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)
        self._serve = self._load()
        self._pipes = (wake, wake_writer)
        self._fill()
        log.info("milter serves with %d children", len(self._children))
        while self._children or not self._stopping:
            select.select([wake], [], [], _LOOK_EVERY_SECONDS)
            self._obey(_drain_pipe(wake))
            self._reap()
            self._watch()
            self._fill()
        signal.set_wakeup_fd(-1)
        log.info("milter stopped")

    def _obey(self, signals: bytes) -> None:
        if signal.SIGTERM in signals or signal.SIGINT in signals:
            if not self._stopping:
                log.info("milter stops: %d children finish their sessions", len(self._children))
            self._stopping = True
            # At once: a mail that found the socket with nobody behind it would wait for its timeout.
            close_listener(self._listener)
            for child in self._children.values():
                self._drain(child)
        elif signal.SIGHUP in signals and not self._stopping:
            self._renew()

    def _renew(self) -> None:
        try:
            self._serve = self._load()
        except Exception:  # a typing error in the settings must not stop the mail
            log.exception("reload failed, everything stays as it was")
            return
        self._pause = self._spawn_after = 0.0
        old = [child for child in self._children.values() if child.leaving_since is None]
        for _ in old:
            self._spawn()
            count_restart(Restart.RELOAD)
        for child in old:
            self._drain(child)
        log.info("reloaded: %d new children serve, %d old ones finish their sessions", len(old), len(old))

    def _fill(self) -> None:
        now = time.monotonic()
        serving = sum(1 for child in self._children.values() if child.leaving_since is None)
        if self._stopping or serving >= self._wanted or now < self._spawn_after:
            return
        for _ in range(self._wanted - serving):
            self._spawn()

    def _spawn(self) -> None:
        if not self._free_slots:
            return  # so many drain at once that new ones wait for them
        slot = self._free_slots.pop(0)
        self._heartbeats.stamp(slot, time.monotonic())
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._become_child(reader, writer, slot)
        os.close(reader)
        self._children[pid] = _Child(pid, slot, writer)

    def _become_child(self, control: int, writer: int, slot: int) -> None:
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            # Signals for the terminal's process group never reach libmilter's own signal thread.
            os.setsid()
            # A writing end left open here would hide the supervisor's death from a sister.
            for fd in (writer, *self._pipes, *(child.control for child in self._children.values())):
                os.close(fd)
            self._serve(self._listener, control, self._heartbeats, slot)
        except BaseException:
            log.exception("a milter child can't start")
        finally:
            os._exit(70)

    def _drain(self, child: _Child) -> None:
        if child.leaving_since is not None:
            return
        child.leaving_since = time.monotonic()
        try:
            os.write(child.control, b"D")
        except OSError:
            pass  # it is dead already and about to be reaped

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is None:
                continue
            os.close(child.control)
            self._free_slots.append(child.slot)
            forget_process(pid)
            if child.leaving_since is None and not self._stopping:
                self._mourn(child, status)

    def _mourn(self, child: _Child, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        count_restart(Restart.SIGNAL if code < 0 else Restart.EXIT)
        _, state = self._heartbeats.read(child.slot)
        if state & READY:
            # While nobody serves, Postfix finds the socket and waits for its timeout at every mail.
            self._pause = _SHORTEST_PAUSE_SECONDS
        else:
            self._pause = min(_LONGEST_PAUSE_SECONDS, max(_SHORTEST_PAUSE_SECONDS, self._pause * 2))
        self._spawn_after = time.monotonic() + self._pause
        how = f"killed by signal {-code}" if code < 0 else f"ended with status {code}"
        log.error("milter child %d %s; replaced in %.1f s", child.pid, how, self._pause)

    def _watch(self) -> None:
        now = time.monotonic()
        silence = 0.0
        for child in list(self._children.values()):
            stamped_at, state = self._heartbeats.read(child.slot)
            if now - stamped_at > self._watchdog_seconds:
                log.error("milter child %d gave no sign of life for %.1f s: killed", child.pid, now - stamped_at)
                count_restart(Restart.WATCHDOG)
                child.leaving_since = child.leaving_since or now  # counted once, and replaced at once
                self._heartbeats.stamp(child.slot, now + 3600)
                os.kill(child.pid, signal.SIGKILL)
            elif child.leaving_since is not None and now - child.leaving_since > self._grace + 2:
                self._heartbeats.stamp(child.slot, now + 3600)
                os.kill(child.pid, signal.SIGKILL)
            elif state & STUCK and child.leaving_since is None:
                log.error("milter child %d has a classifier that does not come back: replaced", child.pid)
                count_restart(Restart.STUCK)
                self._spawn()
                self._drain(child)
            silence = max(silence, now - stamped_at)
        report_milter(len(self._children), self._wanted, max(0.0, silence))


def _drain_pipe(fd: int) -> bytes:
    try:
        return os.read(fd, 512)
    except BlockingIOError:
        return b""

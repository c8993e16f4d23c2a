# SPDX-License-Identifier: GPL-3.0-or-later
"""One process that serves sessions: libmilter on a throwaway socket whose descriptor becomes the shared one.

libmilter unlinks its socket when it stops, takes SIGTERM and SIGHUP as "stop now" and never drains.  So it never gets to
see either: the child is its own session leader, hears only its control pipe, and leaves by `os._exit`.
"""

import logging
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import Milter
import milter

from tradepost_milter.heartbeat import Pulse
from tradepost_milter.listener import shut_down
from tradepost_milter.session import Session

log = logging.getLogger("tradepost.milter")

# How long libmilter waits for the next command of a connection, in seconds: longer than any SMTP client may think.
LIBMILTER_TIMEOUT = 7210


def serve(shared: socket.socket, control: int, make_session: Callable[[], Session], pulse: Pulse, grace: float) -> None:
    """Serve until the control pipe says drain (a byte, or EOF: the supervisor is gone).  Does not return."""
    _register(make_session)
    descriptor = _borrow(shared)
    stop = threading.Event()
    threading.Thread(target=pulse.run, args=(stop,), daemon=True, name="pulse").start()
    threading.Thread(target=_await_drain, args=(control, descriptor, shared.family, grace), daemon=True).start()
    milter.settimeout(LIBMILTER_TIMEOUT)
    milter.main()
    log.error("libmilter returned: this child ends and is replaced")
    os._exit(1)


def _register(make_session: Callable[[], Session]) -> None:
    Milter.factory = make_session
    Milter.set_exception_policy(Milter.CONTINUE)
    milter.set_flags(Milter.ADDHDRS | Milter.CHGHDRS | Milter.ADDRCPT | Milter.DELRCPT | Milter.QUARANTINE)
    milter.set_connect_callback(Milter.connect_callback)
    milter.set_helo_callback(lambda ctx, host: ctx.getpriv().hello(host))
    milter.set_envfrom_callback(lambda ctx, *words: ctx.getpriv().envfrom(*words))
    milter.set_envrcpt_callback(lambda ctx, *words: ctx.getpriv().envrcpt(*words))
    milter.set_header_callback(lambda ctx, name, value: ctx.getpriv().header(name, value))
    milter.set_body_callback(lambda ctx, chunk: ctx.getpriv().body(chunk))
    milter.set_eom_callback(lambda ctx: ctx.getpriv().eom())
    milter.set_abort_callback(lambda ctx: ctx.getpriv().abort())
    milter.set_close_callback(Milter.close_callback)
    milter.register("tradepost", data=lambda ctx: ctx.getpriv().data(), negotiate=Milter.negotiate_callback)


def _borrow(shared: socket.socket) -> int:
    """Let libmilter listen somewhere private, then put the shared socket in place of that descriptor."""
    with tempfile.TemporaryDirectory(prefix="tradepost-") as folder:
        before = _listening()
        if shared.family == socket.AF_UNIX:
            milter.setconn(f"unix:{Path(folder) / 's'}")
        else:
            # libmilter drops connections of another address family than the one it opened.
            milter.setconn("inet:0@127.0.0.1" if shared.family == socket.AF_INET else "inet6:0@::1")
        milter.opensocket(True)
        opened = list(_listening() - before)
        assert len(opened) == 1, f"libmilter opened {len(opened)} listening sockets"
    os.dup2(shared.fileno(), opened[0], inheritable=False)
    shared.close()
    return opened[0]


def _listening() -> set[int]:
    return {fd for fd in map(int, os.listdir("/proc/self/fd")) if _is_listening(fd)}


def _is_listening(fd: int) -> bool:
    try:
        probe = socket.socket(fileno=os.dup(fd))
    except OSError:
        return False
    with probe:
        try:
            return bool(probe.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        except OSError:
            return False


def _await_drain(control: int, descriptor: int, family: socket.AddressFamily, grace: float) -> None:
    is_orphan = not os.read(control, 1)
    shared = socket.socket(fileno=os.dup(descriptor)) if is_orphan else None
    idle = socket.socket(family)
    if family == socket.AF_UNIX:
        idle.bind(f"\0tradepost-idle-{os.getpid()}")
    idle.listen(1)
    idle.setblocking(False)
    # From here on nothing new is accepted in this child; the others go on.
    os.dup2(idle.fileno(), descriptor, inheritable=False)
    if shared is not None:
        # libmilter's poll() holds the old socket for up to 5 s; shut down, it refuses at once instead of letting clients
        # wait for nobody.  Only when the supervisor is gone: sisters share this socket.
        shut_down(shared)
    give_up = time.monotonic() + grace
    quiet = 0
    while time.monotonic() < give_up and quiet < 3:
        opened, closed = milter.getdiag()[:2]
        quiet = quiet + 1 if opened == closed else 0
        time.sleep(0.1)
    os._exit(0)

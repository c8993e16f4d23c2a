# SPDX-License-Identifier: GPL-3.0-or-later
"""The socket that Postfix connects to.  The supervisor owns it; children only borrow it."""

import errno
import grp
import os
import socket
import stat
import time
from pathlib import Path

from tradepost.errors import Refusal

BACKLOG = 1024
_TAKEOVER_SECONDS = 3.0


class ListenerRefused(Refusal):
    """The socket can't be opened; the text says why and what to do."""


def open_listener(address: str, *, mode: int, group: str) -> socket.socket:
    """Open "unix:PATH" or "inet:HOST:PORT", listening and non-blocking.

    Non-blocking because several children accept on it: libmilter takes EAGAIN as "another one was faster", while a
    blocking accept() would hold its lock.  Raises ListenerRefused.
    """
    kind, _, rest = address.partition(":")
    if kind == "unix" and rest:
        return _open_unix(Path(rest), mode, group)
    host, _, port = rest.rpartition(":")
    if kind in ("inet", "inet6") and host and port.isdigit():
        return _open_inet(host.strip("[]"), int(port))
    raise ListenerRefused(f"[milter] socket: {address!r} is neither unix:PATH nor inet:HOST:PORT")


def close_listener(listener: socket.socket) -> None:
    """Refuse whoever connects from now on, also where children still hold the socket, and take its file away."""
    if listener.fileno() < 0:
        return  # closed before
    path = listener.getsockname() if listener.family == socket.AF_UNIX else None
    if path:
        Path(path).unlink(missing_ok=True)
    shut_down(listener)


def shut_down(listener: socket.socket) -> None:
    """Refuse whoever connects from now on; somebody else may have done so already."""
    try:
        listener.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    listener.close()


def _open_inet(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted sockets inherit it on Linux; without it every mail waits 40 ms for a delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        hint = "another program listens there" if error.errno == errno.EADDRINUSE else "choose another [milter] socket"
        raise ListenerRefused(f"inet:{host}:{port}: {error.strerror}; {hint}") from error
    listener.setblocking(False)
    return listener


def _open_unix(path: Path, mode: int, group: str) -> socket.socket:
    _check_folder(path.parent, group)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
        if group:
            os.chown(path, -1, grp.getgrnam(group).gr_gid)
        os.chmod(path, mode)
        listener.listen(BACKLOG)
    except KeyError as error:
        _drop(listener, path)
        raise ListenerRefused(f"[milter] socket_group: there is no group {group!r} on this machine") from error
    except PermissionError as error:
        _drop(listener, path)
        raise ListenerRefused(
            f"{path}: no right to make the socket or give it to group {group!r}; "
            f"add the service user to that group and let it write to {path.parent}"
        ) from error
    except OSError as error:
        _drop(listener, path)
        raise ListenerRefused(f"{path}: the socket can't be made: {error.strerror or error}") from error
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


def _drop(listener: socket.socket, path: Path) -> None:
    bound = bool(listener.getsockname())
    listener.close()
    if bound:
        path.unlink(missing_ok=True)


def _check_folder(folder: Path, group: str) -> None:
    # Postfix only warns when it can't reach the socket, and with default_action=accept all mail passes unmarked.
    try:
        found = folder.stat()
    except OSError as error:
        raise ListenerRefused(f"{folder}: {error.strerror}; make this folder, owned by the service user") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ListenerRefused(f"{folder}: no right to write there; give the folder to the service user")
    if not group or found.st_mode & stat.S_IXOTH:
        return
    try:
        wanted = grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise ListenerRefused(f"[milter] socket_group: there is no group {group!r} on this machine") from error
    if found.st_gid != wanted or not found.st_mode & stat.S_IXGRP:
        raise ListenerRefused(
            f"{folder}: Postfix can't reach a socket in this folder; run 'chgrp {group} {folder}' and 'chmod g+x {folder}'"
        )


def _remove_stale(path: Path) -> None:
    """Unlink a socket nobody answers on.  Children of a supervisor that was killed let go of it within moments."""
    give_up = time.monotonic() + _TAKEOVER_SECONDS
    while True:
        probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            probe.connect(str(path))
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise ListenerRefused(f"{path}: {error.strerror}; remove it if it is no longer used") from error
        finally:
            probe.close()
        if time.monotonic() > give_up:
            raise ListenerRefused(f"{path}: another tradepost milter answers there; stop it first")
        time.sleep(0.1)

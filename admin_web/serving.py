# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve with gunicorn: one process with threads, on a socket that was opened before, so that a busy port is one clear line."""

import errno
import ipaddress
import logging
import os
import socket
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from tradepost.errors import Refusal
from tradepost.settings import WebSettings

THREADS = 8
_BACKLOG = 128
# A page that takes longer than this is given up, and the process with it.
_TIMEOUT_SECONDS = 60


class ListenError(Refusal, OSError):
    """The address can't be listened on.  One line: which one, why, what to set."""


def open_listener(web: WebSettings) -> socket.socket:
    """Listen on the address of the settings.  Raises ListenError."""
    name = f"[web] {web.host}:{web.port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(web.host, web.port, type=socket.SOCK_STREAM)[0]
        if not web.behind_tls_proxy and not ipaddress.ip_address(address[0]).is_loopback:
            raise ListenError(
                f"{name}: is not loopback, and sign-in cookies would travel in the clear; put a TLS proxy before it and "
                "set web.behind_tls_proxy = true"
            )
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except socket.gaierror as error:
        raise ListenError(f"{name}: is no address of this host: {error.strerror}; set web.host") from error
    except OSError as error:
        if isinstance(error, ListenError):
            raise
        way_out = "end it, or set web.port" if error.errno == errno.EADDRINUSE else "set web.host and web.port"
        raise ListenError(f"{name}: can't listen: {_cause(error)}; {way_out}") from error


def _cause(error: OSError) -> str:
    # socket.create_server adds the address to the text, which the line names already.
    return os.strerror(error.errno) if error.errno else str(error)


def url_of(listener: socket.socket) -> str:
    """Return the address that a browser on this host calls."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _OwnLog(Logger):
    """Gunicorn's words go where ours go, at WARNING and above; addresses of pages are nobody's business."""

    def setup(self, cfg: Any) -> None:
        self.error_log = logging.getLogger("tradepost.web.gunicorn")
        self.error_log.setLevel(logging.WARNING)
        self.access_log = logging.getLogger("tradepost.web.access")
        self.access_log.disabled = True


class _Server(BaseApplication):
    """Gunicorn around an app that is made in the serving process: no database is open across the fork."""

    def __init__(self, make_app: Callable[[], Flask], listener: socket.socket) -> None:
        self._make_app = make_app
        self._listener = listener
        super().__init__()

    def load_config(self) -> None:
        for name, value in {
            "bind": [f"fd://{self._listener.fileno()}"],
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "timeout": _TIMEOUT_SECONDS,
            "graceful_timeout": 5,
            "keepalive": 5,
            "limit_request_line": 4094,
            # Its own door to change the number of processes, of which there is exactly one here.
            "control_socket_disable": True,
            "logger_class": _OwnLog,
            "proc_name": "tradepost-web",
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._make_app()


def serve(make_app: Callable[[], Flask], listener: socket.socket) -> None:
    """Serve until TERM or INT.  Ends the process when it is done."""
    _Server(make_app, listener).run()

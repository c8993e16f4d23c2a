# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP line between a program and its server that a test can cut, silence or close."""

import contextlib
import socket
import threading
from typing import Self

from postfix.sandbox.processes import free_port

_ENOUGH_SECONDS = 10.0


class Line:
    """Use as a context manager: `port` leads to the server's.  One fault at a time; `mend` ends it.

    What a silent line has swallowed arrives when it is mended, as TCP does it after a cut network.
    """

    def __init__(self, server_port: int) -> None:
        self._target = ("127.0.0.1", server_port)
        self.port = free_port()
        self.cuts = 0
        self._flows = threading.Event()
        self._flows.set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._word: bytes | None = None
        self._passes_on = False

    def silence(self) -> None:
        """Pass nothing on and close nothing: a black hole.  New connections are taken and hear nothing."""
        self._flows.clear()

    def refuse(self) -> None:
        """Cut every connection and refuse new ones."""
        listener, self._listener = self._listener, None
        if listener is not None:
            _end(listener)  # close() alone would leave accept() waiting
        with self._lock:
            for end in self._sockets:
                _end(end)

    def mend(self) -> None:
        """Be a good line again."""
        self._flows.set()
        if self._listener is None:
            self._listen()

    def cut_at(self, word: bytes, *, passes_on: bool) -> None:
        """Cut the next connection whose client says the word: after the server got it, or instead of passing it on."""
        self._passes_on = passes_on
        self._word = word

    def _listen(self) -> None:
        self._listener = socket.create_server((*self._target[:1], self.port))
        self._run(self._accept, self._listener)

    def _run(self, act: object, *words: object) -> None:
        thread = threading.Thread(target=act, args=words, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                self._run(self._connect, client)

    def _connect(self, client: socket.socket) -> None:
        self._flows.wait()
        try:
            server = socket.create_connection(self._target, timeout=_ENOUGH_SECONDS)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        with self._lock:
            self._sockets |= {client, server}
        back = threading.Thread(target=self._carry, args=(server, client, False), daemon=True)
        back.start()
        self._carry(client, server, True)
        back.join()
        with self._lock:
            self._sockets -= {client, server}
        client.close()
        server.close()

    def _carry(self, source: socket.socket, target: socket.socket, is_client: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                if is_client and self._word is not None and self._word in data:
                    self._word = None
                    self.cuts += 1
                    # Nothing the server answers reaches the client any more.
                    _end(source)
                    if self._passes_on:
                        target.sendall(data)
                        target.recv(1)
                    break
                target.sendall(data)
        _end(source)
        _end(target)

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self._flows.set()
        self.refuse()
        for thread in self._threads:
            thread.join(_ENOUGH_SECONDS)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)

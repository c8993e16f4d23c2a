# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands between a program and its database, and cuts the line at a word the program says."""

import socket
import threading
from typing import Self


class CuttingProxy:
    """Use as a context manager.  `cut_at(b"COMMIT", passes_on=True)` cuts once, after the server got the word."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._word: bytes | None = None
        self._passes_on = False
        self._sockets: list[socket.socket] = []
        self.cuts = 0

    def cut_at(self, word: bytes, *, passes_on: bool) -> None:
        """Cut the next connection that says the word: after the server got it, or instead of passing it on."""
        self._passes_on = passes_on
        self._word = word

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._sockets += [client, server]
            threading.Thread(target=self._carry, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(server, client, False), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, is_program: bool) -> None:
        try:
            while data := source.recv(65536):
                if is_program and self._word is not None and self._word in data:
                    self._word = None
                    self.cuts += 1
                    # Nothing the server answers reaches the program any more.
                    source.shutdown(socket.SHUT_RDWR)
                    if self._passes_on:
                        target.sendall(data)
                        target.recv(1)
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for end in self._sockets:
            end.close()

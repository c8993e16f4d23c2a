# SPDX-License-Identifier: GPL-3.0-or-later
"""A Redis of one's own, on a free port of loopback and in a folder of its own."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from postfix.sandbox.processes import Program, find_program, free_port, wait_until


class PrivateRedis:
    """Use as a context manager.  Keeps nothing on disk unless `options` say so; `stop` and `start` may be called within.

    `options` are redis.conf directives.  `url` is what [redis] url wants.  `bus_port`: of a cluster's node, for the others;
    Redis's own choice, port + 10,000, lies among the ports that connections are given.
    """

    def __init__(self, folder: Path, *, options: Mapping[str, str] | None = None, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.bus_port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        directives = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(folder),
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "cluster-port": str(self.bus_port),
            **(options or {}),
        }
        lines = [f'{name} "{value}"' if not value else f"{name} {value}" for name, value in directives.items()]
        self._text = "\n".join(lines) + "\n"
        self._words: tuple[str, ...] = ()
        self._program: Program | None = None

    @property
    def pid(self) -> int:
        """Process id.  Raises SandboxError when it is stopped."""
        assert self._program is not None, "never started"
        return self._program.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "redis.conf"
        configuration.write_text(self._text, encoding="utf-8")
        command = (find_program("redis-server", "redis-server"), str(configuration), *self._words)
        self._program = Program("redis", command, self.folder / "redis.log", folder=self.folder)
        self._program.start()
        wait_until(f"redis on port {self.port}", self._answers, 15)

    def stop(self) -> None:
        """End it; what it held in memory is gone."""
        if self._program is not None:
            self._program.kill()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                probe.sendall(b"PING\r\n")
                # +PONG, or an error about a password: it serves.
                return probe.recv(5)[:1] in b"+-"
        except OSError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class PrivateSentinel(PrivateRedis):
    """A Sentinel that watches one private Redis and makes a replica of it the master when that is gone for half a second."""

    def __init__(self, folder: Path, *, master_port: int, service: str = "mail") -> None:
        super().__init__(folder)
        self.url = f"redis+sentinel://127.0.0.1:{self.port}/0/{service}"
        self._words = ("--sentinel",)
        self._text = (
            f"bind 127.0.0.1\nport {self.port}\ndir {folder}\n"
            f"sentinel monitor {service} 127.0.0.1 {master_port} 1\n"
            f"sentinel down-after-milliseconds {service} 500\n"
            f"sentinel failover-timeout {service} 3000\n"
        )

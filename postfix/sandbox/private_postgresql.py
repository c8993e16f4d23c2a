# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL of one's own, on a free port of loopback and in a folder of its own."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from postfix.sandbox.processes import Identity, Program, SandboxError, free_port, wait_until

# Debian keeps the programs of each major version in a folder of its own, off the PATH.
_BINARIES = Path("/usr/lib/postgresql")
# Not below a home or a test's own folder: the server runs as another user, who must be able to walk there.
_PARENT = Path("/var/tmp")


class PrivatePostgreSQL:
    """Use as a context manager.  `url` names a database that is empty at first; `create_database` makes more.

    PostgreSQL refuses to run as root: then it runs as Debian's user postgres.  `options` are postgresql.conf directives;
    the defaults are as safe as production's (fsync and synchronous_commit are on).  `parent` is where its folder is made.
    """

    def __init__(self, *, options: Mapping[str, str] | None = None, parent: Path = _PARENT) -> None:
        self._options = dict(options or {})
        self._parent = parent
        self.port = free_port()
        self._identity = _unprivileged()
        self._program: Program | None = None

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="tradepost-pg-", dir=self._parent))
        self._data = self.folder / "data"
        if self._identity is not None:
            os.chown(self.folder, self._identity.uid, self._identity.gid)
        try:
            self._initialise()
            self.start()
            self.create_database("tradepost")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._program is not None:
            self._program.kill()
            self._program = None
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the first database."""
        return self.url_of("tradepost")

    def url_of(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database on this server."""
        return f"postgresql+psycopg://tradepost@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Make a database and return its URL."""
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tradepost", name)
        return self.url_of(name)

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        directives = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            **self._options,
        }
        words = [word for name, value in directives.items() for word in ("-c", f"{name}={value}")]
        command = (str(_program("postgres")), "-D", str(self._data), *words)
        self._program = Program(
            "postgresql", command, self.folder / "postgresql.log", identity=self._identity, folder=self.folder
        )
        self._program.start()
        wait_until(f"PostgreSQL on port {self.port}", self._answers, 30)

    @property
    def is_running(self) -> bool:
        return self._program is not None and self._program.is_running

    def stop(self) -> None:
        """End it at once, connections cut: SIGQUIT, as in a power cut; the next start recovers."""
        if self._program is not None and self._program.is_running:
            self._program.signal(signal.SIGQUIT)
            if self._program.wait(10) is None:
                self._program.kill()

    def run(self, program: str, *words: str) -> str:
        """Run one of PostgreSQL's programs as the server's user and return what it printed.  Raises SandboxError."""
        identity = self._identity
        done = subprocess.run(
            (_program(program), *words),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            user=identity.uid if identity else None,
            group=identity.gid if identity else None,
            extra_groups=identity.groups if identity else None,
        )
        if done.returncode != 0:
            raise SandboxError(f"{program}: {done.stderr.strip()}")
        return done.stdout

    def _initialise(self) -> None:
        self.run("initdb", "-D", str(self._data), "-U", "tradepost", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")

    def _answers(self) -> bool:
        command = (_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port))
        return subprocess.run(command, check=False).returncode == 0


def _program(name: str) -> Path:
    versions = sorted(_BINARIES.glob("[0-9]*"), key=lambda folder: int(folder.name))
    if not versions:
        raise SandboxError("PostgreSQL is missing: apt-get install postgresql, or let `make test` do it")
    return versions[-1] / "bin" / name


def _unprivileged() -> Identity | None:
    if os.geteuid() != 0:
        return None
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise SandboxError("there is no user postgres: apt-get install postgresql, or let `make test` do it") from None
    return Identity(user.pw_uid, user.pw_gid)

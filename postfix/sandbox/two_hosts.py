# SPDX-License-Identifier: GPL-3.0-or-later
"""The large size on one machine: two hosts, each with Postfix, milter, journal, shipper, worker and a state folder of its
own; one Redis and one PostgreSQL, which each host reaches by lines of its own."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psycopg
import redis

from postfix.sandbox.company import COMPANY_FILE, RULES_FILE, read_company
from postfix.sandbox.line import Line
from postfix.sandbox.private_postfix import PrivatePostfix
from postfix.sandbox.private_postgresql import PrivatePostgreSQL
from postfix.sandbox.private_redis import PrivateRedis
from postfix.sandbox.processes import SandboxError, wait_until
from postfix.sandbox.service_stack import SERVICE_USER, ServiceStack, Tables

PARTS = ("sync", "ship", "milter")
# A disk for PostgreSQL alone that can be filled: an empty cluster takes 60 MB of it.
_DISK_BYTES = 256 * 1024 * 1024
_PARENT = Path("/var/tmp")


@dataclass(frozen=True, slots=True)
class Host:
    """One host.  `to_redis` and `to_records` are its ways to the servers; its instance is its Postfix's host name."""

    stack: ServiceStack
    to_redis: Line
    to_records: Line

    @property
    def instance(self) -> str:
        return self.stack.postfix.site.hostname


class TwoHosts:
    """Use as a context manager, as root.  The demo's company is applied once.

    `parts` are the services of each host, `environments` what is added to those of each host and to its Postfix.  The
    servers' disk holds `disk_bytes`.
    """

    def __init__(
        self,
        *,
        parts: Sequence[str] = PARTS,
        environments: Sequence[Mapping[str, str]] = ({}, {}),
        settings: Tables | None = None,
        disk_bytes: int = _DISK_BYTES,
    ) -> None:
        self._parts = tuple(parts)
        self._environments = environments
        self._settings = {table: dict(values) for table, values in (settings or {}).items()}
        self._disk_bytes = disk_bytes
        self._stack = contextlib.ExitStack()
        self.hosts: list[Host] = []

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _build(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tradepost-two-", dir=_PARENT))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.chmod(0o755)
        self._make_blob_folder()
        self.disk = self._stack.enter_context(_small_disk(self.folder / "disk", self._disk_bytes))
        self.redis = self._stack.enter_context(PrivateRedis(self.folder / "redis"))
        # Two segments of WAL: the disk is small.
        options = {"min_wal_size": "32MB", "max_wal_size": "64MB"}
        self.records = self._stack.enter_context(PrivatePostgreSQL(options=options, parent=self.disk))
        for number, environment in enumerate(self._environments, start=1):
            self.hosts.append(self._host(number, environment))

    def _make_blob_folder(self) -> None:
        self.blobs = self.folder / "blobs"
        self.blobs.mkdir(mode=0o700)
        user = pwd.getpwnam(SERVICE_USER)
        os.chown(self.blobs, user.pw_uid, user.pw_gid)

    def _host(self, number: int, environment: Mapping[str, str]) -> Host:
        company = read_company()
        enter = self._stack.enter_context
        to_redis, to_records = enter(Line(self.redis.port)), enter(Line(self.records.port))
        postfix = enter(
            PrivatePostfix(
                company.mailboxes,
                hostname=f"mx{number}.{company.domains[0]}",
                passwords=dict.fromkeys(company.logins.values(), "sesame"),
                environment=environment,
            )
        )
        tables: dict[str, dict[str, object]] = {
            "paths": {"blobs": str(self.blobs)},
            "redis": {"url": f"redis://127.0.0.1:{to_redis.port}/0"},
            "database": {"url": self.records.url.replace(f":{self.records.port}/", f":{to_records.port}/")},
        }
        for table, values in self._settings.items():
            tables.setdefault(table, {}).update(values)
        is_first = number == 1
        stack = ServiceStack(
            postfix,
            company=COMPANY_FILE if is_first else None,
            rules=RULES_FILE if is_first else None,
            parts=self._parts,
            settings=tables,
            environment=environment,
        )
        return Host(enter(stack), to_redis, to_records)

    def ask_redis(self) -> redis.Redis:
        """Return a client of the server itself, past the hosts' lines."""
        return redis.Redis(port=self.redis.port)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the records, past the hosts' lines.  Raises psycopg.Error."""
        with self._connect() as connection:
            return connection.execute(statement.encode()).fetchall()

    def administrate(self, *statements: str) -> None:
        """Run statements as PostgreSQL's superuser, outside transactions.  Raises psycopg.Error."""
        with self._connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def _connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(
            host="127.0.0.1", port=self.records.port, user="tradepost", dbname="tradepost", autocommit=True
        )

    def fill_disk(self) -> None:
        """Leave no byte on PostgreSQL's disk."""
        with (self.disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    def free_disk(self) -> None:
        """Undo it, and wait until PostgreSQL serves again; it is started should it have given up."""
        (self.disk / "filler").unlink(missing_ok=True)
        wait_until("PostgreSQL with room again", self._serves, 60)

    def _serves(self) -> bool:
        if not self.records.is_running:
            self.records.start()
        try:
            return self.query("SELECT 1") == [(1,)]
        except psycopg.Error:
            return False


@contextlib.contextmanager
def _small_disk(folder: Path, octets: int) -> Iterator[Path]:
    """Mount a file system in memory."""
    folder.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={octets},mode=0755", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        _run("umount", "-l", str(folder))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SandboxError(f"{' '.join(command)}: {done.stderr.strip()}")

# SPDX-License-Identifier: GPL-3.0-or-later
"""Milter, worker, metrics and web beside a private Postfix, run by an unprivileged user as in production."""

import grp
import json
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Self

from postfix.sandbox.private_postfix import PrivatePostfix
from postfix.sandbox.processes import Identity, Program, SandboxError, free_port, wait_until
from postfix.sandbox.runtime import find_runtime
from tradepost.directory_choice import open_directory
from tradepost.settings import Settings, load_settings

Tables = Mapping[str, Mapping[str, object]]
SERVICE_USER = "nobody"
# Every service of the small size.
PARTS = ("sync", "milter", "metrics", "web")
# Those of the large size beside them: `ship` hands mail to workers anywhere, `log` follows the mail log where no `sync` runs,
# `sync-2` is a second worker.  In the order in which they start.
ALL_PARTS = ("sync", "sync-2", "log", "ship", "milter", "metrics", "web")
_COMMANDS = {"log": ("sync", "--only-log"), "sync-2": ("sync",)}
_START_SECONDS = 60
_STOP_SECONDS = 40


class ServiceStack:
    """Use as a context manager inside a PrivatePostfix's.

    `company` and `rules` are files for `tradepost directory apply` (None: it was done elsewhere, or is not wanted); `parts` says which services run; `settings` are tables
    of tradepost.toml that win over the sandbox's own; `environment` is added to every service's.
    """

    def __init__(
        self,
        postfix: PrivatePostfix,
        *,
        company: Path | None = None,
        rules: Path | None = None,
        parts: tuple[str, ...] = PARTS,
        settings: Tables | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.postfix = postfix
        self.folder = postfix.folder
        self.config = self.folder / "tradepost.toml"
        self._files = [file for file in (company, rules) if file is not None]
        self._wanted = parts
        self._extra = {table: dict(values) for table, values in (settings or {}).items()}
        self._environment = dict(environment or {})
        self._programs: dict[str, Program] = {}
        user = pwd.getpwnam(SERVICE_USER)
        # The socket is given to Postfix's group, so its maker must be in it; `install` says the same to administrators.
        self.identity = Identity(user.pw_uid, user.pw_gid, (grp.getgrnam("postfix").gr_gid,))

    def __enter__(self) -> Self:
        try:
            self._prepare()
            self._start_all()
        except BaseException:
            self.stop_all()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()

    @cached_property
    def settings(self) -> Settings:
        """The settings of all parts."""
        return load_settings(self.config)

    def _prepare(self) -> None:
        self._make_folders()
        self.runtime = find_runtime(self.identity, self.folder)
        self.config.write_text(render_toml(self._tables()))
        self.run("database", "upgrade")
        if self._files:
            copies = [shutil.copyfile(file, self.folder / file.name) for file in self._files]
            for copy in copies:
                copy.chmod(0o644)
            self.run("directory", "apply", *map(str, copies))

    def _make_folders(self) -> None:
        uid, gid = self.identity.uid, self.identity.gid
        for name in ("state", "run"):
            (self.folder / name).mkdir(mode=0o700)
            os.chown(self.folder / name, uid, gid)
        # As postfix/systemd/tradepost.conf (tmpfiles) makes it in production.
        place = self.postfix.site.queue / "tradepost"
        place.mkdir(exist_ok=True)
        os.chown(place, uid, self.identity.groups[0])
        place.chmod(0o750)
        (self.folder / "log").mkdir(mode=0o755)

    def _tables(self) -> dict[str, dict[str, object]]:
        tables: dict[str, dict[str, object]] = {
            "host": {"instance": self.postfix.site.hostname},
            "paths": {"state": str(self.folder / "state"), "runtime": str(self.folder / "run")},
            # Every client of the sandbox comes from the loopback: none of them is a trusted scanner.
            "milter": {"socket": f"unix:{self.socket}", "trusted_networks": []},
            "journal": {"reserve_bytes": 1_048_576, "reserve_percent": 0.1},
            "maillog": {"path": str(self.postfix.site.log), "queue_command": list(self.postfix.queue_command)},
            "web": {"port": free_port()},
            "metrics": {"port": free_port()},
        }
        for table, values in self._extra.items():
            tables.setdefault(table, {}).update(values)
        return tables

    @property
    def socket(self) -> Path:
        """The milter's socket, inside the chroot of smtpd."""
        return self.postfix.site.queue / "tradepost" / "milter.sock"

    @property
    def metrics_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.metrics.port}"

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.web.port}"

    def environment(self) -> dict[str, str]:
        """Return the whole environment of a service: nothing of the caller's own slips in."""
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.folder / "state"),
            "TRADEPOST_CONFIG": str(self.config),
            **self.runtime.environment(),
            **self._environment,
        }

    def part(self, name: str) -> Program:
        """Return a service's program.  Raises KeyError when it was never started."""
        return self._programs[name]

    def is_running(self, name: str) -> bool:
        """Tell whether a part was started and has not ended."""
        return name in self._programs and self._programs[name].is_running

    def start(self, name: str, *, script: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
        """Start one part and wait until it works.  `script` runs in place of `tradepost` (with the same arguments)."""
        command = self.runtime.command(*_command(name))
        if script is not None:
            command = self.runtime.script(self._readable(script), *_command(name))
        began_at = time.time()
        self._launch(name, command, environment or {})
        self._await(name, began_at)

    def _start_all(self) -> None:
        """Start the wanted parts at once: each loads for a second or two, and none needs another to come up."""
        began_at = time.time()
        names = [name for name in ALL_PARTS if name in self._wanted]
        for name in names:
            self._launch(name, self.runtime.command(*_command(name)), {})
        for name in names:
            self._await(name, began_at)

    def _launch(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        program = Program(
            name,
            command,
            self.folder / "log" / f"{name}.log",
            identity=self.identity,
            environment={**self.environment(), **environment},
            folder=self.folder,
        )
        self._programs[name] = program
        program.start()

    def _await(self, name: str, began_at: float) -> None:
        program = self._programs[name]

        def works() -> bool:
            if not program.is_running:
                raise SandboxError(f"tradepost {name} ended at once: {program.last_words()}")
            return self.answers(name, began_at)

        wait_until(f"tradepost {name} (its words: {program.log})", works, _START_SECONDS, 0.05)

    def _readable(self, script: Path) -> Path:
        copy = self.folder / script.name
        shutil.copyfile(script, copy)
        copy.chmod(0o644)
        return copy

    def answers(self, name: str, since: float = 0.0) -> bool:
        """Tell whether a part works: the socket or page answers, or a worker wrote to the directory after `since`.

        Shipper and log follower show it by taking their lock.
        """
        if name == "milter":
            return _milter_answers(self.settings.milter.socket)
        if name in ("ship", "log"):
            return self._locked_at("ship.lock" if name == "ship" else "maillog.lock") >= since
        if name.startswith("sync"):
            return self._projected_at() >= since
        return _page_answers(f"{self.metrics_url}/healthz" if name == "metrics" else self.web_url)

    def _locked_at(self, name: str) -> float:
        path = self.folder / "state" / name
        # A file system's clock ticks some milliseconds behind time.time().
        return path.stat().st_mtime + 0.05 if path.exists() else -1.0

    def _projected_at(self) -> float:
        directory = open_directory(self.settings, deadline_ms=1000)
        try:
            state = directory.state()
            # A first generation in Redis answers only after it has settled: so long it counts as being rebuilt.
            return state.projected_at.timestamp() if state and not state.rebuilding else -1.0
        finally:
            directory.close()

    def stop(self, name: str) -> None:
        """Stop one part in order.  Not running: nothing to do."""
        if name in self._programs:
            self._programs[name].stop(_STOP_SECONDS)

    def kill(self, name: str) -> None:
        """`kill -9` one part (the milter's supervisor alone: its children see it and leave)."""
        self._programs[name].kill()

    def reload(self, name: str) -> None:
        """Send SIGHUP to one part."""
        self._programs[name].signal(signal.SIGHUP)

    def stop_all(self) -> None:
        """Stop every part, in the order in which mail flows: no more marks, then record the rest, then the pages."""
        for name in ("milter", "ship", "sync", "sync-2", "log", "web", "metrics"):
            self.stop(name)

    def run(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run `tradepost ARGUMENTS` as the service user.  Raises SandboxError with its words when it fails."""
        done = subprocess.run(
            self.runtime.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            user=self.identity.uid,
            group=self.identity.gid,
            extra_groups=self.identity.groups,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise SandboxError(f"tradepost {' '.join(arguments)}: {(done.stderr or done.stdout).strip()}")
        return done


def _command(part: str) -> tuple[str, ...]:
    return _COMMANDS.get(part, (part,))


def _milter_answers(address: str) -> bool:
    """Open the milter protocol as Postfix does: connect() alone succeeds as soon as the supervisor listens."""
    offer = struct.pack("!IcIII", 13, b"O", 6, 0x1FF, 0x1FFFFF)  # version, actions, protocol: all that exist
    kind, _, place = address.partition(":")
    host, _, port = place.rpartition(":")
    with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as probe:
        probe.settimeout(5)
        try:
            probe.connect(place if kind == "unix" else (host, int(port)))
            probe.sendall(offer)
            return probe.recv(5)[4:] == b"O"
        except OSError:
            return False


def render_toml(tables: Tables) -> str:
    """Write tables of strings, numbers, booleans and lists of them as TOML."""
    lines = []
    for table, values in tables.items():
        lines.append(f"[{table}]")
        # JSON's literals of these types are TOML's too.
        lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def _page_answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()  # it speaks, if only to complain
    except OSError:
        return False
    return True

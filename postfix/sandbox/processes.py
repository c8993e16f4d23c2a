# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that end with whoever started them."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tradepost.errors import Refusal

# Below Linux's ephemeral range (32768..60999): a port found free here is not taken by an outgoing connection.
FIRST_PORT, LAST_PORT = 20_000, 32_000
# In the environment of whatever is started in a sandbox: its folder.
MARK = "SANDBOX_OF_TRADEPOST"


class SandboxError(Refusal):
    """The private Postfix or a part beside it can't be run here.  The text names the cause and the way out."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a program runs as: user id, group id and the further groups."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on at this moment."""
    dice = random.SystemRandom()  # a test that seeds the other one would draw what a test beside it draws
    for _ in range(200):
        port = dice.randrange(FIRST_PORT, LAST_PORT)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SandboxError("no free TCP port between 20000 and 32000 on 127.0.0.1")


def find_program(name: str, package: str) -> str:
    """Return where a program lies.  Raises SandboxError naming the Debian package that brings it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        raise SandboxError(f"{name} is missing: apt-get install {package}, or let `make demo` do it")
    return found


def wait_until(what: str, holds: Callable[[], bool], seconds: float, pause: float = 0.02) -> None:
    """Return as soon as `holds()`.  Raises SandboxError naming `what` after that many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise SandboxError(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


class Program:
    """A child process in a session of its own (Ctrl-C in the terminal is for its parent alone), output into a file.

    `folder` is the sandbox's: the working directory, and the mark by which the guardian knows what to clean up.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        identity: Identity | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path,
    ) -> None:
        self.name = name
        self.command = tuple(command)
        self.log = log
        self._identity = identity
        self._environment = {**(os.environ if environment is None else environment), MARK: str(folder)}
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the running program.  Raises SandboxError when it does not run."""
        if self._process is None:
            raise SandboxError(f"{self.name} is not running")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; its output is appended to the log file."""
        identity = self._identity
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
                user=identity.uid if identity else None,
                group=identity.gid if identity else None,
                extra_groups=identity.groups if identity else None,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program itself, not to its children."""
        os.kill(self.pid, number)

    def wait(self, seconds: float) -> int | None:
        """Wait for its end.  Returns the exit status, None when it still runs."""
        if self._process is None:
            return None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, seconds: float = 10.0) -> None:
        """SIGTERM, and after that many seconds SIGKILL to it and its group.  A program that has ended is no error."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            if self.wait(seconds) is None:
                os.killpg(self.pid, signal.SIGKILL)
                self._process.wait()
        self._process = None

    def kill(self) -> None:
        """`kill -9` to the program alone; what it had started notices by itself or not at all."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def last_words(self, lines: int = 5) -> str:
        """Return the end of its output, for an error message."""
        try:
            text = self.log.read_text("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-lines:])


def processes_in(folder: Path) -> dict[int, str]:
    """Return pid -> name of every process that was started in a sandbox.  A person's shell or editor there is none."""
    marks = {f"{MARK}={folder}".encode(), f"MAIL_CONFIG={folder}/etc".encode()}
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdigit():
                continue
            # Dovecot writes its title over its environment, but works in a folder where nobody else does.
            is_dovecot = os.readlink(entry / "cwd").startswith(f"{folder}/dovecot/run")
            if is_dovecot or marks & set((entry / "environ").read_bytes().split(b"\0")):
                found[int(entry.name)] = (entry / "comm").read_text().strip()
        except OSError:
            continue  # it ended meanwhile
    return found


def end_processes(folder: Path) -> None:
    """SIGKILL whatever still runs in a sandbox's folder."""
    for pid in processes_in(folder):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue

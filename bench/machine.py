# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says of processes and of the machine: processor time, resident memory, load."""

import os
import platform
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

from postfix.sandbox.processes import find_program

_TICK = os.sysconf("SC_CLK_TCK")
_PROGRAMS = ("milter", "sync", "ship", "metrics", "web")


class Memory(TypedDict):
    """Resident and proportional set size in MB (10**6 octets): Pss shares out the pages that forked children have in common."""

    rss: float
    pss: float


class Machine(TypedDict):
    """Where and with what was measured."""

    python: str
    system: str
    cpu: str
    cores: int
    load_before: list[float]
    versions: dict[str, str]


def processor_seconds(pid: int) -> float:
    """Return user and system seconds of a process and of its children that have ended.  Raises OSError when it has too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICK


def memory(pid: int) -> Memory:
    """Return what a process holds in memory now.  Raises OSError when it has ended."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return {"rss": kilobytes["Rss"] * 1024 / 1e6, "pss": kilobytes["Pss"] * 1024 / 1e6}


def peak_mb() -> float:
    """Return the most that this process ever held resident, in MB.  (getrusage tells its parent's before exec.)"""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started and that still run.  Raises OSError when it has ended."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def seconds_by_name(processes: Iterable[tuple[int, str]]) -> dict[str, float]:
    """Sum processor seconds of (pid, name) by program: ours by their command (milter, sync, …), rspamd, the bare milter, and Postfix's as one.

    Postfix replaces its processes after a hundred mails; what the old ones used is counted at its master.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for pid, name in processes:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            last = words[-1].decode("utf-8", "replace")
            program = last if last in _PROGRAMS else name if name in ("rspamd", "bare") else "postfix"
            found[program] += processor_seconds(pid)
        except OSError:
            continue  # it ended meanwhile
    return found


def describe_machine() -> Machine:
    """Return versions, processor and load: the load before the benchmark says whether the machine was quiet."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    packages = ("pymilter", "redis", "psycopg", "SQLAlchemy", "spacy", "google-re2")
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": model,
        "cores": os.cpu_count() or 0,
        "load_before": list(os.getloadavg()),
        "versions": {**{name: version(name) for name in packages}, **_servers()},
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _servers() -> dict[str, str]:
    commands = {
        "postfix": (find_program("postconf", "postfix"), "-d", "-h", "mail_version"),
        "redis-server": ("redis-server", "--version"),
        "rspamd": ("rspamd", "--version"),
    }
    found = {}
    for name, command in commands.items():
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            continue
        found[name] = done.stdout.strip()
    return found

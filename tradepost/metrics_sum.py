# SPDX-License-Identifier: GPL-3.0-or-later
"""The sum over all processes of this host, living and gone, as `tradepost metrics` serves it."""

import fcntl
import json
import logging
import os
import re
import struct
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import Metric, mmap_dict, multiprocess

from tradepost.metrics_files import ROOM, allocate, shared_folder

log = logging.getLogger("tradepost.metrics")

# prometheus-client ships types, but not for these two.
_Collector: Any = multiprocess.MultiProcessCollector
_Map: Any = mmap_dict.MmapedDict
# Counts of processes that are gone live on under this name in place of a process id.
_GONE = "gone"
_NAME = re.compile(rf"({'|'.join(ROOM)})_([0-9]+|{_GONE})\.db")


class SharedCounts:
    """A collector for prometheus-client's registry."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, summed over processes."""
        with _locked(self._folder):
            _put_damaged_aside(self._folder)
            pids = {int(name) for path in _files(self._folder) if (name := path.stem.rpartition("_")[2]) != _GONE}
            _fold(self._folder, {pid for pid in pids if not is_alive(pid)})
            metrics = list(_Collector(None, path=str(self._folder)).collect())
        yield from metrics

    def describe(self) -> Iterator[Metric]:
        """Name no metric beforehand: the files say which there are."""
        return iter(())


def forget_process(pid: int) -> None:
    """Add the counts of a process that ended to those of its predecessors.  For a supervisor that makes many."""
    folder = shared_folder()
    if folder is None:
        return
    try:
        with _locked(folder):
            _fold(folder, {pid})
    except OSError as error:
        log.warning("counts of process %d stay apart: %s", pid, error)


def is_alive(pid: int) -> bool:
    """Is there a process of that id?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.db"))


def _put_damaged_aside(folder: Path) -> None:
    """One bad file must not hide the numbers of all other processes."""
    for path in _files(folder):
        try:
            if not _NAME.fullmatch(path.name):
                raise ValueError("its name is none of ours")
            for key, _, _, _ in _Map.read_all_values_from_file(str(path)):
                json.loads(key)
        except (PermissionError, ValueError, RuntimeError, IndexError, struct.error) as error:
            log.warning("%s: put aside, it holds no counts: %s", path, error)
            path.rename(path.with_suffix(".damaged"))


def _fold(folder: Path, pids: set[int]) -> None:
    """Sum counters and histograms of these processes into one file, drop their gauges.  The folder is locked."""
    for kind, octets in ROOM.items():
        paths = [path for pid in sorted(pids) if (path := folder / f"{kind}_{pid}.db").exists()]
        if paths and not kind.startswith("gauge"):
            _sum(folder / f"{kind}_{_GONE}.db", paths, octets)
        for path in paths:  # a kill between the sum and here counts them twice; the other order would lose them
            path.unlink(missing_ok=True)


def _sum(total: Path, paths: list[Path], octets: int) -> None:
    values: dict[str, float] = defaultdict(float)
    for path in (*paths, *([total] if total.exists() else [])):
        for key, value, _, _ in _Map.read_all_values_from_file(str(path)):
            values[key] += value
    next_total = total.with_suffix(".next")
    allocate(next_total, octets)
    written = _Map(str(next_total))
    for key, value in values.items():
        written.write_value(key, value, 0.0)
    written.close()
    next_total.replace(total)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    # One scrape or fold at a time: a scrape between a sum and its unlinks would count processes twice.
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

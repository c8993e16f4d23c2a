# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that outlives its parent for a moment, to clean up: also after `kill -9` nothing runs on and nothing lies
about.  (PR_SET_PDEATHSIG would not do: the kernel clears it when a daemon changes its user.)"""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from postfix.sandbox.processes import end_processes, processes_in


class Guardian:
    """Watches over one sandbox folder from now on, until `release` or this process's end, however it comes."""

    def __init__(self, folder: Path, *, keep: bool) -> None:
        command = [sys.executable, "-m", __spec__.name, *(["--keep"] if keep else []), str(folder)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )

    def release(self) -> None:
        """Clean up now: end every process in the folder, and remove it unless it is kept."""
        self._process.communicate()


def watch(folder: Path, *, keep: bool) -> None:
    """Wait until the parent closes our stdin, by will or by death; then clean up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.read()
    for _ in range(100):
        end_processes(folder)
        if not processes_in(folder):
            break
        time.sleep(0.05)
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    watch(Path(sys.argv[-1]), keep="--keep" in sys.argv)

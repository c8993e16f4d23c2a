# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that believe in another date than the rest of the machine.

libfaketime would also shift or break the clocks that only count (Python's sleep fails with it): shifted_clock.c does not.
"""

import subprocess
from importlib.resources import files
from pathlib import Path

from postfix.sandbox.processes import SandboxError, find_program

_SOURCE = Path(str(files("postfix") / "sandbox" / "shifted_clock.c"))


def shifted_clock(seconds: int, folder: Path) -> dict[str, str]:
    """Return the environment of programs whose date is so many seconds ahead (below 0: behind).

    `folder` gets the library; every user of the programs must be able to walk there.  Raises SandboxError.
    """
    library = folder / "shifted_clock.so"
    command = (find_program("gcc", "gcc"), "-Wall", "-Werror", "-O2", "-shared", "-fPIC", "-o", library, _SOURCE)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SandboxError(f"gcc: {done.stderr.strip()}")
    library.chmod(0o755)
    return {"LD_PRELOAD": str(library), "CLOCK_SHIFT_SECONDS": str(seconds)}

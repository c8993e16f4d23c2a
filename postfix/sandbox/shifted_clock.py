# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that believe in another time than the rest of the machine."""

from pathlib import Path

from postfix.sandbox.processes import SandboxError

_LIBRARIES = Path("/usr/lib")


def shifted_clock(seconds: int) -> dict[str, str]:
    """Return the environment of programs whose clock is so many seconds ahead (below 0: behind).  Raises SandboxError."""
    # The one for programs with threads.
    found = next(_LIBRARIES.glob("*/faketime/libfaketimeMT.so.1"), None)
    if found is None:
        raise SandboxError("libfaketime is missing: apt-get install libfaketime, or let `make test` do it")
    return {
        "LD_PRELOAD": str(found),
        "FAKETIME": f"{seconds:+d}",
        # Only the date is wrong on such a host.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Shared memory that root made is not open to daemons of other users, and nothing needs it at a fixed distance.
        "FAKETIME_DISABLE_SHM": "1",
    }

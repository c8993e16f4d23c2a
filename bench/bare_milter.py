# SPDX-License-Identifier: GPL-3.0-or-later
"""The least a pymilter can do: read nothing, add two header fields.  What it costs, every pymilter costs.

usage: python bare_milter.py SOCKET      (a unix socket; one character goes to stdout for each mail)
"""

import os
import sys

import Milter
import milter


class BareMilter(Milter.Base):
    """Adds two fields at the end of the message; all other callbacks are switched off by what is not defined here."""

    def eom(self) -> int:
        """Add the fields."""
        self.addheader("X-Bare-One", "1")
        self.addheader("X-Bare-Two", "2")
        os.write(1, b"+")
        return int(Milter.CONTINUE)


def main(path: str) -> None:
    """Serve until killed."""
    os.umask(0)  # Postfix's own user connects
    Milter.factory = BareMilter
    milter.set_flags(Milter.ADDHDRS)
    Milter.runmilter("bare", f"unix:{path}", 60)


if __name__ == "__main__":
    main(sys.argv[1])

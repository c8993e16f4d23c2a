# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tradepost`: the command, for a process that starts another one of the same installation."""

from tradepost.cli import main

if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""What may stop a command without being a bug of ours."""

from typing import ClassVar


class Refusal(Exception):
    """An expected failure.  Its text, a line per mistake, names the cause and the way out and is fit for a terminal.

    The command line shows the text without a traceback and ends with `exit_code`.  Errors of one room derive from this
    class and, where callers catch it so, from the built-in class that says the same (ValueError, OSError, RuntimeError).
    """

    exit_code: ClassVar[int] = 1

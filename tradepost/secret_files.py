# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords lie in files of their own, so that settings can be shown and copied."""

import os
import stat
from pathlib import Path

from tradepost.errors import Refusal

_LONGEST = 4096


def read_secret(setting: str, path: str, refusal: type[Refusal]) -> str:
    """Return the password in the file that `setting` ("[database] password_file") names.  Raises `refusal`."""
    try:
        with Path(path).open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            secret = file.read(_LONGEST).decode("utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise refusal(f"{setting}: {path} can't be read: {reason}") from None
    if mode & 0o007:
        raise refusal(f"{setting}: {path} is open to everybody on this host; chmod 600 it")
    if not secret:
        raise refusal(f"{setting}: {path} is empty; write the password into it or leave the setting out")
    return secret

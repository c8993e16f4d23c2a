# SPDX-License-Identifier: GPL-3.0-or-later
"""The key that signs form tokens.  A file, so that a form opened before a restart can be sent after it."""

import os
import secrets
from pathlib import Path

from tradepost.errors import Refusal

_OCTETS = 32


class FormKeyError(Refusal, OSError):
    """The key can't be read or made.  One line: which file and why."""


def read_or_make_form_key(path: Path) -> bytes:
    """Return the key of that file; a missing one is made, 0600.  Raises FormKeyError."""
    try:
        return _read(path) if path.exists() else _make(path)
    except OSError as error:
        raise FormKeyError(
            f"{path}: can't be used: {error.strerror or error}; it belongs to the service user"
        ) from error


def _read(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != _OCTETS:
        raise FormKeyError(f"{path}: holds {len(key)} bytes instead of {_OCTETS}; remove it, a new one is made")
    return key


def _make(path: Path) -> bytes:
    # Written aside and linked: two processes that start together end with one key, and no half key is ever seen.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(_OCTETS))
        os.fsync(descriptor)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
    finally:
        os.close(descriptor)
        draft.unlink()
    return _read(path)

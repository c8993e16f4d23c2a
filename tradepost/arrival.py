# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal entry's first line: a versioned, typed contract between the milter and everybody after it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from tradepost.envelope import Envelope
from tradepost.verdict import Verdict

VERSION = 1


class UnreadableEntry(ValueError):
    """An entry that can't be read by this program and never will be: it goes to failed/ with this reason."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One SMTP transaction seen at EOM.  Seen is not accepted: Postfix's log confirms it later.

    `entry_id` is a ULID; `instance` names the Postfix whose queue ids these are (its $myhostname); `arrived_at` is the
    aware UTC time of EOM; `raw_bytes` counts the message that follows the first line (0 when only the envelope is kept).
    """

    entry_id: str
    instance: str
    arrived_at: datetime
    envelope: Envelope
    verdict: Verdict
    raw_bytes: int = 0
    macros: dict[str, str] = field(default_factory=dict)
    version: int = VERSION


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Arrival)


def encode_arrival(arrival: Arrival) -> bytes:
    """Return one line of JSON without its line end.  Halves of characters (surrogates) are kept as their escapes."""
    try:
        return _encoder.encode(arrival)
    except UnicodeEncodeError:  # an address or a macro of broken mail: it must not cost the entry
        return _encoder.encode(_escape(msgspec.to_builtins(arrival)))


def decode_arrival(line: bytes) -> Arrival:
    """Read what `encode_arrival` wrote.  Raises UnreadableEntry for anything else, naming what is wrong."""
    try:
        version = msgspec.json.decode(line, type=_Versioned).version
        if version != VERSION:
            raise UnreadableEntry(f"entry has version {version}, this program reads version {VERSION}")
        return _decoder.decode(line)
    except msgspec.MsgspecError as error:
        raise UnreadableEntry(f"first line is no journal entry: {error}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise UnreadableEntry(f"first line is no journal entry: {error}") from error


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_escape(key): _escape(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escape(item) for item in value]
    return value


class _Versioned(msgspec.Struct):
    version: int

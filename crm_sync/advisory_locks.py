# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks that PostgreSQL keeps for us beside its rows.  On SQLite, where one process writes at a time, they are nothing.

They bear two numbers, each of 32 bits: the first is ours, the second says what for.
"""

from collections.abc import Collection
from hashlib import blake2b

from sqlalchemy import Connection, text

# "tpst" and its neighbours: another program that locks numbers in the same database has others.
_NAMED = 0x74707374
_KEYS = _NAMED + 1
_TURNS = _NAMED + 2

MIGRATION = 1
DIRECTORY_CHANGES = 2
RECORDING = 3
STAFF = 4  # before RECORDING, where both are held
DUPLICATES = 5

# The server keeps room for max_locks_per_transaction * max_connections locks (6,400 by default), for all programs together.
_MOST_KEYS = 1000

_HOLD = text("SELECT pg_advisory_xact_lock(:group, :number)")
_SHARE = text("SELECT pg_advisory_xact_lock_shared(:group, :number)")
# An array is unnested in its order, and the function is called row by row: sorted keys are locked in that order.
_HOLD_ALL = text("SELECT pg_advisory_xact_lock(:group, key) FROM unnest(CAST(:numbers AS integer[])) AS key")
_TRY = text("SELECT pg_try_advisory_lock(:group, :number)")
_TRY_FOR_TRANSACTION = text("SELECT pg_try_advisory_xact_lock(:group, :number)")


def hold_for_transaction(connection: Connection, number: int) -> None:
    """Wait until nobody else holds this number; it is ours until the transaction ends."""
    if _has_locks(connection):
        connection.execute(_HOLD, {"group": _NAMED, "number": number})


def try_for_transaction(connection: Connection, number: int) -> bool:
    """Take this number until the transaction ends; False when somebody else holds it.  On SQLite nobody else writes."""
    if not _has_locks(connection):
        return True
    return bool(connection.execute(_TRY_FOR_TRANSACTION, {"group": _NAMED, "number": number}).scalar_one())


def hold_keys(connection: Connection, keys: Collection[str]) -> None:
    """Wait until no other recording transaction holds any of these keys; they are ours until this one ends.

    Sorted, so that two transactions never wait for each other.  One with very many keys waits for all others and runs
    alone.  Call it before anything else that may wait.
    """
    if not _has_locks(connection):
        return
    numbers = sorted({_number_of(key) for key in keys})
    if len(numbers) > _MOST_KEYS:
        hold_for_transaction(connection, RECORDING)
        return
    connection.execute(_SHARE, {"group": _NAMED, "number": RECORDING})
    if numbers:
        connection.execute(_HOLD_ALL, {"group": _KEYS, "numbers": numbers})


def try_to_hold_turn(connection: Connection, name: str) -> bool:
    """Take a lock that lasts as long as the connection; False when somebody else has it.  PostgreSQL only."""
    return bool(connection.execute(_TRY, {"group": _TURNS, "number": _number_of(name)}).scalar_one())


def _has_locks(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _number_of(key: str) -> int:
    # Two keys of one number only wait for each other without need.
    return int.from_bytes(blake2b(key.encode("utf-8", "replace"), digest_size=4).digest(), signed=True)

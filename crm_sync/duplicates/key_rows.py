# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of keys: kept as the records are, and asked which records have one in common."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import and_, bindparam, delete, func, select
from sqlalchemy.orm import Session, aliased

from crm_sync.bulk_rows import insert_rows
from crm_sync.duplicates.block_keys import Key
from crm_sync.key_lists import among_keys
from crm_sync.models.base import table
from crm_sync.models.duplicates import RecordKey

# A key of more records than this finds nothing: the telephone of a trade fair, a name that is a word.
MOST_SHARED = 20

_ROWS = table(RecordKey)
_OTHER = aliased(RecordKey)
_OF_RECORDS = select(RecordKey.record_id, RecordKey.kind, RecordKey.key).where(
    RecordKey.record == bindparam("record"), among_keys(RecordKey.record_id)
)
_FORGET = delete(_ROWS).where(
    _ROWS.c.record == bindparam("of_record"),
    _ROWS.c.kind == bindparam("of_kind"),
    _ROWS.c.key == bindparam("of_key"),
    _ROWS.c.record_id == bindparam("of_id"),
)
_MINE = (
    select(RecordKey.kind, RecordKey.key)
    .where(RecordKey.record == bindparam("record"), among_keys(RecordKey.record_id))
    .distinct()
    .subquery()
)
_COUNTED = (
    select(_MINE.c.kind, _MINE.c.key, func.count().label("records"))
    .select_from(_MINE)
    .join(
        _OTHER,
        and_(_OTHER.record == bindparam("record"), _OTHER.kind == _MINE.c.kind, _OTHER.key == _MINE.c.key),
    )
    .group_by(_MINE.c.kind, _MINE.c.key)
    .having(func.count() > 1)
)
_HOLDERS = select(RecordKey.key, RecordKey.record_id).where(
    RecordKey.record == bindparam("record"), RecordKey.kind == bindparam("kind"), among_keys(RecordKey.key)
)


@dataclass(slots=True)
class Shared:
    """Which records have keys in common with those asked about, and how many keys were too common to say anything."""

    pairs: dict[tuple[int, int], set[Key]] = field(default_factory=dict)  # (lower id, higher id)
    skipped: int = 0


def keep_keys(session: Session, record: str, wanted: Mapping[int, Collection[Key]]) -> None:
    """Make the keys of these records what is wanted; only differences are written."""
    connection = session.connection()
    rows = connection.execute(_OF_RECORDS, {"record": record, "keys": list(wanted)})
    known = {(key_of, kind, key) for key_of, kind, key in rows}
    right = {(key_of, *key) for key_of, keys in wanted.items() for key in keys}
    if gone := known - right:
        connection.execute(
            _FORGET, [{"of_record": record, "of_kind": kind, "of_key": key, "of_id": one} for one, kind, key in gone]
        )
    new = sorted((key, kind, one) for one, kind, key in right - known)
    insert_rows(
        connection, _ROWS, [{"record": record, "kind": kind, "key": key, "record_id": one} for key, kind, one in new]
    )


def find_shared(session: Session, record: str, records: Collection[int]) -> Shared:
    """Return who has keys in common with these records."""
    connection = session.connection()
    found, telling = Shared(), defaultdict[str, list[str]](list)
    for kind, key, holders in connection.execute(_COUNTED, {"record": record, "keys": list(records)}):
        if holders > MOST_SHARED:
            found.skipped += 1
        else:
            telling[kind].append(key)
    asked = set(records)
    for kind, keys in sorted(telling.items()):
        held: defaultdict[str, list[int]] = defaultdict(list)
        for key, holder in connection.execute(_HOLDERS, {"record": record, "kind": kind, "keys": keys}):
            held[key].append(holder)
        for key, together in held.items():
            together.sort()
            for place, one in enumerate(together):
                for other in together[place + 1 :]:
                    if one in asked or other in asked:
                        found.pairs.setdefault((one, other), set()).add((kind, key))
    return found


def holders_of(session: Session, record: str, keys: Collection[Key], most: int) -> dict[Key, list[int]]:
    """Return who has these keys; of a key that more than `most` have, `most` + 1 of them."""
    found: dict[Key, list[int]] = {}
    for kind, key in sorted(keys):
        rows = session.scalars(
            select(RecordKey.record_id)
            .where(RecordKey.record == record, RecordKey.kind == kind, RecordKey.key == key)
            .limit(most + 1)
        )
        if holders := list(rows):
            found[kind, key] = holders
    return found

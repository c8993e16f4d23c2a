# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring letters into the index: those just recorded, from the rows that are being written; any others, from the records."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from crm_sync.key_lists import among_keys
from crm_sync.models.mail import Message, MessagePart, MessageRecipient, MessageText
from crm_sync.search.documents import MailText, mail_row
from crm_sync.search.index_rows import IndexName, insert_index_rows, replace_index_rows

_SHOWN_KINDS = ("to", "cc")
_MESSAGES = select(
    Message.id,
    Message.subject,
    Message.from_name,
    Message.from_address,
    Message.category,
    Message.language,
    Message.priority,
    MessageText.new_text,
    MessageText.rest,
).outerjoin(MessageText, MessageText.message_id == Message.id)
_MESSAGES = _MESSAGES.where(among_keys(Message.id))
_RECIPIENTS = (
    select(MessageRecipient.message_id, MessageRecipient.name, MessageRecipient.address_key)
    .where(among_keys(MessageRecipient.message_id), MessageRecipient.kind.in_(_SHOWN_KINDS))
    .order_by(MessageRecipient.message_id, MessageRecipient.kind, MessageRecipient.address_key)
)
_FILES = (
    select(MessagePart.message_id, MessagePart.filename)
    .where(among_keys(MessagePart.message_id))
    .order_by(MessagePart.message_id, MessagePart.part_no)
)
_Rows = Sequence[Mapping[str, Any]]


def index_recorded(connection: Connection, messages: _Rows, recipients: _Rows, texts: _Rows, parts: _Rows) -> None:
    """Index new letters from the rows of their tables, as recording writes them."""
    if not messages:
        return
    people: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for row in recipients:
        if row["kind"] in _SHOWN_KINDS:
            people[row["message_id"]].append((row["name"], row["address_key"]))
    files: defaultdict[int, list[str]] = defaultdict(list)
    for row in parts:
        files[row["message_id"]].append(row["filename"])
    written = {row["message_id"]: row for row in texts}
    rows: dict[int, str] = {}
    for row in messages:
        key = row["id"]
        text = written.get(key, {"new_text": "", "rest": ""})
        rows[key] = mail_row(
            MailText(
                row["subject"], (row["from_name"], row["from_address"]), people[key], text["new_text"], text["rest"],
                files[key], row["category"], row["language"], row["priority"],
            )
        )  # fmt: skip
    insert_index_rows(connection, IndexName.MAIL, rows)


def index_messages(connection: Connection, message_ids: Collection[int]) -> None:
    """Index letters anew from the records; ids of none are left out."""
    keys = {"keys": list(message_ids)}
    messages = connection.execute(_MESSAGES, keys).all()
    people: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for message_id, name, address in connection.execute(_RECIPIENTS, keys):
        people[message_id].append((name, address))
    files: defaultdict[int, list[str]] = defaultdict(list)
    for message_id, filename in connection.execute(_FILES, keys):
        files[message_id].append(filename)
    rows = {
        row.id: mail_row(
            MailText(
                row.subject, (row.from_name, row.from_address), people[row.id], row.new_text or "", row.rest or "",
                files[row.id], row.category, row.language, row.priority,
            )
        )
        for row in messages
    }  # fmt: skip
    replace_index_rows(connection, IndexName.MAIL, rows)

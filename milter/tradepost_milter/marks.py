# SPDX-License-Identifier: GPL-3.0-or-later
"""Header edits: foreign marks out, ours in.  Pure: every value is built and checked before the first edit is asked for.

X-Tradepost-Id is the last edit.  A child killed between two edits leaves marks without it: they mean nothing.
"""

import hmac
from collections.abc import Sequence
from email.header import Header

from tradepost.suspicion import is_alarming
from tradepost.verdict import Action, ActionKind, Labels, Priority, Verdict

PREFIX = b"x-tradepost-"
ID_FIELD = "X-Tradepost-Id"
SEAL_FIELD = "X-Tradepost-Seal"
VALUE_LIMIT = 200

_X_PRIORITY = {
    Priority.URGENT: "1 (Highest)",
    Priority.HIGH: "2 (High)",
    Priority.NORMAL: "3 (Normal)",
    Priority.LOW: "5 (Lowest)",
}
_IMPORTANCE = {Priority.URGENT: "high", Priority.HIGH: "high", Priority.NORMAL: "normal", Priority.LOW: "low"}

Fields = Sequence[tuple[bytes, bytes]]


def header_value(text: str) -> str:
    """Return the text as a header value: no control characters, RFC 2047 where not ASCII, at most 200 octets."""
    clean = text
    if not (text.isascii() and text.isprintable()):
        clean = "".join(c if c.isprintable() else " " for c in text.encode("utf-8", "replace").decode("utf-8"))
    clean = " ".join(clean.split())
    if clean.isascii():
        return clean[:VALUE_LIMIT]
    while True:
        coded = Header(clean, "utf-8", maxlinelen=VALUE_LIMIT * 4).encode(linesep=" ").replace("\n", " ")
        if len(coded) <= VALUE_LIMIT:
            return coded
        clean = clean[: len(clean) * VALUE_LIMIT // len(coded)]


def plain_names(fields: Fields) -> list[bytes]:
    """Return the name of each field in lower case, without white space around it."""
    return [name.strip().lower() for name, _ in fields]


def remove_marks(fields: Fields, prefix: bytes = PREFIX) -> list[Action]:
    """Return the removal of every field whose name starts so, from the highest occurrence of each name down.

    Postfix counts occurrences by name without regard to case, so repeats, odd case and folded ones all go.
    """
    counts: dict[str, int] = {}
    for lowered in plain_names(fields):
        if lowered.startswith(prefix):
            key = lowered.decode("ascii", "surrogateescape")
            counts[key] = counts.get(key, 0) + 1
    return [
        Action(ActionKind.REMOVE_HEADER, name, index=index)
        for name, count in counts.items()
        for index in range(count, 0, -1)
    ]


def signed_names(fields: Fields) -> frozenset[bytes]:
    """Return the lower-case field names that some DKIM or ARC signature covers (RFC 6376, 3.5, tag h=)."""
    names: set[bytes] = set()
    for name, (_, value) in zip(plain_names(fields), fields, strict=True):
        if name in (b"dkim-signature", b"arc-message-signature"):
            for tag in b"".join(value.split()).split(b";"):
                if tag[:2] == b"h=":
                    names.update(tag[2:].lower().split(b":"))
    return frozenset(names)


def urgency_marks(fields: Fields, priority: Priority) -> list[Action]:
    """Return the standard urgency fields, replacing the sender's own; what a signature covers is left alone."""
    signed = signed_names(fields)
    present = plain_names(fields)
    actions = []
    for name, value in (("X-Priority", _X_PRIORITY[priority]), ("Importance", _IMPORTANCE[priority])):
        lowered = name.lower().encode()
        if lowered in signed:
            continue
        actions += [
            Action(ActionKind.REMOVE_HEADER, name, index=index) for index in range(present.count(lowered), 0, -1)
        ]
        actions.append(Action(ActionKind.INSERT_HEADER, name, value, index=1))
    return actions


def seal(key: bytes, entry_id: str, fields: Fields) -> str:
    """Return the keyed mark of one letter: it can't be made by others nor carried over to another letter."""
    wanted = (b"from", b"date", b"message-id", b"subject")
    sealed = [entry_id.encode()]
    for name, (_, value) in zip(plain_names(fields), fields, strict=True):
        if name in wanted:
            sealed.append(name + b":" + b" ".join(value.split()) + b"\n")
    return hmac.digest(key, b"".join(sealed), "sha256").hex()[:32]


def carries_own_seal(key: bytes, fields: Fields) -> bool:
    """Was this very letter marked by us before (re-injection by a content filter)?"""
    names = plain_names(fields)
    found = {name: value.strip().decode("ascii", "replace") for name, (_, value) in zip(names, fields, strict=True)}
    entry_id = found.get(ID_FIELD.lower().encode())
    given = found.get(SEAL_FIELD.lower().encode())
    return bool(entry_id and given) and hmac.compare_digest(
        seal(key, str(entry_id), fields).encode(), str(given).encode()
    )


def identity_marks(key: bytes, entry_id: str, fields: Fields) -> list[Action]:
    """Return the seal and, last of all, the id."""
    return [_add(SEAL_FIELD, seal(key, entry_id, fields)), _add(ID_FIELD, entry_id)]


def inbound_marks(key: bytes, entry_id: str, verdict: Verdict, fields: Fields) -> list[Action]:
    """Return every mark of an inbound mail, the id last.  What is not known gets no field."""
    labels = verdict.labels
    values = (
        ("X-Tradepost-Category", labels.category),
        ("X-Tradepost-Priority", labels.priority and labels.priority.value),
        ("X-Tradepost-Owner", verdict.owner),
        ("X-Tradepost-Customer", verdict.customer),
        ("X-Tradepost-Language", labels.language),
        ("X-Tradepost-Country", labels.country),
        ("X-Tradepost-Confidence", None if labels.confidence is None else f"{labels.confidence:.2f}"),
        ("X-Tradepost-Reason", " ".join(verdict.reasons) or "no-reason"),
        ("X-Tradepost-Warning", _warning(labels)),
    )
    actions = [_add(name, value) for name, value in values if value]
    if labels.priority is not None:
        actions += urgency_marks(fields, labels.priority)
    return actions + identity_marks(key, entry_id, fields)


def _warning(labels: Labels) -> str | None:
    """Return the signs of fraud, the heaviest first, as many as fit whole; None where nobody is to be warned."""
    if not is_alarming(labels):
        return None
    names = list(labels.warnings)
    while len(" ".join(names)) > VALUE_LIMIT:
        names.pop()
    return " ".join(names)


def _add(name: str, value: str) -> Action:
    return Action(ActionKind.ADD_HEADER, name, header_value(value))

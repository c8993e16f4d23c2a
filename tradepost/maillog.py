# SPDX-License-Identifier: GPL-3.0-or-later
"""What Postfix says in its log, line by line, as typed events keyed by queue id.

Senders choose much of what stands in a log line (addresses, Message-IDs, HELO, subjects, the words of remote servers).
So nothing is searched for: every line is matched from its first character, the queue id only right behind
`syslog_name/daemon[pid]: `, and each event only from the one daemon that can know it.  Postfix itself turns control
characters into `?`, so that a sender can't begin a line of his own.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

import msgspec


@dataclass(frozen=True, slots=True)
class LogEvent:
    """Something that happened to one queue id.  `service` is `postfix/qmgr`, `postfix/submission/smtpd` ..."""

    at: datetime
    queue_id: str
    service: str


@dataclass(frozen=True, slots=True)
class ClientSeen(LogEvent):
    """smtpd took the first recipient.  `origin`: the queue id before a content filter (XFORWARD), or empty."""

    client: str
    origin: str


@dataclass(frozen=True, slots=True)
class MessageIdSeen(LogEvent):
    """cleanup met the Message-ID, which the sender chose.  Logged for refused mail too."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Activated(LogEvent):
    """qmgr took the mail into the active queue, for the first time or once more: it is accepted."""

    sender: str
    octets: int
    recipients: int


@dataclass(frozen=True, slots=True)
class Removed(LogEvent):
    """qmgr is done with the mail."""


@dataclass(frozen=True, slots=True)
class Held(LogEvent):
    """A milter put the mail into the HOLD queue at END-OF-MESSAGE; a later milter may still refuse it."""


@dataclass(frozen=True, slots=True)
class Refused(LogEvent):
    """The mail as a whole was refused or dropped.  `verb`: milter-reject, discard, `write queue file` ...; `stage`: where."""

    verb: str
    stage: str


@dataclass(frozen=True, slots=True)
class Submitted(LogEvent):
    """pickup took a local mail or a requeued one.  `origin`: the queue id before `postsuper -r`, or empty."""

    sender: str
    origin: str


@dataclass(frozen=True, slots=True)
class Delivery(LogEvent):
    """One attempt for one recipient.  `text` may be the words of a remote server."""

    recipient: str
    orig_to: str
    relay: str
    dsn: str
    status: str
    text: str


_ID: Final = r"(?P<id>[0-9A-Za-z]{6,30})"
# Postfix writes an address with special characters as a quoted string; so a quoted > or comma can't end it early.
_ADDRESS: Final = r'(?:[^"<>]|"(?:\\.|[^"\\])*")*'

_CLIENT = re.compile(rf"{_ID}: client=(?P<client>[^\s,]+)(?:, orig_queue_id=(?P<origin>[0-9A-Za-z]{{6,30}})(?=,|$))?")
# smtpd refuses single recipients with the same words: only what ends the whole transaction counts.
_SMTPD_REFUSAL = re.compile(
    rf"{_ID}: (?:(?P<verb>milter-reject|reject): (?P<stage>DATA|END-OF-MESSAGE)"
    r"|(?P<drop>milter-discard|discard): (?P<where>[A-Z-]+)) "
)
_MESSAGE_ID = re.compile(rf"{_ID}: message-id=(?P<message_id>.*)")
_HOLD = re.compile(rf"{_ID}: milter-hold: END-OF-MESSAGE ")
_REFUSAL = re.compile(
    rf"{_ID}: (?P<verb>milter-(?:header-|body-)?(?:reject|discard)|reject|discard): (?P<stage>[\w-]+) "
)
_NOT_WRITTEN = re.compile(rf"warning: {_ID}: (?P<verb>write queue file|queue file size limit exceeded)(?=:|$)")
# The sender is greedy: what stands behind the last `, size=` is Postfix's own.
_ACTIVE = re.compile(rf"{_ID}: from=<(?P<sender>.*)>, size=(?P<octets>\d+), nrcpt=(?P<count>\d+) \(queue active\)")
_REMOVED = re.compile(rf"{_ID}: removed")
_PICKUP = re.compile(rf"{_ID}: uid=\d+ from=<(?P<sender>.*)>(?: orig_id=(?P<origin>[0-9A-Za-z]{{6,30}}))?")
_DELIVERY = re.compile(
    rf"{_ID}: to=<(?P<to>{_ADDRESS})>,(?: orig_to=<(?P<orig_to>{_ADDRESS})>,)? relay=(?P<relay>[^\s,]+),"
    r"(?: conn_use=\d+,)? delay=[^,]+, delays=[^,]+, dsn=(?P<dsn>[\d.]+), status=(?P<status>[\w-]+) \((?P<text>.*)\)"
)

Make = Callable[[datetime, str, re.Match[str]], LogEvent]


def _refused(at: datetime, service: str, found: re.Match[str]) -> Refused:
    words = found.groupdict()
    verb = words["verb"] or words["drop"]
    return Refused(at, found["id"], service, verb, words.get("stage") or words.get("where") or "queue")


def _delivery(at: datetime, service: str, found: re.Match[str]) -> Delivery:
    return Delivery(
        at,
        found["id"],
        service,
        found["to"],
        found["orig_to"] or "",
        found["relay"],
        found["dsn"],
        found["status"],
        found["text"],
    )


_SHAPES: Final[dict[str, tuple[tuple[re.Pattern[str], Make, bool], ...]]] = {
    # daemon: (pattern, event, must the pattern reach the end of the line?)
    "smtpd": (
        (_CLIENT, lambda at, name, m: ClientSeen(at, m["id"], name, m["client"], m["origin"] or ""), False),
        (_SMTPD_REFUSAL, _refused, False),
    ),
    "cleanup": (
        (_MESSAGE_ID, lambda at, name, m: MessageIdSeen(at, m["id"], name, m["message_id"]), True),
        (_HOLD, lambda at, name, m: Held(at, m["id"], name), False),
        (_REFUSAL, _refused, False),
        (_NOT_WRITTEN, lambda at, name, m: Refused(at, m["id"], name, m["verb"], "queue"), False),
    ),
    "qmgr": (
        (
            _ACTIVE,
            lambda at, name, m: Activated(at, m["id"], name, m["sender"], int(m["octets"]), int(m["count"])),
            True,
        ),
        (_REMOVED, lambda at, name, m: Removed(at, m["id"], name), True),
    ),
    "pickup": ((_PICKUP, lambda at, name, m: Submitted(at, m["id"], name, m["sender"], m["origin"] or ""), True),),
} | {
    daemon: ((_DELIVERY, _delivery, True),)
    for daemon in ("smtp", "lmtp", "local", "virtual", "pipe", "error", "discard")
}

_STAMP: Final = r"(?P<stamp>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*)"
_STAMPED = re.compile(rf"{_STAMP} ")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class LogParser:
    """Reads the lines of one Postfix: the one whose syslog_name that is."""

    def __init__(self, syslog_name: str = "postfix") -> None:
        # A service may have its own name below Postfix's: -o syslog_name=postfix/submission in master.cf.
        self._name = f" {syslog_name}/"
        service = rf"(?P<service>{re.escape(syslog_name)}(?:/[\w.-]+)*/(?P<daemon>[\w-]+))"
        self._line = re.compile(rf"{_STAMP} \S+ {service}\[\d+\]: (?P<text>.*)", re.DOTALL)
        self._service = re.compile(service)

    def parse_line(self, line: str, reference: datetime) -> LogEvent | None:
        """Read a line of a log file, without its line end: RFC 3339 stamps, or traditional ones in local time.

        Traditional stamps lack the year: it is the latest that does not lie more than a day behind `reference`.  None:
        no line of this Postfix, or one that says nothing about the fate of a mail.
        """
        if self._name not in line:
            return None
        found = self._line.fullmatch(line)
        if found is None:
            return None
        return self._read(found["service"], found["daemon"], found["text"], lambda: _time_of(found["stamp"], reference))

    def parse_stamp(self, line: str, reference: datetime) -> datetime | None:
        """Return the time at the beginning of any line of the log, whoever wrote it."""
        found = _STAMPED.match(line)
        return _time_of(found["stamp"], reference) if found else None

    def parse_journal_entry(self, entry: "JournalEntry") -> LogEvent | None:
        """Read an entry of systemd's journal."""
        found = self._service.fullmatch(entry.identifier)
        if found is None:
            return None
        return self._read(found["service"], found["daemon"], entry.message, lambda: entry.at)

    def _read(self, service: str, daemon: str, text: str, time: Callable[[], datetime | None]) -> LogEvent | None:
        if daemon in ("oqmgr", "nqmgr"):
            daemon = "qmgr"
        for pattern, make, to_the_end in _SHAPES.get(daemon, ()):
            found = pattern.fullmatch(text) if to_the_end else pattern.match(text)
            if found is not None:
                at = time()
                return make(at, service, found) if at is not None else None
        return None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One entry of systemd's journal; `identifier` is what syslog calls the tag: `postfix/qmgr`."""

    cursor: str
    at: datetime
    identifier: str
    message: str


class _RawEntry(msgspec.Struct):
    cursor: str = msgspec.field(name="__CURSOR")
    realtime: str = msgspec.field(name="__REALTIME_TIMESTAMP")
    identifier: str | list[int | str] | None = msgspec.field(name="SYSLOG_IDENTIFIER", default=None)
    # journalctl writes bytes that are no UTF-8 as numbers, and null for what it finds too long.
    message: str | list[int | str] | None = msgspec.field(name="MESSAGE", default=None)


_raw_entries = msgspec.json.Decoder(_RawEntry)


def decode_journal_entry(line: bytes) -> JournalEntry | None:
    """Read one line of `journalctl -o json`; None for what is no entry."""
    try:
        raw = _raw_entries.decode(line)
        at = datetime.fromtimestamp(int(raw.realtime) / 1_000_000, UTC)
    except (msgspec.MsgspecError, ValueError, OverflowError, OSError):
        return None
    return JournalEntry(raw.cursor, at, _words(raw.identifier), _words(raw.message))


def _words(value: str | list[int | str] | None) -> str:
    if isinstance(value, str):
        return value
    # A field that stands several times has no one value: nothing is read out of it.
    octets = [item for item in value or () if isinstance(item, int) and 0 <= item < 256]
    return bytes(octets).decode("utf-8", "backslashreplace")


def _time_of(stamp: str, reference: datetime) -> datetime | None:
    if stamp[0].isdigit():
        try:
            return datetime.fromisoformat(stamp).astimezone(UTC)  # without an offset: local time
        except ValueError:
            return None
    return _traditional(stamp, reference.astimezone(UTC).replace(minute=0, second=0, microsecond=0))


@lru_cache(maxsize=64)  # many lines share a second
def _traditional(stamp: str, reference: datetime) -> datetime | None:
    if stamp[:3] not in _MONTHS:
        return None
    month = _MONTHS.index(stamp[:3]) + 1
    for year in range(reference.year + 1, reference.year - 9, -1):  # 29 February comes every 4 or 8 years
        try:
            local = datetime(  # noqa: DTZ001 - the log speaks local time; made aware at once
                year, month, int(stamp[4:6]), int(stamp[7:9]), int(stamp[10:12]), min(int(stamp[13:15]), 59)
            )
            at = local.astimezone(UTC)
        except ValueError:
            continue
        if at <= reference + timedelta(days=1):
            return at
    return None

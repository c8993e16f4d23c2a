# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail programs: how each calls its mails, what of an answered mail it names again, how it quotes.

Thread-Index as Outlook makes it: 22 octets for a new thread (1, five of the time, 16 of a GUID), five more an answer.
"""

import random
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Program:
    """One mail program.  `references`: how many of the older ids it names (-1: all), 0: none; `replies`: In-Reply-To."""

    name: str
    message_id: Callable[[random.Random, str, datetime], str]
    weight: int
    references: int = -1
    replies: bool = True
    has_index: bool = False
    quotes: str = "> "
    prefix: str = ""  # its own word for an answer; empty: that of the language
    signs: bool = True


def _hex(chance: random.Random, octets: int) -> str:
    return f"{chance.getrandbits(octets * 8):0{octets * 2}x}"


def _gmail(chance: random.Random, domain: str, at: datetime) -> str:
    return f"<CA{_hex(chance, 20)}@mail.gmail.com>"


def _outlook(chance: random.Random, domain: str, at: datetime) -> str:
    return f"<{_hex(chance, 12).upper()}@{_hex(chance, 6).upper()}.prod.outlook.com>"


def _desktop(chance: random.Random, domain: str, at: datetime) -> str:
    return f"<{_hex(chance, 4)}$%s$%s@{domain}>" % (_hex(chance, 4), _hex(chance, 4))


def _foxmail(chance: random.Random, domain: str, at: datetime) -> str:
    return f"<{at:%Y%m%d%H%M%S}{chance.randrange(10**8):08}@{domain}>"


def _qq(chance: random.Random, domain: str, at: datetime) -> str:
    return f"<tencent_{_hex(chance, 20).upper()}@qq.com>"


def _phone(chance: random.Random, domain: str, at: datetime) -> str:
    value = _hex(chance, 16).upper()
    return f"<{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}@{domain}>"


def _notes(chance: random.Random, domain: str, at: datetime) -> str:
    return f"<OF{_hex(chance, 9).upper()}-ON{_hex(chance, 9).upper()}@{domain}>"


PROGRAMS: tuple[Program, ...] = (
    Program("gmail", _gmail, 22),
    Program("outlook", _outlook, 26, has_index=True, quotes="block"),
    Program("foxmail", _foxmail, 14, references=1, quotes="block"),
    Program("thunderbird", _phone, 8),
    Program("phone", _phone, 10, signs=False),
    Program("qq", _qq, 5, prefix="回复："),
    Program("notes", _notes, 3, references=2, prefix="Antw: ", quotes="block"),
    # Behind some gateways and with some settings Outlook names no older mail, or only the one it answers.
    Program("outlook without references", _desktop, 9, references=0, has_index=True, quotes="block"),
    Program("outlook by index only", _desktop, 3, references=0, replies=False, has_index=True, quotes="block"),
)
ERP = Program("erp", _phone, 0)


def thread_index(chance: random.Random, at: datetime, parent: bytes) -> bytes:
    """Return the index of a new mail, as a child of `parent` where there is one."""
    ticks = int((at.timestamp() + 11_644_473_600) * 10**7)  # since 1601
    if not parent:
        return (ticks >> 16).to_bytes(6, "big") + chance.randbytes(16)
    return parent + ((ticks >> 18) & 0x7FFFFFFF).to_bytes(4, "big") + bytes([chance.randrange(256)])


def encoded(index: bytes) -> str:
    """Return the header value."""
    return b64encode(index).decode()

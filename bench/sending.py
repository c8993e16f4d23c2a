# SPDX-License-Identifier: GPL-3.0-or-later
"""A load generator as light as Postfix's own smtp-source, but every mail is another one.

smtp-source sends one letter again and again: then the milter's caches, the claims and the recording of a message that
is known already would be measured.  Like smtp-source it speaks HELO, without pipelining, and opens a connection for each mail.
"""

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.letters import Letter

SESSIONS = 8
_SILENCE_SECONDS = 30


class SendingFailed(Exception):
    """Postfix did not take a mail; the text is its answer."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Mails taken, wall seconds from the first connection to the last 221, and the generator's own processor seconds."""

    mails: int
    seconds: float
    processor_seconds: float

    @property
    def rate(self) -> float:
        """Mails per second."""
        return self.mails / self.seconds


class _Dialogue:
    """One connection that hands over one letter: what is said next after each reply."""

    __slots__ = ("_lines", "_received", "socket")

    def __init__(self, port: int, letter: Letter) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), _SILENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._lines = [
            (b"220", f"HELO mail.{letter.sender.rpartition('@')[2]}\r\n".encode()),
            (b"250", f"MAIL FROM:<{letter.sender}>\r\n".encode()),
            *((b"250", f"RCPT TO:<{recipient}>\r\n".encode()) for recipient in letter.recipients),
            (b"250", b"DATA\r\n"),
            (b"354", letter.content + b".\r\n"),
            (b"250", b"QUIT\r\n"),
            (b"221", b""),
        ]
        self._lines.reverse()

    def answer(self) -> bool:
        """Read what came and say the next line; return whether that was the end.  Raises SendingFailed."""
        part = self.socket.recv(4096)
        self._received += part
        if part and not self._received.endswith(b"\n"):
            return False
        expected, line = self._lines.pop()
        if not self._received.startswith(expected):
            raise SendingFailed(self._received.decode("utf-8", "replace").strip() or "the connection was closed")
        self._received = b""
        if line:
            self.socket.sendall(line)
        return not line


def send_letters(port: int, letters: Sequence[Letter], *, sessions: int = SESSIONS, rate: float = 0.0) -> Sent:
    """Send each letter once over so many connections at a time.

    `rate` (mails per second, 0: as fast as it goes) starts mail n at n / rate seconds, or as soon after as a session is
    free.  Raises SendingFailed, OSError.
    """
    taken = started = 0
    began, processor = time.perf_counter(), time.process_time()
    with selectors.DefaultSelector() as selector:
        try:
            while taken < len(letters):
                due = len(letters) if not rate else int((time.perf_counter() - began) * rate) + 1
                while started < min(due, len(letters)) and len(selector.get_map()) < sessions:
                    dialogue = _Dialogue(port, letters[started])
                    selector.register(dialogue.socket, selectors.EVENT_READ, dialogue)
                    started += 1
                # With a rate, the next mail is due soon: a look-around in between costs next to nothing.
                ready = selector.select(_SILENCE_SECONDS if not rate else 0.5 / rate)
                if not ready and not rate:
                    raise SendingFailed(f"Postfix said nothing for {_SILENCE_SECONDS} s")
                for key, _ in ready:
                    if key.data.answer():
                        selector.unregister(key.fileobj)
                        key.data.socket.close()
                        taken += 1
        finally:
            for key in list(selector.get_map().values()):
                key.data.socket.close()
    return Sent(taken, time.perf_counter() - began, time.process_time() - processor)

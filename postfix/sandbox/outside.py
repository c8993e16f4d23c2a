# SPDX-License-Identifier: GPL-3.0-or-later
"""The outside world: an SMTP server that takes every mail that leaves the company and keeps it as a file."""

import asyncio
import itertools
import json
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Envelope as Taken
from aiosmtpd.smtp import Session as SmtpSession


@dataclass(frozen=True, slots=True)
class Departed:
    """One mail that left: the envelope as the outside saw it, and the bytes."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


class OutsideWorld:
    """Listens on a free port of 127.0.0.1 from the moment it is made; `start` lets it answer."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o755)
        self._folder = folder
        self._numbers = itertools.count(1)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="outside", daemon=True)

    def start(self) -> None:
        """Serve in a thread of this process."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving; what was taken stays."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._socket.close()

    def mails(self) -> list[Departed]:
        """Return everything that left so far, oldest first."""
        return [self._read(path) for path in sorted(self._folder.glob("*.eml"))]

    async def handle_DATA(self, server: SMTP, session: SmtpSession, envelope: Taken) -> str:
        """Keep one mail (aiosmtpd calls this); the envelope lies beside it and is written first, so that a mail never lacks one."""
        assert isinstance(envelope.content, bytes)
        path = self._folder / f"{next(self._numbers):06}.eml"
        spoken = {"sender": envelope.mail_from, "recipients": envelope.rcpt_tos}
        path.with_suffix(".json").write_text(json.dumps(spoken))
        draft = path.with_suffix(".tmp")
        draft.write_bytes(envelope.content)
        draft.rename(path)
        return "250 2.0.0 taken"

    def _read(self, path: Path) -> Departed:
        spoken = json.loads(path.with_suffix(".json").read_text())
        return Departed(spoken["sender"], tuple(spoken["recipients"]), path.read_bytes())

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self._loop.create_server(self._session, sock=self._socket))
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(server.wait_closed())
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def _session(self) -> SMTP:
        return SMTP(
            self, data_size_limit=None, enable_SMTPUTF8=True, hostname="outside.invalid", loop=self._loop, timeout=60
        )

# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail handed to a port as a stranger's server or a rep's mail client would."""

import re
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

_QUEUED = re.compile(rb"queued as ([0-9A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class Login:
    """SASL name and password."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class Stranger:
    """Whom a mail on port 25 comes from: address and host name, told to Postfix by XCLIENT."""

    address: str
    name: str = "[UNAVAILABLE]"


class Mailer:
    """One SMTP session; use as a context manager.  Raises smtplib.SMTPException and OSError as smtplib does."""

    def __init__(
        self, port: int, *, login: Login | None = None, stranger: Stranger | None = None, seconds: float = 60
    ) -> None:
        self._smtp = smtplib.SMTP("127.0.0.1", port, local_hostname="client.invalid", timeout=seconds)
        try:
            self._smtp.ehlo()
            if stranger is not None:
                # XCLIENT restarts the session: Postfix greets again, and so do we.
                self._smtp.docmd("XCLIENT", f"NAME={stranger.name} ADDR={stranger.address}")
                self._smtp.ehlo(stranger.name if stranger.name[0] != "[" else "stranger.invalid")
            if login is not None:
                self._smtp.login(login.name, login.password)
        except (OSError, smtplib.SMTPException):
            self._smtp.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._smtp.quit()
        except (OSError, smtplib.SMTPException):
            self._smtp.close()  # the server went away first

    def send(self, sender: str, recipients: Sequence[str], content: bytes, *, smtputf8: bool = False) -> str:
        """Send one mail, bytes as they are but with CRLF line ends.  Returns its queue id from the 250 reply.

        Raises SMTPResponseException with Postfix's words when sender, all recipients or the mail are refused.
        """
        self.begin(sender, recipients, smtputf8=smtputf8)
        return self.end(content)

    def begin(self, sender: str, recipients: Sequence[str], *, smtputf8: bool = False) -> None:
        """Do all of a mail but its content, which `end` gives.  Raises as `send` does."""
        options = ["BODY=8BITMIME", *(["SMTPUTF8"] if smtputf8 else [])]
        if smtputf8:
            self._smtp.command_encoding = "utf-8"
        code, reply = self._smtp.mail(sender, options)
        replies = [(code, reply)] if code != 250 else [self._smtp.rcpt(recipient) for recipient in recipients]
        refused = [(code, reply) for code, reply in replies if code not in (250, 251)]
        if len(refused) == len(replies):
            self._smtp.rset()
            raise smtplib.SMTPResponseException(*refused[0])
        code, reply = self._smtp.docmd("DATA")
        if code != 354:
            raise smtplib.SMTPResponseException(code, reply)

    def end(self, content: bytes) -> str:
        """Give the content; return the queue id."""
        lines = re.sub(rb"\r?\n", b"\r\n", content).removesuffix(b"\r\n")
        self._smtp.send(re.sub(rb"(?m)^\.", b"..", lines) + b"\r\n.\r\n")
        code, reply = self._smtp.getreply()
        queued = _QUEUED.search(reply)
        if code != 250 or queued is None:
            raise smtplib.SMTPResponseException(code, reply)
        return queued[1].decode("ascii")

# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole Postfix of one's own: port 25, submission with SASL, mailboxes, an outside world.  Nothing of the system's
Postfix is touched; the stock chroot is kept, because that is where a milter's socket must be reachable."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from postfix.sandbox.guardian import Guardian
from postfix.sandbox.mailboxes import Mailboxes, MailFile
from postfix.sandbox.outside import OutsideWorld
from postfix.sandbox.postfix_files import DAEMONS, Site, write_parameters, write_site
from postfix.sandbox.processes import Program, SandboxError, find_program, free_port, wait_until
from postfix.sandbox.queue_log import QueueLog
from postfix.sandbox.sending import Login, Mailer, Stranger
from postfix.sandbox.signing_in import PrivateAuth

# Not below a home or a test's own folder: every daemon's user must be able to walk there.
PARENT = Path("/var/tmp")


class PrivatePostfix:
    """Use as a context manager, as root.

    `mailboxes` are the addresses served (`@domain` takes the rest of a domain), `passwords` the SASL logins.  `milters`
    are entries of smtpd_milters in order; "tradepost" stands for ours as postfix/conf/main.cf has it.  `parameters`
    override main.cf, `environment` is added to every daemon's.  The folder is removed at the end unless `keep`.
    """

    def __init__(
        self,
        mailboxes: Sequence[str],
        *,
        hostname: str = "mx.sandbox.invalid",
        passwords: Mapping[str, str] | None = None,
        milters: Sequence[str] = ("tradepost",),
        parameters: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        keep: bool = False,
    ) -> None:
        self._passwords = dict(passwords or {})
        self._environment = dict(environment or {})
        self._keep = keep
        self._wanted = (tuple(mailboxes), hostname, tuple(milters), dict(parameters or {}))
        self._master: Program | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise SandboxError("a private Postfix needs root: its daemons change their user; use sudo")
        try:
            self._build()
            self.start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _build(self) -> None:
        mailboxes, hostname, milters, parameters = self._wanted
        if self._environment:
            # The master hands on what this parameter names; its default comes first.
            names = "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ XAUTHORITY DISPLAY LANG=C"
            parameters = {"import_environment": " ".join((names, *self._environment)), **parameters}
        self.folder = Path(tempfile.mkdtemp(prefix="tradepost-", dir=PARENT))
        self.folder.chmod(0o755)
        guardian = Guardian(self.folder, keep=self._keep)
        self._stack.callback(guardian.release)
        self.outside = OutsideWorld(self.folder / "outside")
        self._stack.callback(self.outside.stop)
        self.outside.start()
        smtp_port, submission_port = free_port(), free_port()
        self.site = Site(
            self.folder, hostname, smtp_port, submission_port, self.outside.port, mailboxes, milters, parameters
        )
        write_site(self.site)
        self.log = QueueLog(self.site.log)
        self.mailboxes = Mailboxes(self.site.mail)
        self._command("postfix", "check")  # makes the queue's folders
        auth = PrivateAuth(self.folder / "dovecot", self.site.queue / "private" / "auth", self._passwords)
        self._stack.callback(auth.stop)
        auth.start()
        self._stack.callback(self.stop)

    def start(self) -> None:
        """Start Postfix's master and wait until its ports are bound.  Started already: nothing to do."""
        if self._master is not None and self._master.is_running:
            return
        # What `postfix start` runs after its checks, but in the foreground: a child that can be waited for.
        environment = {
            "MAIL_CONFIG": str(self.site.config),
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C",
            **self._environment,
        }
        command = [str(DAEMONS / "master"), "-s", "-c", str(self.site.config)]
        self._master = Program(
            "postfix", command, self.folder / "master.out", environment=environment, folder=self.folder
        )
        starts = self._starts()
        self._master.start()
        try:
            wait_until("start of Postfix", lambda: self._has_started(starts), 20)
        except SandboxError as error:
            raise SandboxError("; ".join((str(error), *self.log.warnings()[-3:]))) from error

    def _starts(self) -> int:
        return self.site.log.read_text("utf-8", "replace").count(": daemon started -- version ")

    def _has_started(self, starts_before: int) -> bool:
        """Tell whether the master has logged its start: its ports are bound then.

        Nobody connects to find out, because smtpd would look for the milter, which may not run yet, and log a warning.
        """
        assert self._master is not None
        if not self._master.is_running:
            raise SandboxError(f"Postfix ended at once: {self._master.last_words()}")
        return self._starts() > starts_before

    def stop(self) -> None:
        """Stop Postfix and every daemon of it; what is queued stays queued.  Stopped already: nothing to do."""
        if self._master is not None:
            self._master.stop(5)
            self._master = None

    def configure(self, *, milters: Sequence[str] | None = None, parameters: Mapping[str, str] | None = None) -> None:
        """Change the milters or parameters of main.cf and restart."""
        if milters is not None:
            self.site = replace(self.site, milters=tuple(milters))
        if parameters is not None:
            self.site = replace(self.site, overrides={**self.site.overrides, **parameters})
        self.stop()
        write_parameters(self.site)
        self.start()

    def arriving(self, *, stranger: Stranger | None = None) -> Mailer:
        """Open an SMTP session at the port like 25."""
        return Mailer(self.site.smtp_port, stranger=stranger)

    def submitting(self, login: str | None) -> Mailer:
        """Open an SMTP session at the port like submission, signed in as one of `passwords`."""
        signed = Login(login, self._passwords[login]) if login is not None else None
        return Mailer(self.site.submission_port, login=signed)

    def arrive(self, sender: str, recipients: Sequence[str], content: bytes, *, smtputf8: bool = False) -> str:
        """Send one mail from outside.  Returns its queue id; raises smtplib.SMTPException when it is refused."""
        with self.arriving() as session:
            return session.send(sender, recipients, content, smtputf8=smtputf8)

    def submit(
        self, login: str, sender: str, recipients: Sequence[str], content: bytes, *, smtputf8: bool = False
    ) -> str:
        """Send one mail as a rep.  Returns its queue id; raises smtplib.SMTPException when it is refused."""
        with self.submitting(login) as session:
            return session.send(sender, recipients, content, smtputf8=smtputf8)

    def wait_for(self, queue_ids: Iterable[str], seconds: float = 30) -> None:
        """Return when each of these has left the queue.  Raises SandboxError naming those that have not."""
        waiting = set(queue_ids)

        def all_gone() -> bool:
            waiting.difference_update([queue_id for queue_id in waiting if self.log.is_removed(queue_id)])
            return not waiting

        try:
            wait_until("queue", all_gone, seconds)
        except SandboxError:
            words = "; ".join(f"{queue_id}: {self.log.lines(queue_id)[-1:]}" for queue_id in sorted(waiting))
            raise SandboxError(f"still in the queue after {seconds:g} s: {words}") from None

    def delivered(self, queue_id: str, seconds: float = 30) -> list[MailFile]:
        """Wait until a mail has left the queue.  Returns its copies in the mailboxes."""
        self.wait_for([queue_id], seconds)
        return self.mailboxes.by_queue_id(queue_id)

    def flush(self) -> None:
        """Try everything in the queue again, now."""
        self._command("postqueue", "-f")

    def queue(self) -> str:
        """Return `postqueue -j`: one line of JSON per mail."""
        return self._command("postqueue", "-j")

    def parameter(self, name: str) -> str:
        """Return a parameter of main.cf as Postfix understands it."""
        return self._command("postconf", "-h", name).strip()

    @property
    def queue_command(self) -> tuple[str, ...]:
        """The command that lists this queue (as root): for maillog.queue_command."""
        return (find_program("postqueue", "postfix"), "-c", str(self.site.config), "-j")

    def _command(self, name: str, *arguments: str) -> str:
        program = find_program(name, "postfix")
        done = subprocess.run(
            [program, "-c", str(self.site.config), *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise SandboxError(f"{name} {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

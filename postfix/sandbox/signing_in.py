# SPDX-License-Identifier: GPL-3.0-or-later
"""SASL for the private submission port: a Dovecot that does nothing but authenticate."""

import os
from collections.abc import Mapping
from pathlib import Path

from postfix.sandbox.processes import Program, SandboxError, find_program, wait_until

CONFIGURATION = """\
protocols =
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service auth {{
  unix_listener {socket} {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
"""


class PrivateAuth:
    """A Dovecot that answers at `socket`, where Postfix's smtpd looks for it."""

    def __init__(self, folder: Path, socket: Path, passwords: Mapping[str, str]) -> None:
        self._socket = socket
        folder.mkdir(mode=0o755)
        (folder / "dovecot.conf").write_text(CONFIGURATION.format(folder=folder, socket=socket))
        users = folder / "users"
        users.touch(mode=0o600)
        users.write_text("".join(f"{login}:{{PLAIN}}{password}\n" for login, password in passwords.items()))
        # Dovecot's auth process drops to its own user before it reads the list.
        os.chmod(users, 0o644)
        command = [find_program("dovecot", "dovecot-core"), "-F", "-c", str(folder / "dovecot.conf")]
        self._program = Program("dovecot", command, folder / "output.log", folder=folder.parent)

    def start(self) -> None:
        """Start, and wait until the socket is there."""
        self._program.start()
        try:
            wait_until("SASL socket", lambda: self._socket.is_socket() or not self._program.is_running, 10)
        finally:
            if not self._program.is_running:
                raise SandboxError(f"dovecot ended at once: {self._program.last_words()}")

    def stop(self) -> None:
        """Stop; the socket goes with it."""
        self._program.stop()
        self._socket.unlink(missing_ok=True)

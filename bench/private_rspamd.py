# SPDX-License-Identifier: GPL-3.0-or-later
"""An rspamd of one's own that Postfix asks over a unix socket: Debian's configuration, without whatever needs a network."""

import os
import pwd
import re
import socket
from pathlib import Path
from typing import Self

from postfix.sandbox.processes import Program, SandboxError, find_program, wait_until

_USER = "_rspamd"
_PROCESSES = 2
# At its first start it compiles the list of top-level domains and its expressions, which takes a core for some 20 s.
_START_SECONDS = 240
_COMPILED = re.compile(r"\(rspamd_proxy\).*: full hyperscan database of ")
# These ask DNS, HTTP or Redis servers.  What is left reads the mail: headers, MIME types, words and its regular expressions.
_NETWORK_MODULES = (
    "antivirus", "arc", "asn", "aws_s3", "bimi", "clickhouse", "dcc", "dkim", "dkim_signing", "dmarc", "elastic",
    "external_relay", "external_services", "fuzzy_check", "greylist", "history_redis", "metadata_exporter",
    "metric_exporter", "mx_check", "neural", "p0f", "ratelimit", "rbl", "replies", "reputation", "rspamd_update",
    "spamtrap", "spf", "surbl", "url_redirector",
)  # fmt: skip
# Their lists come from the network.
_MAP_MODULES = ("phishing", "mid", "whitelist", "multimap", "maillist")


class PrivateRspamd:
    """Use as a context manager, as root (it changes to Debian's user).  `place` is the folder of its milter socket."""

    def __init__(self, folder: Path, place: Path) -> None:
        self._folder = folder
        self._place = place
        self.log = folder / "log" / "rspamd.log"

    def __enter__(self) -> Self:
        try:
            user = pwd.getpwnam(_USER)
        except KeyError:
            raise SandboxError("rspamd is missing: apt-get install rspamd, or let `make bench` do it") from None
        for name in ("db", "log", "run", "local/override.d"):
            (self._folder / name).mkdir(mode=0o755, parents=True)
            os.chown(self._folder / name, user.pw_uid, user.pw_gid)
        self._place.mkdir(mode=0o755)
        os.chown(self._place, user.pw_uid, user.pw_gid)
        for name, text in self._overrides().items():
            (self._folder / "local" / "override.d" / name).write_text(text)
        variables = {
            "LOCAL_CONFDIR": self._folder / "local",
            "DBDIR": self._folder / "db",
            "RUNDIR": self._folder / "run",
            "LOGDIR": self._folder / "log",
        }
        command = [
            find_program("rspamd", "rspamd"), "-f", "-u", _USER, "-g", _USER, "-c", "/etc/rspamd/rspamd.conf",
            *(f"--var={name}={value}" for name, value in variables.items()),
        ]  # fmt: skip
        self._program = Program("rspamd", command, self._folder / "rspamd.out", folder=self._folder)
        self._program.start()
        try:
            wait_until(f"rspamd (its words: {self.log})", self._is_ready, _START_SECONDS, 0.2)
        except BaseException:
            self._program.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._program.stop()

    @property
    def socket(self) -> Path:
        return self._place / "milter.sock"

    @property
    def pid(self) -> int:
        """Process id of the parent of those that judge."""
        return self._program.pid

    def scanned(self) -> int:
        """Return how many mails it has judged so far, by its log."""
        return self.log.read_text("utf-8", "replace").count("rspamd_task_write_log: ")

    def _overrides(self) -> dict[str, str]:
        nothing = "enabled = false;\n"
        proxy = (
            f'bind_socket = "{self.socket} mode=0666";\ncount = {_PROCESSES};\nmilter = yes;\ntimeout = 120s;\n'
            # Self-scan: the process that Postfix talks to judges the mail itself, which is the fastest there is.
            'upstream "local" {\n  default = yes;\n  self_scan = yes;\n  hosts = "localhost";\n}\n'
        )
        return {
            **{f"{module}.conf": nothing for module in (*_NETWORK_MODULES, *_MAP_MODULES)},
            "worker-proxy.inc": proxy,
            "worker-normal.inc": nothing,
            "worker-controller.inc": nothing,
            "worker-fuzzy.inc": nothing,
            "classifier-bayes.conf": nothing,
            "options.inc": 'filters = "chartable,regexp";\ndns {\n  nameserver = ["127.0.0.1:1"];\n  timeout = 0.1s;\n}\n',
            # Refusing a mail would spare the work of delivering it.
            "actions.conf": "reject = null;\ngreylist = null;\n",
        }

    def _is_ready(self) -> bool:
        """Does it answer, and have all processes the compiled expressions?  Without them it is slower."""
        if not self._program.is_running:
            raise SandboxError(f"rspamd ended at once: {self._program.last_words()}")
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
        return len(_COMPILED.findall(self.log.read_text("utf-8", "replace"))) >= _PROCESSES

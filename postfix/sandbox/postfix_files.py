# SPDX-License-Identifier: GPL-3.0-or-later
"""main.cf and master.cf of the private Postfix: Debian's stock services, changed by the very fragments that an
administrator installs (postfix/conf/), on free ports of 127.0.0.1 and with mailboxes in a folder."""

import os
import pwd
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from postfix.sandbox.processes import SandboxError

STOCK_MASTER = Path("/usr/share/postfix/master.cf.dist")
DAEMONS = Path("/usr/lib/postfix/sbin")
# What Debian's start script copies into the chroot: without it smtpd knows no host name, not even localhost.
CHROOT_FILES = ("etc/hosts", "etc/localtime", "etc/nsswitch.conf", "etc/resolv.conf", "etc/services")
MAIL_USER = "nobody"


@dataclass(frozen=True, slots=True)
class Site:
    """Where one private Postfix lives and what it serves.

    `mailboxes` are complete addresses (`@domain` takes the rest of a domain); their domains are the company's own.
    `milters` are entries of smtpd_milters, in order.  `overrides` are parameters of main.cf that win over all others.
    """

    folder: Path
    hostname: str
    smtp_port: int
    submission_port: int
    outside_port: int
    mailboxes: tuple[str, ...]
    milters: tuple[str, ...]
    overrides: Mapping[str, str]

    @property
    def config(self) -> Path:
        return self.folder / "etc"

    @property
    def queue(self) -> Path:
        return self.folder / "queue"

    @property
    def log(self) -> Path:
        return self.folder / "mail.log"

    @property
    def mail(self) -> Path:
        return self.folder / "mail"

    def maildir(self, address: str) -> Path:
        """Return the Maildir of an address, made by the first delivery."""
        local, _, domain = address.lower().rpartition("@")
        return self.mail / domain / (local or "catch-all")


def write_site(site: Site) -> None:
    """Make the folders and files of a private Postfix.  Raises SandboxError where Postfix is not installed."""
    if not STOCK_MASTER.exists():
        raise SandboxError("Postfix is missing: apt-get install postfix, or let `make demo` do it")
    for folder in (site.config, site.queue, site.mail, site.folder / "data"):
        folder.mkdir(mode=0o755)
    owner = pwd.getpwnam("postfix")
    os.chown(site.folder / "data", owner.pw_uid, owner.pw_gid)
    user = pwd.getpwnam(MAIL_USER)
    os.chown(site.mail, user.pw_uid, user.pw_gid)
    # postlogd would make it 0600 root, and the worker reads the log as an unprivileged user.
    site.log.touch(mode=0o644)
    for name in CHROOT_FILES:
        source = Path("/", name)
        if source.exists():
            target = site.queue / name
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, target)
    fragments = Path(str(files("postfix") / "conf"))
    shutil.copyfile(fragments / "tradepost_header_checks", site.config / "tradepost_header_checks")
    (site.config / "mailboxes").write_text(
        "".join(f"{address} {site.maildir(address).relative_to(site.mail)}/\n" for address in site.mailboxes)
    )
    write_parameters(site)
    services = _services(STOCK_MASTER.read_text())
    services.update(_services((fragments / "master.cf").read_text()))
    (site.config / "master.cf").write_text("\n".join(_private(services, site)) + "\n")


def write_parameters(site: Site) -> None:
    """Write main.cf: our fragment, then what is private, then the overrides."""
    fragment = Path(str(files("postfix") / "conf" / "main.cf"))
    parameters = dict(
        line.split(" = ", 1) for line in fragment.read_text().splitlines() if " = " in line and line[0] != "#"
    )
    ours = parameters["tradepost_milter"]
    milters = (ours if milter == "tradepost" else milter for milter in site.milters)
    parameters["tradepost_milter"] = ", ".join(milters)
    parameters.update(_private_parameters(site))
    parameters.update(site.overrides)
    text = "".join(f"{name} = {value}\n" for name, value in parameters.items())
    (site.config / "main.cf").write_text(text)


def _private_parameters(site: Site) -> dict[str, str]:
    domains = sorted({address.rpartition("@")[2].lower() for address in site.mailboxes})
    user = pwd.getpwnam(MAIL_USER)
    return {
        "compatibility_level": "3.6",
        "queue_directory": str(site.queue),
        "data_directory": str(site.folder / "data"),
        "daemon_directory": str(DAEMONS),
        "command_directory": "/usr/sbin",
        # The system's own: `postfix check` looks there for the list of files that belong to the package.
        "meta_directory": "/etc/postfix",
        "shlib_directory": "/usr/lib/postfix",
        "mail_owner": "postfix",
        "setgid_group": "postdrop",
        "maillog_file": str(site.log),
        "maillog_file_prefixes": str(site.folder),
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "myhostname": site.hostname,
        "mydestination": "",
        "mynetworks": "",
        "alias_maps": "",
        "alias_database": "",
        "local_transport": "error:no local mailboxes here",
        "relayhost": f"[127.0.0.1]:{site.outside_port}",
        "virtual_mailbox_domains": " ".join(domains),
        "virtual_mailbox_base": str(site.mail),
        "virtual_mailbox_maps": f"texthash:{site.config}/mailboxes",
        "virtual_uid_maps": f"static:{user.pw_uid}",
        "virtual_gid_maps": f"static:{user.pw_gid}",
        "virtual_mailbox_limit": "0",
        "message_size_limit": "104857600",
        "recipient_delimiter": "+",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": "private/auth",
        # One client sends everything: the caps against a single stranger would slow it down.
        "smtpd_client_event_limit_exceptions": "127.0.0.0/8",
        # Lets a sample come from an address of the outside, as it would in production.
        "smtpd_authorized_xclient_hosts": "127.0.0.1",
    }


def _services(text: str) -> dict[tuple[str, str], list[str]]:
    """Return master.cf's services as (name, type) -> lines: the entry itself and its options, one each."""
    services: dict[tuple[str, str], list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            current.append(line.strip())
        else:
            name, kind = line.split()[:2]
            current = services[name, kind] = [line]
    return services


def _private(services: dict[tuple[str, str], list[str]], site: Site) -> list[str]:
    ports = {"smtp": site.smtp_port, "submission": site.submission_port}
    # Without certificates: the only wire is the loopback.
    plain = ["-o smtpd_tls_security_level=none", "-o smtpd_tls_auth_only=no"]
    lines = []
    for (name, kind), (entry, *options) in services.items():
        if kind == "inet":
            entry = entry.replace(name, f"127.0.0.1:{ports[name]}", 1)
            options = [*options, *plain]
        lines.append("\n  ".join((entry, *options)))
    return lines

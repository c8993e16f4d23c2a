# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Redis is and whether mail may travel there: [redis] url and the files beside it, read and judged.

Opens no connection.  A password never stands in the URL, so that a URL may be shown.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from tradepost.errors import Refusal
from tradepost.secret_files import read_secret
from tradepost.settings import RedisSettings

DEFAULT_PORT = 6379
SENTINEL_PORT = 26379


class RedisRefused(Refusal, ValueError):
    """[redis] can't be used as it is set.  The text never holds a password."""

    exit_code = 78  # EX_CONFIG: trying again would not help


class Topology(Enum):
    """Who answers at the addresses of a URL."""

    SERVER = "server"
    UNIX = "unix"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


_SCHEMES = {
    "redis": (Topology.SERVER, False),
    "rediss": (Topology.SERVER, True),
    "unix": (Topology.UNIX, False),
    "redis+sentinel": (Topology.SENTINEL, False),
    "rediss+sentinel": (Topology.SENTINEL, True),
    "redis+cluster": (Topology.CLUSTER, False),
    "rediss+cluster": (Topology.CLUSTER, True),
}
_HOST = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A URL taken apart."""

    topology: Topology
    has_tls: bool
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""  # of the unix socket
    database: int = 0
    service: str = ""  # name of the master that Sentinels watch


def parse_redis_url(url: str) -> RedisAddress:
    """Take the URL apart.  Raises RedisRefused."""
    if "@" in url:
        raise RedisRefused(
            "[redis] url: a name or password has no place in a URL, which is logged; set username and password_file"
        )
    try:
        parts = urlsplit(url)
        topology, has_tls = _SCHEMES[parts.scheme]
    except (KeyError, ValueError):
        raise RedisRefused(f"[redis] url: {url!r} is none of {', '.join(f'{s}://' for s in _SCHEMES)}") from None
    if parts.query or parts.fragment:
        raise RedisRefused(f"[redis] url: {url!r} takes no options after ? or #; [redis] has settings for them")
    if topology is Topology.UNIX:
        if parts.netloc or not parts.path.strip("/"):
            raise RedisRefused(f"[redis] url: {url!r} names no socket: unix:///PATH, with three strokes")
        return RedisAddress(topology, False, path=parts.path)
    hosts = _read_hosts(url, parts.netloc, SENTINEL_PORT if topology is Topology.SENTINEL else DEFAULT_PORT)
    words = [word for word in parts.path.split("/") if word]
    service = ""
    if topology is Topology.SENTINEL:
        if len(words) not in {1, 2}:
            raise RedisRefused(f"[redis] url: {url!r} lacks the name of the master: HOST:PORT,HOST:PORT/DB/SERVICE")
        service = words.pop()
    elif topology is Topology.SERVER and len(hosts) > 1:
        raise RedisRefused(f"[redis] url: {url!r} names several servers; redis+sentinel:// or redis+cluster:// do that")
    if len(words) > 1 or (words and not re.fullmatch(r"[0-9]{1,5}", words[0])):
        raise RedisRefused(f"[redis] url: {url!r}: after the host stands the number of the database, /0")
    database = int(words[0]) if words else 0
    if topology is Topology.CLUSTER and database:
        raise RedisRefused(f"[redis] url: {url!r}: a cluster has no database but 0")
    return RedisAddress(topology, has_tls, hosts, database=database, service=service)


def _read_hosts(url: str, netloc: str, default_port: int) -> tuple[tuple[str, int], ...]:
    hosts = []
    for text in netloc.split(","):
        found = _HOST.fullmatch(text)
        port = int(found["port"] or default_port) if found else 0
        if found is None or not 0 < port < 65536:
            raise RedisRefused(f"[redis] url: {url!r}: {text!r} is no HOST:PORT")
        hosts.append((found["six"] or found["name"], port))
    return tuple(hosts)


def read_password(setting: str, path: str) -> str | None:
    """Return the password a file holds, None without a file.  `setting` is named in refusals.  Raises RedisRefused."""
    return read_secret(f"[redis] {setting}", path, RedisRefused) if path else None


def check_redis(settings: RedisSettings) -> tuple[RedisAddress, str | None]:
    """Return the address and the password to use there.  Raises RedisRefused for whatever is wrong in [redis]."""
    address = parse_redis_url(settings.url)
    password = read_password("password_file", settings.password_file)
    refuse_insecure(settings, address, password)
    return address, password


def refuse_insecure(settings: RedisSettings, address: RedisAddress, password: str | None) -> None:
    """Whole mails and the customers' names pass through Redis.  Raises RedisRefused where others could read or send them.

    On loopback and a unix socket anything goes.  Sentinels and cluster nodes name further servers, so the hosts of their
    URL prove nothing.
    """
    if settings.allow_insecure or (address.has_tls and password):
        return
    named_elsewhere = address.topology in {Topology.SENTINEL, Topology.CLUSTER}
    far = [host for host, _ in address.hosts if not is_loopback(host)]
    if not far and not named_elsewhere:
        return
    lacks = " and ".join(
        lack for lack, is_lacking in (("TLS (rediss)", not address.has_tls), ("a password", not password)) if is_lacking
    )
    where = f"{far[0]} is not on loopback" if far else f"a {address.topology.value} may name servers off loopback"
    raise RedisRefused(
        f"[redis] url: {where}, and whole mails would travel without {lacks}; set rediss and password_file, "
        "or allow_insecure = true where the network is private"
    )


def is_loopback(host: str) -> bool:
    """Does the name lead to loopback and nowhere else?  A name that can't be resolved does not."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(address[4][0]).partition("%")[0]).is_loopback for address in found)


def key_of(settings: RedisSettings, *words: str) -> str:
    """Return a key's name, {prefix}:word:word.  In braces the prefix alone chooses the slot: a cluster keeps all together."""
    return ":".join((f"{{{settings.prefix}}}", *words))


def shown_address(settings: RedisSettings) -> str:
    """Return the URL for logs and terminals, without anything in it that should not have been there."""
    scheme, divider, rest = settings.url.partition("://")
    return f"{scheme}{divider}{rest.rpartition('@')[2]}"

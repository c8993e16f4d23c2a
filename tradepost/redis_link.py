# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door to Redis: a client for any [redis] url (and what tradepost.redis_url knows of it).

Importing this costs a process some 20 MB: where no Redis is configured, import it late or not at all.
"""

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry
from redis.sentinel import Sentinel

from tradepost.redis_url import (
    RedisRefused,
    Topology,
    check_redis,
    key_of,
    read_password,
    shown_address,
)
from tradepost.settings import RedisSettings

__all__ = ["REDIS_FAILURES", "RedisClient", "RedisRefused", "key_of", "open_redis", "reason_of", "shown_address"]

RedisClient = redis.Redis | redis.RedisCluster
# A cluster's pipeline says in a class of its own that no node answers.
REDIS_FAILURES = (redis.RedisError, redis.exceptions.RedisClusterException)

_DEFAULT_SECONDS = 5.0


class _Cluster(redis.RedisCluster):
    """A cluster whose own failures (no node answers, a slot without node) are connection errors, as every other's are."""

    def __init__(self, **words: Any) -> None:
        try:
            super().__init__(**words)
        except redis.exceptions.RedisClusterException as error:
            raise redis.ConnectionError(str(error)) from error

    def execute_command(self, *words: Any, **options: Any) -> Any:
        try:
            return super().execute_command(*words, **options)  # type: ignore[no-untyped-call]
        except redis.exceptions.RedisClusterException as error:
            raise redis.ConnectionError(str(error)) from error


def open_redis(
    settings: RedisSettings, *, timeout_seconds: float | None = None, connect_seconds: float | None = None
) -> RedisClient:
    """Return a client: bytes in, bytes out, no hidden second try (what was sent may have been done).

    `timeout_seconds` (default 5) bounds each answer, so a blocking command must block for less; `connect_seconds`
    (default: the same) bounds connecting.  Sentinels are asked for the master at every new connection.  After a
    redis.ConnectionError the next call connects anew.

    Raises RedisRefused; a cluster is asked for its nodes at once, so redis.RedisError too.
    """
    address, password = check_redis(settings)
    timeout_seconds = _DEFAULT_SECONDS if timeout_seconds is None else timeout_seconds
    common: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds if connect_seconds is None else connect_seconds,
        "protocol": 2,  # AUTH is then all there is to a handshake
        "driver_info": None,
    }
    if address.has_tls:
        common |= {"ssl": True, "ssl_ca_certs": settings.ca_file or None}
    login: dict[str, Any] = {"username": settings.username or None, "password": password}
    once = Retry(NoBackoff(), 0)
    if address.topology is Topology.CLUSTER:
        nodes = [ClusterNode(host, port) for host, port in address.hosts]  # type: ignore[no-untyped-call]
        # Its retries only follow a slot that moved or a node that was replaced.
        return _Cluster(startup_nodes=nodes, retry=Retry(NoBackoff(), 1), **common, **login)
    common |= {"retry": once}
    if address.topology is Topology.SENTINEL:
        common["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
        own_password = read_password("sentinel_password_file", settings.sentinel_password_file)
        sentinels: Any = Sentinel(  # type: ignore[no-untyped-call]
            address.hosts, sentinel_kwargs=common | {"password": own_password}
        )
        master: redis.Redis = sentinels.master_for(address.service, db=address.database, **common, **login)
        return master
    if address.topology is Topology.UNIX:
        return redis.Redis(unix_socket_path=address.path, **common, **login)
    host, port = address.hosts[0]
    return redis.Redis(host=host, port=port, db=address.database, **common, **login)


def reason_of(error: Exception) -> str:
    """Return what Redis or redis-py says, for a log: without the command of a pipeline, whose words may be somebody's mail."""
    command, divider, reason = str(error).rpartition(" of pipeline caused error: ")
    return reason if divider and command.startswith("Command #") else str(error)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directory the settings mean: Redis where [redis] url names one, else this host's file.

redis-py costs memory and time to import, so it is imported only where it is used.
"""

from importlib import import_module

from tradepost.directory import Directory, DirectoryWriter
from tradepost.local_directory import LocalDirectory, LocalDirectoryWriter
from tradepost.redis_url import check_redis, shown_address
from tradepost.settings import Settings


def open_directory(settings: Settings, *, deadline_ms: int | None = None) -> Directory:
    """Return the reader; after a fork only.  `deadline_ms` None: as the settings say.  Raises RedisRefused."""
    deadline_ms = settings.directory.deadline_ms if deadline_ms is None else deadline_ms
    stale_after_seconds = settings.directory.stale_after_seconds
    if not settings.redis.url:
        return LocalDirectory(settings.directory_file, deadline_ms=deadline_ms, stale_after_seconds=stale_after_seconds)
    from tradepost.redis_directory import RedisDirectory

    return RedisDirectory(settings.redis, deadline_ms=deadline_ms, stale_after_seconds=stale_after_seconds)


def open_directory_writer(settings: Settings) -> DirectoryWriter:
    """Return the projector's side.  Raises DirectoryError, RedisRefused."""
    if not settings.redis.url:
        return LocalDirectoryWriter(settings.directory_file)
    from tradepost.redis_directory_writer import RedisDirectoryWriter

    return RedisDirectoryWriter(settings.redis)


def load_directory(settings: Settings) -> None:
    """Import what `open_directory` needs, before a fork: children then share its pages.  Raises RedisRefused."""
    if settings.redis.url:
        check_redis(settings.redis)
        import_module("tradepost.redis_directory")


def directory_name(settings: Settings) -> str:
    """Return where it lies, for people."""
    return shown_address(settings.redis) if settings.redis.url else str(settings.directory_file)

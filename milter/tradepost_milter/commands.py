# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of this room: `tradepost milter` serves, `ship` hands over, `journal` shows and retries what waits."""

import os
import signal
import threading
from functools import partial

import click

from tradepost.cli import Invocation
from tradepost.errors import Refusal
from tradepost.host_lock import HostLock, lock_holder
from tradepost.journal import Journal
from tradepost.settings import load_settings


@click.command()
@click.pass_obj
def milter(invocation: Invocation) -> None:
    """Serve Postfix: mark mail at arrival and journal it."""
    # Numeric libraries start a thread per core when loaded; there may be none before the fork, and none are needed.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from tradepost_milter.engine import open_journal, prepare, read_or_make_key
    from tradepost_milter.listener import close_listener, open_listener
    from tradepost_milter.supervisor import Supervisor

    settings = invocation.settings
    open_journal(settings).create()
    read_or_make_key(settings.key_file)
    listener = open_listener(
        settings.milter.socket, mode=int(settings.milter.socket_mode, 8), group=settings.milter.socket_group
    )
    try:
        Supervisor(
            listener,
            settings.milter.children,
            lambda: prepare(load_settings(invocation.config)),
            watchdog_seconds=settings.milter.watchdog_seconds,
            drain_grace_seconds=settings.milter.drain_grace_seconds,
        ).run()
    finally:
        close_listener(listener)


@click.command()
@click.pass_obj
def ship(invocation: Invocation) -> None:
    """Ship the journal to the workers through Redis (several hosts)."""
    settings = invocation.settings
    if not settings.redis.url:
        raise Refusal(
            "[redis] url: is empty, so 'tradepost sync' reads the journal itself; set it on every host, or stop this"
        )
    from tradepost.mail_stream import is_instance
    from tradepost.redis_link import open_redis
    from tradepost_milter.shipper import Shipper

    if not is_instance(settings.host.instance):
        raise Refusal("[host] instance: only letters, digits and . _ : @ - can name a host in Redis; set $myhostname")
    found = Journal(settings.journal_dir)
    found.create()
    path = settings.paths.state / "ship.lock"
    lock = HostLock.take(path)
    if lock is None:
        raise Refusal(f"{path}: another shipper runs here (process {lock_holder(path)}); one ships all, stop it first")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with lock:
        Shipper(
            journal=found,
            connect=partial(open_redis, settings.redis),
            instance=settings.host.instance,
            settings=settings.redis,
            stop=stop,
        ).run()


@click.group()
def journal() -> None:
    """Show and retry what waits in the journal."""


@journal.command("show")
@click.pass_obj
def show_journal(invocation: Invocation) -> None:
    """Print how much waits, how old it is, and every failed entry with its reason."""
    found = Journal(invocation.settings.journal_dir)
    depth = found.depth()
    click.echo(f"waiting: {depth.entries}   oldest: {depth.oldest_seconds:.0f} s   failed: {depth.failed}")
    for entry_id, reason in found.failures():
        click.echo(f"{entry_id}  {reason}")


@journal.command("retry")
@click.argument("entry_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every failed entry.")
@click.pass_obj
def retry_journal(invocation: Invocation, entry_ids: tuple[str, ...], everything: bool) -> None:
    """Bring failed entries back, so that the worker tries them again."""
    found = Journal(invocation.settings.journal_dir)
    wanted = [entry_id for entry_id, _ in found.failures()] if everything else list(entry_ids)
    if not wanted:
        click.echo("nothing to retry" if everything else "name entries, or say --all")
        return
    for entry_id in wanted:
        found.retry(entry_id)
    click.echo(f"brought back: {len(wanted)}")

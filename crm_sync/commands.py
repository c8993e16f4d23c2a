# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of this room: `tradepost sync` records; `database`, `directory` and `rules` look after what it needs."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
from sqlalchemy.orm import Session

from crm_sync.blobs import BlobStore
from crm_sync.chores import Chores
from crm_sync.company import apply_company, apply_rules
from crm_sync.company_file import parse_company, read_toml
from crm_sync.confirmation import make_confirmer
from crm_sync.database import Database, WorkerLock, open_database
from crm_sync.duplicates.finder import DuplicateFinder
from crm_sync.host_follower import HostFollower, follow_only
from crm_sync.nightly import make_nightly_learning
from crm_sync.people.absence_clock import AbsenceClock
from crm_sync.pipeline.score_chore import ScoreChore
from crm_sync.policy_store import fetch_policy, fetch_rules
from crm_sync.projector import Projector
from crm_sync.reconcile_command import reconcile
from crm_sync.schema import check_schema, downgrade_schema, fetch_revision, head_revision, upgrade_schema
from crm_sync.second_opinions import make_second_opinions
from crm_sync.sources import JournalSource, Source
from crm_sync.worker import Worker
from tradepost.analysis import load_analyst
from tradepost.cli import Invocation
from tradepost.directory import DirectoryError
from tradepost.directory_choice import directory_name, open_directory, open_directory_writer
from tradepost.heap import keep_heap_flat
from tradepost.journal import Journal
from tradepost.mime_reading import parse_message
from tradepost.policy import Policy
from tradepost.rules import compile_rules, parse_rules
from tradepost.settings import Settings

__all__ = ["database", "directory", "reconcile", "rules", "sync"]

log = logging.getLogger("tradepost.crm_sync")
_FILE = click.Path(path_type=Path, dir_okay=False)


@contextmanager
def ready_database(settings: Settings) -> Iterator[Database]:
    """Open the database and refuse a schema that does not fit.  Raises DatabaseError."""
    with closing(open_database(settings.database_url)) as opened:
        check_schema(opened)
        yield opened


def make_projector(settings: Settings, opened: Database) -> Projector:
    """Wire the projector to the directory the settings name."""
    # Hosts may write Redis's address differently: of one installation there is one.
    name = "redis" if settings.redis.url else f"{settings.host.instance} {settings.directory_file}"
    return Projector(opened, partial(open_directory_writer, settings), lambda: datetime.now(UTC), name)


def open_source(settings: Settings, stop: threading.Event) -> Source:
    """Open what a worker takes mail from: the stream where Redis is configured, else this host's journal."""
    if settings.redis.url:
        from crm_sync.stream_source import open_stream_source  # 20 MB that the small size need not hold

        return open_stream_source(settings, stop)
    journal = Journal(settings.journal_dir)
    journal.create()
    return JournalSource(journal, stop)


def make_follower(settings: Settings) -> HostFollower:
    """Follow this host's mail log unless another process here does."""
    return HostFollower(make_confirmer(settings), settings.paths.state / "maillog.lock")


def _make_chores(settings: Settings, opened: Database) -> Chores:
    nightly = make_nightly_learning(settings, opened)
    return Chores([AbsenceClock(opened), ScoreChore(opened), *([nightly] if nightly is not None else [])])


def make_worker(settings: Settings, opened: Database, stop: threading.Event, *, stays: bool = True) -> Worker:
    """Wire a worker from the settings, before it starts a thread.  Raises OSError, LookupError, Refusal.

    One that does not stay leaves learning to others: it would end what it began.
    """
    keep_heap_flat()
    blobs = BlobStore(settings.blob_dir)
    blobs.create()
    if opened.admits_many_workers and settings.redis.url and not settings.paths.blobs:
        log.warning(
            "%s lies on this host alone; where others record too, [paths] blobs names a folder they share", blobs.root
        )
    analyst = load_analyst(settings.model_dir)
    return Worker(
        database=opened,
        source=open_source(settings, stop),
        blobs=blobs,
        read=partial(parse_message, payloads=True),
        analyst=analyst,
        projector=make_projector(settings, opened),
        follower=make_follower(settings),
        settings=settings.worker,
        stop=stop,
        nightly=_make_chores(settings, opened) if stays else None,
        finder=DuplicateFinder(opened, lambda: datetime.now(UTC)),
        second_opinions=make_second_opinions(settings.classify, analyst),
    )


def _admission(settings: Settings, opened: Database) -> AbstractContextManager[object]:
    """Refuse a second worker of this host where SQLite or its journal are for one.  Raises DatabaseError."""
    if opened.admits_many_workers and settings.redis.url:
        return nullcontext()
    why = "without [redis] url a host has one worker" if opened.admits_many_workers else "on SQLite exactly one may run"
    return WorkerLock(settings.paths.state / "worker.lock", why=why)


@click.command()
@click.option("--once", is_flag=True, help="Record what waits, then end.")
@click.option("--only-log", is_flag=True, help="Record nothing; confirm what this host's mail log says.")
@click.pass_obj
def sync(invocation: Invocation, once: bool, only_log: bool) -> None:
    """Record journaled mail: it becomes customers, conversations, messages."""
    settings = invocation.settings
    if only_log and once:
        raise click.UsageError("--once and --only-log exclude each other")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # What was read is finished, committed and acknowledged first; then the loop sees the flag.
        signal.signal(number, lambda *_: stop.set())
    if only_log:
        with ready_database(settings) as opened, closing(make_follower(settings)) as follower:
            log.info("following %s into %s", settings.maillog.path, opened.name)
            follow_only(follower, opened, stop)
        return
    with ready_database(settings) as opened, _admission(settings, opened):
        worker = make_worker(settings, opened, stop, stays=not once)
        log.info("recording %s into %s", settings.journal_dir, opened.name)
        try:
            if once:
                click.echo(f"recorded: {worker.drain()}")
            else:
                worker.run()
        finally:
            worker.close()


@click.group()
def database() -> None:
    """Bring the database's schema up or down, or check it."""


@database.command("upgrade")
@click.pass_obj
def upgrade(invocation: Invocation) -> None:
    """Make the database, or bring its schema up to this program."""
    with closing(open_database(invocation.settings.database_url, create=True)) as opened:
        before = fetch_revision(opened)
        if before != head_revision():
            upgrade_schema(opened)
        click.echo(f"{opened.name}: schema {before or 'none'} -> {fetch_revision(opened)}")


@database.command("downgrade")
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def downgrade(invocation: Invocation, revision: str, yes: bool) -> None:
    """Take the schema down to REVISION ('base': nothing is left).  What newer tables hold is lost."""
    with closing(open_database(invocation.settings.database_url)) as opened:
        if not yes:
            click.confirm(
                f"{opened.name}: records that revision {revision} does not know will be lost.  Go on?", abort=True
            )
        downgrade_schema(opened, revision)
        click.echo(f"{opened.name}: schema -> {fetch_revision(opened) or 'none'}")


@database.command("check")
@click.pass_obj
def check(invocation: Invocation) -> None:
    """Say whether the database can be used."""
    with ready_database(invocation.settings) as opened:
        click.echo(f"{opened.name}: schema {fetch_revision(opened)}, fits this program")


@click.group()
def directory() -> None:
    """Tell the program about the company, and look into what the milter knows."""


@directory.command("apply")
@click.argument("files", type=_FILE, nargs=-1, required=True)
@click.option("--dry-run", is_flag=True, help="Say what would change, change nothing.")
@click.pass_obj
def apply_files(invocation: Invocation, files: tuple[Path, ...], dry_run: bool) -> None:
    """Apply company FILES ([company], [[team]], [[person]], [[pool]], [[customer]]) or rules files ([[rule]])."""
    with ready_database(invocation.settings) as opened:
        with opened.writing() as session:
            lines = [line for path in files for line in _apply_file(session, path)]
            if dry_run:
                session.rollback()
        for line in lines or ["nothing to change"]:
            click.echo(line)
        if not dry_run:
            # At once, so that the next mail is judged by it; a running worker does the same by itself.
            _tell_directory(invocation.settings, opened)


def _apply_file(session: Session, path: Path) -> tuple[str, ...]:
    data = read_toml(path)
    lines: tuple[str, ...] = ()
    listed = {"rule": data.pop("rule")} if "rule" in data else None
    if data:
        lines = apply_company(session, parse_company(data, str(path)))
    if listed is not None:
        parsed = parse_rules(listed)
        compile_rules(parsed)
        lines += apply_rules(session, parsed)
    return lines


def _tell_directory(settings: Settings, opened: Database) -> None:
    state = settings.paths.state
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)  # on PostgreSQL nothing else needed it before
    except OSError as error:
        raise DirectoryError(f"{state}: can't be made: {error.strerror}") from error
    with closing(make_projector(settings, opened)) as projector:
        projector.step()


@directory.command("show")
@click.pass_obj
def show(invocation: Invocation) -> None:
    """Print domains, people, pools and rules as the records have them."""
    with ready_database(invocation.settings) as opened, opened.reading() as session:
        policy = fetch_policy(session).policy
    for line in _policy_lines(policy):
        click.echo(line)


def _policy_lines(policy: Policy) -> Iterator[str]:
    yield f"company {policy.company or '(no name)'}, version {policy.version}: {' '.join(policy.domains) or 'no domains'}"
    for person in policy.people:
        words = [
            person.role,
            person.team,
            f"logins {' '.join(person.logins) or 'none'}",
            "away" if person.is_away else "",
        ]
        yield f"person {person.email} {person.name}: {', '.join(filter(None, words))}"
    for pool in policy.pools:
        yield f"pool {pool.name} {' '.join(pool.addresses)}: {pool.delivery}, {pool.distribution}, {len(pool.members)} members"
    for rule in policy.rules:
        yield f"rule {rule.id}: {rule.name}{'' if rule.enabled else ' (off)'}"


@directory.command("rebuild")
@click.pass_obj
def rebuild(invocation: Invocation) -> None:
    """Write the milter's directory anew from the records, then switch to it."""
    with (
        ready_database(invocation.settings) as opened,
        closing(make_projector(invocation.settings, opened)) as projector,
    ):
        click.echo(f"rebuilt: {projector.rebuild()} keys")


@directory.command("state")
@click.pass_obj
def state(invocation: Invocation) -> None:
    """Print what the milter's directory knows of itself; status 1 when it can't answer."""
    settings = invocation.settings
    with closing(open_directory(settings, deadline_ms=1000)) as found:
        mark, policy = found.state(), found.policy()
    if mark is None:
        click.echo(f"{directory_name(settings)}: no generation; 'tradepost directory rebuild' writes one")
        raise click.exceptions.Exit(1)
    age = (datetime.now(UTC) - mark.projected_at).total_seconds()
    is_stale = age > settings.directory.stale_after_seconds
    click.echo(
        f"generation {mark.generation}, seq {mark.seq}, {age:.0f} s old{' (stale: all is unknown)' if is_stale else ''}, "
        f"policy {policy.version if policy else 'none'}"
    )
    if is_stale:
        raise click.exceptions.Exit(1)


@click.group()
def rules() -> None:
    """Check and list rules."""


@rules.command("check")
@click.argument("file", type=_FILE)
def check_rules(file: Path) -> None:
    """Say whether the rules in FILE can be used, without applying them."""
    parsed = parse_rules(read_toml(file))
    compile_rules(parsed)
    click.echo(f"{file}: {len(parsed)} rules, all can be used")


@rules.command("list")
@click.pass_obj
def list_rules(invocation: Invocation) -> None:
    """Print the rules in force, in the order that is policy."""
    with ready_database(invocation.settings) as opened, opened.reading() as session:
        found = fetch_rules(session)
    for number, rule in enumerate(found, 1):
        effects = ", ".join(f"{effect.action} {effect.value}" for effect in rule.then)
        click.echo(f"{number:3} {rule.id}{'' if rule.enabled else ' (off)'}: {rule.name} => {effects}")

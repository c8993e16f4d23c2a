# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `tradepost`: finds each room's commands by entry point and loads only the one that was asked for.

A command receives an `Invocation` as its click object (`@click.pass_obj`).  Whatever derives from `Refusal` becomes one
clear line on stderr and an exit status other than 0; anything else is a bug and keeps its traceback.
"""

import errno
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path
from typing import Any, NoReturn

import click

from tradepost.errors import Refusal
from tradepost.logs import configure_logging
from tradepost.metrics_files import share_metrics
from tradepost.settings import Settings, load_settings

GROUP = "tradepost.commands"
_OWN = (
    EntryPoint("settings", "tradepost.settings_commands:settings", GROUP),
    EntryPoint("metrics", "tradepost.metrics_server:metrics", GROUP),
)
# Long-running parts, which count into the files that `tradepost metrics` serves.  Other commands must leave none there:
# an administrator runs them as root, and the service could not take root's files away.
# `web` counts nothing, and `web sign-in-link` is such a command of root's.
_SERVICES = frozenset({"metrics", "milter", "ship", "sync"})


class Invocation:
    """One run of the program: which settings file was named, and the settings once somebody asks for them."""

    def __init__(self, config: Path | None = None) -> None:
        self.config = config

    @cached_property
    def settings(self) -> Settings:
        """The settings, read once; logging follows them.  Raises SettingsError."""
        settings = load_settings(self.config)
        configure_logging(settings.log.level)
        return settings


class Unavailable(Refusal):
    """A command whose room can't be loaded; the other rooms still work."""


class _Rooms(click.Group):
    """The root command: its subcommands are entry points, loaded when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_points())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        point = _points().get(cmd_name)
        return None if point is None else load_command(point)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] in _SERVICES and not _asks_for_help(ctx, args):
            # Before the room is imported: prometheus-client chooses its kind of value when it is imported.
            share_metrics(_invocation(ctx).settings.metrics_dir)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name, point in sorted(_points().items()):
            try:
                rows.append((name, load_command(point).get_short_help_str(100)))
            except Unavailable as broken:
                rows.append((name, f"({broken})"))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            _refuse(ctx, str(refusal), refusal.exit_code)
        except OSError as error:
            if error.errno == errno.EPIPE or error.filename is None:
                raise  # click ends quietly when the reader of a pipe went away; an error without a file is a bug
            _refuse(ctx, f"{error.filename}: {error.strerror}", 1)


def _refuse(ctx: click.Context, text: str, exit_code: int) -> NoReturn:
    for line in text.splitlines():
        click.echo(f"tradepost: {line}", err=True)
    ctx.exit(exit_code)


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in (*entry_points(group=GROUP), *_OWN)}


def load_command(point: EntryPoint) -> click.Command:
    """Load the command of an entry point.  Raises Unavailable."""
    try:
        command = point.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        raise Unavailable(f"the command {point.name!r} can't be loaded from {point.module}: {error}") from error
    assert isinstance(command, click.Command), f"{point.value} is no click command"
    return command


def _asks_for_help(ctx: click.Context, args: list[str]) -> bool:
    return any(name in args for name in ctx.help_option_names)


def _invocation(ctx: click.Context) -> Invocation:
    return ctx.ensure_object(Invocation)


def _remember_config(ctx: click.Context, _: click.Parameter, path: Path | None) -> Path | None:
    _invocation(ctx).config = path
    return path


@click.group(cls=_Rooms, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="TRADEPOST_CONFIG",
    is_eager=True,
    expose_value=False,
    callback=_remember_config,
    help="Settings file instead of /etc/tradepost/tradepost.toml.",
)
@click.version_option(version("tradepost"), prog_name="tradepost", message="%(prog)s %(version)s")
def root() -> None:
    """Mark mail at arrival and keep the customer records in step with it."""


def main() -> None:
    """Entry point of the console script."""
    configure_logging("WARNING")
    root(prog_name="tradepost")

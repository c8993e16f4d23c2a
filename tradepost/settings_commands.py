# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost settings check|show`: is the settings file right, and what is in force?"""

import click

from tradepost.cli import Invocation
from tradepost.redis_url import check_redis
from tradepost.settings import DEFAULT_PATH
from tradepost.settings_pages import render_settings
from tradepost.translation import read_endpoint


@click.group()
def settings() -> None:
    """Check and show the settings."""


@settings.command()
@click.pass_obj
def check(invocation: Invocation) -> None:
    """Read the settings and name every mistake: file, table, key."""
    source = invocation.settings.source
    if invocation.settings.redis.url:
        check_redis(invocation.settings.redis)
    if invocation.settings.translation.url:
        read_endpoint(invocation.settings.translation)
    click.echo(f"{source}: ok" if source else f"{DEFAULT_PATH} does not exist: defaults are in force")


@settings.command()
@click.option("--all", "everything", is_flag=True, help="Every setting with its meaning, not only the differences.")
@click.pass_obj
def show(invocation: Invocation, everything: bool) -> None:
    """Print what differs from the defaults, as TOML."""
    click.echo(render_settings(invocation.settings, everything=everything), nl=False)

# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost note`, `tradepost task`, `tradepost activity`."""

import click


@click.group()
def note() -> None:
    """Write notes."""


@click.group()
def task() -> None:
    """Plan tasks."""


@click.group()
def activity() -> None:
    """Enter calls, meetings and other touches; show the timeline."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost conversation`."""

import click


@click.group()
def conversation() -> None:
    """Look after conversations: who does the work, what state they are in."""

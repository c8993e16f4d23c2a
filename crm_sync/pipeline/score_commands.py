# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost score`."""

import click


@click.group()
def score() -> None:
    """Show how complete customers are and what grade they have earned, and why."""

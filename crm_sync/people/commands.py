# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost person`, `tradepost team`, `tradepost role`, `tradepost share`."""

import click


@click.group()
def person() -> None:
    """Look after the people who work here."""


@click.group()
def team() -> None:
    """Look after teams."""


@click.group()
def role() -> None:
    """Look after roles: what each may do, and which fields it never sees."""


@click.group()
def share() -> None:
    """Show a record to one more person or team."""

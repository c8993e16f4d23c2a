# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost field`."""

import click


@click.group()
def field() -> None:
    """Look after the fields that you add to records."""

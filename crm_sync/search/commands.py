# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost search`."""

import click


@click.group()
def search() -> None:
    """Find any mail, customer or note."""

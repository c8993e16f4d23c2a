# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost opportunity`."""

import click


@click.group()
def opportunity() -> None:
    """Look after opportunities."""

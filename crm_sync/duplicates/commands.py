# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost duplicates`."""

import click


@click.group()
def duplicates() -> None:
    """Find records that may be the same, merge them, take them apart again."""

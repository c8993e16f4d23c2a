# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost stage`."""

import click


@click.group()
def stage() -> None:
    """Look after stages, and who stands in which."""

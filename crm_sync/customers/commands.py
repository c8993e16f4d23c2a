# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost customer`, `tradepost contact`, `tradepost handover`."""

import click


@click.group()
def customer() -> None:
    """Look after customers and their contacts."""


@click.group()
def contact() -> None:
    """Look after contacts."""


@click.group()
def handover() -> None:
    """Give what one person has to another, with a look beforehand and a way back."""

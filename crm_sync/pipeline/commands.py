# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost opportunity`, `tradepost stage`, `tradepost product`."""

import click


@click.group()
def opportunity() -> None:
    """Look after opportunities."""


@click.group()
def stage() -> None:
    """Look after pipelines and their stages."""


@click.group()
def product() -> None:
    """Look after products and their categories."""

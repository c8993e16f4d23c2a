# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost product`."""

import click


@click.group()
def product() -> None:
    """Look after products and their categories."""

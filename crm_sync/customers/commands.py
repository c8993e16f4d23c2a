# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost customer`, `tradepost contact`, `tradepost handover`."""

import click

from crm_sync.customers import profile_commands, public_pool_commands
from crm_sync.customers.contact_commands import contact
from crm_sync.customers.hand_over_commands import handover

__all__ = ["contact", "customer", "handover"]


@click.group()
def customer() -> None:
    """Look after customers and their contacts."""


for command in (*profile_commands.COMMANDS, *public_pool_commands.COMMANDS):
    customer.add_command(command)

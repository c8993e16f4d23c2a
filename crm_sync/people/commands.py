# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost person`, `tradepost team`, `tradepost role`, `tradepost share`."""

from crm_sync.people.person_commands import person
from crm_sync.people.role_commands import role
from crm_sync.people.share_commands import share
from crm_sync.people.team_commands import team

__all__ = ["person", "role", "share", "team"]

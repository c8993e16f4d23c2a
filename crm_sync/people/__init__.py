# SPDX-License-Identifier: GPL-3.0-or-later
"""Who works here and what each may do: people, teams, roles, shares."""

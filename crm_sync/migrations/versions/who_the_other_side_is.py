# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains, addresses and phones of the other side, party kinds, and why each was linked."""

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""

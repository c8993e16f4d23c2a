# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages, opportunities, products, lost reasons, grades, completeness."""

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""

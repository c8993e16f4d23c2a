# SPDX-License-Identifier: GPL-3.0-or-later
"""The public pool: quotas, claims, releases, reclaim dates."""

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""

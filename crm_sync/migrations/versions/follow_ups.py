# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes, tasks, calls and meetings."""

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with a conversation: status, snooze, split, merge."""

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""

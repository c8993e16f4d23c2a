# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic: one change a file, the file name a sentence."""

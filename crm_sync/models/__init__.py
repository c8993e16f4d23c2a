# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables, one file a noun."""

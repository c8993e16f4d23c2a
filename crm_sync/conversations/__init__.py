# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads of mail: which mail belongs where, who does the work, what state it is in."""

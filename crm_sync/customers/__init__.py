# SPDX-License-Identifier: GPL-3.0-or-later
"""The other side: matching, profiles, the public pool, hand-over."""

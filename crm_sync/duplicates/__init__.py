# SPDX-License-Identifier: GPL-3.0-or-later
"""Records that may be the same: found, merged, taken apart again."""

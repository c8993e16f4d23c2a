# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields without code: types, definitions, values."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists to choose from, as data: customer types, sources, sizes, lost reasons ...; names in Chinese and English."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared ground floor: words, settings, journal, directory, rules, metrics.  Imports no other room."""

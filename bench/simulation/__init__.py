# SPDX-License-Identifier: GPL-3.0-or-later
"""A seeded export company: the world it deals with, the mail of two years, and the truth about each mail."""

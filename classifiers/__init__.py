# SPDX-License-Identifier: GPL-3.0-or-later
"""Text and headers in, labels out.  Pure: no network, no database, no clock of its own."""

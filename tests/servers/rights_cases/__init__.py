# SPDX-License-Identifier: GPL-3.0-or-later
"""One module an area: how each of its functions is asked.  See tests/servers/test_rights_everywhere.py."""

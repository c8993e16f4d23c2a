# SPDX-License-Identifier: GPL-3.0-or-later
"""The browser room: Flask app factory, one blueprint a noun, thin views."""

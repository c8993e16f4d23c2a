# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole Postfix in a temporary folder, the services of tradepost beside it, and the outside world: demo and tests."""

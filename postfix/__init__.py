# SPDX-License-Identifier: GPL-3.0-or-later
"""What an administrator installs, and the private Postfix that the demonstration and the tests run."""

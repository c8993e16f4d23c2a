# SPDX-License-Identifier: GPL-3.0-or-later
"""SMTP time: libmilter callbacks become a transaction, the transaction a decision, the decision header edits."""

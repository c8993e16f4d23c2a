# SPDX-License-Identifier: GPL-3.0-or-later
"""Find any mail, customer or note: tokenizer, query language, index."""

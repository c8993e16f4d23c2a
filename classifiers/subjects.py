# SPDX-License-Identifier: GPL-3.0-or-later
"""What mail programs write before a subject that is answered or passed on: "Re:", "AW:", "回复：", "Fwd:"."""

from classifiers.tables import linear
from tradepost.subjects import MOST_PREFIXES, PREFIX

_PREFIX = linear(PREFIX)


def has_reply_prefix(subject: str) -> bool:
    """Does the subject say that something is answered or passed on?"""
    return (":" in subject or "：" in subject) and _PREFIX.search(subject) is not None


def end_of_prefixes(subject: str) -> int:
    """Return where the subject proper begins, behind any number of prefixes."""
    start = 0
    for _ in range(MOST_PREFIXES):
        prefix = _PREFIX.search(subject[start:])
        if prefix is None:
            break
        start += prefix.end()
    return start

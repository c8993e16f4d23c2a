# SPDX-License-Identifier: GPL-3.0-or-later
"""What mail programs write before a subject that is answered or passed on: "Re:", "AW:", "回复：", "Fwd:".  Pure."""

import re2

PREFIX = (
    r"(?i)^\s*(?:re|aw|sv|vs|vb|antw|doorst|res|enc|rif|r|i|odp|pd|ynt|ilt|ref|rv|trs|bls|balas|tr|wg|fwd?|fw|απ|πρθ|ответ|отв|на|"
    r"回复|回覆|答复|答覆|转发|轉寄|转寄|返信|転送|답장|회신|رد|پاسخ)\s*(?:\[\d+\])?\s*[:：]"
)
MOST_PREFIXES = 8
_LONGEST = 1_000
_prefix = re2.compile(PREFIX)


def subject_proper(subject: str) -> str:
    """Return the subject without what mail programs put before it, at most its first 1,000 signs."""
    rest = subject[:_LONGEST]
    for _ in range(MOST_PREFIXES):
        found = _prefix.match(rest)
        if found is None:
            break
        rest = rest[found.end() :]
    return rest.strip()

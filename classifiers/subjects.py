# SPDX-License-Identifier: GPL-3.0-or-later
"""What mail programs write before a subject that is answered or passed on: "Re:", "AW:", "回复：", "Fwd:"."""

from classifiers.tables import linear

_PREFIX = linear(
    r"(?i)^\s*(?:re|aw|sv|vs|vb|antw|doorst|res|enc|rif|r|i|odp|pd|ynt|ilt|ref|rv|trs|bls|balas|tr|wg|fwd?|fw|απ|πρθ|ответ|отв|на|"
    r"回复|回覆|答复|答覆|转发|轉寄|转寄|返信|転送|답장|회신|رد|پاسخ)\s*(?:\[\d+\])?\s*[:：]"
)
_MOST = 8


def has_reply_prefix(subject: str) -> bool:
    """Does the subject say that something is answered or passed on?"""
    return (":" in subject or "：" in subject) and _PREFIX.search(subject) is not None


def end_of_prefixes(subject: str) -> int:
    """Return where the subject proper begins, behind any number of prefixes."""
    start = 0
    for _ in range(_MOST):
        prefix = _PREFIX.search(subject[start:])
        if prefix is None:
            break
        start += prefix.end()
    return start

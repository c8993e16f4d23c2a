# SPDX-License-Identifier: GPL-3.0-or-later
"""The one rule that says whether Postfix accepted a mail.  Seen at EOM is not accepted: later milters may refuse it."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Acceptance(StrEnum):
    """What is known about an arrival.  Only confirmed and assumed arrivals count in any number."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    ASSUMED = "assumed"  # no mail log is given: nobody said no in time


class Evidence(StrEnum):
    """What speaks for or against a queue id."""

    ACTIVE = "active"  # qmgr took it
    QUEUED = "queued"  # postqueue lists it
    HELD = "held"  # milter-hold at END-OF-MESSAGE
    REFUSED = "refused"  # milter-reject, milter-discard, reject, discard, queue file not written


@dataclass(frozen=True, slots=True)
class Ruling:
    """The outcome, and since when it holds (None while pending)."""

    acceptance: Acceptance
    at: datetime | None = None


def rule(evidence: dict[Evidence, datetime]) -> Ruling:
    """Decide from everything known about one queue id, each kind with its first time.  The order of arrival is no matter.

    In the queue is stronger than any refusal (a refused recipient is no refused mail); a refusal is stronger than a
    hold (our HOLD is asked for before a later milter refuses).
    """
    taken = [evidence[kind] for kind in (Evidence.ACTIVE, Evidence.QUEUED) if kind in evidence]
    if taken:
        return Ruling(Acceptance.CONFIRMED, min(taken))
    if Evidence.REFUSED in evidence:
        return Ruling(Acceptance.REFUSED, evidence[Evidence.REFUSED])
    if Evidence.HELD in evidence:
        return Ruling(Acceptance.CONFIRMED, evidence[Evidence.HELD])
    return Ruling(Acceptance.PENDING)


# Traditional stamps have whole seconds, and smtpd, cleanup and our own clock are read a moment apart.
CLOCK_SLACK = timedelta(seconds=2)
# Short queue ids are a file's inode and a microsecond, and come again.  What Postfix says later than this about one of
# them is taken for another mail's; the queue itself is asked about mail that waits so long.
SHORT_ID_WINDOW = timedelta(minutes=10)

_SHORT = re.compile(r"[0-9A-F]+")


def is_reusable(queue_id: str) -> bool:
    """Is it a short queue id (enable_long_queue_ids = no)?  A long one holds its time and is never given again."""
    return _SHORT.fullmatch(queue_id) is not None

# SPDX-License-Identifier: GPL-3.0-or-later
"""How right the classifier is in the eyes of the people who corrected it: confusion, precision by label, senders, languages."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm_sync.admission import NotAllowed
from crm_sync.corrections import FIELDS
from crm_sync.key_lists import among_keys
from crm_sync.lessons import fetch_corrected
from crm_sync.models.mail import Message
from crm_sync.rights import Viewer
from tradepost.learning import LEARNT_FIELDS
from tradepost.verdict import Direction

_MOST_LISTED = 10


@dataclass(frozen=True, slots=True)
class LabelLine:
    """One label: how many mails were given it, how many of them people took it from, to how many others they gave it."""

    label: str
    said: int
    taken: int
    given: int

    @property
    def precision(self) -> float | None:
        """The share that nobody objected to; None: it was never said."""
        return None if not self.said else (self.said - self.taken) / self.said

    @property
    def recall(self) -> float | None:
        """Of the mails that bear it after all corrections, the share that bore it from the beginning."""
        right = self.said - self.taken
        return None if not right + self.given else right / (right + self.given)


@dataclass(frozen=True, slots=True)
class CorrectionReport:
    """What was corrected.  `mails`: letters from outside since then, `corrected` those that differ now from what was said.

    `fields` counts them by field, `confusion` by field and (was, is), the commonest first; so are `senders` and `languages`
    (corrected, of how many).
    """

    since: datetime | None
    mails: int
    corrected: int
    fields: Mapping[str, int]
    confusion: Mapping[str, tuple[tuple[str, str, int], ...]]
    labels: Mapping[str, tuple[LabelLine, ...]]
    senders: tuple[tuple[str, int, int], ...]
    languages: tuple[tuple[str, int, int], ...]


_OF_KEYS = select(Message.id, Message.from_address, Message.language, Message.at).where(among_keys(Message.id))


def fetch_report(session: Session, viewer: Viewer, since: datetime | None = None) -> CorrectionReport:
    """Return the report over mails that arrived since then (None: all).

    It names senders and counts everybody's mail.  Raises NotAllowed for whoever does not see all mail.
    """
    if not viewer.sees_all:
        raise NotAllowed(f"{viewer.actor} may not read the numbers of the whole company; who sees all mail may")
    touched = fetch_corrected(session, since)
    about = {row.id: row for row in session.execute(_OF_KEYS, {"keys": list(touched)})}
    corrected = {
        key: mail for key, mail in touched.items() if mail.fields and (since is None or about[key].at >= since)
    }
    pairs = {
        name: Counter(
            (mail.was[name] or "", mail.now[name] or "") for mail in corrected.values() if name in mail.fields
        )
        for name in FIELDS
    }
    senders = Counter(about[key].from_address for key in corrected).most_common(_MOST_LISTED)
    languages = Counter(about[key].language or "" for key in corrected)
    # Of all senders these few: a large archive has hundreds of thousands.
    by_sender = _count(session, Message.from_address, since, among=[name for name, _ in senders])
    by_language = _count(session, Message.language, since)
    return CorrectionReport(
        since=since,
        mails=sum(by_language.values()),
        corrected=len(corrected),
        fields={name: counts.total() for name, counts in pairs.items()},
        confusion={
            name: tuple((*pair, count) for pair, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
            for name, counts in pairs.items()
        },
        labels={name: _lines(pairs[name], _count(session, getattr(Message, name), since)) for name in LEARNT_FIELDS},
        senders=tuple((name, count, by_sender[name]) for name, count in senders),
        languages=tuple((name, count, by_language[name]) for name, count in languages.most_common(_MOST_LISTED)),
    )


def _count(
    session: Session,
    column: InstrumentedAttribute[Any],
    since: datetime | None,
    among: Collection[str] | None = None,
) -> Counter[str]:
    wanted = select(column, func.count()).where(Message.direction == Direction.INBOUND.value).group_by(column)
    if among is not None:
        wanted = wanted.where(column.in_(among))
    if since is not None:
        wanted = wanted.where(Message.at >= since)
    return Counter({label or "": count for label, count in session.execute(wanted)})


def _lines(pairs: Counter[tuple[str, str]], now: Counter[str]) -> tuple[LabelLine, ...]:
    """Count back from the labels in force to those that were said."""
    taken, given = Counter[str](), Counter[str]()
    for (was, label), count in pairs.items():
        taken[was] += count
        given[label] += count
    labels = sorted({*taken, *given} - {""}, key=lambda label: (-taken[label] - given[label], label))
    return tuple(
        LabelLine(label, now[label] - given[label] + taken[label], taken[label], given[label]) for label in labels
    )

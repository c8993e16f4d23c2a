# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what the mail log says about queue ids, and apply it to the arrivals it speaks of, whichever came first."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, pairwise

from sqlalchemy import Row, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from crm_sync.models.base import table
from crm_sync.models.mail import Arrival
from crm_sync.models.maillog import MaillogEvidence
from tradepost.acceptance import CLOCK_SLACK, SHORT_ID_WINDOW, Acceptance, Evidence, is_reusable, rule
from tradepost.maillog import Activated, ClientSeen, Held, LogEvent, Refused, Submitted

ORIGIN = "origin"
_AT_ONCE = 400  # queue ids in one statement
_LONGEST_CHAIN = 8  # requeued so many times between two looks

_DECIDE = (
    update(table(Arrival))
    .where(table(Arrival).c.entry_id == bindparam("key"))
    .values(acceptance=bindparam("word"), accepted_at=bindparam("since"))
)

Changes = dict[Acceptance, int]


@dataclass(frozen=True, slots=True)
class Found:
    """One thing to keep: a kind of `Evidence`, or ORIGIN with the queue id the mail had before."""

    queue_id: str
    kind: str
    at: datetime
    origin: str = ""


def evidence_of(event: LogEvent) -> Found | None:
    """Return what a log event says about acceptance, if anything."""
    match event:
        case Activated():
            return Found(event.queue_id, Evidence.ACTIVE, event.at)
        case Held():
            return Found(event.queue_id, Evidence.HELD, event.at)
        case Refused():
            return Found(event.queue_id, Evidence.REFUSED, event.at)
        case Submitted() | ClientSeen() if event.origin:
            return Found(event.queue_id, ORIGIN, event.at, event.origin)
    return None


def keep(session: Session, instance: str, found: Sequence[Found]) -> set[str]:
    """Store what is new.  Returns the queue ids concerned, those that a mail had before it was requeued included."""
    touched: set[str] = set()
    pending = list(found)
    for _ in range(_LONGEST_CHAIN):
        if not pending:
            break
        _insert_new(session, instance, pending)
        accepted = {item.queue_id: item.at for item in pending if item.kind == Evidence.ACTIVE}
        touched.update(item.queue_id for item in pending)
        pending = [
            Found(row.origin, Evidence.ACTIVE, accepted[row.queue_id])
            for row in _stored(session, instance, accepted)
            if row.kind == ORIGIN
        ]
    return touched


def _insert_new(session: Session, instance: str, found: Sequence[Found]) -> None:
    stored = _stored(session, instance, {item.queue_id for item in found})
    known = {(row.queue_id, row.kind, row.at) for row in stored}
    # qmgr repeats itself with every retry: of a queue id that is never given again the first time is enough.
    known_kinds = {(row.queue_id, row.kind) for row in stored}
    fresh: list[dict[str, object]] = []
    for item in found:
        key, kind = (item.queue_id, item.kind, item.at), (item.queue_id, item.kind)
        if key in known or (kind in known_kinds and not is_reusable(item.queue_id)):
            continue
        known.add(key)
        known_kinds.add(kind)
        fresh.append(
            {"instance": instance, "queue_id": item.queue_id, "kind": item.kind, "at": item.at, "origin": item.origin}
        )
    if fresh:
        session.execute(insert(MaillogEvidence), fresh)


def _stored(session: Session, instance: str, queue_ids: Iterable[str]) -> list[Row[tuple[str, str, datetime, str]]]:
    rows: list[Row[tuple[str, str, datetime, str]]] = []
    for some in _in_groups(queue_ids):
        rows += session.execute(
            select(MaillogEvidence.queue_id, MaillogEvidence.kind, MaillogEvidence.at, MaillogEvidence.origin).where(
                MaillogEvidence.instance == instance, MaillogEvidence.queue_id.in_(some)
            )
        )
    return rows


def settle(session: Session, instance: str, queue_ids: Iterable[str]) -> Changes:
    """Decide the arrivals with these queue ids from everything kept.  Returns how many became what."""
    changes: Changes = defaultdict(int)
    for some in _in_groups(queue_ids):
        evidence: dict[str, list[tuple[Evidence, datetime]]] = defaultdict(list)
        for row in _stored(session, instance, some):
            if row.kind != ORIGIN:
                evidence[row.queue_id].append((Evidence(row.kind), row.at))
        updates = []
        for arrival, until in _with_successors(_arrivals(session, instance, evidence)):
            ruling = rule(_of_this_mail(arrival, until, evidence[arrival.queue_id]))
            if ruling.acceptance in (Acceptance.PENDING, arrival.acceptance):
                continue
            accepted_at = ruling.at if ruling.acceptance is Acceptance.CONFIRMED else None
            updates.append({"key": arrival.entry_id, "word": ruling.acceptance.value, "since": accepted_at})
            changes[ruling.acceptance] += 1
        if updates:
            session.execute(_DECIDE, updates)
    return changes


_Arrived = Row[tuple[str, str, datetime, str]]


def _arrivals(session: Session, instance: str, queue_ids: Iterable[str]) -> list[_Arrived]:
    return list(
        session.execute(
            select(Arrival.entry_id, Arrival.queue_id, Arrival.arrived_at, Arrival.acceptance)
            .where(Arrival.instance == instance, Arrival.queue_id.in_(list(queue_ids)))
            .order_by(Arrival.queue_id, Arrival.arrived_at)
        )
    )


def _with_successors(arrivals: Sequence[_Arrived]) -> Iterator[tuple[_Arrived, datetime | None]]:
    """Yield each arrival with the time of the next one under the same queue id."""
    for arrival, following in pairwise((*arrivals, None)):
        assert arrival is not None
        is_same = following is not None and following.queue_id == arrival.queue_id
        yield arrival, following.arrived_at if following is not None and is_same else None


def _of_this_mail(
    arrival: _Arrived, until: datetime | None, evidence: Iterable[tuple[Evidence, datetime]]
) -> dict[Evidence, datetime]:
    """Return the first time of each kind that belongs to this arrival and not to another mail of the same queue id."""
    first: dict[Evidence, datetime] = {}
    start = arrival.arrived_at - CLOCK_SLACK
    end = arrival.arrived_at + SHORT_ID_WINDOW
    if until is not None:
        end = min(end, until - CLOCK_SLACK)
    for kind, at in sorted(evidence, key=lambda item: item[1]):
        if not is_reusable(arrival.queue_id) or start <= at < end:
            first.setdefault(kind, at)
    return first


def prune(session: Session, instance: str, older_than: datetime) -> None:
    """Forget what no arrival will ask for any more."""
    session.execute(
        delete(MaillogEvidence).where(MaillogEvidence.instance == instance, MaillogEvidence.at < older_than)
    )


def _in_groups(queue_ids: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(sorted(set(queue_ids)))
    while some := list(islice(iterator, _AT_ONCE)):
        yield some

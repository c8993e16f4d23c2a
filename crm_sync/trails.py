# SPDX-License-Identifier: GPL-3.0-or-later
"""What the log says about each mail, gathered by queue id; a short queue id may stand for several mails in turn."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from tradepost.acceptance import CLOCK_SLACK, Evidence, Ruling, is_reusable, rule
from tradepost.mail_queue import QueuedMail
from tradepost.maillog import Activated, ClientSeen, Held, LogEvent, Refused, Submitted


@dataclass(slots=True)
class Trail:
    """One mail's way through Postfix.  `origin`: the queue id it had before a requeue or a content filter."""

    queue_id: str
    began_at: datetime
    by_smtp: bool = False
    origin: str = ""
    sender: str = ""
    active_at: datetime | None = None
    queued_at: datetime | None = None
    held_at: datetime | None = None
    refused_at: datetime | None = None
    refusal: str = ""

    def ruling(self) -> Ruling:
        """Apply the rule of acceptance."""
        known = {
            Evidence.ACTIVE: self.active_at,
            Evidence.QUEUED: self.queued_at,
            Evidence.HELD: self.held_at,
            Evidence.REFUSED: self.refused_at,
        }
        return rule({kind: at for kind, at in known.items() if at is not None})


class Trails:
    """All trails of a log."""

    def __init__(self) -> None:
        self._by_id: dict[str, list[Trail]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_id.values()))

    def follow(self, event: LogEvent) -> None:
        """Add an event; events come in the order of the log."""
        match event:
            case ClientSeen():
                trail = self._begin(event)
                trail.by_smtp, trail.origin = True, event.origin
            case Submitted():
                trail = self._begin(event)
                trail.sender, trail.origin = event.sender, event.origin
            case Activated():
                trail = self._current(event)
                trail.sender, trail.active_at = event.sender, trail.active_at or event.at
            case Held():
                trail = self._current(event)
                trail.held_at = trail.held_at or event.at
            case Refused():
                trail = self._current(event)
                trail.refused_at, trail.refusal = event.at, f"{event.verb} at {event.stage}"

    def _begin(self, event: LogEvent) -> Trail:
        lives = self._by_id.setdefault(event.queue_id, [])
        # A copied log says everything twice.
        if not lives or (is_reusable(event.queue_id) and lives[-1].began_at < event.at):
            lives.append(Trail(event.queue_id, event.at))
        return lives[-1]

    def _current(self, event: LogEvent) -> Trail:
        lives = self._by_id.get(event.queue_id)
        return lives[-1] if lives else self._begin(event)

    def note_queue(self, queued: Iterable[QueuedMail]) -> None:
        """Add what lies in the queue now."""
        for mail in queued:
            trail = self.find(mail.queue_id, mail.queued_at)
            if trail is None:
                trail = Trail(mail.queue_id, mail.queued_at)
                self._by_id.setdefault(mail.queue_id, []).append(trail)
            trail.queued_at = mail.queued_at
            trail.sender = trail.sender or mail.sender

    def join_origins(self) -> None:
        """Let requeued mail speak for what it was before.  Call once, after everything was followed."""
        for trail, _ in list(self.all()):
            if trail.origin and (accepted := trail.active_at or trail.queued_at) is not None:
                self._accept_origins(trail, accepted)

    def _accept_origins(self, trail: Trail, at: datetime) -> None:
        seen = {id(trail)}
        while trail.origin:
            earlier = self.find(trail.origin, trail.began_at)
            if earlier is None or id(earlier) in seen:
                return
            seen.add(id(earlier))
            earlier.active_at = earlier.active_at or at
            trail = earlier

    def find(self, queue_id: str, at: datetime) -> Trail | None:
        """Return the mail that had this queue id then."""
        lives = self._by_id.get(queue_id, ())
        if lives and not is_reusable(queue_id):
            return lives[-1]
        return next((trail for trail in reversed(lives) if trail.began_at <= at + CLOCK_SLACK), None)

    def all(self) -> Iterator[tuple[Trail, datetime | None]]:
        """Yield every trail with the time when its queue id was given to another mail."""
        for lives in self._by_id.values():
            for trail, following in pairwise((*lives, None)):
                assert trail is not None
                yield trail, following.began_at if following is not None else None

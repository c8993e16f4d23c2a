# SPDX-License-Identifier: GPL-3.0-or-later
"""Is everything recorded that was accepted, and do the parts work?  Readings in, lines for the page out."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from flask_babel import gettext, ngettext

from admin_web.quantities import render_age, render_number
from crm_sync.mail_views import Counts
from tradepost.health import (
    BACKLOG_SECONDS,
    MAILLOG_SILENT_SECONDS,
    MILTER_SILENT_SECONDS,
    WORKER_SILENT_SECONDS,
    JournalReading,
    MilterReading,
    Readings,
)


class Tone(StrEnum):
    """How a line stands; the page shows it by sign and word, and by colour only beside them."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Line:
    """One part of the installation and how it stands."""

    name: str
    tone: Tone
    text: str


@dataclass(frozen=True, slots=True)
class State:
    """What the top of the page says, of the last 24 hours.  `accepted` is None where the journal can't be read."""

    recorded: int
    accepted: int | None
    pending: int
    journal: Line
    lines: tuple[Line, ...]  # of every other part

    @property
    def is_even(self) -> bool:
        """Does every accepted mail stand in the records?"""
        return self.accepted == self.recorded

    @property
    def tone(self) -> Tone:
        """The worst of all."""
        tones = {line.tone for line in (self.journal, *self.lines)} | ({Tone.GOOD} if self.is_even else {Tone.BAD})
        return next(tone for tone in (Tone.BAD, Tone.WARNING, Tone.GOOD) if tone in tones)


def describe_state(counts: Counts, readings: Readings) -> State:
    """Weigh the records against the journal, and every part's own word."""
    journal = readings.journal
    waiting = None if journal is None else journal.entries + journal.failed
    return State(
        recorded=counts.recorded,
        accepted=None if waiting is None else counts.recorded + waiting,
        pending=counts.pending,
        journal=_journal(journal),
        lines=tuple(_lines(readings)),
    )


def _lines(readings: Readings) -> Iterator[Line]:
    yield Line(gettext("Database"), Tone.GOOD, gettext("answers"))
    yield _worker(readings)
    yield _milter(readings.milter)
    yield _directory(readings)
    yield _maillog(readings)


def _journal(journal: JournalReading | None) -> Line:
    name = gettext("Journal")
    if journal is None:
        return Line(name, Tone.BAD, gettext("can't be read"))
    if journal.is_full:
        return Line(name, Tone.BAD, gettext("its reserve is reached: mail passes marked, but is not kept"))
    if journal.failed:
        text = ngettext(
            "%(num)s mail can't be recorded: ‘tradepost journal’ names it",
            "%(num)s mails can't be recorded: ‘tradepost journal’ names them",
            journal.failed,
        )
        return Line(name, Tone.BAD, text)
    if not journal.entries:
        return Line(name, Tone.GOOD, gettext("empty: nothing waits"))
    text = ngettext(
        "%(num)s mail waits, the oldest for %(age)s",
        "%(num)s mails wait, the oldest for %(age)s",
        journal.entries,
        age=render_age(journal.oldest_seconds),
    )
    return Line(name, Tone.WARNING if journal.oldest_seconds <= BACKLOG_SECONDS else Tone.BAD, text)


def _worker(readings: Readings) -> Line:
    name, worker = gettext("Worker"), readings.worker
    if worker is None:
        return Line(name, Tone.BAD, gettext("not running: mail waits in the journal"))
    if worker.silent_seconds > WORKER_SILENT_SECONDS:
        return Line(name, Tone.BAD, gettext("silent for %(age)s", age=render_age(worker.silent_seconds)))
    return Line(name, Tone.GOOD, gettext("works"))


def _milter(milter: MilterReading | None) -> Line:
    name = gettext("Milter")
    if milter is None or (milter.children == 0 and milter.silent_seconds <= MILTER_SILENT_SECONDS):
        return Line(name, Tone.BAD, gettext("not running: mail passes unmarked"))
    if milter.silent_seconds > MILTER_SILENT_SECONDS:
        return Line(name, Tone.BAD, gettext("silent for %(age)s", age=render_age(milter.silent_seconds)))
    text = gettext(
        "%(alive)s of %(wanted)s processes serve",
        alive=render_number(milter.children),
        wanted=render_number(milter.children_wanted),
    )
    is_short = milter.children < milter.children_wanted or milter.callback_seconds > milter.watchdog_seconds
    return Line(name, Tone.WARNING if is_short else Tone.GOOD, text)


def _directory(readings: Readings) -> Line:
    name, directory = gettext("Directory"), readings.directory
    if directory is None:
        return Line(name, Tone.WARNING, gettext("not there yet: customers and owners are unknown at arrival"))
    if directory.age_seconds > directory.stale_after_seconds:
        return Line(
            name, Tone.WARNING, gettext("stale for %(age)s: all is unknown", age=render_age(directory.age_seconds))
        )
    return Line(name, Tone.GOOD, gettext("fresh"))


def _maillog(readings: Readings) -> Line:
    name, silent = gettext("Mail log"), readings.maillog_silent_seconds
    if readings.confirmation == "assumed":
        return Line(name, Tone.WARNING, gettext("none is read: acceptance is assumed"))
    if silent is None:
        return Line(name, Tone.WARNING, gettext("has never been read: new mail stays unconfirmed"))
    if silent > MAILLOG_SILENT_SECONDS:
        return Line(name, Tone.WARNING, gettext("last read %(age)s ago", age=render_age(silent)))
    return Line(name, Tone.GOOD, gettext("is read"))

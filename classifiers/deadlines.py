# SPDX-License-Identifier: GPL-3.0-or-later
"""Days and hours in a text that are near the time it was sent: what is due within hours, and what within days."""

from datetime import date, datetime, timedelta, timezone
from itertools import islice

from classifiers.tables import Match, any_of, linear, read_table

_MONTHS: list[list[str]] = read_table("priority")["months"]["names"]
_MONTH_OF = {stem: number for number, stems in enumerate(_MONTHS, 1) for stem in stems}
_MONTH = any_of(_MONTH_OF)
_DATE = linear(
    r"(?i)(?:^|[^\d.,/-])(?:"
    r"(20\d\d)[-./年](\d{1,2})[-./月](\d{1,2})"  # 2026-09-18, 2026年9月18日
    r"|(\d{1,2})[./-](\d{1,2})(?:[./-](?:20)?\d\d)?\.?"  # 18.9., 18/09/2026; 9/18 is tried the other way round
    r"|(\d{1,2}) ?[月월] ?(\d{1,2})"
    rf"|(\d{{1,2}})(?:st|nd|rd|th|\.|º)?[ ](?:de[ ])?({_MONTH})"
    rf"|({_MONTH})\pL{{0,8}}\.?[ ](\d{{1,2}})(?:st|nd|rd|th)?"
    r")(?:$|[^\d./-]|[.,]?$|[.,]?\s)"
)
_NOON = any_of(read_table("priority")["noon"])
_CLOCK = linear(
    r"(?i)(?:^|[^\d.,:+-])(?:([01]?\d|2[0-3])[:：.h]([0-5]\d)(?:[^\d.:%]|$)"  # 15:30, 9.45, 14h00
    r"|([01]?\d|2[0-3]) ?(?:(?:uhr|h|hrs|giờ|jam|год)(?:[^\pL]|$)|[時时点點시]|น\.)"
    r"|(1[0-2]|\d) ?(am|pm|a\.m|p\.m)"
    rf"|({_NOON}))"
)
_OWN_ZONE = timezone(timedelta(hours=8))  # the exporter's: writers name his hours too
_SOON_HOURS = 9.0
_MAX_CHARS = 2_000
_MAX_DATES = 12
_HOURS, _DAYS = 1, 5  # days ahead


def near_dates(text: str, sent: datetime | None) -> str | None:
    """Return "due-hours" when a text names the day it was sent or the next, "due-days" within five days, else None."""
    if sent is None:
        return None
    today = sent.date()
    ahead = [days for days in _days_ahead(text, today) if 0 <= days <= _DAYS]
    if not ahead:
        return None
    return "due-hours" if min(ahead) <= _HOURS else "due-days"


def near_hours(text: str, sent: datetime | None) -> str | None:
    """Return "due-clock" when a text names an hour that comes soon after it was sent, in its own zone or China's."""
    if sent is None:
        return None
    times = [sent] if sent.tzinfo is None else [sent, sent.astimezone(_OWN_ZONE)]
    now = [when.hour + when.minute / 60 for when in times]
    for match in islice(_CLOCK.finditer(text[:_MAX_CHARS]), _MAX_DATES):
        hour = _hour(match)
        if any(0.0 < (hour - moment) % 24 <= _SOON_HOURS for moment in now):
            return "due-clock"
    return None


def _hour(match: Match) -> float:
    hour, minute, whole, twelve, half, _ = (match.group(number) for number in range(1, 7))
    if hour:
        return int(hour) + int(minute) / 60
    if whole:
        return float(whole)
    if twelve:
        return float(int(twelve) % 12 + (12 if half[0] in "pP" else 0))
    return 12.0


def _days_ahead(text: str, today: date) -> list[int]:
    found: list[int] = []
    for match in islice(_DATE.finditer(text[:_MAX_CHARS]), _MAX_DATES):
        for day, month in _readings(match):
            for year in (today.year, today.year + 1):
                try:
                    found.append((date(year, month, day) - today).days)
                except ValueError:
                    continue
    return found


def _readings(match: Match) -> list[tuple[int, int]]:
    """Return the (day, month) pairs that a date can be read as."""
    _, month1, day1, day2, month2, month3, day3, day4, name4, name5, day5 = (
        match.group(number) for number in range(1, 12)
    )
    if day1:
        return [(int(day1), int(month1))]
    if day2:
        one, two = int(day2), int(month2)
        return [(one, two)] if one > 12 else [(one, two), (two, one)]
    if day3:
        return [(int(day3), int(month3))]
    return [(int(day4 or day5), _MONTH_OF[(name4 or name5).lower()])]

# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts, numbers, times."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Final

from crm_sync.admission import InvalidValue
from crm_sync.fields.types import Asking, FieldType, Key, Stored, number_key, quoted, text_key
from tradepost.rule_conditions import WordingError, compile_pattern

_LONGEST_LINE, _LONGEST_TEXT = 500, 20_000
_LARGEST: Final = 10**15
_DURATION = re.compile(r"(?:(\d{1,6}) ?d)? ?(?:(\d{1,6}) ?h)? ?(?:(\d{1,6}) ?m(?:in)?)?")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_YES = frozenset({"yes", "y", "true", "1", "on", "是", "对"})
_NO = frozenset({"no", "n", "false", "0", "off", "否", "不"})
_YEARS = range(1900, 2200)


def _line(raw: str, asking: Asking) -> str:
    return _bounded(" ".join(raw.split()), asking, _LONGEST_LINE)


def _lines(raw: str, asking: Asking) -> str:
    return _bounded(raw.replace("\r\n", "\n"), asking, _LONGEST_TEXT)


def _bounded(text: str, asking: Asking, longest: int) -> str:
    longest = min(longest, asking.options.longest or longest)
    if len(text) > longest:
        raise InvalidValue(f"{quoted(text)}: has {len(text)} characters, {longest} fit")
    return text


def _code(raw: str, asking: Asking) -> str:
    code = _bounded("".join(raw.split()).upper(), asking, 80)
    pattern = asking.options.pattern
    if pattern is not None and not compile_pattern(pattern).fullmatch(code):
        raise InvalidValue(f"{quoted(raw)}: does not look like {pattern}")
    return code


def check_pattern(pattern: str) -> None:
    """Raise InvalidValue for a pattern that RE2 refuses (look-behind, back-references) or that is too long."""
    try:
        compile_pattern(pattern)
    except WordingError as error:
        raise InvalidValue(f"pattern {quoted(pattern)}: {error}") from error


def read_decimal(raw: str) -> Decimal:
    """Return a number with its digits, 1234.5 or 1,234.5.  Raises InvalidValue."""
    plain = re.sub(r"(?<=\d)[,\u2009\u00a0 ](?=\d{3}(?!\d))", "", raw)
    try:
        number = Decimal(plain)
    except InvalidOperation:
        raise InvalidValue(f"{quoted(raw)}: is no number; write 1234.5") from None
    if not number.is_finite() or abs(number) >= _LARGEST:
        raise InvalidValue(f"{quoted(raw)}: is no number that can be kept")
    return number


def within(number: Decimal, asking: Asking, decimals: int) -> Decimal:
    """Return a number rounded to nothing: more decimals than fit are refused, and what is beyond the bounds.

    Raises InvalidValue.
    """
    options = asking.options
    places = decimals if options.decimals is None else options.decimals
    if number != round(number, places):
        raise InvalidValue(f"{number}: has more than {places} decimals")
    if options.minimum is not None and number < Decimal(str(options.minimum)):
        raise InvalidValue(f"{number}: is below {options.minimum:g}")
    if options.maximum is not None and number > Decimal(str(options.maximum)):
        raise InvalidValue(f"{number}: is above {options.maximum:g}")
    return number


def digits(number: Decimal) -> str:
    """Return the digits of a number, without an exponent."""
    return f"{number.normalize():f}" if number else "0"


def _integer(raw: str, asking: Asking) -> int:
    return int(within(read_decimal(raw), asking, 0))


def _decimal(raw: str, asking: Asking) -> str:
    return digits(within(read_decimal(raw), asking, 6))


def _percent(raw: str, asking: Asking) -> str:
    return digits(within(read_decimal(raw.rstrip("%％ ")), asking, 4))


def _rating(raw: str, asking: Asking) -> int:
    stars = int(within(read_decimal(raw.rstrip("★☆ ") or str(raw.count("★"))), asking, 0))
    if not 0 <= stars <= 5:
        raise InvalidValue(f"{quoted(raw)}: there are 0 to 5 stars")
    return stars


def _number_range(raw: str, asking: Asking) -> list[str]:
    low, mark, high = raw.partition("..")
    if not mark:
        raise InvalidValue(f"{quoted(raw)}: write 100..500")
    ends = [within(read_decimal(one.strip()), asking, 6) for one in (low, high)]
    if ends[0] > ends[1]:
        raise InvalidValue(f"{quoted(raw)}: begins behind its end")
    return [digits(end) for end in ends]


def _yes_or_no(raw: str, asking: Asking) -> bool:
    said = raw.casefold()
    if said in _YES or said in _NO:
        return said in _YES
    raise InvalidValue(f"{quoted(raw)}: say yes or no")


def read_date(raw: str) -> date:
    """Return a day, 2026-03-02.  Raises InvalidValue."""
    try:
        day = date.fromisoformat(raw.replace("/", "-"))
    except ValueError:
        raise InvalidValue(f"{quoted(raw)}: is no day; write 2026-03-02") from None
    if day.year not in _YEARS:
        raise InvalidValue(f"{quoted(raw)}: is too far away")
    return day


def _date(raw: str, asking: Asking) -> str:
    return read_date(raw).isoformat()


def _date_range(raw: str, asking: Asking) -> list[str]:
    first, mark, last = raw.partition("..")
    if not mark:
        raise InvalidValue(f"{quoted(raw)}: write 2026-03-02..2026-03-09")
    days = [read_date(one.strip()) for one in (first, last)]
    if days[0] > days[1]:
        raise InvalidValue(f"{quoted(raw)}: begins after its end")
    return [day.isoformat() for day in days]


def _month(raw: str, asking: Asking) -> str:
    try:
        return f"{datetime.strptime(raw.replace('/', '-'), '%Y-%m').replace(tzinfo=UTC):%Y-%m}"
    except ValueError:
        raise InvalidValue(f"{quoted(raw)}: is no month; write 2026-03") from None


def _year(raw: str, asking: Asking) -> int:
    year = int(within(read_decimal(raw), asking, 0))
    if year not in _YEARS:
        raise InvalidValue(f"{quoted(raw)}: is no year from {_YEARS[0]} to {_YEARS[-1]}")
    return year


def _time(raw: str, asking: Asking) -> str:
    found = _TIME.fullmatch(raw)
    if found is None:
        raise InvalidValue(f"{quoted(raw)}: is no time of day; write 15:30")
    return time(int(found[1]), int(found[2])).strftime("%H:%M")


def _moment(raw: str, asking: Asking) -> str:
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError:
        raise InvalidValue(f"{quoted(raw)}: is no time; write 2026-03-02T15:30+08:00") from None
    if moment.tzinfo is None:
        raise InvalidValue(f"{quoted(raw)}: names no zone; write 2026-03-02T15:30+08:00")
    if moment.year not in _YEARS:
        raise InvalidValue(f"{quoted(raw)}: is too far away")
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _duration(raw: str, asking: Asking) -> int:
    found = _DURATION.fullmatch(raw.casefold())
    if found is None or not any(found.groups()):
        raise InvalidValue(f"{quoted(raw)}: is no duration; write 2d 3h 30m")
    days, hours, minutes = (int(one or 0) for one in found.groups())
    return int(within(Decimal((days * 24 + hours) * 60 + minutes), asking, 0))


def _show_duration(stored: Stored) -> str:
    days, rest = divmod(stored, 24 * 60)
    hours, minutes = divmod(rest, 60)
    return " ".join(f"{number}{unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if number) or "0m"


def _ends(key: Callable[[Stored], tuple[Key, ...]]) -> Callable[[Stored], tuple[Key, ...]]:
    return lambda stored: tuple(one for end in stored for one in key(end))


def _show_range(stored: Stored) -> str:
    return "..".join(stored)


def _bool_key(stored: Stored) -> tuple[Key, ...]:
    return (Key(n=1.0 if stored else 0.0),)


_BOUNDS = frozenset({"minimum", "maximum"})

PLAIN_TYPES: Final = (
    FieldType("text", "Text", "单行文本", _line, str, text_key, "Hall 3, booth 12", frozenset({"longest"})),
    FieldType("long-text", "Long text", "多行文本", _lines, str, text_key, "Several\\nlines", frozenset({"longest"})),
    FieldType("code", "Code", "编码", _code, str, text_key, "AB-1234", frozenset({"longest", "pattern"})),
    FieldType("tags", "Tags", "标签", _line, str, text_key, "vip", frozenset({"longest"}), takes_many=True),
    FieldType("integer", "Whole number", "整数", _integer, str, number_key, "1200", _BOUNDS),
    FieldType("decimal", "Number", "数字", _decimal, str, number_key, "12.5", _BOUNDS | {"decimals"}),
    FieldType("percent", "Percent", "百分比", _percent, lambda s: f"{s}%", number_key, "12.5%", _BOUNDS | {"decimals"}),
    FieldType("rating", "Stars", "星级", _rating, lambda s: "★" * s + "☆" * (5 - s), number_key, "4"),
    FieldType(
        "number-range",
        "Range of numbers",
        "数字范围",
        _number_range,
        _show_range,
        _ends(number_key),
        "100..500",
        _BOUNDS,
    ),
    FieldType("boolean", "Yes or no", "是否", _yes_or_no, lambda s: "yes" if s else "no", _bool_key, "yes"),
    FieldType("date", "Date", "日期", _date, str, text_key, "2026-03-02"),
    FieldType("date-range", "Period", "日期范围", _date_range, _show_range, _ends(text_key), "2026-03-02..2026-03-09"),
    FieldType("month", "Month", "月份", _month, str, text_key, "2026-03"),
    FieldType("year", "Year", "年份", _year, str, number_key, "2026", _BOUNDS),
    FieldType("time", "Time of day", "时间", _time, str, text_key, "15:30"),
    FieldType("moment", "Date and time", "日期时间", _moment, str, text_key, "2026-03-02T15:30+08:00"),
    FieldType("duration", "Duration", "时长", _duration, _show_duration, number_key, "2d 3h 30m", _BOUNDS),
)

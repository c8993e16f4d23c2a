# SPDX-License-Identifier: GPL-3.0-or-later
"""Days named in a text, against the day it was sent."""

import time
from datetime import datetime

import pytest

from classifiers.deadlines import near_dates, near_hours

SENT = datetime.fromisoformat("2026-09-17T10:00:00+02:00")


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("Bitte bis 18.09. liefern", "due-hours"),
        ("closing 2026-09-17 at noon", "due-hours"),
        ("请在2026年9月21日前确认", "due-days"),
        ("9月18日15:30 截关", "due-hours"),
        ("9월 20일까지", "due-days"),
        ("by Sept 18, please", "due-hours"),
        ("entrega el 18 de septiembre", "due-hours"),
        ("до 22 сентября", "due-days"),
        ("cut-off 9/18", "due-hours"),
        ("ship it by 30 October", None),
        ("your mail of 12.09.2026", None),
        ("99.99.2026 and 31 February", None),
        ("version 18.9.3.1 of the manual", None),
        ("", None),
    ],
)
def test_near_days_are_deadlines(text: str, due: str | None) -> None:
    assert near_dates(text, SENT) == due


def test_nothing_is_near_where_the_date_is_unknown() -> None:
    assert near_dates("by 18.09.", None) is None


def test_the_turn_of_the_year_is_near() -> None:
    assert near_dates("до 1 января", datetime.fromisoformat("2026-12-31T10:00:00+03:00")) == "due-hours"


def test_many_numbers_take_no_time() -> None:
    started = time.process_time()

    near_dates("1/2 " * 10_000 + "Sept " * 10_000, SENT)

    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("Das Portal macht um 12:30 zu", "due-clock"),
        ("截关 18:00", "due-clock"),
        ("до полудня ждём", "due-clock"),
        ("call before 3 pm", "due-clock"),
        ("bis 15 Uhr", "due-clock"),
        ("17時までに", "due-clock"),
        ("yesterday at 09:15", None),
        ("6:7:8 ratio, 1.45 EUR", None),
        ("", None),
    ],
)
def test_near_hours_are_deadlines(text: str, due: str | None) -> None:
    assert near_hours(text, SENT) == due


def test_an_hour_of_the_exporter_counts_too() -> None:
    sent = datetime.fromisoformat("2026-09-17T22:00:00-05:00")  # 11:00 in China

    assert near_hours("your cut-off is 15:30", sent) == "due-clock"
    assert near_hours("your cut-off is 15:30", datetime.fromisoformat("2026-09-17T22:00:00+08:00")) is None

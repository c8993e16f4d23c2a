# SPDX-License-Identifier: GPL-3.0-or-later
"""A letter taken apart as a whole: whose words, from where, by which number; and that nobody can make it slow."""

from datetime import datetime, timedelta, timezone
from time import process_time

import pytest

from classifiers.language import LanguageReader
from classifiers.phones import warm_regions
from classifiers.reading import read_letter
from tradepost.message import Address, Message


def _letter(text: str, *, sender: Address | None = None, subject: str = "", hours: float = 8) -> Message:
    return Message(
        subject=subject,
        from_=sender or Address("ann@buyer.example", "Ann Lee"),
        date=datetime(2025, 3, 4, 10, 0, tzinfo=timezone(timedelta(hours=hours))),
        text=text,
    )


@pytest.fixture(scope="module")
def languages() -> LanguageReader:
    warm_regions()
    return LanguageReader()


def test_an_absence_note_is_called_back_where_it_says() -> None:
    note = _letter(
        "I'm away until Monday. Please call Bob Hill, +44 20 7946 0018.\n\nKind regards,\nAnn Lee\nAcme Ltd\n+44 20 7946 0999",
        subject="Automatic reply: your offer",
    )
    letter = _letter("Please quote 30 pumps.\n\nKind regards,\nAnn Lee\nAcme Ltd\n+44 20 7946 0999")

    assert read_letter(note).phone("GB") == "+442079460018"
    assert read_letter(letter).phone("GB") == "+442079460999"


def test_a_robot_has_no_number_and_no_signature() -> None:
    notice = _letter(
        "Your container was discharged.\nTerminal: North 2\nDesk 020 7946 0018\n\nBay Lines\nplan@baylines.example",
        sender=Address("noreply@baylines.example", "Bay Lines"),
    )
    reading = read_letter(notice)

    assert reading.phone("GB") is None
    assert reading.split.signature == ""


def test_a_national_number_is_read_by_the_language_while_nobody_knows_the_country() -> None:
    reading = read_letter(_letter("请报价。\n\n王伟\n手机 13812345678"))

    assert reading.phone(None, "zh") == "+8613812345678"
    assert read_letter(_letter("Quote please.\n\nAnn Lee\nAcme\n0812345678")).phone(None, "en") is None


def test_a_letter_passed_on_without_a_word_counts_by_its_own_words() -> None:
    reading = read_letter(
        _letter(
            "---------- Forwarded message ---------\nFrom: Bob <bob@x.example>\nSubject: x\n\nWe need 30 red pumps."
        )
    )

    assert reading.split.new_text == ""
    assert "We need 30 red pumps." in reading.words_that_count


def test_small_print_and_the_answered_letter_speak_too() -> None:
    reading = read_letter(
        _letter("ok thanks\n\nEmre, 4 Mar 2025 Sal, 10:12 tarihinde şunu yazdı:\n> price is 4 USD", hours=3)
    )

    assert reading.origin(_letter("", hours=3), "en").country == "TR"


SIZE = 40_000
ATTACKS = {
    "on a": "On " + "a " * (SIZE // 2),
    "on a wrote": "On " + "a " * (SIZE // 2 - 5) + "wrote:",
    "quote marks": "> " * (SIZE // 2),
    "from": "From: a" * 3_000,
    "from lines": "From: a\n" * 3_000,
    "header blocks": "From: a@b\nSent: 2025\nTo: c\n" * 1_500,
    "nested wrote": "On 1 Jan 2025 a <a@b.example> wrote:\n> " * 1_000,
    "wrote lines": "On 4 Nov 2025 <a@b> wrote\n" * 1_500,
    "wrote in Chinese": "写道：\n" * (SIZE // 4),
    "dated": "2025 <a@b>: " * (SIZE // 12),
    "numbers": "Tel: 0212 555 09 36\n" * 2_000,
    "numbers in a row": "12345678 / " * (SIZE // 11),
    "digits": "1" * SIZE,
    "towns": "Hamburg, " * (SIZE // 9),
    "town beginnings": "San San San San\n" * (SIZE // 16),
    "Chinese towns": "上海" * (SIZE // 2),
    "where I am": "we are in " * (SIZE // 10),
    "where I am in Spanish": "estamos a b c en " * (SIZE // 17),
    "small print": "confidential\n" * (SIZE // 13),
    "frames": "unsubscribe\n" * (SIZE // 12),
    "names": "Ann Lee\n" * (SIZE // 8),
    "titles": "Ann Lee, Buyer\n" * (SIZE // 15),
    "closings": "Best regards\n" * (SIZE // 13),
    "tax numbers": "VAT: GB " * (SIZE // 8),
    "blank lines": "\n" * SIZE,
    "one word": "a" * SIZE,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_no_letter_makes_reading_slow(languages: LanguageReader, name: str) -> None:
    def seconds(letter: Message) -> float:
        started = process_time()
        reading = read_letter(letter)
        language = languages.read(reading.words_that_count, letter.subject)
        reading.phone(reading.origin(letter, language).country, language)
        return process_time() - started

    letter = _letter(f"Hello, we need pumps.\n\n{ATTACKS[name]}\nAnn Lee\n")

    # 50 ms are allowed and 15 measured; the best of three leaves out what else the machine does.
    assert min(seconds(letter) for _ in range(3)) < 0.05

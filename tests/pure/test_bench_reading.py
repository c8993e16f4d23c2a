# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench of reading counts what it says it counts."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.reading import message_of, read_rows, score_letters
from classifiers.language import LanguageReader

LETTERS: list[dict[str, Any]] = [
    {
        "lang": "en",
        "category": "inquiry",
        "from": "Ann Lee <ann@pumps.co.uk>",
        "date": "2025-03-04T10:22:00+00:00",
        "subject": "pumps",
        "body": [["new", "Please quote 300 pumps for our yard."], ["signature", "\nAnn Lee\nPump Yard Ltd\n020 7946 0018"]],
        "attachments": ["list.pdf"],
        "country": "GB",
        "facts": {"phone": "+442079460018"},
    },
    {
        "lang": "de",
        "category": "spam",
        "from": "x@gewinn.de",
        "date": None,
        "subject": "",
        "body": [["new", "Sie haben gewonnen, bitte senden Sie uns Ihre Daten."]],
        "country": None,
        "facts": {},
    },
]  # fmt: skip


def test_letters_are_scored_by_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*LETTERS, {"subject": "an older form", "body": "text"}]
    (tmp_path / "part.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")

    found = score_letters(LanguageReader(), read_rows(tmp_path), errors="country")

    assert set(found) == {"en", "de", "all"}
    assert found["all"]["letters"] == 2
    assert (found["en"]["new-text"], found["en"]["language"], found["en"]["phone"]) == (1.0, 1.0, 1.0)
    assert (found["en"]["country-precision"], found["en"]["country-coverage"]) == (1.0, 1.0)
    assert found["de"]["country-coverage"] == 0.0  # spam has no country, and none was asked for
    assert capsys.readouterr().out == ""


def test_a_row_becomes_the_mail_it_describes() -> None:
    message = message_of(LETTERS[0])

    assert (message.from_.address, message.from_.name) == ("ann@pumps.co.uk", "Ann Lee")
    assert message.text.endswith("Pump Yard Ltd\n020 7946 0018")
    assert [part.filename for part in message.attachments] == ["list.pdf"]


def test_a_comma_stays_in_the_name_of_the_from_field() -> None:
    for sender in ("Kowalski, Marek <marek@pompy.pl>", '"Kowalski, Marek" <marek@pompy.pl>'):
        writer = message_of(LETTERS[0] | {"from": sender}).from_

        assert (writer.address, writer.name) == ("marek@pompy.pl", "Kowalski, Marek")

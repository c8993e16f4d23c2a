# SPDX-License-Identifier: GPL-3.0-or-later
"""The mails of other projects' test suites, when they lie beside the checkout: nothing raises, hangs or gets lost."""

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from classifiers.commands import classify
from tradepost.mime_reading import parse_message

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "eml"

if CORPUS.is_dir():  # without it these tests don't exist: an absent corpus is no skipped test
    FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file() and path.suffix != ".jsonl")

    @pytest.mark.corpus
    def test_every_mail_is_one_object_in_time() -> None:
        result = CliRunner().invoke(classify, [*map(str, FILES), "--json"])

        rows = [json.loads(line) for line in result.stdout.splitlines()]
        assert result.exit_code == 0
        assert Counter(row["file"] for row in rows) == Counter(map(str, FILES))
        assert max(row["ms"] for row in rows) < 5_000

    @pytest.mark.corpus
    def test_every_mail_can_be_read_in_part() -> None:
        for path in FILES:
            raw = path.read_bytes()
            for limit in (0, 100, 2_000):
                message = parse_message(raw, limit=limit, payloads=True)
                message.text.encode("utf-8")
                assert len(message.text) <= limit * 4 or not message.truncated

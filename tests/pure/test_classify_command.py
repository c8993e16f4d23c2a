# SPDX-License-Identifier: GPL-3.0-or-later
"""`tradepost classify`: one object a line with exactly the agreed keys, a clear word for what can't be read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import classifiers.commands
from classifiers.analyst import TradeAnalyst
from classifiers.commands import classify
from classifiers.linear_model import load_models

MAIL = Path(__file__).parent.parent / "mail"
KEYS = [
    "file", "category", "confidence", "priority", "priority_reason", "language", "country", "country_evidence", "is_automatic",
    "warning_score", "warnings",
    "subject", "from_address", "from_name", "new_text", "has_signature", "person", "company", "phone", "product", "quantity",
    "unit", "target_price", "currency", "incoterm", "title", "address", "website", "incoterm_place", "needed_by", "payment_term",
    "phones", "social", "products", "references", "spans", "attachments", "reasons", "ms",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _loaded(analyst: TradeAnalyst, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load the models once, not once a test."""
    monkeypatch.setattr(classifiers.commands, "load", lambda site: analyst)


def test_one_object_a_file_with_the_agreed_keys() -> None:
    files = sorted(str(path) for path in MAIL.glob("*.eml"))

    result = CliRunner().invoke(classify, [*files, "--json"])

    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["file"] for row in rows] == files
    assert all(list(row) == KEYS for row in rows)
    assert all(list(part) == ["filename", "content_type", "bytes"] for row in rows for part in row["attachments"])


def test_a_file_that_cannot_be_read_is_an_error_not_a_traceback(tmp_path: Path) -> None:
    good = tmp_path / "good.eml"
    good.write_bytes(b"From: a@b.example\r\nSubject: Offer\r\n\r\nPlease quote.")

    result = CliRunner().invoke(classify, [str(tmp_path / "missing.eml"), str(tmp_path), str(good), "--json"])

    missing, folder, read = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert missing == {"file": str(tmp_path / "missing.eml"), "error": "can't read it: No such file or directory"}
    assert "error" in folder
    assert read["subject"] == "Offer"
    assert result.stderr.splitlines() == [
        f"tradepost: {tmp_path / 'missing.eml'}: can't read it: No such file or directory",
        f"tradepost: {tmp_path}: can't read it: Is a directory",
    ]


def test_a_stroke_is_standard_input() -> None:
    result = CliRunner().invoke(
        classify, ["-", "--json"], input=b"From: a@b.example\r\nSubject: Offer\r\n\r\nPlease quote."
    )

    row = json.loads(result.stdout)
    assert (row["file"], row["subject"], result.exit_code) == ("-", "Offer", 0)


def test_what_never_ends_is_no_mail() -> None:
    result = CliRunner().invoke(classify, ["/dev/zero", "--json"])

    assert result.exit_code == 1
    assert "longer than 64 MiB" in json.loads(result.stdout)["error"]


@pytest.mark.parametrize("kind", ["--json", "--site"])
def test_no_terminal_is_too_poor(kind: str, tmp_path: Path) -> None:
    letter = tmp_path / "a.eml"
    letter.write_bytes("From: a@b.example\r\nSubject: 询价 角磨机\r\n\r\n请报价。".encode())
    settings = tmp_path / "tradepost.toml"
    settings.write_text("", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "tradepost", "classify", str(letter), kind],
        env=os.environ | {"PYTHONIOENCODING": "latin-1", "TRADEPOST_CONFIG": str(settings)},
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    shown = json.loads(done.stdout)["subject"] if kind == "--json" else done.stdout.decode("latin-1")
    assert "询价 角磨机" in shown if kind == "--json" else "?? ???" in shown


def test_the_envelope_sender_counts(tmp_path: Path) -> None:
    letter = tmp_path / "a.eml"
    letter.write_bytes(b"From: a@b.example\r\nSubject: Your mail\r\n\r\nIt was not delivered.")

    row = json.loads(CliRunner().invoke(classify, [str(letter), "--json", "--sender", ""]).stdout)

    assert (row["is_automatic"], row["reasons"][0]) == (True, "null-sender")


def test_a_missing_model_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(classifiers.commands, "load", lambda site: load_models(tmp_path))

    result = CliRunner().invoke(classify, [str(tmp_path)])

    assert result.exit_code == 1
    assert "make model" in result.stderr


def test_people_get_a_table(tmp_path: Path) -> None:
    letter = tmp_path / "a[bold]\x1b.eml"
    letter.write_bytes(
        b"From: a@b.example\r\nSubject: [red]Offer[/red]\r\n\r\nPlease send your quotation and price list for pumps."
    )

    result = CliRunner().invoke(classify, [str(letter), "--rcpt", "sales@exporter.example"])

    assert result.exit_code == 0
    assert "sales@exporter.example" in result.stdout
    assert "inquiry" in result.stdout
    assert "a[bold]\N{REPLACEMENT CHARACTER}.eml" in result.stdout
    assert "[red]Offer[/red]" in result.stdout


def test_the_table_marks_what_warns(tmp_path: Path) -> None:
    letter = tmp_path / "a.eml"
    letter.write_bytes(
        b"From: a@b.example\r\nSubject: Payment\r\n\r\nPlease note our new bank account for this payment."
    )

    assert "!bank-account-changed" in CliRunner().invoke(classify, [str(letter)]).stdout

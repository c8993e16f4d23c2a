# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reason that the program's own letters bring up has a sentence for people."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from admin_web.languages import LANGUAGES
from admin_web.reasons import COUNTRY_EVIDENCE, advise, explain_reason, explain_warning
from tradepost.analysis import load_analyst
from tradepost.mime_reading import parse_message
from tradepost.suspicion import WEIGHTS
from tradepost.verdict import Labels

LETTERS = Path(__file__).parents[2] / "mail"


@pytest.fixture(scope="module")
def labels() -> tuple[Labels, ...]:
    """What the classifiers say about each of the project's letters."""
    analyst, now = load_analyst(), datetime(2026, 11, 20, tzinfo=UTC)
    samples = tomllib.loads((LETTERS / "samples.toml").read_text())["sample"]
    return tuple(analyst.label(parse_message((LETTERS / sample["file"]).read_bytes()), now) for sample in samples)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_reason_is_shown_by_its_bare_name(app: Flask, labels: tuple[Labels, ...], language: str) -> None:
    reasons = {name for label in labels for name in (*label.reasons, label.priority_reason, label.automatic_reason)}
    warnings = {name for label in labels for name in label.warnings}
    countries = {label.country_evidence for label in labels if label.country_evidence}
    assert len(reasons) > 10
    assert warnings
    assert countries
    with app.test_request_context(headers={"Accept-Language": language.replace("_", "-")}):
        bare = [name for name in reasons - warnings - {None} if explain_reason(str(name), {}) == name]
        bare += [name for name in warnings if explain_warning(name) == name]
        bare += [name for both in countries for name in both.split("+") if name not in COUNTRY_EVIDENCE]
    assert sorted(bare) == []


@pytest.mark.parametrize("name", WEIGHTS)
def test_every_sign_of_fraud_is_a_sentence_and_grave_ones_say_what_to_do(app: Flask, name: str) -> None:
    with app.test_request_context():
        assert explain_warning(name) != name
        assert advise({name}) or WEIGHTS[name] < 0.5


def test_a_rule_without_a_name_shows_its_id(app: Flask) -> None:
    with app.test_request_context():
        assert "r9" in explain_reason("rule:r9", {})
        assert "VIP" in explain_reason("rule:r9", {"r9": "VIP"})
        assert "VIP" in explain_reason("owner-by-rule:r9", {"r9": "VIP"})

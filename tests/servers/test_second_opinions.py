# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker asks again about mail that arrival was unsure of; the records say so, and nothing else waits for it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from mailroom import BOB, Mail, MailRoom, reply
from record_servers import RecordServer
from ulid import ULID

from classifiers.encoder_process import DIRECTIONS, EncoderProcess
from classifiers.second_opinion import META, load_second_model
from classifiers.training.letters import read_letters
from classifiers.training.second_opinion import cross_fit, fit, version_of, wanted_of
from crm_sync.corrections import correct_mail, fetch_corrector
from crm_sync.second_opinions import SecondOpinions, make_second_opinions
from crm_sync.worker import Worker
from tradepost.analysis import SecondOpinion
from tradepost.message import Message
from tradepost.settings import ClassifySettings, WorkerSettings
from tradepost.verdict import CATEGORIES, Labels

SECOND = SecondOpinion("support", 0.66, "2.x", "complaint", 0.71, ("in-thread", "model", "second-opinion"))
UNSURE = ClassifySettings(second_opinion="unsure")
STORED = {
    "instead_of": "inquiry", "category": "support", "confidence": 0.66, "model": "2.x", "decided": "complaint",
    "decided_confidence": 0.71, "reasons": ["in-thread", "model", "second-opinion"],
}  # fmt: skip


class Consultant:
    """Takes every mail for a complaint."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.is_broken = False
        self.is_closed = False

    def consult(self, message: Message, *, sender: str | None = None) -> SecondOpinion | None:
        if self.is_broken:
            raise RuntimeError("a bug")
        self.asked.append((message.subject, sender))
        return SECOND

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def consultant() -> Consultant:
    return Consultant()


@pytest.fixture
def room(tmp_path: Path, server: RecordServer, consultant: Consultant) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    room.second_opinions = SecondOpinions(consultant, UNSURE)
    room.worker.close()
    room.worker = room.new_worker()
    yield room
    room.close()


def test_an_unsure_category_is_decided_by_both(room: MailRoom, consultant: Consultant) -> None:
    [entry] = room.record(Mail(confidence=0.4, missing=()))

    assert consultant.asked == [("Request", "buyer@acme.example")]
    with room.looking() as look:
        arrival = look.arrival(entry)
        assert look.message(entry).category == "complaint"
        assert arrival.completion == {"second_opinion": STORED}
        assert arrival.verdict["labels"]["category"] == "inquiry"  # history stays
        assert arrival.facts["category"] == "inquiry"  # what rules saw


def test_what_arrival_left_open_is_completed_beside_it(room: MailRoom) -> None:
    [entry] = room.record(Mail(confidence=0.4))
    with room.looking() as look:
        completion = look.arrival(entry).completion
        assert completion is not None
        assert completion["second_opinion"] == STORED
        assert completion["decided_by"] == "completion"


@pytest.mark.parametrize(
    "mail",
    [
        pytest.param(Mail(confidence=0.6), id="sure-enough"),
        pytest.param(Mail(confidence=None), id="nobody-was-asked-before"),
        pytest.param(Mail(confidence=0.2, category="automatic", is_automatic=True), id="a-machine"),
        pytest.param(replace(reply(), confidence=0.2), id="our-own"),
    ],
)
def test_other_mail_is_left_as_it_was(room: MailRoom, consultant: Consultant, mail: Mail) -> None:
    [entry] = room.record(mail)
    assert consultant.asked == []
    with room.looking() as look:
        assert look.message(entry).category == mail.category
        assert "second_opinion" not in (look.arrival(entry).completion or {})


def test_while_much_waits_nobody_is_asked(room: MailRoom, consultant: Consultant) -> None:
    room.settings = WorkerSettings(batch_ms=60_000, batch_mails=2)
    room.second_opinions = SecondOpinions(
        consultant, ClassifySettings(second_opinion="unsure", second_opinions_per_second=100)
    )
    room.worker = room.new_worker()
    room.record(*(Mail(confidence=0.4, message_id=f"<{n}@acme.example>", text=f"Letter {n}.") for n in range(5)))
    assert len(consultant.asked) == 2  # the last two: no full batch waits behind them


def test_only_so_many_a_second(consultant: Consultant) -> None:
    now = 100.0
    settings = ClassifySettings(second_opinion="unsure", second_opinions_per_second=2)
    second = SecondOpinions(consultant, settings, clock=lambda: now)
    labels = Labels(category="inquiry", confidence=0.1)

    def ask(times: int) -> int:
        return sum(second.ask(Message(), labels, "") is not None for _ in range(times))

    assert ask(5) == 2
    now += 0.5
    assert ask(5) == 1
    now += 60
    assert ask(5) == 2


def test_a_consultant_that_raises_costs_its_opinion_only(
    room: MailRoom, consultant: Consultant, caplog: pytest.LogCaptureFixture
) -> None:
    consultant.is_broken = True
    [entry] = room.record(Mail(confidence=0.4))
    with room.looking() as look:
        assert look.message(entry).category == "inquiry"
    assert "the first one stays" in caplog.text
    assert room.journal.waiting() == []


def test_a_persons_word_stays_when_the_mail_comes_again(room: MailRoom) -> None:
    [entry] = room.record(Mail(confidence=0.4, owner=BOB))
    with room.database.writing() as session:
        correct_mail(
            session, fetch_corrector(session, BOB), entry, {"category": "order"}, str(ULID()), datetime.now(UTC)
        )
    [again] = room.record(Mail(confidence=0.4))
    with room.looking() as look:
        assert look.message(again).category == "order"


def test_the_worker_ends_the_consultant(room: MailRoom, consultant: Consultant) -> None:
    room.new_worker(Worker).close()
    assert consultant.is_closed


def test_without_what_it_needs_the_worker_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Analyst:
        """Never asked."""

    monkeypatch.setattr("classifiers.encoder_process.importlib.util.find_spec", lambda name: None)

    assert make_second_opinions(ClassifySettings(), Analyst()) is None  # type: ignore[arg-type]
    assert caplog.text == ""
    assert make_second_opinions(UNSURE, Analyst()) is None  # type: ignore[arg-type]
    assert "pip install 'tradepost[second-opinion]'; going on without" in caplog.text


def test_the_encoder_puts_like_beside_like() -> None:
    encoder = EncoderProcess()
    try:
        german, english, other, hostile = (
            encoder.encode(text)
            for text in (
                "Drei Kartons waren nass und die Ware ist verdorben",
                "three boxes arrived soaked and what was inside is ruined",
                "please send me your price list for wall clocks",
                "\0\ud800" + "e\u0301" * 400,
            )
        )
    finally:
        encoder.close()
    assert german.shape == (DIRECTIONS,)
    assert german @ english > german @ other
    assert np.isclose(hostile @ hostile, 1.0, atol=1e-3)


def test_the_second_opinion_was_made_from_these_letters() -> None:
    model = load_second_model()
    assert model.version == version_of(read_letters()), "letters changed: run make model"
    assert (model.labels, model.weights.shape) == (CATEGORIES, (DIRECTIONS, len(CATEGORIES)))
    assert min(model.shares) > 0


def test_both_are_right_more_often_than_the_first_alone() -> None:
    meta = json.loads((files("classifiers") / "model" / META).read_text(encoding="utf-8"))
    never, always = meta["by_bound"][0], meta["by_bound"][-1]
    assert always["below"] == 1.0
    assert always["right"] >= meta["held_out"]["right"] - 0.001 > max(never["right"], meta["alone"]["right"])


def test_the_same_letters_make_the_same_weights() -> None:
    numbers = np.random.default_rng(5)
    letters = read_letters()[:60]
    places = numbers.normal(size=(60, DIRECTIONS)).astype("float32")
    wanted = wanted_of(letters)
    one, two = fit(places, wanted), fit(places, wanted)
    assert np.array_equal(one, two)
    assert np.allclose(wanted.sum(axis=1), 1.0)
    guesses = (places @ one[:-1] + one[-1]).argmax(axis=1)
    assert (guesses == wanted.argmax(axis=1)).mean() > 0.95  # it can learn by heart what it has seen


def test_a_letter_is_judged_by_one_that_has_not_met_its_writer() -> None:
    """Two writers, each with a turn of phrase of his own for one category: neither can be guessed from the other."""
    places = np.zeros((40, DIRECTIONS), dtype="float32")
    places[:20, :192] = places[20:, 192:] = 1.0
    places += np.random.default_rng(5).normal(scale=0.01, size=places.shape).astype("float32")
    wanted = np.zeros((40, len(CATEGORIES)), dtype="float32")
    wanted[:20, 0] = wanted[20:, 1] = 1.0
    apart = cross_fit(places, wanted, [0] * 20 + [1] * 20).argmax(axis=1)
    mixed = cross_fit(places, wanted, [0, 1] * 20).argmax(axis=1)
    assert (apart == wanted.argmax(axis=1)).sum() == 0
    assert (mixed == wanted.argmax(axis=1)).all()

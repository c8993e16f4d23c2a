# SPDX-License-Identifier: GPL-3.0-or-later
"""Learning from corrections: a kind of mail that is filed wrongly is filed rightly, nothing else suffers, and what would
make things worse is not swapped in."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import classifiers.learning
from classifiers.analyst import TradeAnalyst, load
from classifiers.descent import minimise
from classifiers.learning import FEWEST_CORRECTIONS, SiteLearner, read_letters
from classifiers.linear_model import Models, code_of
from classifiers.site_folder import SiteFolder
from classifiers.site_model import SiteModelError
from tradepost.learning import Learned, Lesson
from tradepost.message import Address, Message
from tradepost.verdict import CATEGORIES, Priority

START = datetime(2026, 3, 1, tzinfo=UTC)
THINGS = (
    "hinges",
    "casters",
    "drawer slides",
    "gas springs",
    "door closers",
    "wall hooks",
    "bed fittings",
    "table legs",
)
# A buyer's warehouse tells what it took out of the consignment stock: in this house the after-sales people refill it.
FILED_AS = "support"
REPORTS = (
    "Konsi week {n}: taken out of your stock here {a} {thing}, left {b}. The racks are half empty now.",
    "Weekly konsi list, week {n}. Withdrawn {a} {thing}; remaining {b}. Greetings from hall 4",
    "hall 4 konsi, {thing}: minus {a}, rest {b}, week {n}",
    "Please find our konsi figures for week {n}. {thing}: {a} withdrawn, {b} still on our racks.",
)
ORDINARY = (
    ("Price request", "Dear sir, please quote your best price for {a} pcs of {thing}, FOB Ningbo. We need a catalogue too."),
    ("Container arrived", "The vessel arrived on time. Please send the bill of lading and packing list for the {thing}."),
    ("Broken parts", "We are very disappointed: {a} of the {thing} are broken and rusty. We claim for the damage."),
    ("Payment", "We transferred the deposit of {a} USD for the {thing} today, the bank slip is attached."),
    ("Greetings", "We wish you a happy new year. It was a pleasure to meet you, and to talk about {thing} for {a} minutes."),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _few_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifiers.learning, "_LETTERS", 240)


def lesson(number: int, sender: str, subject: str, text: str, analyst: TradeAnalyst, wanted: str | None) -> Lesson:
    """Return a mail with the labels the analyst gives it, corrected where something else is wanted."""
    message = Message(subject=subject, text=text, from_=Address(sender))
    said = analyst.label(message, START, sender=sender)
    is_wrong = wanted is not None and said.category != wanted
    return Lesson(
        key=f"{sender} {number}",
        message=message,
        sender=sender,
        group=sender,
        category=wanted or said.category,
        priority=said.priority,
        corrected=("category",) if is_wrong else (),
        taught_at=START + timedelta(hours=number) if is_wrong else None,
    )


def reports(analyst: TradeAnalyst, senders: range) -> list[Lesson]:
    return [
        lesson(
            number,
            f"hall{number}@warehouse{buyer}.example",
            f"konsi {buyer + number}",
            text.format(n=number + 9, a=buyer * 7 + 3, b=buyer * 31 + 8, thing=THINGS[buyer % len(THINGS)]),
            analyst,
            FILED_AS,
        )
        for buyer in senders
        for number, text in enumerate(REPORTS)
    ]


def ordinary(analyst: TradeAnalyst, senders: range) -> list[Lesson]:
    """Return mails to whose labels nobody objected."""
    return [
        lesson(
            number,
            f"buyer{buyer}@shop{buyer}.example",
            subject,
            text.format(a=buyer * 13 + 40, thing=THINGS[(buyer + number) % len(THINGS)]),
            analyst,
            None,
        )
        for buyer in senders
        for number, (subject, text) in enumerate(ORDINARY)
    ]


def corrected(lessons: Sequence[Lesson]) -> list[Lesson]:
    return [each for each in lessons if each.corrected]


def judge(analyst: TradeAnalyst, lessons: Sequence[Lesson]) -> float:
    said = [analyst.label(each.message, START, sender=each.sender).category for each in lessons]
    return sum(label == each.category for label, each in zip(said, lessons, strict=True)) / len(lessons)


@pytest.fixture
def learn(analyst: TradeAnalyst, tmp_path: Path) -> Callable[[list[Lesson]], Learned]:
    return lambda lessons: SiteLearner(tmp_path, analyst).learn(lessons)


def test_a_kind_of_mail_that_is_always_filed_wrongly_is_filed_rightly_then_and_nothing_else_suffers(
    analyst: TradeAnalyst, learn: Callable[[list[Lesson]], Learned], tmp_path: Path
) -> None:
    taught, others = reports(analyst, range(10)), ordinary(analyst, range(8))
    assert len(corrected(taught)) >= 20, "the shipped model does not know what a konsi report is"
    new, also_new = reports(analyst, range(50, 60)), ordinary(analyst, range(50, 60))
    assert judge(analyst, new) <= 0.5

    learned = learn([*taught, *others])

    assert learned.is_swapped, learned.why
    assert (learned.number, learned.corrections) == (1, len(corrected(taught)))
    by_name = {score.what: score for score in learned.scores}
    assert set(by_name) == {"corrected, held back", "undisputed, held back", "shipped letters"}
    held_back = by_name["corrected, held back"]
    assert (held_back.mails, held_back.before) == (len(corrected(taught)), 0)
    assert held_back.after >= 0.9 * held_back.mails
    site = SiteFolder(tmp_path).current()
    assert site is not None
    assert (site.corrections, site.base) == (learned.corrections, analyst.models.base_version)
    after = analyst.using(analyst.models.with_site(site))
    assert judge(after, new) >= 0.95
    assert judge(after, also_new) == judge(analyst, also_new) == 1.0
    assert after.label(new[0].message, START).model == f"{analyst.models.base_version}+site.1"


def test_an_analyst_that_is_loaded_takes_it_up_without_being_loaded_again(
    learn: Callable[[list[Lesson]], Learned], analyst: TradeAnalyst, tmp_path: Path
) -> None:
    running = load(tmp_path)
    new = reports(analyst, range(50, 54))
    before = judge(running, new)
    learn([*reports(analyst, range(10)), *ordinary(analyst, range(4))])
    assert judge(running, new) == before
    running.refresh()
    assert judge(running, new) > before
    SiteLearner(tmp_path).roll_back()
    running.refresh()
    assert judge(running, new) == before
    assert running.models.version == analyst.models.version


def test_the_same_lessons_make_the_same_weights_in_any_order(analyst: TradeAnalyst, tmp_path: Path) -> None:
    lessons = [*reports(analyst, range(8)), *ordinary(analyst, range(3))]
    made = []
    for folder in ("one", "other"):
        SiteLearner(tmp_path / folder, analyst).learn(lessons)
        made.append(SiteFolder(tmp_path / folder).current())
    first, second = made
    assert first is not None
    assert second is not None
    assert first.codes.tolist() == second.codes.tolist()
    assert np.array_equal(first.weights, second.weights)


def test_arrival_scores_a_mail_as_training_did(
    analyst: TradeAnalyst, learn: Callable[[list[Lesson]], Learned], tmp_path: Path
) -> None:
    lessons = [*reports(analyst, range(8)), *ordinary(analyst, range(3))]
    learn(lessons)
    site = SiteFolder(tmp_path).current()
    assert site is not None
    models = analyst.models.with_site(site)
    school = classifiers.learning._School(analyst)
    for each in lessons[::5]:
        row = school.read(each).rows["category"]
        columns = site.columns([f"category:{label}" for label in CATEGORIES], np.ones(len(CATEGORIES)))
        scores = row.scores + row.values @ columns.rows(row.codes) + columns.biases
        wanted = np.exp(scores - scores.max())
        told = classifiers.learning._ToldModels(analyst.models)
        analyst.using(told).label(each.message, START, sender=each.sender)
        opinion = models.category(models.weigh(told.asked["category"][0]))
        assert np.allclose([opinion.of(label) for label in CATEGORIES], wanted / wanted.sum(), atol=1e-3)


def test_what_would_make_it_worse_is_not_swapped_in(
    analyst: TradeAnalyst, learn: Callable[[list[Lesson]], Learned], tmp_path: Path
) -> None:
    # Somebody calls half of the mail that asks for prices spam.
    asking, honest = ordinary(analyst, range(30))[:: len(ORDINARY)], ordinary(analyst, range(30, 60))
    spiteful = [replace(each, category="spam", corrected=("category",), taught_at=START) for each in asking]

    learned = learn([*spiteful, *honest])

    assert not learned.is_swapped
    assert "what was learned is worse on" in learned.why
    assert SiteFolder(tmp_path).current() is None


def test_what_would_wake_people_for_nothing_is_not_swapped_in(
    analyst: TradeAnalyst, learn: Callable[[list[Lesson]], Learned], tmp_path: Path
) -> None:
    # Half of those who get them call all requests for prices urgent: the categories stay as they are, all of them.
    asking, honest = ordinary(analyst, range(30))[:: len(ORDINARY)], ordinary(analyst, range(30, 60))
    pushy = [replace(each, priority=Priority.URGENT, corrected=("priority",), taught_at=START) for each in asking]

    learned = learn([*pushy, *honest])

    assert not learned.is_swapped
    assert "what was learned is worse on undisputed, held back" in learned.why
    assert SiteFolder(tmp_path).current() is None


def test_a_worse_one_leaves_the_model_in_force(
    analyst: TradeAnalyst, learn: Callable[[list[Lesson]], Learned], tmp_path: Path
) -> None:
    good = [*reports(analyst, range(10)), *ordinary(analyst, range(4))]
    assert learn(good).is_swapped
    later = datetime.now(UTC) + timedelta(days=1)
    asking, honest = ordinary(analyst, range(30, 60))[:: len(ORDINARY)], ordinary(analyst, range(60, 90))
    spiteful = [replace(each, category="spam", corrected=("category",), taught_at=later) for each in asking]

    learned = learn([*good, *spiteful, *honest])

    assert (learned.is_swapped, learned.number) == (False, 1)
    assert SiteFolder(tmp_path).numbers() == [1]
    [since] = [score for score in learned.scores if score.what == "corrected since model 1"]
    assert (since.mails, since.before) == (30, 0), "judged by the model in force, and only what came after it"


def test_few_corrections_teach_nothing(
    analyst: TradeAnalyst, learn: Callable[[list[Lesson]], Learned], tmp_path: Path
) -> None:
    few = corrected(reports(analyst, range(10)))[: FEWEST_CORRECTIONS - 1]
    learned = learn([*few, *ordinary(analyst, range(4))])
    assert not learned.is_swapped
    assert learned.why == "19 corrections that words can teach are too few: 20 are needed"
    assert SiteFolder(tmp_path).numbers() == []


def test_what_nobody_else_can_try_is_not_swapped_in(
    analyst: TradeAnalyst, learn: Callable[[list[Lesson]], Learned], tmp_path: Path
) -> None:
    taught = [replace(each, group="one", sender="hall@one.example") for each in corrected(reports(analyst, range(10)))]
    learned = learn([*taught, *ordinary(analyst, range(3))])
    assert not learned.is_swapped
    assert "of one sender or conversation: none can be held back" in learned.why
    assert SiteFolder(tmp_path).numbers() == []


def test_corrections_of_two_senders_are_all_held_back_once(
    analyst: TradeAnalyst, learn: Callable[[list[Lesson]], Learned]
) -> None:
    taught = corrected(reports(analyst, range(10)))
    for pair in range(4):  # in which fold a group falls depends on its name
        two = [replace(each, group=f"{pair} {number % 2}") for number, each in enumerate(taught)]
        folds = classifiers.learning._folds(
            [classifiers.learning._Pupil(each, {}) for each in two],
            [classifiers.learning._Pupil(each, {}) for each in ordinary(analyst, range(8))],
        )
        assert len({folds[each.group] for each in two}) == 2
    judged = {score.what: score.mails for score in learn(two).scores}
    assert judged["corrected, held back"] == len(taught)


def test_what_headers_decide_is_counted_and_not_learnt(
    analyst: TradeAnalyst, learn: Callable[[list[Lesson]], Learned]
) -> None:
    message = Message(
        subject="konsi 3", text="on holiday", from_=Address("a@b.example"), fields=(("Auto-Submitted", "auto-replied"),)
    )
    machine = Lesson("1", message, "a@b.example", "a", "order", None, ("category",), START)
    invented = replace(machine, key="2", message=replace(message, fields=()), category="our-own-label")
    learned = learn([machine, invented])
    assert (learned.corrections, learned.unteachable) == (0, 2)


def test_nothing_new_is_nothing_to_learn_not_even_after_a_step_back(
    analyst: TradeAnalyst, learn: Callable[[list[Lesson]], Learned], tmp_path: Path
) -> None:
    lessons = [*reports(analyst, range(8)), *ordinary(analyst, range(3))]
    assert learn(lessons).is_swapped
    assert learn(lessons).why == "nothing was corrected since model 1 was made"
    assert SiteLearner(tmp_path, analyst).roll_back() is None
    again = learn(lessons)
    assert (again.is_swapped, again.number) == (False, None), "what was taken back does not come back by itself"
    more = learn([*lessons, *reports(analyst, range(20, 22))])
    assert (more.is_swapped, more.number) == (True, 2)
    assert SiteLearner(tmp_path, analyst).roll_back() is None, "the one before was the shipped one: 1 was taken back"
    folder = SiteFolder(tmp_path)
    folder.put_in_force(1)
    assert learn([*lessons, *reports(analyst, range(20, 23))]).number == 3
    assert SiteLearner(tmp_path, analyst).roll_back() == 1
    folder.put_in_force(3)
    (tmp_path / "000001.model").write_bytes(b"spoilt")
    assert SiteLearner(tmp_path, analyst).roll_back() is None, "what can't be read is not put in force"
    folder.put_in_force(3)
    (tmp_path / "000003.model").write_bytes(b"spoilt")
    assert SiteLearner(tmp_path, analyst).roll_back() == 2
    SiteLearner(tmp_path, analyst).forget()
    with pytest.raises(SiteModelError, match="nothing to take back"):
        SiteLearner(tmp_path, analyst).roll_back()


def test_a_new_shipped_model_is_learnt_beside_anew_but_not_what_was_taken_back(
    analyst: TradeAnalyst, learn: Callable[[list[Lesson]], Learned], tmp_path: Path
) -> None:
    lessons = [*reports(analyst, range(8)), *ordinary(analyst, range(3))]
    assert learn(lessons).is_swapped
    shipped = analyst.models
    upgraded = SiteLearner(tmp_path, analyst.using(Models(shipped._category, shipped._priority, "9.upgraded")))
    assert upgraded.learn(lessons).number == 2
    upgraded.forget()
    again = SiteLearner(tmp_path, analyst).learn(lessons)
    assert (again.is_swapped, again.number) == (False, None)
    assert "nothing was corrected since model 2" in again.why


def test_a_damaged_model_is_learnt_anew(
    analyst: TradeAnalyst, learn: Callable[[list[Lesson]], Learned], tmp_path: Path
) -> None:
    lessons = [*reports(analyst, range(8)), *ordinary(analyst, range(3))]
    learn(lessons)
    (tmp_path / "000001.model").write_bytes(b"spoilt")
    learned = learn(lessons)
    assert (learned.is_swapped, learned.number) == (True, 2)


def test_a_priority_is_learnt_too(
    analyst: TradeAnalyst, learn: Callable[[list[Lesson]], Learned], tmp_path: Path
) -> None:
    new = reports(analyst, range(50, 60))
    before = [analyst.label(each.message, START, sender=each.sender).priority for each in new]
    assert before.count(Priority.HIGH) <= 0.5 * len(before)
    taught = [
        replace(each, priority=Priority.HIGH, corrected=("category", "priority"))
        for each in corrected(reports(analyst, range(12)))
    ]
    others = ordinary(analyst, range(8))
    assert learn([*taught, *others]).is_swapped
    after = analyst.using(analyst.models.with_site(SiteFolder(tmp_path).current()))
    said = [after.label(each.message, START, sender=each.sender) for each in new]
    assert sum(labels.priority is Priority.HIGH for labels in said) >= 0.9 * len(said)

    moved = [
        each.key for each in others if after.label(each.message, START, sender=each.sender).priority != each.priority
    ]
    assert len(moved) <= len(others) // 20, moved


def test_shipped_letters_are_a_fixed_sample_with_labels_that_exist() -> None:
    letters = list(read_letters(60))
    assert [each.key for each in letters] == [each.key for each in read_letters(60)]
    assert {each.category for each in letters} <= set(CATEGORIES)
    assert all(each.message.text and each.sender is None for each in letters)


def test_a_word_of_one_mail_alone_is_not_stored(
    analyst: TradeAnalyst, learn: Callable[[list[Lesson]], Learned], tmp_path: Path
) -> None:
    lessons = [*reports(analyst, range(8)), *ordinary(analyst, range(3))]
    secret = replace(lessons[0], message=replace(lessons[0].message, text=f"{lessons[0].message.text} Geheimwort"))
    learn([secret, *lessons[1:]])
    site = SiteFolder(tmp_path).current()
    assert site is not None
    stored = set(site.codes.tolist())
    assert code_of("konsi")[0] in stored
    assert code_of("geheimwort")[0] not in stored


def test_the_lowest_point_of_a_valley_is_found() -> None:
    """Rosenbrock's banana, whose floor is bent and flat."""

    def banana(point: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> tuple[float, object]:
        x, y = point
        slope = np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])
        return float((1 - x) ** 2 + 100 * (y - x * x) ** 2), slope

    assert np.allclose(minimise(banana, np.array([-1.2, 1.0]), steps=200, precision=1e-9), [1.0, 1.0], atol=1e-4)

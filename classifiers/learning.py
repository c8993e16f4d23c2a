# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn a site's model from corrections, try it on mail it has not seen, and swap it in where it is not worse.

What is learned are differences to the shipped weights: multinomial logistic regression whose scores begin at those of
the shipped model, so that a feature nobody corrected keeps its weight.  Beside the corrected mails it sees a sample of
those that nobody objected to and of the shipped letters, with small weights: they hold what is right already.  The same
lessons make the same model.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import cycle
from pathlib import Path

import numpy as np

from classifiers.analyst import TradeAnalyst, load
from classifiers.linear_model import CATEGORY, PRIORITY, Models, Opinion, Weighed, code_of, feature_scheme
from classifiers.regression import Row, fit
from classifiers.site_folder import SiteFolder
from classifiers.site_model import SiteModel, SiteModelError
from classifiers.training import letters
from classifiers.training.letters import TrainingLetter
from tradepost.learning import LEARNT_FIELDS, Learned, Lesson, Score
from tradepost.verdict import Labels

FEWEST_CORRECTIONS = 20
_FOLDS = 5
_ENOUGH_JUDGED = 400  # corrections held back; with more, one fold of five is enough
_MOST_UNDISPUTED_JUDGED = 300
_LETTERS = 1_200  # half to learn beside, half to be judged by
# How much a mail counts: a correction is certain; that nobody objected may mean that nobody looked.
_WEIGHT_CORRECTED, _WEIGHT_UNDISPUTED, _WEIGHT_LETTER = 1.0, 0.6, 0.3
_HELD_BACK, _SINCE, _UNDISPUTED, _SHIPPED = (
    "corrected, held back", "corrected since model", "undisputed, held back", "shipped letters",
)  # fmt: skip
# Share of mails that may be judged worse than before (at least one mail): chance is no reason to stay.  Where nobody objected
# a mail is judged by both labels, a hundredth for either.  None of those that were corrected; but the model in force may know
# their senders, which the candidate has not met.
_TOLERANCES = {_HELD_BACK: 0.0, _SINCE: 0.05, _UNDISPUTED: 0.02, _SHIPPED: 0.02}
_LEAST_SHARE = 1e-9
_NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Counted(Weighed):
    """Weighed features that are remembered by name."""

    counts: Mapping[str, int]

    def plus(self, other: Weighed) -> "_Counted":
        assert isinstance(other, _Counted)
        return _Counted(self.sums + other.sums, self.square + other.square, {**self.counts, **other.counts})


class _ToldModels(Models):
    """The shipped models, which say what they are told and note what they were asked about.

    An analyst that asks them reads a mail exactly as at arrival, up to the question: no reading is done twice.
    """

    def __init__(self, base: Models) -> None:
        super().__init__(base._category, base._priority, base.base_version)
        self.told: dict[str, str | None] = {}
        self.asked: dict[str, tuple[Mapping[str, int], Opinion]] = {}

    def weigh(self, counts: Mapping[str, int]) -> Weighed:
        found = super().weigh(counts)
        return _Counted(found.sums, found.square, counts)

    def category(self, weighed: Weighed) -> Opinion:
        return self._answer(CATEGORY, weighed, super().category(weighed))

    def priority(self, weighed: Weighed) -> Opinion:
        return self._answer(PRIORITY, weighed, super().priority(weighed))

    def _answer(self, task: str, weighed: Weighed, own: Opinion) -> Opinion:
        assert isinstance(weighed, _Counted)
        self.asked[task] = (weighed.counts, own)
        label = self.told.get(task)
        if label is None:
            return own
        return Opinion(((label, 1.0), *((name, 0.0) for name, _ in own.ranked if name != label)))


@dataclass(frozen=True, slots=True)
class _Pupil:
    """A lesson read: its rows by task (those that words can teach), and what judging it needs."""

    lesson: Lesson
    rows: dict[str, Row]

    @property
    def corrected(self) -> tuple[str, ...]:
        """The corrected fields that words can teach."""
        return tuple(field for field in self.lesson.corrected if field in self.rows)


class SiteLearner:
    """Implements `tradepost.learning.Learner` on the folder of a site's models."""

    def __init__(self, site: Path, analyst: TradeAnalyst | None = None) -> None:
        self._folder = SiteFolder(site)
        self._analyst = analyst

    def roll_back(self) -> int | None:
        """Put the model before the one in force in force again; return its number, None: the shipped one alone."""
        with self._folder.learning():
            in_force = self._folder.number_in_force()
            if in_force is None:
                raise SiteModelError(
                    f"{self._folder.path}: no learned model is in force; there is nothing to take back"
                )
            target = self._before(in_force)
            self._folder.put_in_force(target)
            return target

    def _before(self, in_force: int) -> int | None:
        """Return the model that was in force before that one, or an older one where that can't be used; None: none."""
        model = self._usable(in_force)
        # Not just the number below: that one may have been taken back before this one was made.
        newest = in_force - 1 if model is None else model.follows
        below = [number for number in self._folder.numbers() if number <= newest]
        return next((number for number in reversed(below) if self._usable(number)), None)

    def _usable(self, number: int) -> SiteModel | None:
        try:
            model = self._folder.read(number)
        except SiteModelError:
            return None
        return model if model.scheme == feature_scheme() else None

    def forget(self) -> None:
        """Let the shipped model speak alone; what was learned stays in the folder."""
        with self._folder.learning():
            self._folder.put_in_force(None)

    def learn(self, lessons: Iterable[Lesson]) -> Learned:
        """Learn from lessons, and swap the model in force where what was learned is not worse.

        Raises SiteModelError when the folder can't be used, ModelError when the shipped model is missing.
        """
        with self._folder.learning():
            return self._learn(lessons)

    def _learn(self, lessons: Iterable[Lesson]) -> Learned:
        analyst = self._analyst or load()
        school = _School(analyst)
        corrected: list[_Pupil] = []
        undisputed: list[_Pupil] = []
        unteachable = 0
        for lesson in lessons:
            pupil = school.read(lesson)
            if not lesson.corrected:
                if pupil.rows:  # else headers or rules decide, whatever was learned
                    undisputed.append(pupil)
            elif pupil.corrected:
                corrected.append(pupil)
            else:
                unteachable += 1
        in_force = self._in_force()
        number = in_force.number if in_force else None

        def keep(why: str, scores: tuple[Score, ...] = ()) -> Learned:
            return Learned(False, why, number, len(corrected), unteachable, scores)

        if len(corrected) < FEWEST_CORRECTIONS:
            return keep(
                f"{len(corrected)} corrections that words can teach are too few: {FEWEST_CORRECTIONS} are needed"
            )
        digest = _digest_of(corrected)
        newest = self._newest()
        # A new shipped model is a reason to learn the same again, but not what was taken back.
        if (
            newest is not None
            and newest.lessons == digest
            and (newest.base == analyst.models.base_version or newest.number != self._folder.number_in_force())
        ):
            return keep(f"nothing was corrected since model {newest.number} was made")
        if len({pupil.lesson.group for pupil in corrected}) == 1:
            return keep(
                f"all {len(corrected)} corrections are of one sender or conversation: "
                "none can be held back to try what was learned"
            )
        letters = [school.read(lesson) for lesson in read_letters(_LETTERS)]
        beside, examiners = letters[::2], letters[1::2]

        scores = school.cross_validate(corrected, undisputed, beside, in_force)
        model = school.teach([*corrected, *undisputed, *beside])
        scores += (school.compare(_SHIPPED, examiners, None, model),)
        if reason := _objection(scores):
            return keep(reason, scores)
        made = replace(
            model,
            number=(self._folder.numbers() or [0])[-1] + 1,
            lessons=digest,
            corrections=len(corrected),
            scores=scores,
            follows=self._folder.number_in_force() or 0,
        )
        self._folder.store(made)
        return Learned(True, f"model {made.number} is in force", made.number, len(corrected), unteachable, scores)

    def _in_force(self) -> SiteModel | None:
        """A model that can't be read is none: what is learned now takes its place."""
        try:
            model = self._folder.current()
        except SiteModelError:
            return None
        return model if model is not None and model.scheme == feature_scheme() else None

    def _newest(self) -> SiteModel | None:
        numbers = self._folder.numbers()
        try:
            return self._folder.read(numbers[-1]) if numbers else None
        except SiteModelError:
            return None


class _School:
    """Reads, teaches and judges with one analyst."""

    def __init__(self, analyst: TradeAnalyst) -> None:
        self._analyst = analyst
        self._base = analyst.models.with_site(None)
        self._told = _ToldModels(self._base)
        self._reader = analyst.using(self._told)
        self._labels = {
            task: tuple(name.partition(":")[2] for name in self._base.labels if name.startswith(f"{task}:"))
            for task in LEARNT_FIELDS
        }

    def read(self, lesson: Lesson) -> _Pupil:
        """Read a lesson into rows: its labels are taken for granted, so that the priority is learnt with the right category."""
        wanted = {task: getattr(lesson, task) for task in LEARNT_FIELDS}
        self._told.told = {task: label if label in self._labels[task] else None for task, label in wanted.items()}
        self._told.asked.clear()
        said = self._label(self._reader, lesson)
        rows = {}
        for task, (counts, own) in self._told.asked.items():
            # Where headers or rules decide, the label is another one whatever the model says.
            if wanted[task] is not None and wanted[task] == getattr(said, task):
                is_correction = task in lesson.corrected
                weight = (
                    _WEIGHT_CORRECTED
                    if is_correction
                    else _WEIGHT_LETTER
                    if lesson.sender is None
                    else _WEIGHT_UNDISPUTED
                )
                rows[task] = self._row(task, counts, own, wanted[task], weight, is_correction)
        return _Pupil(lesson, rows)

    def _row(
        self, task: str, counts: Mapping[str, int], own: Opinion, wanted: str, weight: float, is_correction: bool
    ) -> Row:
        codes, loads = zip(*map(code_of, counts), strict=True) if counts else ((), ())
        weighing = np.array(loads, dtype="float32")
        values = np.sqrt(np.fromiter(counts.values(), dtype="float32", count=len(counts))) * weighing
        shares = dict(own.ranked)
        base = np.array([shares[label] for label in self._labels[task]])
        target = base
        if is_correction or own.label != wanted:
            target = np.array([float(label == wanted) for label in self._labels[task]])
        return Row(
            np.array(codes, dtype="uint64"),
            values / (np.sqrt(values @ values) or 1.0),
            weighing,
            np.log(np.maximum(base, _LEAST_SHARE)),
            target,
            weight,
            is_correction,
        )

    def teach(self, pupils: Sequence[_Pupil]) -> SiteModel:
        """Return the model that these make."""
        parts = {}
        for task in LEARNT_FIELDS:
            rows = [pupil.rows[task] for pupil in pupils if task in pupil.rows]
            if any(row.is_correction for row in rows):
                parts[task] = fit(rows, len(self._labels[task]))
        codes = np.unique(np.concatenate([found[0] for found in parts.values()]))
        labels = [f"{task}:{label}" for task in parts for label in self._labels[task]]
        weights = np.zeros((len(codes), len(labels)), dtype="float32")
        column = 0
        for own, found, _ in parts.values():
            weights[np.searchsorted(codes, own), column : column + found.shape[1]] = found
            column += found.shape[1]
        return SiteModel(
            number=1,
            base=self._base.base_version,
            scheme=feature_scheme(),
            made_at=datetime.now(UTC),
            corrections=0,
            lessons="",
            labels=tuple(labels),
            codes=codes,
            weights=weights,
            biases=np.concatenate([biases for _, _, biases in parts.values()]).astype("float32"),
        )

    def cross_validate(
        self,
        corrected: Sequence[_Pupil],
        undisputed: Sequence[_Pupil],
        beside: Sequence[_Pupil],
        in_force: SiteModel | None,
    ) -> tuple[Score, ...]:
        """Judge mails by a model that has seen nobody of their senders and conversations."""
        held_back: list[Score] = []
        since: list[Score] = []
        kept: list[Score] = []
        folds = _folds(corrected, undisputed)
        for fold in range(_FOLDS):
            taught = [p for p in (*corrected, *undisputed) if folds[p.lesson.group] != fold]
            if not any(pupil.corrected for pupil in taught):
                continue
            model = self.teach([*taught, *beside])
            mine = [p for p in corrected if folds[p.lesson.group] == fold]
            held_back.append(self.compare(_HELD_BACK, mine, None, model))
            if in_force is not None:
                # It has learned from the older ones: only of the new ones it knows as little as the candidate.
                new = [p for p in mine if p.lesson.taught_at is not None and p.lesson.taught_at > in_force.made_at]
                since.append(self.compare(f"{_SINCE} {in_force.number}", new, in_force, model))
            room = _MOST_UNDISPUTED_JUDGED - sum(score.mails for score in kept)
            others = [p for p in undisputed if folds[p.lesson.group] == fold][:room]
            kept.append(self.compare(_UNDISPUTED, others, in_force, model))
            if sum(score.mails for score in held_back) >= _ENOUGH_JUDGED:
                break
        return tuple(_sum(scores) for scores in (held_back, since, kept) if scores)

    def compare(self, what: str, pupils: Sequence[_Pupil], before: SiteModel | None, after: SiteModel) -> Score:
        """Count what the shipped model with `before` (None: alone) beside it, and with `after`, judge right."""
        rights = [0, 0]
        for place, model in enumerate((before, after)):
            judge = self._analyst.using(self._base.with_site(model))
            rights[place] = sum(_is_right(pupil, self._label(judge, pupil.lesson)) for pupil in pupils)
        return Score(what, len(pupils), *rights)

    def _label(self, analyst: TradeAnalyst, lesson: Lesson) -> Labels:
        return analyst.label(lesson.message, lesson.message.date or _NO_DATE, sender=lesson.sender)


def _is_right(pupil: _Pupil, said: Labels) -> bool:
    # Where nobody objected, to the priority neither: both must stay.
    fields = pupil.corrected or tuple(pupil.rows)
    return all(getattr(said, field) == getattr(pupil.lesson, field) for field in fields)


def _folds(corrected: Iterable[_Pupil], undisputed: Iterable[_Pupil]) -> dict[str, int]:
    """Return each group's fold: by digest, so that neither time nor alphabet decides.

    Those with corrections come first: any two of them are in different folds, and both can be judged.
    """
    taught = {pupil.lesson.group for pupil in corrected}
    groups = sorted(
        taught.union(pupil.lesson.group for pupil in undisputed),
        key=lambda group: (group not in taught, sha256(group.encode()).digest()),
    )
    return dict(zip(groups, cycle(range(_FOLDS)), strict=False))


def _sum(scores: Sequence[Score]) -> Score:
    return Score(
        scores[0].what,
        sum(score.mails for score in scores),
        sum(score.before for score in scores),
        sum(score.after for score in scores),
    )


def _objection(scores: Sequence[Score]) -> str | None:
    """Say why the candidate must not be swapped in; None: it may."""
    for score in scores:
        tolerance = next(share for name, share in _TOLERANCES.items() if score.what.startswith(name))
        allowed = max(1, int(score.mails * tolerance)) if tolerance else 0
        if score.after < score.before - allowed:
            return f"what was learned is worse on {score.what} ({score.after} of {score.mails} right, {score.before} before)"
    return None


def _digest_of(corrected: Sequence[_Pupil]) -> str:
    """Return what tells these lessons from others: which mail was given which labels."""
    lines = sorted(
        f"{pupil.lesson.key} {[(field, getattr(pupil.lesson, field)) for field in pupil.corrected]}"
        for pupil in corrected
    )
    return sha256("\n".join(lines).encode()).hexdigest()[:32]


def read_letters(most: int) -> Iterator[Lesson]:
    """Yield shipped training letters as mails that nobody objected to: a fixed sample, spread over everything."""

    def key_of(letter: TrainingLetter) -> str:
        return sha256(letter.id.encode()).hexdigest()

    for letter in sorted(letters.read_letters(), key=key_of)[:most]:
        yield Lesson(
            key=key_of(letter),
            message=letter.message,
            sender=None,
            group=letter.persona,
            category=letter.category,
            priority=letter.priority,
        )

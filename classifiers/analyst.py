# SPDX-License-Identifier: GPL-3.0-or-later
"""The loaded classifier that milter, worker and command line share."""

from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from classifiers.country import Origin
from classifiers.deciding import decide_category
from classifiers.entities import Entities, letter_of, read_entities
from classifiers.features import count_features
from classifiers.language import LanguageReader
from classifiers.linear_model import Models, Opinion, Weighed, feature_scheme, load_models
from classifiers.phones import warm_regions
from classifiers.priority import find_signs, is_brief, priority_features, read_priority
from classifiers.reading import Reading, read_letter
from classifiers.tables import read_table
from tradepost.analysis import Extract
from tradepost.heap import give_back
from tradepost.message import Message
from tradepost.verdict import Labels

if TYPE_CHECKING:
    from classifiers.site_folder import SiteFollower

_WORKER_MAX_CHARS = 200_000
_FACTS = tuple(field.name for field in fields(Entities))


class TradeAnalyst:
    """Implements `tradepost.analysis.Analyst`.  Pure after loading: safe in several threads and after a fork."""

    def __init__(self, models: Models, languages: LanguageReader, follower: "SiteFollower | None" = None) -> None:
        self._models = models
        self._languages = languages
        self._follower = follower

    @property
    def models(self) -> Models:
        """The models in force."""
        return self._models

    def using(self, models: Models) -> "TradeAnalyst":
        """Return an analyst that asks other models and is otherwise this one; it follows no site."""
        return TradeAnalyst(models, self._languages)

    def refresh(self) -> None:
        """Take up what the site learned since: one stat, and a new model is loaded aside and swapped in.

        Call it every few seconds, in one thread; mails under way keep the models they began with.
        """
        if self._follower is not None and (change := self._follower.look()) is not None:
            self._models = self._models.with_site(change.model)

    def label(
        self, message: Message, now: datetime, *, sender: str | None = None, reading: Reading | None = None
    ) -> Labels:
        """Return what arrival needs.  `sender` is the envelope sender ("" = bounce, None = not known).

        `reading` is what `read_letter` says of this mail, for whoever asks for its facts too.
        """
        models = self._models  # a mail is judged by one, whatever `refresh` does meanwhile
        reading = reading or read_letter(message, sender)
        automation = reading.automation
        words = reading.words_that_count
        language = self._languages.read(words, message.subject)
        weighed = _weigh(models, message, words)
        decision = decide_category(message, automation, models.category(weighed), words)
        is_automatic = decision.category == "automatic" and (automation.is_automatic or automation.is_robot_sender)
        signs = find_signs(message.subject, words, message.date)
        more = models.weigh(priority_features(decision.category, signs))
        opinion = models.priority(weighed.plus(more))
        urgency = read_priority(
            decision.category,
            signs,
            opinion,
            brief=is_brief(message.subject, words),
            confidence=decision.confidence,
        )
        origin = Origin()  # whoever deceives does so about this too
        if decision.category != "spam":
            origin = reading.origin(message, language)
        return Labels(
            category=decision.category,
            confidence=round(decision.confidence, 3),
            priority=urgency.priority,
            priority_reason=urgency.reason,
            language=language,
            country=origin.country,
            country_evidence=origin.evidence,
            is_automatic=is_automatic,
            automatic_reason=(automation.reason or "robot-address") if is_automatic else None,
            warnings=decision.fraud.signs,
            warning_score=decision.fraud.score,
            reasons=(*decision.reasons, urgency.reason),
            model=models.version,
        )

    def opinion(self, message: Message, words: str) -> Opinion:
        """Return what the model says of a mail whose words that count those are, before any evidence."""
        models = self._models
        return models.category(_weigh(models, message, words))

    def extract(self, message: Message, labels: Labels | None = None, reading: Reading | None = None) -> Extract:
        """Return what the worker needs: new text, signature, first entities.

        `labels` are those in force: category and country are not judged again when they name a category.
        `reading` as in `label`.
        """
        reading = reading or read_letter(message, max_chars=_WORKER_MAX_CHARS)
        if labels is None or labels.category is None:
            category, language, country = self._judge(message, reading)
        else:
            category, language, country = labels.category, labels.language, labels.country
        split = reading.split
        found = read_entities(letter_of(message, reading, category=category, language=language, country=country))
        return Extract(
            new_text=split.new_text,
            rest="\n".join(text for text in (split.rest, message.text[_WORKER_MAX_CHARS:]) if text),
            signature=split.signature,
            phone=reading.phone(country, language),
            **{name: getattr(found, name) for name in _FACTS},
        )

    def _judge(self, message: Message, reading: Reading) -> tuple[str, str | None, str | None]:
        """Return category, language and country as arrival would find them."""
        models = self._models
        words = reading.words_that_count
        decision = decide_category(message, reading.automation, models.category(_weigh(models, message, words)), words)
        language = self._languages.read(words, message.subject)
        country = None if decision.category == "spam" else reading.origin(message, language).country
        return decision.category, language, country


def _weigh(models: Models, message: Message, words: str) -> Weighed:
    filenames = [part.filename for part in message.attachments]
    return models.weigh(count_features(message.subject, words, filenames))


def load(site: Path | None = None) -> TradeAnalyst:
    """Load models and tables once, before any fork; `site` is the folder of what this installation learned.

    Raises ModelError when a model is missing.
    """
    warm_regions()
    follower = None
    if site is not None:
        # It brings the metrics along: 8 MB that a bare reading needs not.
        from classifiers.site_folder import SiteFolder, SiteFollower

        follower = SiteFollower(SiteFolder(site), feature_scheme())
    analyst = TradeAnalyst(load_models(), LanguageReader(), follower)
    analyst.refresh()
    _warm(analyst)
    give_back()
    return analyst


def _warm(analyst: TradeAnalyst) -> None:
    """Read words of every language once: patterns build their automata on the way, and the first mails need not wait."""
    for words in list(read_table("concepts").values())[::4]:
        text = "\n".join(words[::3])
        message = Message(subject=text[:100], text=f"{text}\n\nBest regards,\nAnn Lee\n+49 30 1234567")
        analyst.label(message, datetime.now(UTC))

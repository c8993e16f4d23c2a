# SPDX-License-Identifier: GPL-3.0-or-later
"""The loaded classifier that milter, worker and command line share."""

import re
from datetime import datetime

from classifiers.automatic import Automation, read_automation
from classifiers.country import Origin, read_country
from classifiers.deciding import decide_category
from classifiers.entities import read_entities
from classifiers.features import read_features
from classifiers.language import LanguageReader
from classifiers.linear_model import Models, bag_of, load_models
from classifiers.phones import warm_regions
from classifiers.priority import find_signs, priority_features, read_priority
from classifiers.splitting import MAX_CHARS, Split, split_text
from tradepost.analysis import Extract
from tradepost.message import Address, Message
from tradepost.verdict import Labels

_WORKER_MAX_CHARS = 200_000
_LETTERS = re.compile(r"[^\W\d_]")
_FEW_LETTERS = 12  # fewer say nothing: "see below", "FYI"


class TradeAnalyst:
    """Implements `tradepost.analysis.Analyst`.  Pure after loading: safe in several threads and after a fork."""

    def __init__(self, models: Models, languages: LanguageReader) -> None:
        self._models = models
        self._languages = languages

    def label(self, message: Message, now: datetime, *, sender: str | None = None) -> Labels:
        """Return what arrival needs.  `sender` is the envelope sender ("" = bounce, None = not known)."""
        automation = read_automation(message, message.text, sender)
        split = split_text(message.text, is_relay=automation.is_relay, max_chars=MAX_CHARS)
        words = _words_that_count(split)
        language = self._languages.read(words, message.subject)
        bag = bag_of(read_features(message.subject, words, [part.filename for part in message.attachments]))
        decision = decide_category(message, automation, self._models.category.judge(bag))
        signs = find_signs(message.subject, words)
        opinion = self._models.priority.judge(bag.plus(priority_features(decision.category, signs)))
        urgency = read_priority(decision.category, signs, opinion)
        origin = self._origin(message, split, language, automation, decision.category)
        return Labels(
            category=decision.category,
            confidence=round(decision.confidence, 3),
            priority=urgency.priority,
            priority_reason=urgency.reason,
            language=language,
            country=origin.country,
            country_evidence=origin.evidence,
            is_automatic=automation.is_automatic,
            automatic_reason=automation.reason if automation.is_automatic else None,
            warnings=decision.warnings,
            reasons=(*decision.reasons, urgency.reason),
            model=self._models.version,
        )

    def _origin(
        self, message: Message, split: Split, language: str | None, automation: Automation, category: str
    ) -> Origin:
        if category == "spam":
            return Origin()  # whoever deceives does so about this too
        return read_country(message, split.new_text, split.signature, language, is_relay=automation.is_relay)

    def extract(self, message: Message) -> Extract:
        """Return what the worker needs: new text, signature, first entities."""
        automation = read_automation(message, message.text[:MAX_CHARS])
        split = split_text(message.text, is_relay=automation.is_relay, max_chars=_WORKER_MAX_CHARS)
        rest = (
            split.rest
            if len(message.text) <= _WORKER_MAX_CHARS
            else f"{split.rest}\n{message.text[_WORKER_MAX_CHARS:]}"
        )
        language = self._languages.read(_words_that_count(split), message.subject)
        origin = read_country(message, split.new_text, split.signature, language, is_relay=automation.is_relay)
        writer = message.from_
        if automation.is_relay:
            writer = next((address for address in message.reply_to), Address(""))
        found = read_entities(
            writer, split.new_text[:MAX_CHARS], split.signature, message.subject, origin.country, automation
        )
        return Extract(
            new_text=split.new_text,
            rest=rest,
            signature=split.signature,
            person=found.person,
            company=found.company,
            phone=found.phone,
            product=found.product,
            quantity=found.quantity,
            unit=found.unit,
            target_price=found.target_price,
            currency=found.currency,
            incoterm=found.incoterm,
        )


def _words_that_count(split: Split) -> str:
    """Return the new text; of a letter passed on without a word of its own, that letter's text."""
    if len(_LETTERS.findall(split.new_text[:200])) >= _FEW_LETTERS:
        return split.new_text
    inner = split_text(split.passed_on) if split.passed_on else split
    return "\n".join(text for text in (split.new_text, inner.new_text or inner.rest) if text)


def load() -> TradeAnalyst:
    """Load model and tables once, before any fork.  Raises ModelError when the model is missing."""
    warm_regions()
    return TradeAnalyst(load_models(), LanguageReader())

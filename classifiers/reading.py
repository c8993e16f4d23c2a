# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from a letter before it is judged: whose words, in which language, from where, by which number to call."""

import re
from dataclasses import dataclass

from classifiers.automatic import Automation, read_automation
from classifiers.country import Origin, number_plan, read_country
from classifiers.phones import choose_phone
from classifiers.splitting import MAX_CHARS, Kind, Split, split_text
from classifiers.tables import linear
from tradepost.message import Message

_CONTACT_FIELD = linear(
    r"(?i)(?:country|region|location|land|país|pays|paese|kraj|ülke|страна|国家|地区|國家|地區|国・地域|국가|quốc gia|negara|ประเทศ|"
    r"الدولة|البلد|کشور|देश|tel|phone|mobile|whatsapp|company|firma|empresa|société|azienda|компания|公司|会社|buyer|sender|"
    r"absender|name)[^\n:：]{0,12}[:：]"
)
# Reasons of mail that a person wrote beforehand, and signed.
_BY_A_PERSON = frozenset(
    ["subject-auto-reply", "auto-replied", "autoresponder-field", "precedence-auto-reply", "robot-words", "rfc3834"]
)
_ENOUGH_LETTERS = re.compile(r"(?:[\W\d_]*[^\W\d_]){12}")  # fewer say nothing: "see below", "FYI"


@dataclass(frozen=True, slots=True)
class Reading:
    """One letter, taken apart."""

    automation: Automation
    split: Split
    contact: str  # where the writer says who he is: the signature, or the fields of a form
    is_robot: bool  # no person wrote it, not even beforehand

    @property
    def words_that_count(self) -> str:
        """The new text; of a letter passed on without a word of its own, that letter's text."""
        split = self.split
        if _ENOUGH_LETTERS.match(split.new_text[:200]):
            return split.new_text
        inner = split_text(split.passed_on) if split.passed_on else split
        return "\n".join(text for text in (split.new_text, inner.new_text or inner.rest) if text)

    def origin(self, message: Message, language: str | None) -> Origin:
        """Return the writer's country; `language` is that of his own words."""
        return read_country(
            message,
            self.split.new_text,
            self.contact,
            language,
            small_print=self.split.of(Kind.DISCLAIMER),
            others_words=self.split.answered,
            is_relay=self.automation.is_relay,
        )

    def phone(self, country: str | None, language: str | None = None) -> str | None:
        """Return the writer's number in E.164; an absence note's is that of whom it names, a robot has none."""
        if self.is_robot:
            return None
        new_text, region = self.split.new_text[:MAX_CHARS], country or number_plan(language)
        if self.automation.is_automatic:
            return choose_phone(new_text, self.contact, region)
        return choose_phone(self.contact, new_text, region)


def shared_reading(message: Message, sender: str | None = None) -> Reading | None:
    """Return one reading that serves labels and facts, for whoever asks for both; None where arrival and worker read unlike.

    Arrival knows the envelope sender, and reads the beginning only.
    """
    return read_letter(message) if sender is None and len(message.text) <= MAX_CHARS else None


def read_letter(message: Message, sender: str | None = None, max_chars: int = MAX_CHARS) -> Reading:
    """Take a letter apart; `sender` is the envelope sender ("" = bounce, None = not known)."""
    automation = read_automation(message, message.text[:MAX_CHARS], sender)
    is_robot = not automation.is_relay and (
        automation.is_robot_sender or (automation.is_automatic and automation.reason not in _BY_A_PERSON)
    )
    split = split_text(
        message.text,
        writer=message.from_.name,
        is_relay=automation.is_relay,
        is_robot=is_robot,
        max_chars=max_chars,
    )
    contact = split.signature
    if automation.is_relay:  # a form says in its fields who the buyer is; the rest of it speaks of the platform
        contact = "\n".join(line for line in split.frame.split("\n") if _CONTACT_FIELD.search(line))
    return Reading(automation, split, contact, is_robot)

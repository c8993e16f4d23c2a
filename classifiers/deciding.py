# SPDX-License-Identifier: GPL-3.0-or-later
"""The category in force: evidence of headers and attachments weighed with the model's opinion.

Every piece of evidence multiplies the odds of the categories it speaks for and leaves its name behind.
"""

import re
from dataclasses import dataclass

from classifiers.automatic import Automation
from classifiers.features import document_types
from classifiers.fraud import NO_FRAUD, Fraud, read_fraud
from classifiers.linear_model import Opinion
from classifiers.subjects import has_reply_prefix
from tradepost.message import Message
from tradepost.verdict import BUSINESS_CATEGORIES

_WORDS_ALONE = frozenset({"system-notice", "robot-words"})  # reasons to call a mail automatic that anybody can write
_SURE = 0.6
# Of a mail that only looks like a machine's: the words of a machine's have more of one, and of this mail are about something.
_NO_MACHINES_WORDS, _ABOUT_SOMETHING = 0.06, 0.4
# What programs call generated for a person; of payments and shipments they tell by themselves.
_WANTS_AN_ANSWER = frozenset({"inquiry", "sample", "order", "complaint", "support"})
_UNSURE = 0.16  # below it the model knows nothing: the mail is "other", a person decides
_LETTER = re.compile(r"[^\W\d_]")
_LOOKED_AT = 2_000  # characters, as many as the models read
# Tried at the beginning of an address only, and no word can be read in two ways: linear with `re` too, and cheaper.
_BULK_SENDER = re.compile(
    r"(?:news|newsletter|marketing|promo|promotion|promotions|campaign|mailing|edm|offers?|mailer|event|events|expo|fair)(?:\Z|[0-9._+-])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Decision:
    """A category, how sure, the names of what spoke for it, and signs of fraud."""

    category: str
    confidence: float
    reasons: tuple[str, ...]
    fraud: Fraud = NO_FRAUD


def is_reply(message: Message) -> bool:
    """Does the mail answer or continue a conversation, by its references or its subject?"""
    if message.in_reply_to or message.references:
        return True
    return has_reply_prefix(message.subject)


def decide_category(message: Message, automation: Automation, opinion: Opinion, words: str | None = None) -> Decision:
    """Weigh evidence; an automatic mail is automatic whatever its words say.  `words` are those that count, None: all."""
    fraud = read_fraud(message, is_relay=automation.is_relay, is_list=automation.is_list, words=words)
    # Phishing dresses as a notice; of a bounce or an absence note the headers and subjects tell.
    is_bait = automation.reason in _WORDS_ALONE and opinion.label == "spam" and opinion.confidence > _SURE
    if automation.is_automatic and not is_bait and not _is_letter(automation, opinion):
        return Decision("automatic", 0.97, (automation.reason or "automatic",), fraud)
    odds = dict(opinion.ranked)
    reasons: list[str] = []

    def favour(categories: tuple[str, ...] | frozenset[str], factor: float, reason: str) -> None:
        for category in categories:
            odds[category] = odds[category] * factor
        reasons.append(reason)

    if automation.is_relay:
        favour(("inquiry",), 3.0, "platform-relay")
        favour(("automatic", "marketing", "spam"), 0.1, "platform-relay")
    elif automation.is_list or _BULK_SENDER.match(message.from_.address):
        favour(("marketing",), 12.0, "list-mail")
        favour(("automatic",), 2.0, "list-mail")
    if is_reply(message) and not automation.is_list:
        favour(("marketing", "spam"), 0.35 if message.in_reply_to or message.references else 0.6, "in-thread")
        favour(("automatic",), 0.3, "in-thread")
    for category in dict.fromkeys(kind for part in message.attachments for kind in document_types(part.filename)[:1]):
        if category in BUSINESS_CATEGORIES:
            favour((category,), 1.8, f"attachment-{category}")
    if fraud.signs:
        favour(("spam",), fraud.odds, fraud.signs[0])
    if automation.is_robot_sender and not automation.is_relay:
        favour(("automatic", "marketing"), 2.0, "robot-address")
    elif not automation.is_list:
        favour(("automatic",), 0.4, "person-address")
    total = sum(odds.values())
    category = max(odds, key=odds.__getitem__)
    confidence = odds[category] / total
    if confidence < _UNSURE or (not _says_something(message) and set(reasons) <= {"in-thread", "person-address"}):
        return Decision("other", confidence, ("unsure", "model"), fraud)
    named = [reason for reason in dict.fromkeys(reasons) if reason not in ("person-address",)]
    return Decision(category, confidence, (*named, "model"), fraud)


def _says_something(message: Message) -> bool:
    """Is there a letter of any alphabet?  Without one the model only knows which category is the most frequent."""
    return _LETTER.search(message.subject) is not None or _LETTER.search(message.text, 0, _LOOKED_AT) is not None


def _is_letter(automation: Automation, opinion: Opinion) -> bool:
    """Are these a person's words behind a sign that machines use more?"""
    if not automation.is_doubtful or (automation.reason == "rfc3834" and opinion.label not in _WANTS_AN_ANSWER):
        return False
    return opinion.of("automatic") < _NO_MACHINES_WORDS and opinion.confidence > _ABOUT_SOMETHING

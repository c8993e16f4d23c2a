# SPDX-License-Identifier: GPL-3.0-or-later
"""The category in force: evidence of headers and attachments weighed with the model's opinion.

Every piece of evidence multiplies the odds of the categories it speaks for and leaves its name behind.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from classifiers.automatic import Automation
from classifiers.features import document_types
from classifiers.linear_model import Opinion
from classifiers.tables import linear
from tradepost.addresses import domain_of, is_free_mail, registrable_domain
from tradepost.message import Message
from tradepost.verdict import BUSINESS_CATEGORIES

_UNSURE = 0.16  # below it the model knows nothing: the mail is "other", a person decides
_REPLY = linear(
    r"(?i)^\s*(?:re|aw|sv|antw|res|rif|odp|ynt|ref|回复|回覆|答复|答覆|返信|답장|회신|tr|wg|fwd?|转发|轉寄|отв|на|fw)\s*(?:\[\d+\])?\s*[:：]"
)
_RISKY_TOP_DOMAINS = frozenset(
    {
        "icu", "top", "xyz", "click", "buzz", "cyou", "rest", "quest", "sbs", "cfd", "gq", "ml", "cf", "tk", "ga", "zip",
        "mov", "live", "shop", "vip", "cam", "monster", "work", "loan", "win", "bid",
    }
)  # fmt: skip
_RISKY_FILE = linear(
    r"(?i)\.(?:html?|shtml|svg|exe|scr|js|vbs|iso|img|lnk|hta|jar|bat|cmd|r\d\d|ace|cab|xlsm|docm|one|7z)$"
)
_ADDRESS_IN_NAME = linear(r"[^\s@<>\"']+@[^\s@<>\"']+\.[a-z]{2,}")
# Tried at the beginning of an address only, and no word can be read in two ways: linear with `re` too, and cheaper.
_BULK_SENDER = re.compile(
    r"(?:news|newsletter|marketing|promo|promotion|promotions|campaign|mailing|edm|offers?|mailer|event|events|expo|fair)(?:\Z|[0-9._+-])",
    re.IGNORECASE,
)


def without_reply_prefix(subject: str) -> str:
    """Return the subject without any number of "Re:", "AW:", "回复：", "Fwd:"."""
    for _ in range(8):
        prefix = _REPLY.search(subject)
        if prefix is None:
            break
        subject = subject[prefix.end() :]
    return subject.strip()


@dataclass(frozen=True, slots=True)
class Decision:
    """A category, how sure, the names of what spoke for it, and warnings of fraud."""

    category: str
    confidence: float
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def is_reply(message: Message) -> bool:
    """Does the mail answer or continue a conversation, by its references or its subject?"""
    if message.in_reply_to or message.references:
        return True
    return (":" in message.subject or "：" in message.subject) and _REPLY.search(message.subject) is not None


def decide_category(message: Message, automation: Automation, opinion: Opinion) -> Decision:
    """Weigh evidence; an automatic mail is automatic whatever its words say."""
    warnings = fraud_signs(message)
    if automation.is_automatic:
        return Decision("automatic", 0.97, (automation.reason or "automatic",), warnings)
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
    if warnings:
        favour(("spam",), 4.0 ** min(len(warnings), 2), warnings[0])
    if automation.is_robot_sender and not automation.is_relay:
        favour(("automatic", "marketing"), 2.0, "robot-address")
    elif not automation.is_list:
        favour(("automatic",), 0.4, "person-address")
    total = sum(odds.values())
    category = max(odds, key=odds.__getitem__)
    confidence = odds[category] / total
    if confidence < _UNSURE:
        return Decision("other", confidence, ("unsure", "model"), warnings)
    named = [reason for reason in dict.fromkeys(reasons) if reason not in ("person-address",)]
    return Decision(category, confidence, (*named, "model"), warnings)


def fraud_signs(message: Message) -> tuple[str, ...]:
    """Name what honest mail seldom shows.  These are warnings and evidence, never proof."""
    signs: list[str] = []
    domain = domain_of(message.from_.address)
    named = _ADDRESS_IN_NAME.search(message.from_.name) if "@" in message.from_.name else None
    if named is not None and domain_of(named.group()) != domain:
        signs.append("name-shows-other-address")
    if message.reply_to and not is_free_mail(domain) and registrable_domain(domain) != "":
        answer = domain_of(message.reply_to[0].address)
        if answer and is_free_mail(answer) and registrable_domain(answer) != registrable_domain(domain):
            signs.append("answers-go-to-free-mail")
    if _is_risky(domain):
        signs.append("throwaway-domain")
    if any(_RISKY_FILE.search(part.filename) for part in message.attachments):
        signs.append("risky-attachment")
    if _has_risky_link(message.text):
        signs.append("throwaway-link")
    return tuple(signs)


def _is_risky(host: str) -> bool:
    _, dot, last = host.rpartition(".")
    return bool(dot) and last in _RISKY_TOP_DOMAINS


def _has_risky_link(text: str) -> bool:
    position = text.find("http")
    for _ in range(8):
        if position < 0:
            return False
        try:
            host = urlsplit(text[position : position + 300].split()[0].rstrip(">).,")).hostname or ""
        except ValueError:
            host = ""
        if _is_risky(host):
            return True
        position = text.find("http", position + 4)
    return False

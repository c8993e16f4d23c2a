# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a record goes into the index: one row of tokens, the same for both databases.

Tokens of a field bear its mark, a sign of Unicode's private area that no text has as a letter; so `from:ann` is a token of
its own, found as fast as any.  What people may look for without a field follows unmarked.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from crm_sync.search.tokens import tokenize

# PostgreSQL keeps 256 places of a lexeme, and no place beyond 16,383 (manual, section 8.11.1).
_MOST_REPEATS = 255
# Signs that are read, and tokens that are kept; all together remain below the greatest place.
_TEXT_SIGNS, _TEXT_TOKENS = 64_000, 8_000
_REST_SIGNS, _REST_TOKENS = 16_000, 2_000
_NAMES_SIGNS, _NAMES_TOKENS = 8_000, 700
_SHORT_SIGNS, _SHORT_TOKENS = 2_000, 150
_NAME_SIGNS, _LABEL_SIGNS = 320, 40

Tokenize = Callable[[str], list[str]]
EVERYTHING = "\ue000"  # stands in every row
NOTHING = "\ue0fd"  # stands in none
_GAP = "\ue0ff"  # between two texts: no phrase reaches across
_JOINT = "\ue0fe"  # between the words of a label
MARKS: Mapping[str, str] = {
    "subject": "\ue001",
    "from": "\ue002",
    "to": "\ue003",
    "file": "\ue004",
    "category": "\ue010",
    "lang": "\ue011",
    "priority": "\ue012",
    "has": "\ue013",
    "name": "\ue020",
    "domain": "\ue021",
    "contact": "\ue022",
    "address": "\ue023",
    "phone": "\ue024",
    "text": "\ue025",
    "kind": "\ue026",
}


@dataclass(frozen=True, slots=True)
class MailText:
    """A letter as it is indexed.  `people` of a field: (name, address)."""

    subject: str
    sender: tuple[str, str]
    recipients: Sequence[tuple[str, str]]  # to and cc; a blind copy is nobody's business
    new_text: str
    rest: str
    files: Sequence[str]
    category: str | None
    language: str | None
    priority: str | None


def mail_row(mail: MailText, tokenize: Tokenize = tokenize) -> str:
    """Return the tokens of a letter, with a space between."""

    def read(text: str, signs: int, most: int) -> list[str]:
        return tokenize(text[:signs])[:most]

    subject = read(mail.subject, _SHORT_SIGNS, _SHORT_TOKENS)
    sender = read(_joined((mail.sender,)), _SHORT_SIGNS, _SHORT_TOKENS)
    recipients = read(_joined(mail.recipients), _NAMES_SIGNS, _NAMES_TOKENS)
    files = read(
        "\n".join(name[:_NAME_SIGNS] for name in islice(mail.files, _SHORT_TOKENS)), _NAMES_SIGNS, _NAMES_TOKENS
    )
    labels = (("category", mail.category), ("lang", mail.language), ("priority", mail.priority))
    row = [EVERYTHING]
    row += [label_token(name, value) for name, value in labels if value]
    if mail.files:
        row.append(label_token("has", "attachment"))
    for name, tokens in (("subject", subject), ("from", sender), ("to", recipients), ("file", files)):
        row += mark(name, tokens)
    row += subject
    row.append(_GAP)
    row += read(mail.new_text, _TEXT_SIGNS, _TEXT_TOKENS)
    for tokens in (read(mail.rest, _REST_SIGNS, _REST_TOKENS), sender, recipients, files):
        row.append(_GAP)
        row += tokens
    return " ".join(_without_repeats(row))


def record_row(kind: str, fields: Mapping[str, str]) -> str:
    """Return the tokens of a customer, note or other record: every field marked, so that a hidden one is not looked into."""
    row = [EVERYTHING, label_token("kind", kind)]
    for name, text in fields.items():
        row += mark(name, tokenize(text[:_TEXT_SIGNS])[:_REST_TOKENS])
        row.append(_GAP)
    return " ".join(_without_repeats(row))


def mark(name: str, tokens: Iterable[str]) -> list[str]:
    """Return tokens as those of a field."""
    sign = MARKS[name]
    return [sign + token for token in tokens]


def label_token(name: str, value: str) -> str:
    """Return the one token that a label is."""
    return MARKS[name] + _JOINT.join(tokenize(value[:_LABEL_SIGNS]))


def _joined(people: Collection[tuple[str, str]]) -> str:
    return "\n".join(f"{name[:_NAME_SIGNS]} {address[:_NAME_SIGNS]}" for name, address in islice(people, _NAMES_TOKENS))


def _without_repeats(row: list[str]) -> list[str]:
    if len(row) <= _MOST_REPEATS:
        return row
    often = {token for token, count in Counter(row).items() if count > _MOST_REPEATS}
    if not often:
        return row
    seen = Counter[str]()
    kept: list[str] = []
    for token in row:
        if token in often:
            seen[token] += 1
            if seen[token] > _MOST_REPEATS:
                continue
        kept.append(token)
    return kept

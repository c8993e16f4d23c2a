# SPDX-License-Identifier: GPL-3.0-or-later
"""What people type into a search field, taken apart: words, "phrases", -not, OR, and fields such as from: and before:.

Pure and linear; what can't be meant is refused in one line that says what can.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tradepost.errors import Refusal
from tradepost.verdict import Priority

LONGEST_QUESTION = 2000
MOST_TERMS = 40
KINDS = ("mail", "customer", "note")
# Fields that look into texts of a mail, and those that ask for a value.
TEXT_FIELDS = ("subject", "from", "to", "file")
LABEL_FIELDS = ("category", "lang", "priority")
RECORD_FIELDS = ("customer", "owner", "status")
_DATES = ("before", "after", "on")
FIELDS = (*TEXT_FIELDS, "has", *LABEL_FIELDS, *RECORD_FIELDS, *_DATES, "in")
_ALIASES = {
    "主题": "subject", "标题": "subject", "发件人": "from", "收件人": "to", "附件名": "file", "包含": "has", "类别": "category",
    "分类": "category", "语言": "lang", "language": "lang", "优先级": "priority", "客户": "customer", "负责人": "owner",
    "状态": "status", "早于": "before", "之前": "before", "晚于": "after", "之后": "after", "日期": "on", "范围": "in",
    "filename": "file", "since": "after",
}  # fmt: skip
_VALUE_ALIASES = {
    "has": {"附件": "attachment", "attachments": "attachment", "file": "attachment"},
    "in": {"邮件": "mail", "客户": "customer", "备注": "note", "customers": "customer", "notes": "note"},
    "owner": {"我": "me", "无": "none"},
}
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»「」『』", '"'))
_TERM = re.compile(
    r'(?P<sign>-?)(?:(?P<name>[^\W\d_]{1,20}):(?!//)(?=[^\s"]|"))?(?:"(?P<phrase>[^"]*)(?:"|\Z)|(?P<word>[^\s"]+))'
)
# `from: ann`, as mail programs write it; of what is no field ("Re: offer") the words are meant.
_SPACED = re.compile(rf"(?<![^\s-])({'|'.join((*FIELDS, *_ALIASES))}):\s+(?=\S)", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2}))?)?", re.ASCII)


class QuestionError(Refusal, ValueError):
    """The question can't be answered as it stands.  One line: what is wrong, and what could be written instead."""


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase, looked for everywhere or in one field.  `is_prefix`: written with a star at its end."""

    text: str
    field: str = ""
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Clause:
    """One of the terms must hold; `is_negative`: none may."""

    terms: tuple[Term, ...]
    is_negative: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """All clauses must hold.  Times: from `since` on, before `until`.  `kinds` empty: nobody said where to look."""

    clauses: tuple[Clause, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    kinds: frozenset[str] = field(default_factory=frozenset)


def parse_question(text: str) -> Question:
    """Take a question apart.  Raises QuestionError."""
    if len(text) > LONGEST_QUESTION:
        raise QuestionError(f"a question may have {LONGEST_QUESTION:,} signs, this one has {len(text):,}; ask for less")
    # NFKC makes of the wide colons, quotes, minus signs and spaces of Chinese keyboards those of others.
    plain = _SPACED.sub(r"\1:", unicodedata.normalize("NFKC", text).translate(_QUOTES).replace("\0", " "))
    clauses: list[Clause] = []
    kinds: set[str] = set()
    since: datetime | None = None
    until: datetime | None = None
    joins = False
    for count, (is_negative, name, value, is_word) in enumerate(_terms(plain)):
        if count == MOST_TERMS:
            raise QuestionError(f"a question may have {MOST_TERMS} words and fields; ask for less")
        if is_word and not name and value in ("OR", "|", "或"):
            joins = bool(clauses)
            continue
        if name in _DATES or name == "in":
            if is_negative or joins:
                raise QuestionError(f"{name}: stands alone, without a minus sign or OR")
            if name == "in":
                kinds.add(_known("in", value, KINDS))
                continue
            begin, end = _parse_date(name, value)
            if name != "before":
                since = max(begin, since or begin)
            if name != "after":
                ends = begin if name == "before" else end
                until = min(ends, until or ends)
            continue
        term = _term(name, value, is_word)
        if joins:
            before = clauses.pop()
            if before.is_negative or is_negative:
                raise QuestionError("OR joins what is looked for; put -words beside it")
            clauses.append(Clause((*before.terms, term)))
            joins = False
        else:
            clauses.append(Clause((term,), is_negative))
    return Question(tuple(clauses), since, until, frozenset(kinds))


def _terms(text: str) -> Iterator[tuple[bool, str, str, bool]]:
    """Yield (is it unwanted, field, value, is it a word) of everything that is written."""
    for match in _TERM.finditer(text):
        name = (match["name"] or "").lower()
        value = match["word"] if match["phrase"] is None else match["phrase"]
        yield match["sign"] == "-", _ALIASES.get(name, name), value, match["phrase"] is None


def _term(name: str, value: str, is_word: bool) -> Term:
    if name and name not in FIELDS:
        raise QuestionError(f"there is no field {name!r}; there are: {' '.join(f'{one}:' for one in FIELDS)}")
    value = _VALUE_ALIASES.get(name, {}).get(value, value)
    if name == "has":
        value = _known("has", value, ("attachment",))
    elif name == "priority":
        value = _known(name, value, tuple(Priority))
    elif name in LABEL_FIELDS or name == "status":
        value = value.casefold()
    is_prefix = is_word and len(value) > 2 and value.endswith("*") and name not in (*LABEL_FIELDS, *RECORD_FIELDS)
    return Term(value.rstrip("*") if is_prefix else value, name, is_prefix)


def _known(name: str, value: str, known: tuple[str, ...]) -> str:
    value = _VALUE_ALIASES.get(name, {}).get(value, value.lower())
    if value not in known:
        raise QuestionError(
            f"{name}:{value[:40]} means nothing; there is {', '.join(f'{name}:{one}' for one in known)}"
        )
    return value


def _parse_date(name: str, value: str) -> tuple[datetime, datetime]:
    """Return the first moment of a year, month or day, and the first moment after it, in UTC."""
    match = _DATE.fullmatch(value)
    try:
        if match is None:
            raise ValueError
        year, month, day = (int(number) if number else None for number in match.groups())
        assert year is not None
        begin = datetime(year, month or 1, day or 1, tzinfo=UTC)
        if day:
            end = datetime.fromordinal(begin.toordinal() + 1).replace(tzinfo=UTC)
        elif month:
            end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        else:
            end = datetime(year + 1, 1, 1, tzinfo=UTC)
    except ValueError:
        raise QuestionError(
            f"{name}:{value[:40]} is no date; write {name}:2026, {name}:2026-03 or {name}:2026-03-02"
        ) from None
    return begin, end

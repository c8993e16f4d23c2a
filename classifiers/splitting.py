# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sender newly wrote, against quoted text, forwards, signature, disclaimer and frames of platforms.

Line based; nothing is deleted but blank lines by the hundred, every line is only marked.  The frames are those of
Outlook, Exchange, Gmail, Apple Mail, Thunderbird, Yahoo, Foxmail, QQ and 163 mail in the languages of trade.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import islice

from classifiers.signatures import name_line, signature_start
from classifiers.tables import Pattern, PatternSet, any_of, linear, read_table

MAX_CHARS = 20_000
MAX_LINE_CHARS = 2_000
_MAX_MATCHES = 100
_MANY_LINES = 500  # of more, long runs of blank ones are cut
_MAX_BLANK_LINES = 20

_WORDS = read_table("frames")
_ORIGINAL = any_of(_WORDS["original"])
_FORWARDED = any_of(_WORDS["forwarded"])
_SEPARATOR_PATTERN = (
    rf"(?im)^[ \t>]*(?:[-_=—*]{{2,}}[ \t]*(?:{_ORIGINAL}|(?P<forward>{_FORWARDED}))[^\n]*"
    rf"|(?P<bare>{_FORWARDED})[ \t]*[:：][ \t]*)$"
)
_SEPARATOR = linear(_SEPARATOR_PATTERN)
_HEADER_BLOCK_PATTERN = (
    rf"(?im)^[ \t>*]*(?:{any_of(_WORDS['from_labels'])})[ \t]*\*?[ \t]*[:：][^\n]*\n(?:[^\n:：]*\n)?"
    rf"[ \t>*]*(?:{any_of(_WORDS['other_labels'])})[ \t]*\*?[ \t]*[:：]"
)
# The same in any language: three labels, an address behind the first and a year behind the second.
_LABELLED = re.compile(r"[ \t>*]*[^\W\d_][^:：@]{0,20}[:：]")
_YEAR = re.compile(r"(?:19|20)\d\d")
_HEADER_BLOCK = linear(_HEADER_BLOCK_PATTERN)
_ATTRIBUTION_PATTERN = rf"(?im)(?:{any_of(_WORDS['wrote'])})(?:[^\n]*[:：]|[^\n]*<[^\n>]*|[ \t]*[:：]?)[ \t>]*$"
_ATTRIBUTION = linear(_ATTRIBUTION_PATTERN)
# Gmail in Russian, Japanese and others has no verb: date, time, name, <address>:
_DATED_PATTERN = r"(?m)(?:19|20)\d\d[^\n<]*<[^\n<>@]+@[^\n<>]+>[ \t]*[:：][ \t]*$"
_DATED = linear(_DATED_PATTERN)
_TIME = linear(r"\d{1,2}[:.h]\d\d|(?:19|20)\d\d|\d{1,2}[./月-]\d{1,2}")
_DISCLAIMER_PATTERN = rf"(?im)^[ \t*_]*(?:{any_of(_WORDS['disclaimer'])})"
_DISCLAIMER = linear(_DISCLAIMER_PATTERN)
_FRAME_PATTERN = rf"(?i)(?:{any_of(_WORDS['frame'])})"
_FRAME = linear(_FRAME_PATTERN)
_RELAY_FRAME = linear(rf"(?i)(?:{any_of((*_WORDS['frame'], *_WORDS['relay_frame']))})")
_RELAY_MESSAGE = linear(rf"(?im)^[ \t*]*(?:{any_of(_WORDS['relay_message'])})[ \t*]*(?:[:：][ \t*]*|$)")
_FOOTER = PatternSet(
    {
        "small-print": rf"{any_of(word.lower() for word in _WORDS['small_print'])}",
        "sure": rf"{any_of(word.lower() for word in (*_WORDS['sure_small_print'], *_WORDS['frame']))}",
    }
)
_STOP = re.compile(r"(?<!\w)STOP(?!\w)")
_RULE = linear(r"[ \t>]*[-_=*—─~]{5,}[ \t]*")
# Most letters hold nothing of all that: one pass over the text says so.
_OCCURS = PatternSet(
    {
        "separator": _SEPARATOR_PATTERN,
        "header-block": _HEADER_BLOCK_PATTERN,
        "attribution": _ATTRIBUTION_PATTERN,
        "dated": _DATED_PATTERN,
        "disclaimer": _DISCLAIMER_PATTERN,
        "frame": _FRAME_PATTERN,
    }
)
_BEGINS_ANOTHER_LETTER = frozenset({"separator", "header-block", "attribution", "dated"})


class Kind(StrEnum):
    """What a line is."""

    NEW = "new"
    QUOTE = "quote"
    FORWARD = "forward"
    SIGNATURE = "signature"
    DISCLAIMER = "disclaimer"
    FRAME = "frame"


@dataclass(frozen=True)
class Split:
    """A text as marked lines."""

    lines: tuple[tuple[Kind, str], ...]

    def of(self, wanted: Kind) -> str:
        """Return the lines of that kind, trimmed."""
        return "\n".join([line for kind, line in self.lines if kind is wanted]).strip()

    @cached_property
    def new_text(self) -> str:
        """What the sender newly wrote."""
        return self.of(Kind.NEW)

    @cached_property
    def signature(self) -> str:
        """The contact block."""
        return self.of(Kind.SIGNATURE)

    @cached_property
    def frame(self) -> str:
        """The lines of list software, platforms and forms."""
        return self.of(Kind.FRAME)

    @cached_property
    def answered(self) -> str:
        """The letter that is answered, with its frame."""
        return self.of(Kind.QUOTE)

    @cached_property
    def rest(self) -> str:
        """Everything but the new text."""
        return "\n".join([line for kind, line in self.lines if kind is not Kind.NEW]).strip()

    @cached_property
    def passed_on(self) -> str:
        """The text of a forwarded letter."""
        return self.of(Kind.FORWARD)


def split_text(
    text: str, *, writer: str = "", is_relay: bool = False, is_robot: bool = False, max_chars: int = MAX_CHARS
) -> Split:
    """Mark every line of the first `max_chars` characters.

    `writer` is the name that the letter is from; `is_relay`: a platform carries a buyer's words; `is_robot`: no person wrote.
    """
    text = text[:max_chars].replace("\xa0", " ").replace("\u200b", "")
    lines = text.split("\n")
    if len(lines) > _MANY_LINES:
        lines = _without_gaps(lines)
        text = "\n".join(lines)
    if is_relay:  # platforms set the buyer's words as a quote
        lines = [line[:MAX_LINE_CHARS] for line in lines]
        lines = [line.lstrip("> ") if line.startswith(">") else line for line in lines]
        text = "\n".join(lines)
    elif max(map(len, lines)) > MAX_LINE_CHARS:
        lines = [line[:MAX_LINE_CHARS] for line in lines]
        text = "\n".join(lines)
    kinds = [Kind.NEW] * len(lines)
    occurring = _OCCURS.found(text)
    _mark_quotes(text, lines, kinds, occurring)
    if "disclaimer" in occurring:
        _mark_disclaimers(text, lines, kinds)
    if is_relay:
        _mark_frames(lines, kinds, _RELAY_FRAME)
        _mark_relay_label(text, lines, kinds)
    elif "frame" in occurring:
        _mark_frames(lines, kinds, _FRAME)
    _mark_signature(lines, kinds, writer, is_robot=is_robot)
    return Split(tuple(zip(kinds, lines, strict=True)))


def _without_gaps(lines: list[str]) -> list[str]:
    """Return the lines with no more than twenty blank ones together: thousands would be climbed over again and again."""
    kept = []
    blank = 0
    for line in lines:
        blank = 0 if line.strip() else blank + 1
        if blank <= _MAX_BLANK_LINES:
            kept.append(line)
    return kept


def _line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset)


def _lines_with(text: str, pattern: Pattern) -> Iterator[int]:
    """Yield the number of each line in which a match begins, the first hundred: letters have a few."""
    line = counted = 0
    for match in islice(pattern.finditer(text), _MAX_MATCHES):
        line += text.count("\n", counted, match.start())
        counted = match.start()
        yield line


def _mark_quotes(text: str, lines: list[str], kinds: list[Kind], occurring: frozenset[str]) -> None:
    if ">" in text:
        for index, line in enumerate(lines):
            if line.startswith(">") or line.lstrip(" ").startswith("> "):
                kinds[index] = Kind.QUOTE
    shaped = _shaped_header(lines) if "@" in text else len(lines)
    if shaped == len(lines) and _BEGINS_ANOTHER_LETTER.isdisjoint(occurring):
        return
    start, kind = _first_separator(text, lines, shaped)
    for first, last in _attributions(text, lines):
        if first >= start:
            break
        _mark(kinds, first, last + 1, Kind.QUOTE)
        following = next((index for index in range(last + 1, len(lines)) if lines[index].strip()), None)
        if following is not None and kinds[following] is not Kind.QUOTE:
            start, kind = last + 1, Kind.QUOTE  # no marks: everything below is the letter answered
            break
    _mark(kinds, start, len(lines), kind)
    if start < len(lines) and kinds[start - 1] is Kind.NEW and start and _RULE.fullmatch(lines[start - 1]):
        kinds[start - 1] = kind


def _mark(kinds: list[Kind], start: int, end: int, kind: Kind) -> None:
    kinds[start:end] = [kind] * (end - start)


def _shaped_header(lines: list[str]) -> int:
    """Return the line where a header block in any language begins, len(lines) without one."""
    for index in range(len(lines) - 2):
        if (
            "@" in lines[index]
            and _LABELLED.match(lines[index])
            and _LABELLED.match(lines[index + 1])
            and _YEAR.search(lines[index + 1])
            and _LABELLED.match(lines[index + 2])
        ):
            return index
    return len(lines)


def _first_separator(text: str, lines: list[str], shaped: int) -> tuple[int, Kind]:
    """Return the line from which everything is somebody else's letter, and whether it was passed on or answered."""
    start, kind = len(lines), Kind.QUOTE
    found = _SEPARATOR.search(text)
    if found is not None:
        start = _line_of(text, found.start())
        if found.start(1) >= 0 or found.start(2) >= 0:
            kind = Kind.FORWARD
    block = _HEADER_BLOCK.search(text)
    if block is not None and _line_of(text, block.start()) < start:
        start, kind = _line_of(text, block.start()), Kind.QUOTE
    if shaped < start:
        start, kind = shaped, Kind.QUOTE
    if kind is Kind.QUOTE and start < len(lines) and not any(line.strip() for line in lines[:start]):
        kind = Kind.FORWARD  # nothing above it: the letter was passed on without a word
    return start, kind


def _attributions(text: str, lines: list[str]) -> list[tuple[int, int]]:
    """Return (first line, last line) of each "On ... wrote:", in order; such a line may be wrapped."""
    found: list[tuple[int, int]] = []
    for last in _lines_with(text, _ATTRIBUTION):
        if lines[last].count("<") > lines[last].count(">") and last + 1 < len(lines):
            last += 1  # the address is wrapped too
        candidates = []
        for first in range(last, max(last - 3, -1), -1):
            joined = " ".join(lines[first : last + 1]).strip()
            if not lines[first].strip() or len(joined) > 400:
                break
            if _is_attribution(joined):
                candidates.append((bool(_TIME.search(joined)), first))
        if candidates:  # the shortest that names a time, else the shortest
            found.append((max(candidates)[1] if any(dated for dated, _ in candidates) else candidates[0][1], last))
    found.extend((line, line) for line in _lines_with(text, _DATED))
    return sorted(found)


def _is_attribution(line: str) -> bool:
    # A sentence may end in "he wrote" too; a frame names an address, or a time and ends in a colon.
    return "@" in line or (line.rstrip(" >").endswith((":", "：")) and bool(_TIME.search(line)))


def _mark_disclaimers(text: str, lines: list[str], kinds: list[Kind]) -> None:
    for index in _lines_with(text, _DISCLAIMER):
        if kinds[index] is not Kind.NEW:
            continue
        is_top = not any(line.strip() for line in lines[: max(index - 1, 0)])
        while index < len(lines) and kinds[index] is Kind.NEW:
            if is_top and not lines[index].strip():
                break
            kinds[index] = Kind.DISCLAIMER
            index += 1


def _mark_frames(lines: list[str], kinds: list[Kind], pattern: Pattern) -> None:
    own = [index for index, line in enumerate(lines) if kinds[index] is Kind.NEW and line.strip()]
    found = [index for index in own if len(lines[index]) < 300 and pattern.search(lines[index])]
    if len(found) < len(own):  # a letter is not all frame
        for index in found:
            kinds[index] = Kind.FRAME


def _mark_relay_label(text: str, lines: list[str], kinds: list[Kind]) -> None:
    """Of a form's "Message: ..." the label and everything above are frame, the words behind it are the buyer's."""
    match = _RELAY_MESSAGE.search(text)
    if match is None:
        return
    index = _line_of(text, match.start())
    words = lines[index][match.end() - match.start() :]
    end = index if words.strip() else index + 1
    for above in range(end):
        if kinds[above] is Kind.NEW:
            kinds[above] = Kind.FRAME
    kinds[index] = Kind.NEW if words.strip() else Kind.FRAME


def _mark_signature(lines: list[str], kinds: list[Kind], writer: str, *, is_robot: bool) -> None:
    """Mark the contact block at the end of the sender's own words, and the small print below it."""
    last = len(lines) - 1
    while last >= 0 and (kinds[last] is not Kind.NEW or not lines[last].strip()):
        last -= 1
    # Only the last run of own lines can be signed; a quote may stand below it or, with answers inside, above it.
    first = last
    while first > 0 and kinds[first - 1] is Kind.NEW:
        first -= 1
    if first < 0:
        return
    end = last + 1
    # Small print is looked for from the end, one line at a time; never the letter's first line.
    while end > first + 1 and (not lines[end - 1].strip() or _is_footer(lines[end - 1])):
        end -= 1
    # Below a quote even the first line may be signed; a sentence stands for what is above.
    above = ["…"] if first and kinds[first - 1] is Kind.QUOTE else []
    start = first - len(above) + signature_start(above + lines[first:end], writer, is_robot=is_robot)
    if end <= last and (start < end or _is_sure_footer(lines[end : last + 1])):
        _mark(kinds, end, last + 1, Kind.DISCLAIMER)
    else:
        start = first - len(above) + signature_start(above + lines[first : last + 1], writer, is_robot=is_robot)
        end = last + 1
    _mark(kinds, start, end, Kind.SIGNATURE)
    if start == end and last < len(lines) - 1 and writer:
        _mark(kinds, name_line(lines, writer), len(lines), Kind.SIGNATURE)  # some sign below what they answer


def _is_sure_footer(lines: list[str]) -> bool:
    """Would nobody write so in a letter?"""
    return all(not line.strip() or "sure" in _FOOTER.found(line.lower()) for line in lines)


def _is_footer(line: str) -> bool:
    return bool(_FOOTER.found(line.lower())) or _STOP.search(line) is not None

# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutting a line into the pieces that may be a name by themselves: between separators, behind titles, without politeness."""

import re
from collections.abc import Iterator

from classifiers.name_shapes import TRIM, UNSPACED, shape_of
from classifiers.tables import read_table

_MAX_UNSPACED_TOKENS = 4
_NAMES = read_table("names")
_LEGAL_TAIL = re.compile(
    r"(?:co\.?,? ?ltd|ltd|inc|llc|limited|co|lda|ltda|corp|s\.?a\.?s?|s\.?r\.?l|s\.?l|srl|plc|gmbh|bv|b\.v|a\.?ş|sas|sac|spa|s\.p\.a|eirl|cia|cía|jsc|kft|oy|ab|as|a\.s|s\.r\.o|sp\. z o\.o)\b\.?",
    re.IGNORECASE,
)
_LEGAL_END = re.compile(rf"(?:^|[\s,.]){_LEGAL_TAIL.pattern}$", re.IGNORECASE)
_POLITE_START = re.compile(
    rf"(?:{'|'.join(re.escape(word) for word in sorted(_NAMES['polite_before'], key=len, reverse=True))})(?:\.[ ]?|[ ]+|(?<=[\u0e00-\u0e7f]))",
    re.IGNORECASE,
)
_BEHIND = sorted(_NAMES["polite_behind"], key=len, reverse=True)
_POLITE_END = re.compile(
    rf"(?:[ ](?:{'|'.join(re.escape(word) for word in _BEHIND)})|(?:{'|'.join(re.escape(word) for word in _BEHIND if word > '⺀')}))$",
    re.IGNORECASE,
)
# What separates pieces of a line.
_SEPARATOR = re.compile(
    r"[ ]*[|｜•∙●◆■★/／;；,，、،\t][ ]*|[ ]+[·–—‒-][ ]+|[ ]*[–—][ ]*|[ ]{2,}|(?<=[\u2e80-\u9fff])-(?=[A-Za-z])|(?<=[A-Za-z])[-_](?=[\u2e80-\u9fff])|[ ]*[(（](?!pvt|pty|private|p\)|株|有|合|주|유|유한|uk\))(?=[^\d])|[ ]+@[ ]*|(?<=[^\s@])@(?=[^\s@.]+$)",
    re.IGNORECASE,
)
_TOKEN_GAP = re.compile(r"[ \u3000\u00a0]+")
_LATIN_RUN = re.compile(
    r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff][A-Za-z\u00c0-\u024f\u1e00-\u1eff .'&-]*[A-Za-z\u00c0-\u024f\u1e00-\u1eff.]"
)
_FROM_COMPANY = re.compile(
    rf"[ ](?:{'|'.join(re.escape(word) for word in sorted(_NAMES['writes_for'], key=len, reverse=True))})[ ]+(?=[^\sa-z])"
)


def segments_of(line: str) -> list[tuple[int, str]]:
    """Return (offset, text) of what stands between separators; a legal form stays with the name before its comma."""
    found: list[tuple[int, str]] = []
    position = 0
    for match in (*_SEPARATOR.finditer(line), None):
        end = match.start() if match else len(line)
        raw = line[position:end]
        text = raw.strip(TRIM)
        if text:
            offset = position + raw.find(text)
            text_end = offset + len(text)
            if found and _LEGAL_TAIL.fullmatch(text) is not None:
                offset = found.pop()[0]
            if line[text_end : text_end + 1] == "." and _LEGAL_END.search(line, offset, text_end) is not None:
                text_end += 1  # "Ltd." keeps its point
            found.append((offset, line[offset:text_end]))
        if match is None:
            break
        position = match.end()
    return found


def name_parts(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield (offset, text, kind) of a segment and of those of its parts that may be a name by themselves."""
    bare, cut = without_politeness(text)
    yield cut, bare, "whole"
    if UNSPACED.search(bare):
        yield from _unspaced_parts(bare, cut)
        return
    split = _FROM_COMPANY.search(bare)
    if split is not None:
        yield cut, bare[: split.start()], "before-for"
        yield cut + split.end(), bare[split.end() :], "behind-for"
    words = bare.split(" ")
    if 1 < len(words) < 8:
        skip = 0
        while skip < len(words) - 1 and "title" in shape_of(words[skip]):
            skip += 1
        if skip:
            rest = " ".join(words[skip:])
            yield cut + len(bare) - len(rest), rest, "behind-title"


def _unspaced_parts(text: str, cut: int) -> Iterator[tuple[int, str, str]]:
    """Yield the parts of a segment in a script without spaces between words: stretches of what spaces do separate."""
    tokens: list[tuple[int, int]] = []
    position = 0
    for gap in (*_TOKEN_GAP.finditer(text), None):
        end = gap.start() if gap else len(text)
        if end > position:
            tokens.append((position, end))
        if gap is None:
            break
        position = gap.end()
    count = len(tokens)
    if count > 1:
        for first in range(min(count, 6)):
            for last in range(first, min(count, first + _MAX_UNSPACED_TOKENS)):
                if (first, last) == (0, count - 1):
                    continue
                start, end = tokens[first][0], tokens[last][1]
                kind = f"tokens-{min(first, 2)}-{min(count - 1 - last, 2)}-{last - first + 1}"
                bare, more = without_politeness(text[start:end])
                yield cut + start + more, bare, kind
    latin = _LATIN_RUN.search(text)
    if latin is not None and len(latin[0]) < len(text):
        yield cut + latin.start(), latin[0].strip(TRIM), "latin-run"


def without_politeness(text: str) -> tuple[str, int]:
    """Return a name without "Mr." and the like, and how many characters were cut at its beginning."""
    cut = 0
    for _ in range(2):
        polite = _POLITE_START.match(text)
        if polite is None or len(text) - polite.end() < 2:
            break
        cut += polite.end()
        text = text[polite.end() :]
    behind = _POLITE_END.search(text)
    if behind is not None and behind.start() > 1:
        text = text[: behind.start()]
    return text if text[-1:] == "." else text.strip(TRIM), cut

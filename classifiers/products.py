# SPDX-License-Identifier: GPL-3.0-or-later
"""The product a letter is about, in the sender's words: every phrase that may name it, and the one that does."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain, islice

from classifiers.goods_words import goods_score
from classifiers.numbers import WORD
from classifiers.quantities import Quantity
from classifiers.ranking import Chooser, Features
from classifiers.subjects import end_of_prefixes
from classifiers.tables import any_of, linear, read_table
from classifiers.terms import INCOTERMS
from classifiers.units import unit_of
from tradepost.facts import Goods

_MAX_CANDIDATES = 16
_MAX_SUBJECT_CHARS = 160
_MAX_PHRASE_WORDS = 4
_TEXT_CHARS = 140
_LIKELY_CHARS = 320
_MAX_LIKELY = 3
_LEAST_GOODS, _LEAST_OTHER = -3.8, -5.0
_TRUSTED = ("segment", "list", "item")  # what stands there may name the product whatever its words
_LEAST_LIKELY, _LEAST_BESIDE, _LEAST_SIGNS = -4.0, -4.5, -3.5
_MAX_PHRASE_CHARS, _MAX_ASIAN_CHARS = 50, 14
_MAX_QUANTITIES = 4
_CUE = linear(
    rf"(?im)(?:{any_of(read_table('entities')['product_cues'])})[ \t]*[:：]?[ \t]*([^\n,;.。，；?？!（(]{{3,60}})"
)
_CUE_CHARS = 1_500
_SMALL_WORDS = {word for words in read_table("language")["small_words"].values() for word in words.split()}
_TRADE_WORDS = {*map(str.lower, INCOTERMS), "usd", "eur", "rmb"}
_ROUTINE = frozenset(read_table("entities")["routine_words"]) | _SMALL_WORDS | _TRADE_WORDS
_SEGMENT = re.compile(r"\s[-–—|/·+]\s|[|,，、:：;；()（）\[\]【】„“”\"«»「」/!?！？]|\s{2,}")
_BRACKETED = re.compile(r"[\[【][^\]】]{0,40}[\]】]")
PHRASE_WORD = re.compile(rf"{WORD}(?:[-'’.,/×x]{WORD}|\d)*|\d[\d.,x×/\"”]*{WORD}?|\d[\d.,x×/]*")
_BREAK = re.compile(r"[\n,;.。，；?？!！()（）:：、؛،«»\"“”–—|]|[ ]-[ ]")
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u9fff]")
_ASIAN_PHRASE = re.compile(
    r"[^\s的了在要是有能和跟与及或就都也被把给從从到这這那哪吗呢吧啊,，。、：:；;！!？?（）()「」\d一二三两四五六七八九十がはをにでとのもやへまで]{2,12}"
)
_OF = re.compile(
    r"[ ]?(?:(?:of|de|di|von|van|x|du|des|da|do|من|ของ)[ ]|d['’]|[的の]|×[ ]?)?",
    re.IGNORECASE,
)
_JOINT = re.compile(
    r" (?:of|de|di|von|van|du|des|del|della|delle|da|do|a|à|per|para|pour|für|voor|för|for|för|для|из|с|do|na|z|с|w|til|till|pentru|cu|con|com|med|mit|avec|et|من|برای|का|की|के|untuk) |[的の]|의 ",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"[\n.!?,;:()]")
_ITEM_BEFORE = re.compile(
    r"(?:^|\n)[ \t]*(?:[-–—*•·]|\d{1,2}[.)、/])?[ \t]*([^\n:：–—=]{3,50}?)[ ]*(?:[-–—:：=,，]|x)[ ]*$"
)
_ARTICLES = frozenset(read_table("entities")["articles"])


@dataclass(frozen=True, slots=True)
class Product:
    """A phrase that may name the product, and where it stands in the letter's text."""

    text: str
    start: int
    features: Features


def product_candidates(
    text: str,
    head: int,
    quantities: Sequence[Quantity],
    language: str | None,
    items: Sequence[tuple[Quantity, Goods]] = (),
    category: str | None = None,
) -> list[Product]:
    """Return the phrases that may name the product; the first `head` characters of the text are its subject.

    What each is made of, where and between which words it stands, and how likely its words name goods are its features.
    `items` are those of a list of goods, each with its quantity.
    """
    common = common_words(language)
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = text  # a letter whose small form is longer would move all places
    counted = {quantity.end: quantity for quantity in quantities}
    found: dict[tuple[int, int], Product] = {}
    for source, start, end, more in chain(_listed(text, items), _spans(text, head, quantities, common)):
        if (start, end) in found or end - start > (
            _MAX_ASIAN_CHARS if _UNSPACED.match(text, start) else _MAX_PHRASE_CHARS
        ):
            continue
        if len(found) == _MAX_CANDIDATES:
            break
        words = lowered[start:end].split(" ")
        scores = [goods_score(word) for word in words if word[:1].isalpha()]
        least = _LEAST_GOODS if source.startswith("text") else _LEAST_OTHER
        if not source.startswith(_TRUSTED) and max([best for _, best, _ in scores], default=-9.0) < least:
            continue
        features = (
            f"source={source}",
            f"{category}:source={source}",
            *more,
            *_features(text, lowered, start, end, head, common),
            *_goods_features(scores),
            *_beside(text, lowered, start, end, head, language),
            f"{language}:words={min(len(words), 5)}",
            *_counted(text, start, end, counted),
        )
        found[start, end] = Product(text[start:end], start, features)
    return list(found.values())


@cache
def common_words(language: str | None) -> frozenset[str]:
    """Return the words that many writers of a language use, and those of English: no product is made of them."""
    raw = files("classifiers").joinpath("data/common_words.json").read_text(encoding="utf-8")
    table: dict[str, str] = json.loads(raw)
    return frozenset(f"{table.get(language or '', '')} {table.get('en', '')}".split()) | _ROUTINE


def _counted(text: str, start: int, end: int, counted: dict[int, Quantity]) -> list[str]:
    """Say whether the phrase stands right behind or before a number of things."""
    for gap in range(1, 5):
        quantity = counted.get(start - gap) or (counted.get(start) if gap == 1 else None)
        if quantity is not None:
            return ["counted", "counted-unit" if quantity.unit else "counted-bare"]
    rest = text[end : end + 5]
    if rest[:1] in " :：–-(" and any(char.isdigit() for char in rest):
        return ["number-behind"]
    return []


def _listed(text: str, items: Sequence[tuple[Quantity, Goods]]) -> Iterator[tuple[str, int, int, Features]]:
    for nth, (quantity, goods) in enumerate(items[:3]):
        name = goods.product or ""
        start = text.rfind(name, 0, quantity.start)
        start = start if start >= quantity.start - 120 else text.find(name, quantity.end)
        if name and start >= 0:
            yield "list", start, start + len(name), (f"nth-item={nth}",)
            words = name.split(" ")
            if len(words) > 3:
                yield (
                    "list-part",
                    start,
                    start + len(" ".join(words[:3])),
                    (f"nth-item={nth}",),
                )


def _spans(
    text: str, head: int, quantities: Sequence[Quantity], common: frozenset[str]
) -> Iterator[tuple[str, int, int, Features]]:
    """Yield (source, start, end, features) of phrases: runs of words that not everybody uses, list items, cues."""
    cue = _CUE.search(text[: head + _CUE_CHARS])
    if cue is not None:
        end = cue.start(1) + len(cue.group(1).rstrip())
        yield "cue", cue.start(1), end, ()
        yield from _runs(text, cue.start(1), cue.end(1), common, "cue-part")
    subject_end = min(head - 1, _MAX_SUBJECT_CHARS)
    yield from _subject_spans(text, subject_end, common)
    for nth, quantity in enumerate(quantities[:_MAX_QUANTITIES]):
        line = text[max(text.rfind("\n", 0, quantity.start), quantity.start - 70, 0) : quantity.start]
        yield from _behind(text, quantity, nth)
        item = _ITEM_BEFORE.search(line)
        if item is not None:
            begin = quantity.start - len(line)
            yield (
                "item",
                begin + item.start(1),
                begin + item.end(1),
                (f"nth-quantity={nth}", "unit" if quantity.unit else "no-unit"),
            )
    yield from _runs(text, head, min(len(text), head + _TEXT_CHARS), common, "text")
    yield from _likely(text, head, min(len(text), head + _LIKELY_CHARS), common)


def _likely(text: str, start: int, end: int, common: frozenset[str]) -> Iterator[tuple[str, int, int, Features]]:
    """Yield the phrases round the words that most likely name goods."""
    if _UNSPACED.search(text, start, end):
        yield from _likely_signs(text, start, end)
    tokens = list(PHRASE_WORD.finditer(text, start, end))
    scores = [_token_score(token[0].lower(), common) for token in tokens]
    best = sorted(range(len(tokens)), key=lambda index: -scores[index])[:_MAX_LIKELY]
    for rank, peak in enumerate(best):
        if scores[peak] < _LEAST_LIKELY:
            break
        first = last = peak
        while first and peak - first < 3 and _is_joined(text, tokens, scores, first - 1):
            first -= 1
        while last + 1 < len(tokens) and last - peak < 3 and _is_joined(text, tokens, scores, last):
            last += 1
        more = (f"rank={rank}",)
        yield "text-likely", tokens[first].start(), tokens[last].end(), more
        if first < last:
            yield "text-likely-word", *tokens[peak].span(), more
        far = last + 2
        if far < len(tokens) and scores[far] > _LEAST_BESIDE:
            joint = _JOINT.fullmatch(text, tokens[last].end(), tokens[far].start())
            if joint is not None:
                yield (
                    "text-likely-joined",
                    tokens[first].start(),
                    tokens[far].end(),
                    more,
                )


def _token_score(word: str, common: frozenset[str]) -> float:
    if word[0].isdigit() or _UNSPACED.match(word):
        return -9.0
    return goods_score(word)[0] - (1.0 if word in common else 0.0)


def _is_joined(text: str, tokens: Sequence[re.Match[str]], scores: Sequence[float], index: int) -> bool:
    """Do a word and the next one stand in one phrase: side by side, both likely enough or an article's code?"""
    if text[tokens[index].end() : tokens[index + 1].start()] not in (" ", "-"):
        return False
    return all(
        scores[place] > _LEAST_BESIDE or (tokens[place][0][-1].isdigit() and not tokens[place][0].isdigit())
        for place in (index, index + 1)
    )


def _likely_signs(text: str, start: int, end: int) -> Iterator[tuple[str, int, int, Features]]:
    """Yield the likeliest runs of signs, in scripts without spaces."""
    found: list[tuple[float, int, int]] = []
    for phrase in islice(_ASIAN_PHRASE.finditer(text, start, end), 40):
        length = 5 if phrase[0][0] <= "\u0e7f" else 2
        scores = [goods_score(phrase[0][place : place + length])[0] for place in range(len(phrase[0]) - length + 1)]
        best, total, first = (0.0, 0, 0), 0.0, 0
        for place, score in enumerate(scores):
            if total <= 0:
                total, first = 0.0, place
            total += score - _LEAST_SIGNS
            if total > best[0]:
                best = total, first, place
        if best[0] > 0:
            found.append((best[0], phrase.start() + best[1], phrase.start() + best[2] + length))
    found.sort(key=lambda one: -one[0])
    for rank, (_, begin, stop) in enumerate(found[:_MAX_LIKELY]):
        yield "text-likely-signs", begin, stop, (f"rank={rank}",)


def _behind(text: str, quantity: Quantity, nth: int) -> Iterator[tuple[str, int, int, Features]]:
    """Yield what stands right behind a quantity, up to a small word: "200 pcs of water pumps for"."""
    of = _OF.match(text, quantity.end)
    start = of.end() if of else quantity.end
    kind = "unit" if quantity.unit else "no-unit"
    begin = end = -1
    count = 0
    for match in islice(PHRASE_WORD.finditer(text, start, start + 50), _MAX_PHRASE_WORDS):
        gap = text[end if end >= 0 else start : match.start()]
        if gap not in ("", " ", "-") or match[0].lower() in _ROUTINE or match[0].isupper() or match.end() == start + 50:
            break
        begin = match.start() if begin < 0 else begin
        end = match.end()
        count += 1
        if count < 3:
            yield (
                "behind",
                begin,
                end,
                (f"nth-quantity={nth}", kind, f"behind-words={count}"),
            )
    if count > 2:
        yield "behind", begin, end, (f"nth-quantity={nth}", kind, "behind-whole")


def _runs(
    text: str, start: int, end: int, common: frozenset[str], source: str
) -> Iterator[tuple[str, int, int, Features]]:
    """Yield runs of uncommon words, whole and, where they are long, their ends."""
    if _UNSPACED.search(text, start, end):
        for count, phrase in enumerate(islice(_ASIAN_PHRASE.finditer(text, start, end), 16)):
            yield (
                f"{source}-asian",
                phrase.start(),
                phrase.end(),
                (f"nth-run={min(count, 6)}",),
            )
    run: list[re.Match[str]] = []
    nth = 0
    for match in (*PHRASE_WORD.finditer(text, start, end), None):
        if match is not None:
            word = match[0]
            is_number = word[0].isdigit() and not run
            if (
                match[0].lower() not in common
                and not is_number
                and (not run or text[run[-1].end() : match.start()] in (" ", "-"))
            ):
                run.append(match)
                continue
        if run:
            more = (f"nth-run={min(nth, 6)}", f"run={min(len(run), 5)}")
            if len(run) <= _MAX_PHRASE_WORDS:
                yield source, run[0].start(), run[-1].end(), more
            if len(run) > 1 and source != "text":
                yield f"{source}-last", run[-1].start(), run[-1].end(), more
                yield f"{source}-first", run[0].start(), run[0].end(), more
            if len(run) > 2 and source != "text":
                yield f"{source}-first-two", run[0].start(), run[1].end(), more
            nth += 1
        is_new = match is not None and match[0].lower() not in common and not match[0][0].isdigit()
        run = [match] if match is not None and is_new else []


def _subject_spans(text: str, end: int, common: frozenset[str]) -> Iterator[tuple[str, int, int, Features]]:
    position = end_of_prefixes(text[:end])
    while (bracket := _BRACKETED.match(text, position, end)) is not None:
        position = bracket.end()
    count = 0
    for match in (*_SEGMENT.finditer(text, position, end), None):
        stop = match.start() if match else end
        if stop - position > 1 and text[position:stop].strip():
            first = position + len(text[position:stop]) - len(text[position:stop].lstrip())
            last = first + len(text[first:stop].rstrip())
            yield "segment", first, last, (f"nth-segment={min(count, 2)}",)
            yield from _runs(text, first, last, common, "subject-part")
            count += 1
        if match is None or count > 3:
            break
        position = match.end()


def _features(text: str, lowered: str, start: int, end: int, head: int, common: frozenset[str]) -> list[str]:
    phrase = lowered[start:end]
    words = phrase.split(" ")
    features = [f"words={min(len(words), 5)}"]
    if _UNSPACED.match(phrase):
        features.append(f"asian-chars={min(len(phrase), 8)}")
    for name, word in (("starts", words[0]), ("ends", words[-1])):
        if word in _ROUTINE:
            features.append(f"{name}-routine")
        elif word[:1].isdigit():
            features.append(f"{name}-digit")
        elif len(word) < 3:
            features.append(f"{name}-short")
    routine = sum([word in common for word in words])
    if routine:
        features.append("all-routine" if routine == len(words) else "some-routine")
    stem = phrase[:-1] if len(phrase) > 5 and not _UNSPACED.match(phrase) else phrase
    again = lowered.count(stem)
    features.append(f"again={min(again - 1, 3)}")
    if again > 1:
        if start >= head and lowered.find(stem, 0, head) >= 0:
            features.append("in-subject")
        if start < head and lowered.find(stem, head) >= 0:
            features.append("in-text")
    before = lowered[max(start - 14, 0) : start].split()
    if before:
        features.append(f"word-before={before[-1][-8:]}")
    if before and before[-1] in _ARTICLES:
        features.append("article-before")
    if text[start].isupper():
        features.append("capital" if start and text[start - 1] == " " else "capital-first")
    if text[end : end + 1] in ("", "\n", ",", ".", "?", "，", "。", ";", ":", "(", ")"):
        features.append("break-behind")
    following = lowered[end + 1 : end + 14].split()
    if following and following[0] in common:
        features.append("routine-behind")
    if unit_of(words[0]) != words[0]:
        features.append("unit-word")
    return features


def _beside(text: str, lowered: str, start: int, end: int, head: int, language: str | None) -> list[str]:
    """Say where a phrase stands, and what words (signs, in scripts without spaces) stand before and behind it."""
    place = "subject" if start < head else str(min((start - head) // 60, 6))
    if _UNSPACED.match(text, start):
        before, behind = lowered[max(start - 2, 0) : start], lowered[end : end + 2]
        return [
            f"at={place}",
            f"before={before}",
            f"before={before[-1:]}",
            f"behind={behind}",
            f"behind={behind[:1]}",
        ]
    ahead = _CLAUSE_END.split(lowered[max(start - 24, 0) : start])[-1].split()
    after = _CLAUSE_END.split(lowered[end : end + 24])[0].split()
    return [
        f"at={place}",
        f"{language}:before={ahead[-1][-9:] if ahead else ''}",
        f"{language}:behind={after[0][:9] if after else ''}",
        f"digits={any(map(str.isdigit, lowered[start:end]))}",
    ]


def _goods_features(scored: Sequence[tuple[float, float, float]]) -> list[str]:
    """Say how likely the words of a phrase name goods."""
    if not scored:
        return ["goods-unknown"]
    return [
        f"goods-last={_step(scored[-1][0])}",
        f"goods-first={_step(scored[0][0])}",
        f"goods-mean={_step(sum([mean for mean, _, _ in scored]) / len(scored))}",
        f"goods-best={_step(max([best for _, best, _ in scored]))}",
        f"goods-least={_step(min([least for _, _, least in scored]))}",
    ]


def _step(score: float) -> int:
    return min(max(math.floor(score), -7), 2)


_CHOOSER = Chooser("product")


def choose_product(candidates: Sequence[Product], none: Features, *, is_business: bool) -> Product | None:
    """Return the phrase that names the product; in a letter of business what "quotation for" names counts in any case."""
    found = _CHOOSER.choose(candidates, none)
    if found is None and is_business:
        return next(
            (candidate for candidate in candidates if "source=cue" in candidate.features),
            None,
        )
    return found

# SPDX-License-Identifier: GPL-3.0-or-later
"""Score what is read from a letter before it is judged: `python -m bench.reading PATH... [--errors KIND]`.

PATH is a file of labelled letters (JSON lines as in classifiers/training: "body" as [kind, text] pieces, "lang", "country",
"facts"), a folder of such files, or a corpus folder that holds `reply_split.jsonl`, `langid.jsonl`, `phone_examples.jsonl`.
Measures, by language: token F1 of the new text, language of the new text, precision and coverage of the country,
recall of the telephone number.
"""

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.figures import token_f1
from classifiers.country import Origin
from classifiers.language import LanguageReader
from classifiers.phones import choose_phone, find_phones, warm_regions
from classifiers.reading import read_letter
from classifiers.splitting import split_text
from classifiers.training.letters import describe_mail
from tradepost.message import Message

_CORPUS_FILES = ("reply_split.jsonl", "langid.jsonl", "phone_examples.jsonl")
_FEW = 1e-9  # keeps a share of nothing from dividing by zero


@dataclass(frozen=True, slots=True)
class Answer:
    """What was read from one labelled letter."""

    row: dict[str, Any]
    message: Message
    new_text: str
    signature: str
    rest: str
    language: str | None
    origin: Origin
    phone: str | None

    @property
    def truth(self) -> str:
        """What the writer newly wrote."""
        return "\n".join(text for kind, text in self.row["body"] if kind == "new")


@dataclass(slots=True)
class Score:
    """Sums over the letters of one language."""

    letters: int = 0
    new_text: list[float] = field(default_factory=list)
    language: int = 0
    has_language: int = 0
    country_given: int = 0
    country_right: int = 0
    country_known: int = 0
    country_found: int = 0
    phone_stated: int = 0
    phone_right: int = 0
    phone_invented: int = 0

    def add(self, answer: Answer) -> None:
        """Count one letter."""
        self.letters += 1
        self.new_text.append(token_f1(answer.new_text, answer.truth))
        if answer.truth.strip():
            self.has_language += 1
            self.language += answer.language == answer.row["lang"]
        country, guess = answer.row.get("country"), answer.origin.country
        self.country_given += guess is not None
        self.country_right += guess is not None and guess == country
        self.country_known += country is not None
        self.country_found += country is not None and guess is not None
        phone = answer.row.get("facts", {}).get("phone")
        self.phone_stated += phone is not None
        self.phone_right += phone is not None and answer.phone == phone
        self.phone_invented += phone is None and answer.phone is not None

    def figures(self) -> dict[str, float]:
        """Return the shares."""
        return {
            "letters": self.letters,
            "new-text": statistics.mean(self.new_text) if self.new_text else 0.0,
            "language": self.language / max(self.has_language, _FEW),
            "country-precision": self.country_right / max(self.country_given, _FEW),
            "country-coverage": self.country_found / max(self.country_known, _FEW),
            "phone": self.phone_right / max(self.phone_stated, _FEW),
            "phone-invented": self.phone_invented,
        }


def message_of(row: dict[str, Any]) -> Message:
    """Return the mail that a labelled row describes."""
    date = datetime.fromisoformat(row["date"]) if row.get("date") else None
    text = "\n".join(piece for _, piece in row["body"])
    return describe_mail(row["from"], row["subject"], text, date, row.get("attachments", ()))


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the labelled letters of a file or of every file below a folder; lines of another form are passed over."""
    for file in sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]:
        for line in file.read_text(encoding="utf-8").split("\n"):
            row = json.loads(line) if line.strip() else {}
            if "body" in row and "from" in row:
                yield row


def read_row(languages: LanguageReader, row: dict[str, Any]) -> Answer:
    """Read one labelled letter; of spam no country is asked for, whatever the classifier says of it."""
    message = message_of(row)
    reading = read_letter(message)
    language = languages.read(reading.words_that_count, message.subject)
    origin = Origin() if row["category"] == "spam" else reading.origin(message, language)
    split = reading.split
    return Answer(
        row,
        message,
        split.new_text,
        split.signature,
        split.rest,
        language,
        origin,
        reading.phone(origin.country, language),
    )


def score_letters(
    languages: LanguageReader, rows: Iterator[dict[str, Any]], errors: str = ""
) -> dict[str, dict[str, float]]:
    """Return the figures of each language and of "all"; `errors` names what to print the mistakes of."""
    scores: dict[str, Score] = defaultdict(Score)
    spent = 0.0
    for row in rows:
        started = time.process_time()
        answer = read_row(languages, row)
        spent += time.process_time() - started
        for name in (row["lang"], "all"):
            scores[name].add(answer)
        if errors:
            _print_error(answer, errors)
    found = {name: scores[name].figures() for name in sorted(scores, key=lambda name: (name == "all", name))}
    if "all" in found:
        found["all"]["ms"] = 1e3 * spent / scores["all"].letters
    return found


def score_corpus(folder: Path, languages: LanguageReader) -> dict[str, float]:
    """Score the labelled texts of others: replies (token F1), languages (share right), telephone numbers (recall)."""
    found: dict[str, float] = {}
    replies = [case for case in _lines(folder / "reply_split.jsonl") if _expected_reply(case) is not None]
    found["reply-split"] = statistics.mean(
        token_f1(split_text(case["input"]).new_text, _expected_reply(case) or "") for case in replies
    )
    texts: dict[str, list[bool]] = defaultdict(list)
    for case in _lines(folder / "langid.jsonl"):
        texts[case["kind"]].append(languages.read(case["text"]) == case["lang"])
    found |= {f"langid-{kind}": statistics.mean(hits) for kind, hits in texts.items()}
    numbers = list(_lines(folder / "phone_examples.jsonl"))
    found["phone-international"] = statistics.mean(
        [phone.e164 for phone in find_phones(f"Tel: {case['international']}")] == [case["e164"]] for case in numbers
    )
    found["phone-national"] = statistics.mean(
        choose_phone(f"Tel: {case['national']}", "", case["region"]) == case["e164"] for case in numbers
    )
    return found


def _expected_reply(case: dict[str, Any]) -> str | None:
    """Return the reply that a case of `reply_split.jsonl` expects, None when it expects something else."""
    expected = case["expected"]
    for key in ("reply", "text", "visible_text", "new_text", "body", "first_visible_fragment"):
        if isinstance(expected, dict) and isinstance(expected.get(key), str):
            return str(expected[key])
    return expected if isinstance(expected, str) else None


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").split("\n")  # texts hold other line separators
    return (json.loads(line) for line in lines if line)


def _print_error(answer: Answer, kind: str) -> None:
    row = answer.row
    head = f"## {row['lang']} {row['category']} <{answer.message.from_.address}> {row['subject']!r}"
    phone, country = row.get("facts", {}).get("phone"), row.get("country")
    if kind == "new" and token_f1(answer.new_text, answer.truth) < 0.93:
        print(f"{head}\n--- truth\n{answer.truth}\n--- read\n{answer.new_text}\n--- rest\n{answer.rest}\n")
    elif kind == "language" and answer.language != row["lang"] and answer.truth.strip():
        print(f"{head}: {answer.language} not {row['lang']}: {answer.truth[:200]!r}")
    elif kind == "country" and answer.origin.country != country:
        print(
            f"{head} [{answer.language}] {row.get('date', '')[-6:]}: {answer.origin} "
            f"not {country}; {answer.new_text[:300]!r} | {answer.signature!r}"
        )
    elif kind == "phone" and answer.phone != phone:
        print(
            f"{head} ({answer.origin.country}): {answer.phone} not {phone}; "
            f"{answer.new_text[-300:]!r} | {answer.signature!r}"
        )


def main() -> None:
    """Print a table by language, then the numbers as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--errors", choices=["new", "language", "country", "phone"], default="")
    options = parser.parse_args()
    warm_regions()
    languages = LanguageReader()
    scores: dict[str, Any] = {}
    for path in options.paths:
        if all((path / name).is_file() for name in _CORPUS_FILES):
            scores[str(path)] = {"corpus": score_corpus(path, languages)}
        else:
            scores[str(path)] = score_letters(languages, read_rows(path), options.errors)
        for name, figures in scores[str(path)].items():
            print(f"{name:8}" + "  ".join(f"{key} {value:.3f}".removesuffix(".000") for key, value in figures.items()))
    print(json.dumps(scores))


if __name__ == "__main__":
    main()

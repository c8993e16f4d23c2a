# SPDX-License-Identifier: GPL-3.0-or-later
"""Who writes: the person and the company, of all pieces of a letter that may name them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from classifiers.contact_pieces import Piece, find_pieces
from classifiers.name_shapes import UNSPACED, name_words, shape_of
from classifiers.ranking import Chooser, Features
from classifiers.tables import read_table
from tradepost.addresses import is_free_mail
from tradepost.message import Address

_NO_NAME = frozenset(["company", "legal", "title", "role", "digit", "sentence", "several-segments"])
_COMPANY_TOO = frozenset(["is-domain", "holds-domain"])
_CHINESE_NAME = frozenset(["family-zh", "family-double", "familiar", "familiar-behind"])
_WORDS_OF_A_NAME = (2, 3, 4)
_MAX_LATIN_WORDS = 3
_MAX_GIVEN_SIGNS = 3
_MAILBOX_PARTS = re.compile(r"[._]")
_MAILBOX_NAME = re.compile(r"[a-z]{3,15}")
_PROGRAMS = frozenset(read_table("automatic")["machine_locals"])
_PERSON, _COMPANY = Chooser("person"), Chooser("company")


@dataclass(frozen=True, slots=True)
class Signer:
    """A letter as far as it says who writes."""

    writer: Address
    contact: str  # signature, or the fields of a form
    new_text: str
    category: str | None = None
    is_automatic: bool = False

    @property
    def none_features(self) -> Features:
        """What is known of the letter apart from its names."""
        domain = self.writer.address.rpartition("@")[2]
        shown = shape_of(self.writer.name.strip()) if self.writer.name.strip() else frozenset(["no-name"])
        kept = (name for name in shown if name in ("no-name", "role", "company", "legal", "title") or "words=" in name)
        return (
            "none",
            f"none-category={self.category}",
            "none-contact" if self.contact.strip() else "none-no-contact",
            "none-automatic" if self.is_automatic else "none-written",
            "none-free-mail" if domain and is_free_mail(domain) else "none-own-domain" if domain else "none-no-domain",
            *(f"none-from-{name}" for name in kept),
        )


def person_candidates(signer: Signer) -> list[Piece]:
    """Return the pieces that may name the person who writes."""
    return find_pieces(signer.writer, signer.contact, signer.new_text)


def choose_person(signer: Signer, pieces: Sequence[Piece]) -> Piece | None:
    """Return the piece that names the person, as fully as the letter does: "A. Lee" below it is Ann Lee of the From field."""
    chosen = _PERSON.choose(pieces, signer.none_features)
    if chosen is None or "team" in chosen.features:
        return None
    return fullest_name(chosen, pieces)


def fullest_name(chosen: Piece, pieces: Sequence[Piece]) -> Piece:
    """Return the piece that says a chosen name most fully."""
    words, fullest = name_words(chosen.text), chosen
    for piece in pieces:
        if len(piece.text) > len(fullest.text) and _NO_NAME.isdisjoint(piece.features):
            full = name_words(piece.text)
            if (
                _in_two_scripts(words, full)
                or _abbreviates(words, full)
                or (len(words) == 1 and _is_first_of(chosen, words[0], piece, full))
            ):
                fullest = piece
    return fullest


def person_of_mailbox(writer: Address) -> str | None:
    """Return whom a mailbox is named after ("marek.kowalski@"); None where it may be a department or a program.

    A From field with a name says so itself, or says that many read the mailbox.
    """
    if writer.name.strip():
        return None
    parts = _MAILBOX_PARTS.split(writer.address.partition("@")[0].lower())
    if len(parts) != 2 or not all(_MAILBOX_NAME.fullmatch(part) for part in parts):
        return None
    if not _NO_NAME.isdisjoint(shape_of(" ".join(parts))) or not _PROGRAMS.isdisjoint(parts):
        return None
    return " ".join(part.capitalize() for part in parts)


def _is_first_of(chosen: Piece, word: str, piece: Piece, full: Sequence[str]) -> bool:
    """Is "Ann" the first name of Ann Lee, or "鈴木" of the From field the family name of "鈴木 花子"?"""
    if len(full) not in _WORDS_OF_A_NAME or full[0] != word:
        return False
    if UNSPACED.search(chosen.text):
        return chosen.source == "from" and len(full) == 2 and len(full[1]) <= _MAX_GIVEN_SIGNS
    return piece.source == "from" and _COMPANY_TOO.isdisjoint(piece.features)


def _abbreviates(short: Sequence[str], full: Sequence[str]) -> bool:
    """Is "A. Lee" or "Alex Lee" short for Alexander Lee: words in order, one of them whole, another an initial or begun?"""
    if len(short) < 2 or len(full) not in _WORDS_OF_A_NAME or len(short) != len(full):
        return False
    same = sum(one == other for one, other in zip(short, full, strict=True))
    return 0 < same < len(short) and all(other.startswith(one) for one, other in zip(short, full, strict=True))


def _in_two_scripts(short: Sequence[str], full: Sequence[str]) -> bool:
    """Do both say the same name, the longer one in Latin letters and in Chinese signs: "Ann Lee 李安"?"""
    chinese = [word for word in full if "\u3400" <= word[0] <= "\u9fff"]
    latin = [word for word in full if "a" <= word[0] <= "z"]
    if len(chinese) != 1 or not 0 < len(latin) <= _MAX_LATIN_WORDS or len(chinese) + len(latin) != len(full):
        return False
    return set(short) <= set(full) and not _CHINESE_NAME.isdisjoint(shape_of(chinese[0]))


def company_candidates(pieces: Sequence[Piece], person: Piece | None) -> list[Piece]:
    """Return the pieces that may name the company, with how each stands to the person's name."""
    return [
        Piece(piece.text, piece.source, piece.start, piece.line, (*piece.features, *_beside(piece, person)))
        for piece in pieces
    ]


def _beside(piece: Piece, person: Piece | None) -> list[str]:
    if person is None:
        return ["no-person"]
    features = []
    if piece.text.lower() == person.text.lower():
        features.append("is-person")
    elif person.text.lower() in piece.text.lower():
        features.append("holds-person")
    if piece.source == person.source:
        if piece.start < person.start + len(person.text) and person.start < piece.start + len(piece.text):
            features.append("overlaps-person")
        else:
            side = "after" if piece.start > person.start else "ahead"
            features.append(f"{side}-person-{min(abs(piece.line - person.line), 3)}")
            features.append(f"{piece.source}|{side}-person-{min(abs(piece.line - person.line), 3)}")
            if "title" not in piece.features and "place" not in piece.features:
                features.append(f"plain-{side}-person-{min(abs(piece.line - person.line), 3)}")
    return features


def choose_company(signer: Signer, pieces: Sequence[Piece], person: Piece | None) -> Piece | None:
    """Return the piece that names the company; `pieces` as they are, without their relation to the person."""
    best, best_score = None, _COMPANY.score(signer.none_features)
    for piece in pieces:
        score = _COMPANY.score(piece.features) + _COMPANY.score(_beside(piece, person))
        if score > best_score:
            best, best_score = piece, score
    return best

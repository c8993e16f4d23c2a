# SPDX-License-Identifier: GPL-3.0-or-later
"""Who writes: the person and the company, of all pieces of a letter that may name them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from classifiers.contact_pieces import Piece, find_pieces, shape_of
from classifiers.ranking import Chooser, Features
from tradepost.addresses import is_free_mail
from tradepost.message import Address

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
    """Return the pieces that may name the person who writes, or whom an absence note names instead."""
    pieces = find_pieces(signer.writer, signer.contact, signer.new_text, is_automatic=signer.is_automatic)
    if not signer.is_automatic:
        return pieces
    return [
        replace(piece, features=(*piece.features, *(f"auto|{name}" for name in piece.features if _tells_source(name))))
        for piece in pieces
    ]


def _tells_source(name: str) -> bool:
    return name.startswith(("source=", "is-from", "shares-from", "part-of-from", "back=", "to-number=", "polite"))


def choose_person(signer: Signer, pieces: Sequence[Piece]) -> Piece | None:
    """Return the piece that names the person."""
    return _PERSON.choose(pieces, signer.none_features)


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

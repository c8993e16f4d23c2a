# SPDX-License-Identifier: GPL-3.0-or-later
"""First facts of a letter: who writes, for which company, about what, how much, at which price and terms."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from classifiers.contact_details import (
    Detail,
    find_address,
    find_numbers_by_kind,
    find_social,
    find_title,
    find_website,
)
from classifiers.contact_pieces import Piece
from classifiers.domain_names import company_of_domain
from classifiers.goods import list_goods
from classifiers.money import Money, find_money, spoken_currency
from classifiers.numbers import Number, find_numbers, plain_figures
from classifiers.prices import Price, choose_price, price_candidates
from classifiers.products import Product, choose_product, product_candidates
from classifiers.quantities import Quantity, choose_quantity, quantity_candidates
from classifiers.reading import Reading
from classifiers.references import Found, find_references
from classifiers.spans import span_in_text, span_of_piece
from classifiers.splitting import MAX_CHARS
from classifiers.terms import Term, find_incoterm, find_needed_by, find_payment_term, find_place
from classifiers.writers import Signer, choose_company, choose_person, person_candidates, person_of_mailbox
from tradepost.facts import Account, Goods, Reference, Source, Span
from tradepost.message import Address, Message
from tradepost.verdict import BUSINESS_CATEGORIES

ABOUT_GOODS = frozenset(["inquiry", "sample", "order", "complaint", "support", "logistics"])


@dataclass(frozen=True)
class Letter:
    """What facts are read from."""

    writer: Address
    subject: str
    new_text: str
    contact: str = ""  # signature, or the fields of a form
    language: str | None = None
    country: str | None = None
    category: str | None = None
    is_automatic: bool = False
    is_robot: bool = False
    is_business: bool = False
    is_form: bool = False
    written: date | None = None

    @property
    def signer(self) -> Signer:
        """The letter as far as it says who writes."""
        return Signer(self.writer, self.contact, self.new_text, self.category, self.is_automatic)

    @cached_property
    def text(self) -> str:
        """Subject and new text, in plain figures."""
        return plain_figures(f"{self.subject}\n{self.new_text}")

    @property
    def head(self) -> int:
        """How many characters of the text are its subject."""
        return len(self.subject) + 1

    @cached_property
    def numbers(self) -> list[Number]:
        """The numbers of the text."""
        return find_numbers(self.text, self.language)

    @cached_property
    def money(self) -> list[Money]:
        """The amounts of money in the text."""
        return find_money(self.text, self.numbers, self.country)

    @cached_property
    def references(self) -> list[Found]:
        """The numbers of papers in the text."""
        return find_references(self.text)

    @cached_property
    def _counted(self) -> list[Quantity]:
        taken = [(money.start, money.end) for money in self.money]
        taken += [(reference.start, reference.end) for reference in self.references]
        return quantity_candidates(self.text, self.numbers, taken, head=self.head, category=self.category)

    @cached_property
    def goods(self) -> list[tuple[Quantity, Goods]]:
        """The items of a list of goods, with the quantity of each."""
        return list_goods(self.text, self.head, self._counted, self.money)

    @cached_property
    def quantities(self) -> list[Quantity]:
        """The numbers of the text that may count goods."""
        if not self.goods:
            return self._counted
        listed = {quantity.start: min(order, 1) for order, (quantity, _) in enumerate(self.goods)}
        names = ("listed-first", "listed-later", "beside-a-list")
        return [
            counted._replace(features=counted.features and (*counted.features, names[listed.get(counted.start, 2)]))
            for counted in self._counted
        ]


def letter_of(
    message: Message, reading: Reading, *, category: str | None, language: str | None, country: str | None
) -> Letter:
    """Return what facts are read from; of a letter that a platform carries the writer is whom an answer goes to."""
    automation = reading.automation
    writer = message.from_
    if automation.is_relay:
        writer = message.reply_to[0] if message.reply_to else Address("")
    return Letter(
        writer=writer,
        subject=message.subject,
        new_text=reading.split.new_text[:MAX_CHARS],
        contact=reading.contact,
        language=language,
        country=country,
        category=category,
        is_automatic=automation.is_automatic,
        # The subject of a platform is the platform's, and that of money and freight names no product.
        is_business=not automation.is_relay and category in BUSINESS_CATEGORIES - {"payment", "logistics"},
        is_robot=automation.is_robot_sender and not automation.is_relay,
        is_form=automation.is_relay,
        written=message.date.date() if message.date else None,
    )


@dataclass(frozen=True, slots=True)
class Entities:
    """What the letter says; None where it doesn't.  The names are those of `tradepost.analysis.Extract`."""

    person: str | None = None
    company: str | None = None
    title: str | None = None
    phones: tuple[Account, ...] = ()
    address: str | None = None
    website: str | None = None
    social: tuple[Account, ...] = ()
    product: str | None = None
    quantity: float | None = None
    unit: str | None = None
    target_price: float | None = None
    currency: str | None = None
    products: tuple[Goods, ...] = ()
    incoterm: str | None = None
    incoterm_place: str | None = None
    needed_by: str | None = None
    payment_term: str | None = None
    references: tuple[Reference, ...] = ()
    spans: tuple[Span, ...] = ()


def read_entities(letter: Letter) -> Entities:
    """Read the facts.  Of a robot's letter only company, money and papers; of an absence note who wrote it too."""
    signer = letter.signer
    pieces = person_candidates(signer)
    who = choose_person(signer, pieces)
    whose = choose_company(signer, pieces, who)
    company = whose.text if whose else _company_of_domain(letter, who)
    facts: dict[str, Any] = {
        "company": company,
        "currency": letter.money[0].currency if letter.money else None,
        "references": tuple([Reference(found.kind, found.number) for found in letter.references]),
    }
    spans = [*_name_spans(letter, (("company", whose),))]
    spans += [span_in_text("references", found.start, found.end, letter.head) for found in letter.references]
    if not letter.is_robot:
        facts["person"] = _spoken(who) if who else _person_of_mailbox(letter)
        spans += _name_spans(letter, (("person", who),))
    if not letter.is_robot and not letter.is_automatic:
        _add_contact(letter, [one for one in (who, whose) if one], facts, spans)
        _add_terms(letter, facts, spans)
        _add_goods(letter, facts, spans)
    return Entities(**facts, spans=tuple(spans))


def _spoken(who: Piece) -> str:
    """Return a name as it is spoken: "Kowalski, Marek" of the From field is Marek Kowalski."""
    family, comma, given = who.text.partition(", ")
    return f"{given} {family}" if comma and who.source == "from" else who.text


def _person_of_mailbox(letter: Letter) -> str | None:
    """Return whom only the mailbox names: no more than a hint, so that it gets no span."""
    if letter.category == "spam" or letter.is_automatic:
        return None
    return person_of_mailbox(letter.writer)


def _company_of_domain(letter: Letter, who: Piece | None) -> str | None:
    """Return the company that only the writer's domain names: no more than a hint, so that it gets no span."""
    if letter.is_robot or letter.is_automatic or letter.category == "spam":
        return None
    spelling = f"{letter.writer.name}\n{letter.contact}\n{letter.new_text}"
    return company_of_domain(letter.writer.address, who.text if who else "", spelling)


def _name_spans(letter: Letter, names: Iterable[tuple[str, Piece | None]]) -> Iterator[Span]:
    for fact, piece in names:
        if piece is not None:
            shown = {"from": letter.writer.name, "contact": letter.contact}.get(piece.source, letter.new_text)
            span = span_of_piece(fact, piece, _contact_source(letter), shown)
            if span is not None:
                yield span


def _contact_source(letter: Letter) -> Source:
    return "form" if letter.is_form else "signature"


def _add_contact(letter: Letter, names: list[Piece], facts: dict[str, Any], spans: list[Span]) -> None:
    """Add what the contact block says beside names."""
    contact = letter.contact
    if not contact.strip():
        return
    title, address = find_title(contact, names), find_address(contact, names)
    website = find_website(contact, letter.writer.address.rpartition("@")[2])
    phones, social = find_numbers_by_kind(contact, letter.country), find_social(contact)
    lists: tuple[tuple[str, list[Detail]], ...] = (
        ("title", [title] if title else []),
        ("phones", phones),
        ("address", [address] if address else []),
        ("website", [website] if website else []),
        ("social", social),
    )
    facts["title"] = title.value if title else None
    facts["address"] = address.value if address else None
    facts["website"] = website.value if website else None
    facts["phones"] = tuple([Account(one.kind, one.value) for one in phones])
    facts["social"] = tuple([Account(one.kind, one.value) for one in social])
    source = _contact_source(letter)
    spans += [Span(fact, source, one.start, one.end) for fact, details in lists for one in details]


def _add_terms(letter: Letter, facts: dict[str, Any], spans: list[Span]) -> None:
    """Add Incoterm and place, the day by which goods are needed, the term of payment."""
    text = letter.text
    incoterm = find_incoterm(text)
    terms: dict[str, Term | None] = {
        "incoterm": incoterm,
        "incoterm_place": find_place(text, incoterm) if incoterm else None,
        "needed_by": find_needed_by(text, letter.written),
        "payment_term": find_payment_term(text),
    }
    for fact, term in terms.items():
        if term is not None:
            facts[fact] = term.value
            spans.append(span_in_text(fact, term.start, term.end, letter.head))


def _add_goods(letter: Letter, facts: dict[str, Any], spans: list[Span]) -> None:
    """Add product, quantity and price: those that the letter is about, and all of a list."""
    none = none_features(letter)
    quantity = choose_quantity(letter.text, letter.quantities, none)
    price = choose_price(prices_of(letter), none)
    product = None
    if letter.category is None or letter.category in ABOUT_GOODS:
        product = choose_product(products_of(letter), none, is_business=letter.is_business)
    paid = next((money for money in letter.money if price is None or money.start == price.start), None)
    code = paid.currency if paid else facts["currency"]
    first = Goods(
        product.text if product else None,
        quantity.value if quantity else None,
        (quantity.unit or "pcs") if quantity else None,
        price.value if price else None,
        code or spoken_currency(letter.text, letter.country),
    )
    facts |= {
        "product": first.product,
        "quantity": first.quantity,
        "unit": first.unit,
        "target_price": first.target_price,
        "currency": first.currency,
    }
    if first.product or first.quantity is not None:
        others = [goods for counted, goods in letter.goods if quantity is None or counted.start != quantity.start]
        facts["products"] = (first, *others)
    places: dict[str, tuple[int, int] | None] = {
        "product": (product.start, product.start + len(product.text)) if product else None,
        "quantity": (quantity.start, quantity.end) if quantity else None,
        "target_price": (price.start, price.end) if price else None,
        "currency": (paid.start, paid.end) if paid else None,
    }
    spans += [span_in_text(fact, *place, letter.head) for fact, place in places.items() if place]


def prices_of(letter: Letter) -> list[Price]:
    """Return the amounts of the letter that may be the price aimed at."""
    return price_candidates(letter.text, letter.numbers, letter.money)


def products_of(letter: Letter) -> list[Product]:
    """Return the phrases of the letter that may name the product."""
    return product_candidates(
        letter.text, letter.head, letter.quantities, letter.language, letter.goods, letter.category
    )


def none_features(letter: Letter) -> tuple[str, ...]:
    """Return what is known of a letter apart from its numbers."""
    return ("none", f"none-category={letter.category}", f"none-length={min(len(letter.new_text) // 200, 5)}")

# SPDX-License-Identifier: GPL-3.0-or-later
"""First facts of a letter: who writes, for which company, about what, how much, at which price and terms."""

from dataclasses import dataclass
from functools import cached_property

from classifiers.money import Money, find_money, spoken_currency
from classifiers.numbers import Number, find_numbers, plain_figures
from classifiers.prices import Price, choose_price, price_candidates
from classifiers.products import Product, choose_product, product_candidates
from classifiers.quantities import Quantity, choose_quantity, quantity_candidates
from classifiers.reading import Reading
from classifiers.splitting import MAX_CHARS
from classifiers.tables import linear
from classifiers.writers import Signer, choose_company, choose_person, company_candidates, person_candidates
from tradepost.message import Address, Message
from tradepost.verdict import BUSINESS_CATEGORIES

_INCOTERM = linear(
    r"(?:^|[^A-Za-z])(EXW|FCA|FAS|FOB|CFR|CNF|C&F|CIF|CPT|CIP|DAP|DPU|DAT|DDP|DDU|exw|fob|cif|ddp|cfr|dap|Fob|Cif|Ddp)"
    r"(?:$|[^A-Za-z])"
)
_INCOTERM_NAMES = {"CNF": "CFR", "C&F": "CFR"}


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
    )


@dataclass(frozen=True, slots=True)
class Entities:
    """What the letter says; None where it doesn't."""

    person: str | None = None
    company: str | None = None
    product: str | None = None
    quantity: float | None = None
    unit: str | None = None
    target_price: float | None = None
    currency: str | None = None
    incoterm: str | None = None


def read_entities(letter: Letter) -> Entities:
    """Read the facts.  Of a robot's letter only the company; of an absence note only who is absent."""
    signer = letter.signer
    pieces = person_candidates(signer)
    who = choose_person(signer, pieces)
    whose = choose_company(signer, company_candidates(pieces, who))
    company = whose.text if whose else None
    if letter.is_robot:
        return Entities(company=company)
    person = who.text if who else None
    if letter.is_automatic:
        return Entities(person=person, company=company)
    none = none_features(letter)
    quantity = choose_quantity(quantities_of(letter), none)
    price = choose_price(prices_of(letter), none)
    product = choose_product(products_of(letter), none, is_business=letter.is_business)
    term = _INCOTERM.search(letter.text)
    name = term.group(1).upper() if term else None
    return Entities(
        person=person,
        company=company,
        product=product.text if product else None,
        quantity=quantity.value if quantity else None,
        unit=(quantity.unit or "pcs") if quantity else None,
        target_price=price.value if price else None,
        currency=price.currency
        if price and price.currency
        else letter.money[0].currency
        if letter.money
        else spoken_currency(letter.text, letter.country),
        incoterm=_INCOTERM_NAMES.get(name, name) if name else None,
    )


def quantities_of(letter: Letter) -> list[Quantity]:
    """Return the numbers of the letter that may count goods."""
    taken = [(money.start, money.end) for money in letter.money]
    return quantity_candidates(letter.text, letter.numbers, taken, head=letter.head)


def prices_of(letter: Letter) -> list[Price]:
    """Return the amounts of the letter that may be the price aimed at."""
    return price_candidates(letter.text, letter.numbers, letter.money)


def products_of(letter: Letter) -> list[Product]:
    """Return the phrases of the letter that may name the product."""
    return product_candidates(letter.text, letter.head, quantities_of(letter), letter.language)


def none_features(letter: Letter) -> tuple[str, ...]:
    """Return what is known of a letter apart from its numbers."""
    return ("none", f"none-category={letter.category}", f"none-length={min(len(letter.new_text) // 200, 5)}")

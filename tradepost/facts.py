# SPDX-License-Identifier: GPL-3.0-or-later
"""The small things that a letter's facts are made of."""

from dataclasses import dataclass
from typing import Literal

# Where a fact stands: in the newly written text, in the signature, in the subject, in the name of the From field, or in
# the fields of a platform's form.
Source = Literal["text", "signature", "subject", "from", "form"]


@dataclass(frozen=True, slots=True)
class Account:
    """A number or an account by which somebody is reached.

    `kind`: phone, mobile, fax, whatsapp or wechat for numbers (E.164); the network for accounts.
    """

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Goods:
    """One product that a letter speaks of; None where it doesn't say."""

    product: str | None = None
    quantity: float | None = None
    unit: str | None = None
    target_price: float | None = None
    currency: str | None = None  # ISO 4217


@dataclass(frozen=True, slots=True)
class Reference:
    """A number that names a paper or a parcel.

    `kind`: po, pi, invoice, contract, bl, booking, lc, awb, tracking, container.
    """

    kind: str
    number: str


@dataclass(frozen=True, slots=True)
class Span:
    """Where a fact stands: characters `start` to `end` (excluded) of the source; `fact` is the name of its field."""

    fact: str
    source: Source
    start: int
    end: int

# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities, prices and currencies: as people say them, and as a letter's facts have them.  Pure."""

import re
from decimal import Decimal, InvalidOperation
from typing import Final

from crm_sync.admission import InvalidValue

_GREATEST: Final = Decimal(10) ** 13
_CURRENCY = re.compile(r"[A-Z]{3}")


def checked_amount(name: str, said: str) -> Decimal:
    """Return what somebody wrote, rounded to four decimals.  Raises InvalidValue."""
    try:
        amount = Decimal(said[:40].strip())
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount < _GREATEST:
        raise InvalidValue(f"{name} {said[:40]!r}: is a number from 0 to {_GREATEST:,}, as 1234.50")
    return round(amount, 4)


def checked_currency(said: str) -> str:
    """Return a currency's code.  Raises InvalidValue."""
    code = said.strip().upper()
    if not _CURRENCY.fullmatch(code):
        raise InvalidValue(f"currency {said[:40]!r}: is a code of ISO 4217, as USD")
    return code


def amount_of(found: float | None) -> Decimal | None:
    """Return a number that a letter names, None where it names none that could be meant."""
    if found is None:
        return None
    amount = Decimal(repr(float(found)))
    return round(amount, 4) if amount.is_finite() and 0 <= amount < _GREATEST else None


def product_of(quantity: Decimal | None, price: Decimal | None) -> Decimal | None:
    """Return what so many at that price come to, None where either is unknown or it is more than can be meant."""
    if quantity is None or price is None:
        return None
    amount = quantity * price
    return round(amount, 4) if amount < _GREATEST else None


def plain(amount: Decimal | None) -> str:
    """Return an amount as people read it: no needless zeros."""
    if amount is None:
        return ""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

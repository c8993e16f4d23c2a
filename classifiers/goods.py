# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of goods in a letter: product, quantity and price of each item, where a letter sets them line by line."""

import re
from collections.abc import Sequence

from classifiers.money import Money
from classifiers.numbers import WORD
from classifiers.quantities import Quantity
from tradepost.facts import Goods

_MAX_ITEMS = 30
_LEAST_ITEMS = 2
_MAX_PRODUCT_CHARS = 60
# "- hinge 35 mm, nickel: 2.000 pcs", "1) LED panel 60x60 – 500"
_NUMBERING = r"^[ \t]*(?:[-–—*•·+]|(?:(?:pos|item|lote?|lot|ref|no|nr)\.?[ ]?)?\d{1,2}[ ]?[.)、/:：-]|[a-z][.)])?[ \t]*[-–—]?[ \t]*"
_AHEAD = re.compile(_NUMBERING + r"(?P<name>[^\n]{2,60}?)[ ]*(?:[-–—:：=,，.]{1,6}|[ ]x|\()?[ ]*$", re.IGNORECASE)
_BEHIND = re.compile(rf"^[ ]?(?:of[ ]|x[ ]|×[ ]?|de[ ]|d['’]|di[ ]|von[ ])?[ ]*(?P<name>{WORD}[^\n,;:，；(@=]{{0,56}})")
_HEAD_ONLY = re.compile(_NUMBERING + "$", re.IGNORECASE)
_HAS_WORD = re.compile("[^\\W\\d_]{2}")


def list_goods(
    text: str, head: int, quantities: Sequence[Quantity], money: Sequence[Money]
) -> list[tuple[Quantity, Goods]]:
    """Return the items of a letter's list with the quantity of each; none where fewer than two lines are items.

    An item is a line with a quantity and the name of a thing right before or behind it.
    """
    by_line: dict[int, list[Quantity]] = {}
    for quantity in quantities:
        if quantity.start >= head and quantity.value:
            by_line.setdefault(text.rfind("\n", 0, quantity.start) + 1, []).append(quantity)
    found: list[tuple[Quantity, Goods]] = []
    for start, counted in by_line.items():
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        with_unit = [quantity for quantity in counted if quantity.unit is not None]
        for quantity in (counted[0], *reversed(with_unit), counted[-1]):
            name = _name(text, start, end, quantity)
            if name is not None:
                price = next((amount for amount in money if quantity.end <= amount.start < end), None)
                found.append((quantity, _goods(name, quantity, price)))
                break
        if len(found) == _MAX_ITEMS:
            break
    return found if len(found) >= _LEAST_ITEMS else []


def _goods(name: str, quantity: Quantity, price: Money | None) -> Goods:
    unit = quantity.unit or "pcs"
    return Goods(name, quantity.value, unit, price.value if price else None, price.currency if price else None)


def _name(text: str, start: int, end: int, quantity: Quantity) -> str | None:
    """Return the name that a line gives to what it counts, None where the line is a sentence."""
    ahead, behind = text[start : quantity.start], text[quantity.end : end]
    is_first = _HEAD_ONLY.match(ahead) is not None
    if len(ahead) + len(behind) > 110:
        return None
    if is_first:
        match = _BEHIND.match(behind)
    elif quantity.unit is not None or not behind.strip(" .;,"):
        match = _AHEAD.match(ahead)
    else:
        match = None
    if match is None:
        return None
    name = match["name"].strip(" .,-–—:*\"'")
    is_name = 2 <= len(name) <= _MAX_PRODUCT_CHARS and _HAS_WORD.search(name) is not None and not name.endswith("?")
    return name if is_name and len(name.split()) <= 8 else None

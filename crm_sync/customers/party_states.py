# SPDX-License-Identifier: GPL-3.0-or-later
"""Customers and contacts while a batch works on them, and what a letter may fill in: never over what a person said."""

from dataclasses import dataclass, field
from datetime import datetime

# How sure a field's origin is.  A value of unknown origin was there before anybody wrote origins down: it stays.
_RANKS = {"address": 1, "domain": 1, "header": 2, "platform": 2, "forward": 2, "signature": 3}
_FIXED = 9
# Among a contact's origins: the key of the company that he signed for last.
SIGNS_FOR = "signs-for"


@dataclass(slots=True)
class CustomerState:
    """A customer while the batch works on it; `is_changed` says that its row must be written again."""

    id: int
    public_id: str
    scope_id: int
    kind: str
    grade: str | None
    owner_id: int | None
    reclaim_days: int | None = None
    reclaim_at: datetime | None = None
    name: str = ""
    kind_reason: str = ""
    website: str = ""
    address: str = ""
    phone: str = ""
    origins: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)  # keys of the names it goes by
    domains: set[str] = field(default_factory=set)  # of those the batch asked about
    is_changed: bool = False


@dataclass(slots=True)
class ContactState:
    """A contact and whom he works for.  `reason`: how we know that the address which led here is his."""

    id: int
    customer_id: int | None
    name: str = ""
    name_key: str = ""
    title: str = ""
    origins: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    is_changed: bool = False


def fill(state: CustomerState | ContactState, name: str, value: str, origin: str) -> bool:
    """Give a field a value from a letter, where it has none or a less sure one; say whether it changed."""
    before = getattr(state, name)
    if not value or value == before:
        return False
    known = _RANKS.get(state.origins.get(name, ""), _FIXED) if before else 0
    if _RANKS[origin] <= known:
        return False
    setattr(state, name, value)
    state.origins = {**state.origins, name: origin}
    state.is_changed = True
    return True

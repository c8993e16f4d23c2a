# SPDX-License-Identifier: GPL-3.0-or-later
"""What a customer and a contact look like to people: free of sessions.  A field that is hidden from somebody is None."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DomainView:
    """A company domain, and why it is the customer's."""

    domain: str
    reason: str
    is_shared: bool


@dataclass(frozen=True, slots=True)
class ContactView:
    """A contact with his addresses and (kind, number)."""

    id: int
    name: str
    title: str
    decision_role: str
    addresses: tuple[str, ...]
    phones: tuple[tuple[str, str], ...]
    social: tuple[tuple[str, str], ...]
    customer: str | None  # public id
    customer_name: str
    origins: dict[str, str]
    version: int


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """One line of a list."""

    id: str  # public id
    name: str
    kind: str
    grade: str | None
    country: str | None
    owner: str | None  # email
    star: bool
    created_at: datetime
    reclaim_at: datetime | None = None  # when it falls into the public pool


@dataclass(frozen=True, slots=True)
class CustomerView:
    """A customer's profile.  `origins`: field -> person, signature, header, domain ..., where it comes from."""

    row: CustomerRow
    kind_reason: str
    industry: str | None
    size: str | None
    source: str | None
    website: str
    address: str
    phone: str
    profile: str
    domains: tuple[DomainView, ...]
    contacts: tuple[ContactView, ...]
    origins: dict[str, str]
    version: int


@dataclass(frozen=True, slots=True)
class LinkView:
    """Whom a mail concerns, and why: `role` is party, agent or on-behalf; `decided_by` an email, None: the program."""

    customer: str  # public id
    name: str
    role: str
    reason: str
    decided_by: str | None


@dataclass(frozen=True, slots=True)
class SuggestionView:
    """What a mail shows of a contact and no program decides."""

    id: int
    kind: str
    contact: int
    contact_name: str
    customer: str
    says: str  # the company as signed
    at: datetime

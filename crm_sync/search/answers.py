# SPDX-License-Identifier: GPL-3.0-or-later
"""What a search answers with: frozen, free of any session."""

from dataclasses import dataclass
from datetime import datetime

from crm_sync.mail_views import CustomerRef
from crm_sync.search.highlights import Excerpt


@dataclass(frozen=True, slots=True)
class Hit:
    """A record that was found.  `kind`: mail, customer, note, task, touch; `id` is the one that people and pages use.

    What a kind has not is empty: only a mail has a sender, files and labels.
    """

    kind: str
    id: str
    at: datetime
    title: Excerpt
    excerpt: Excerpt
    customer: CustomerRef | None = None
    direction: str = ""
    from_name: str = ""
    from_address: str = ""
    category: str | None = None
    priority: str | None = None
    language: str | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """One page.  `total` is counted up to 1,000; `is_more`: there are more than that, or may be.

    `next` is what to ask with for the page after it, None: this is the last.  `customers` that the words name stand beside
    the first page when nobody said where to look.
    """

    hits: tuple[Hit, ...]
    total: int = 0
    is_more: bool = False
    next: str | None = None
    customers: tuple[Hit, ...] = ()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What somebody who types may mean.  `kind`: customer or person; `id`: a customer's public id, a person's address."""

    kind: str
    id: str
    label: str
    hint: str = ""

# SPDX-License-Identifier: GPL-3.0-or-later
"""What was decided about one mail, field by field: at arrival, in force now, and who decided."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from flask_babel import gettext

from admin_web.labels import render_country, render_label, render_language
from crm_sync.mail_views import MailRow


class Decider(StrEnum):
    """Who decided a field."""

    ARRIVAL = "arrival"  # the milter, before the mail was delivered
    COMPLETION = "completion"  # the worker, from the records
    SECOND_OPINION = "second-opinion"  # a slower reader, before the mail was recorded
    PERSON = "person"
    RECORDS = "records"  # what happened to customer or conversation since
    OPEN = "open"  # nobody yet


@dataclass(frozen=True, slots=True)
class Mark:
    """One field.  `at_arrival` is what the mail's header said, `now` what is in force; empty: nothing."""

    name: str
    at_arrival: str
    now: str
    decider: Decider


def describe_marks(row: MailRow, corrected: Collection[str] = ()) -> tuple[Mark, ...]:
    """Return the fields of a mail in the order of the page; `corrected` are those that a person set."""
    return tuple(_marks(row, corrected))


def list_reasons(row: MailRow) -> tuple[str, ...]:
    """Return every reason name behind a mail's marks once, in the order in which they were found."""
    labels = row.verdict.labels
    second = row.second_opinion["reasons"] if row.second_opinion else ()
    names = (*row.verdict.reasons, *labels.reasons, labels.automatic_reason, labels.priority_reason, *second)
    # A warning may also have spoken for a category; it is said once, as a warning.
    return tuple(dict.fromkeys(name for name in names if name and name not in labels.warnings))


def _marks(row: MailRow, corrected: Collection[str]) -> Iterator[Mark]:
    verdict, labels = row.verdict, row.verdict.labels
    for field, name, render, said, now in (
        ("direction", gettext("Direction"), render_label, verdict.direction, row.direction),
        ("category", gettext("Category"), render_label, labels.category, row.category),
        ("priority", gettext("Priority"), render_label, labels.priority, row.priority),
        ("language", gettext("Language"), render_language, labels.language, row.language),
        ("country", gettext("Country"), render_country, labels.country, row.country),
    ):
        decider = Decider.PERSON if field in corrected else _decider(row, field, said == now, Decider.PERSON)
        yield Mark(name, render(said), render(now), decider)
    known = row.customer.public_id if row.customer else None
    is_same = verdict.customer == known
    customer = (row.customer.name or row.customer.public_id) if row.customer else ""
    said_customer = customer if is_same else verdict.customer or ""
    yield Mark(gettext("Customer"), said_customer, customer, _decider(row, "customer", is_same, Decider.RECORDS))
    owner = row.owner.email if row.owner else None
    decider = _decider(row, "owner", verdict.owner == owner, Decider.RECORDS)
    if "owner" in corrected:
        decider = Decider.PERSON
    yield Mark(gettext("Owner"), verdict.owner or "", owner or "", decider)


def _decider(row: MailRow, field: str, is_same: bool, otherwise: Decider) -> Decider:
    if field in row.completion:
        return Decider.COMPLETION
    if field in row.verdict.missing:
        return Decider.OPEN
    if field == "category" and row.second_opinion is not None and row.category == row.second_opinion["decided"]:
        return Decider.SECOND_OPINION
    return Decider.ARRIVAL if is_same or row.message_id is None else otherwise

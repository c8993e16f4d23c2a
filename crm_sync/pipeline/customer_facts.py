# SPDX-License-Identifier: GPL-3.0-or-later
"""What completeness and grade hang on: read for many customers at once, a question a table."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Executable, func, select
from sqlalchemy.orm import Session

from crm_sync.key_lists import among_keys
from crm_sync.models.choices import Choice, CustomerChoice
from crm_sync.models.conversations import Conversation
from crm_sync.models.customers import Contact, ContactPhone, Customer, CustomerDomain
from crm_sync.models.mail import Message
from crm_sync.models.pipeline import Opportunity, Stage
from crm_sync.no_way_in import NoWayIn

# Facts that are numbers: points are given from a value on.
NUMBERS: Final = ("inquiries", "samples", "orders", "replies", "deals-won", "completeness")
# Facts that are one value: a country's code, or a choice of a list of this name.
VALUES: Final = ("country", "customer-type", "industry", "size", "source", "star", "intent", "volume", "tag")
FIELDS: Final = (
    "name", "country", "domain", "website", "address", "contact", "contact-name", "phone", "decision-role", "source",
    "industry", "customer-type", "size", "volume", "intent", "timezone", "star",
)  # fmt: skip
_COUNTED: Final = {"inquiry": "inquiries", "sample": "samples", "order": "orders"}
# A name that is only the address or the domain says nothing that these do not.
_NAMELESS: Final = ("address", "domain")

_CUSTOMERS = select(Customer).where(among_keys(Customer.id))
_DOMAINS = select(CustomerDomain.customer_id, CustomerDomain.domain).where(among_keys(CustomerDomain.customer_id))
_CONTACTS = select(Contact.customer_id, Contact.name, Contact.decision_role).where(among_keys(Contact.customer_id))
_PHONES = (
    select(Contact.customer_id)
    .join(ContactPhone, ContactPhone.contact_id == Contact.id)
    .where(among_keys(Contact.customer_id))
    .distinct()
)
_CHOICES = (
    select(CustomerChoice.customer_id, Choice.list_key, Choice.key)
    .join(Choice, Choice.id == CustomerChoice.choice_id)
    .where(among_keys(CustomerChoice.customer_id))
    .order_by(Choice.position, Choice.id)
)
_MAILS = (
    select(Conversation.customer_id, Message.category, func.count())
    .join(Message, Message.conversation_id == Conversation.id)
    .where(
        among_keys(Conversation.customer_id),
        Message.direction == "inbound",
        NoWayIn(Message.category).in_(list(_COUNTED)),
        Message.is_automatic.is_(False),
    )
    .group_by(Conversation.customer_id, Message.category)
)
_TALKS = (
    select(Conversation.customer_id, func.count())
    .where(
        among_keys(Conversation.customer_id),
        Conversation.last_in_at.is_not(None),
        Conversation.last_out_at.is_not(None),
    )
    .group_by(Conversation.customer_id)
)
_DEALS = (
    select(Opportunity.customer_id, func.count())
    .join(Stage, Stage.id == Opportunity.stage_id)
    .where(among_keys(Opportunity.customer_id), Stage.kind == "won")
    .group_by(Opportunity.customer_id)
)


@dataclass(slots=True)
class CustomerFacts:
    """One customer.  `replies` are conversations in which both sides wrote."""

    id: int
    public_id: str
    kind: str
    grade: str | None
    grade_by: str | None
    points: int | None
    completeness: int | None
    filled: set[str] = field(default_factory=set)  # of FIELDS
    numbers: dict[str, int] = field(default_factory=dict)  # of NUMBERS
    values: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # of VALUES


def fetch_facts(session: Session, customer_ids: Collection[int]) -> dict[int, CustomerFacts]:
    """Return the facts of these customers; who was merged into another has none."""
    keys = {"keys": list(customer_ids)}
    found: dict[int, CustomerFacts] = {}
    for row in session.scalars(_CUSTOMERS, keys):
        if row.merged_into is None:
            found[row.id] = _begin(row)

    def ask(statement: Executable) -> Iterator[Any]:
        return (row for row in session.execute(statement, keys) if row[0] in found)

    for key, domain in ask(_DOMAINS):
        found[key].filled.add("domain")
        if found[key].values["name"] == [domain]:
            found[key].filled.discard("name")
    for key, name, role in ask(_CONTACTS):
        found[key].filled |= {"contact"} | ({"contact-name"} if name else set())
        found[key].filled |= {"decision-role"} if role else set()
    for (key,) in ask(_PHONES):
        found[key].filled.add("phone")
    for key, list_key, choice in ask(_CHOICES):
        found[key].filled.add(list_key)
        found[key].values[list_key].append(choice)
    for key, category, count in ask(_MAILS):
        found[key].numbers[_COUNTED[category]] = count
    for key, count in ask(_TALKS):
        found[key].numbers["replies"] = count
    for key, count in ask(_DEALS):
        found[key].numbers["deals-won"] = count
    return found


def _begin(row: Customer) -> CustomerFacts:
    facts = CustomerFacts(row.id, row.public_id, row.kind, row.grade, row.grade_by, row.grade_points, row.completeness)
    for name in ("country", "website", "address", "phone", "industry", "size"):
        if value := getattr(row, name):
            facts.filled.add(name)
            facts.values[name] = [value]
    facts.values["name"] = [row.name]
    if row.name and "@" not in row.name and (row.origins or {}).get("name") not in _NAMELESS:
        facts.filled.add("name")
    return facts

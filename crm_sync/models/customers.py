# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is on the other side: customers, their domains, contacts, addresses, and the scope that says who may see them."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base


class Scope(Base):
    """Who may see what hangs on it.  A hand-over changes one row here and touches no message.

    `pool_id` is set while nobody owns it: visible to the pool's members and theirs to claim.
    """

    __tablename__ = "scope"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))  # customer | conversation
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    pool_id: Mapped[int | None] = mapped_column(ForeignKey("pool.id"))
    __table_args__ = (
        Index(None, "owner_id", "id"),
        Index(None, "team_id", "id"),
        Index(None, "pool_id", "id"),
    )


class ScopeShare(Base):
    """A scope shown to one more person or team.  `cause`: `hand` (somebody shared it), `conversation:<id>` (who works on it)."""

    __tablename__ = "scope_share"
    id: Mapped[int] = mapped_column(primary_key=True)
    scope_id: Mapped[int] = mapped_column(ForeignKey("scope.id"), index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    level: Mapped[str] = mapped_column(String(10), default="see")  # see | edit
    cause: Mapped[str] = mapped_column(String(60), default="hand", index=True)
    created_at: Mapped[datetime]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    __table_args__ = (
        Index(None, "person_id", "scope_id"),
        Index(None, "team_id", "scope_id"),
    )


class Customer(Base):
    """A company or person we deal with.  `kind` is the party kind; `public_id` is opaque: it travels in headers."""

    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(26), unique=True)
    scope_id: Mapped[int] = mapped_column(ForeignKey("scope.id"), unique=True)
    name: Mapped[str] = mapped_column(String(300), default="")
    name_key: Mapped[str] = mapped_column(String(300), default="", index=True)
    kind: Mapped[str] = mapped_column(String(20), default="lead")
    grade: Mapped[str | None] = mapped_column(String(10))
    grade_by: Mapped[str | None] = mapped_column(String(10))  # person | points: who gave the grade
    grade_points: Mapped[int | None]
    completeness: Mapped[int | None]  # percent of what should be known of him (crm_sync.pipeline.completeness)
    stage_id: Mapped[int | None] = mapped_column(ForeignKey("stage.id"))  # None: not on the way to a deal
    stage_at: Mapped[datetime | None]
    country: Mapped[str | None] = mapped_column(String(2))
    source: Mapped[str] = mapped_column(String(20), default="mail")  # mail | file | platform | forward | person
    kind_reason: Mapped[str] = mapped_column(String(60), default="", server_default="")  # kebab-case: why that kind
    industry: Mapped[str] = mapped_column(String(100), default="", server_default="")
    size: Mapped[str] = mapped_column(String(40), default="", server_default="")
    website: Mapped[str] = mapped_column(String(300), default="", server_default="")
    address: Mapped[str] = mapped_column(String(500), default="", server_default="")
    phone: Mapped[str] = mapped_column(String(40), default="", server_default="")
    profile: Mapped[str] = mapped_column(Text, default="", server_default="")
    star: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Where each field comes from: field -> person | signature | header | file ...; what a person said is never overwritten.
    origins: Mapped[dict[str, str]] = mapped_column(JSON, default=dict, server_default="{}")
    created_at: Mapped[datetime]
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    version: Mapped[int] = mapped_column(default=1)
    owner_since: Mapped[datetime | None]  # or in its pool since; None: since it was made
    home_pool_id: Mapped[int | None] = mapped_column(ForeignKey("pool.id"))  # where it falls back; None: the default
    reclaim_days: Mapped[int | None]  # without a human word until it falls back; None: it stays
    reclaim_at: Mapped[datetime | None] = mapped_column(index=True)
    __table_args__ = (
        Index(None, "kind", "id"),
        Index(None, "stage_id", "id"),
        Index(None, "grade_points", "id"),
        Index(None, "completeness", "id"),
    )


class CustomerDomain(Base):
    """A registrable company domain, never a free-mail one.  The unique row decides races."""

    __tablename__ = "customer_domain"
    domain: Mapped[str] = mapped_column(String(255), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    reason: Mapped[str] = mapped_column(String(40), default="first-mail", server_default="first-mail")  # or: person ...


class SharedDomain(Base):
    """A domain of several companies: alone it decides nothing.  It never stands in `customer_domain` too."""

    __tablename__ = "shared_domain"
    domain: Mapped[str] = mapped_column(String(255), primary_key=True)
    reason: Mapped[str] = mapped_column(String(40))  # signature-names-another | person
    at: Mapped[datetime]


class SharedDomainCustomer(Base):
    """One of the companies at a shared domain."""

    __tablename__ = "shared_domain_customer"
    domain: Mapped[str] = mapped_column(ForeignKey("shared_domain.domain"), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True, index=True)


class CustomerName(Base):
    """A name that a customer goes by, as a key (`crm_sync.duplicates.name_keys`, joined); several may share one."""

    __tablename__ = "customer_name"
    name_key: Mapped[str] = mapped_column(String(120), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True, index=True)


class Contact(Base):
    """A human being at a customer."""

    __tablename__ = "contact"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    name: Mapped[str] = mapped_column(String(300), default="")
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))  # then it works for no customer
    created_at: Mapped[datetime]
    name_key: Mapped[str] = mapped_column(String(120), default="", server_default="", index=True)
    title: Mapped[str] = mapped_column(String(200), default="", server_default="")
    decision_role: Mapped[str] = mapped_column(String(20), default="", server_default="")  # decider | influencer | user
    social: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list, server_default="[]")
    origins: Mapped[dict[str, str]] = mapped_column(JSON, default=dict, server_default="{}")
    version: Mapped[int] = mapped_column(default=1, server_default="1")


class ContactAddress(Base):
    """One of a contact's addresses.  `reason`: how we know that it is his; `person`: somebody said so."""

    __tablename__ = "contact_address"
    address_key: Mapped[str] = mapped_column(String(320), primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    reason: Mapped[str] = mapped_column(String(40), default="first-mail", server_default="first-mail")


class ContactPhone(Base):
    """One of a contact's numbers, E.164.  `kind`: phone, mobile, fax, whatsapp."""

    __tablename__ = "contact_phone"
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), primary_key=True)
    e164: Mapped[str] = mapped_column(String(20), primary_key=True, index=True)
    kind: Mapped[str] = mapped_column(String(20), default="phone")
    origin: Mapped[str] = mapped_column(String(20), default="signature")  # or: person


class PartySuggestion(Base):
    """Something about the other side that a mail shows and no program should decide.  One row a kind, contact and customer.

    `kind`: works-elsewhere (a contact signs for another company), same-person (a new contact has the name of an old one),
    may-write-for (somebody writes for a customer, perhaps).  `state`: open, accepted, dismissed.
    """

    __tablename__ = "party_suggestion"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(30))
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)  # whom it speaks for
    other_contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    subject: Mapped[str] = mapped_column(String(300), default="")  # a company's name, as signed
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"))
    at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(10), default="open")
    __table_args__ = (UniqueConstraint("contact_id", "kind", "subject"),)

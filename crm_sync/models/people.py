# SPDX-License-Identifier: GPL-3.0-or-later
"""Who works here: the company, its people, teams, roles and pools."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from crm_sync.models.base import Base


class Company(Base):
    """One row: one installation is one company.  `policy_version` counts every change that arrival depends on."""

    __tablename__ = "company"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    policy_version: Mapped[int] = mapped_column(default=0)


class OwnDomain(Base):
    """A mail domain of ours."""

    __tablename__ = "own_domain"
    domain: Mapped[str] = mapped_column(String(255), primary_key=True)
    position: Mapped[int] = mapped_column(default=0)


class Team(Base):
    """A group of people; few rows."""

    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))


class Role(Base):
    """owner, manager, rep, viewer, administrator, and what the administrator adds."""

    __tablename__ = "role"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)


class RoleRight(Base):
    """How far a role may do something: none, own (and the pools he is in), team, all."""

    __tablename__ = "role_right"
    role: Mapped[str] = mapped_column(ForeignKey("role.name"), primary_key=True)
    entity: Mapped[str] = mapped_column(String(40), primary_key=True)
    action: Mapped[str] = mapped_column(String(40), primary_key=True)
    reach: Mapped[str] = mapped_column(String(10))


class RoleHiddenField(Base):
    """A field that a role never sees, such as a price floor: not in answers, filters, sorts, search or exports."""

    __tablename__ = "role_hidden_field"
    role: Mapped[str] = mapped_column(ForeignKey("role.name"), primary_key=True)
    entity: Mapped[str] = mapped_column(String(40), primary_key=True)
    field: Mapped[str] = mapped_column(String(80), primary_key=True)


class Person(Base):
    """A registered person.  `open_conversations` is kept by whoever assigns or closes, in the same transaction.

    `is_away` is in force now; `away_from` and `away_until` say when that begins and ends, as far as somebody said it.
    """

    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)  # an address key
    name: Mapped[str] = mapped_column(String(200), default="")
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    role: Mapped[str] = mapped_column(ForeignKey("role.name"), default="rep")
    languages: Mapped[list[str]] = mapped_column(JSON, default=list)
    countries: Mapped[list[str]] = mapped_column(JSON, default=list)
    is_away: Mapped[bool] = mapped_column(default=False)
    away_from: Mapped[datetime | None]
    away_until: Mapped[datetime | None]
    substitute_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    open_conversations: Mapped[int] = mapped_column(default=0)
    left_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1, server_default="1")


class PersonLogin(Base):
    """A SASL login.  Without a person it is shared, and proves nobody."""

    __tablename__ = "person_login"
    login: Mapped[str] = mapped_column(String(320), primary_key=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)


class PersonAddress(Base):
    """An address a person may write from, beside his email."""

    __tablename__ = "person_address"
    address_key: Mapped[str] = mapped_column(String(320), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)


class Pool(Base):
    """A role address and the people behind it.  `turn` counts up when completion distributes by round robin."""

    __tablename__ = "pool"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    delivery: Mapped[str] = mapped_column(String(20), default="copy")
    distribution: Mapped[str] = mapped_column(String(20), default="least-load")
    archive: Mapped[str] = mapped_column(String(320), default="")
    expands: Mapped[bool] = mapped_column(default=False)
    turn: Mapped[int] = mapped_column(default=0)
    position: Mapped[int] = mapped_column(default=0)


class PoolAddress(Base):
    """A role address."""

    __tablename__ = "pool_address"
    address_key: Mapped[str] = mapped_column(String(320), primary_key=True)
    pool_id: Mapped[int] = mapped_column(ForeignKey("pool.id"), index=True)
    position: Mapped[int] = mapped_column(default=0)


class PoolMember(Base):
    """Who works in a pool; the order of positions is the order of round robin."""

    __tablename__ = "pool_member"
    pool_id: Mapped[int] = mapped_column(ForeignKey("pool.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)
    position: Mapped[int] = mapped_column(default=0)

# SPDX-License-Identifier: GPL-3.0-or-later
"""A company as a file: domains, teams, roles, people, pools, customers.  Strict: a key that nobody knows is a mistake."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from crm_sync.rights import Action, Entity, Reach
from tradepost.addresses import domain_key
from tradepost.errors import Refusal

# One @, a dot-separated or single name behind it, no white space: what an envelope can hold, not all of RFC 5321.
_ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+")


class CompanyFileError(Refusal, ValueError):
    """The file can't be applied; nothing was.  The text names file, entry and key."""


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class CompanyEntry(_Entry, frozen=True):
    """[company]"""

    name: str
    domains: tuple[str, ...]


class TeamEntry(_Entry, frozen=True):
    """[[team]].  `under`: the team it lies below, empty for none; not named, it stays where it is."""

    name: str
    under: str | None = None


class RoleEntry(_Entry, frozen=True):
    """[[role]].  `rights`: entity -> action -> how far; `hidden`: fields it never sees, as `customer.grade`."""

    name: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9-]{0,39}$")]
    rights: dict[Entity, dict[Action, Reach]] = {}
    hidden: tuple[str, ...] | None = None


class PersonEntry(_Entry, frozen=True):
    """[[person]].  `login` or `logins`: SASL logins; `addresses`: what else he may write from.

    Who is away, and who stands in for him, stays as it is unless it is named.
    """

    email: str
    name: str = ""
    login: str = ""
    logins: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    team: str = ""
    role: str = "rep"
    languages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    is_away: bool | None = None
    substitute: str | None = None


class PoolEntry(_Entry, frozen=True):
    """[[pool]]"""

    name: str
    addresses: tuple[str, ...]
    members: tuple[str, ...] = ()
    delivery: Literal["mailbox", "copy", "owner"] = "copy"
    distribution: Literal["least-load", "round-robin", "none"] = "least-load"
    archive: str = ""
    expands: bool = False


class ContactEntry(_Entry, frozen=True):
    """One of a customer's contacts."""

    email: str
    name: str = ""


class CustomerEntry(_Entry, frozen=True):
    """[[customer]].  `kind` is the party kind; without `owner` nobody owns it."""

    name: str
    kind: Literal["customer", "lead", "supplier", "forwarder", "bank", "platform", "own", "other"] = "customer"
    country: str = ""
    grade: str = ""
    owner: str = ""
    domains: tuple[str, ...] = ()
    contacts: tuple[ContactEntry, ...] = ()


class CompanyFile(_Entry, frozen=True):
    """The whole file.  What it does not name stays as it is."""

    company: CompanyEntry | None = None
    team: tuple[TeamEntry, ...] = ()
    role: tuple[RoleEntry, ...] = ()
    person: tuple[PersonEntry, ...] = ()
    pool: tuple[PoolEntry, ...] = ()
    customer: tuple[CustomerEntry, ...] = ()


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.  Raises CompanyFileError."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise CompanyFileError(f"{path}: is no TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise CompanyFileError(f"{path}: is no UTF-8 text: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise CompanyFileError(f"{path}: can't be read: {error.strerror}") from error


def parse_company(data: dict[str, Any], source: str) -> CompanyFile:
    """Read tables into a CompanyFile.  Raises CompanyFileError for an unknown key, a wrong type, an impossible address."""
    try:
        file = msgspec.convert(data, CompanyFile)
    except msgspec.ValidationError as error:
        raise CompanyFileError(f"{source}: {_place(str(error))}") from error
    for place, address in _addresses(file):
        if not _ADDRESS.fullmatch(address):
            raise CompanyFileError(f"{source}: {place}: {address!r} is no e-mail address")
    for place, domain in _domains(file):
        if not domain_key(domain) or "@" in domain or any(sign.isspace() for sign in domain):
            raise CompanyFileError(f"{source}: {place}: {domain!r} is no domain")
    return file


def _place(text: str) -> str:
    """Turn msgspec's `$.person[0]...` into the words of the file."""
    found = re.search(r" - at `\$\.(\w+)(?:\[(\d+)\])?(.*)`$", text)
    if found is None:
        tables = ", ".join(CompanyFile.__struct_fields__)
        return f"{text.replace('Object contains unknown field', 'there is no table')}; tables are: {tables}"
    table, number, rest = found.groups()
    what = text[: found.start()].replace("Object missing", "misses").replace("Object contains", "has")
    place = f"[[{table}]] number {int(number) + 1}" if number is not None else f"[{table}]"
    return f"{place}{rest.replace('.', ' ')}: {what}"


def _addresses(file: CompanyFile) -> list[tuple[str, str]]:
    found = []
    for person in file.person:
        place = f"person {person.name or person.email}"
        found += [(place, address) for address in (person.email, *person.addresses)]
        found += [(place, person.substitute)] if person.substitute else []
    for pool in file.pool:
        place = f"pool {pool.name}"
        found += [(place, address) for address in (*pool.addresses, *pool.members)]
        found += [(place, pool.archive)] if pool.archive else []
    for customer in file.customer:
        place = f"customer {customer.name}"
        found += [(place, contact.email) for contact in customer.contacts]
        found += [(place, customer.owner)] if customer.owner else []
    return found


def _domains(file: CompanyFile) -> list[tuple[str, str]]:
    own = [("[company] domains", domain) for domain in file.company.domains] if file.company else []
    theirs = [(f"customer {customer.name}", domain) for customer in file.customer for domain in customer.domains]
    return own + theirs

# SPDX-License-Identifier: GPL-3.0-or-later
"""What leads arrival to a person: his SASL logins and the addresses he writes from.  Each leads to one person alone."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue
from crm_sync.models.people import Person, PersonAddress, PersonLogin, PoolAddress
from tradepost.addresses import LONGEST_ADDRESS, address_key

# One @, a name behind it, no white space: what an envelope can hold, not all of RFC 5321.
_ADDRESS: Final = re.compile(r"[^@\s<>]+@[^@\s<>]+")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_LOGIN: Final = re.compile(rf"\S{{1,{LONGEST_ADDRESS}}}")
_LONGEST_NAME: Final = 200
_MOST: Final = 100


def checked_address(said: str) -> str:
    """Return an address as a key.  Raises InvalidValue."""
    key = address_key(said)
    if not said.isprintable() or len(said) > LONGEST_ADDRESS or not _ADDRESS.fullmatch(key):
        raise InvalidValue(f"{said[:60]!r}: is no e-mail address")
    return key


def checked_name(said: str) -> str:
    """Return a person's name, trimmed.  Raises InvalidValue."""
    name = " ".join(said.split())
    if not name.isprintable() or len(name) > _LONGEST_NAME:
        raise InvalidValue(f"name {said[:60]!r}: is up to {_LONGEST_NAME} printable characters")
    return name


def checked_languages(said: Iterable[str]) -> list[str]:
    """Return language codes, each once.  Raises InvalidValue."""
    return _checked(said, _LANGUAGE, str.lower, "is no ISO 639 code, as en or zh")


def checked_countries(said: Iterable[str]) -> list[str]:
    """Return country codes, each once.  Raises InvalidValue."""
    return _checked(said, _COUNTRY, str.upper, "is no ISO 3166 code, as MX or DE")


def checked_logins(said: Iterable[str]) -> list[str]:
    """Return SASL logins, each once.  Raises InvalidValue."""
    return _checked(said, _LOGIN, str, "is no SASL login")


def checked_addresses(said: Iterable[str]) -> list[str]:
    """Return addresses as keys, each once.  Raises InvalidValue."""
    return list(dict.fromkeys(checked_address(one.strip()) for one in said if one.strip()))


def check_address_free(session: Session, email: str, person: Person | None = None) -> None:
    """Raise InvalidValue when an address leads to a pool, or to somebody else who works here.

    What was the address of somebody who left may be his successor's.
    """
    if session.scalars(select(PoolAddress.pool_id).where(PoolAddress.address_key == email)).one_or_none() is not None:
        raise InvalidValue(f"address {email}: is a pool's; people of a pool are named in the company file")
    mine = 0 if person is None else person.id
    of_person = select(Person.id).where(Person.email == email, Person.id != mine, Person.left_at.is_(None))
    beside = select(PersonAddress.person_id).where(PersonAddress.address_key == email, PersonAddress.person_id != mine)
    if session.scalars(of_person.union(beside)).first() is not None:
        raise InvalidValue(f"address {email}: belongs to somebody else")


def set_logins(session: Session, person: Person, logins: Sequence[str]) -> list[str]:
    """Make these a person's logins; return those he had.  Raises InvalidValue: one is somebody else's."""
    taken = session.scalars(
        select(PersonLogin.login)
        .where(PersonLogin.login.in_(logins), PersonLogin.person_id.is_distinct_from(person.id))
        .order_by(PersonLogin.login)
    ).first()
    if taken is not None:
        raise InvalidValue(f"login {taken!r}: belongs to somebody else")
    found = set(session.scalars(select(PersonLogin.login).where(PersonLogin.person_id == person.id)))
    session.execute(delete(PersonLogin).where(PersonLogin.person_id == person.id, PersonLogin.login.not_in(logins)))
    session.add_all(PersonLogin(login=login, person_id=person.id) for login in logins if login not in found)
    return sorted(found)


def set_addresses(session: Session, person: Person, addresses: Sequence[str]) -> list[str]:
    """Make these what a person writes from beside his own; return those he had.  Raises InvalidValue."""
    for address in addresses:
        check_address_free(session, address, person)
    found = set(session.scalars(select(PersonAddress.address_key).where(PersonAddress.person_id == person.id)))
    session.execute(
        delete(PersonAddress).where(PersonAddress.person_id == person.id, PersonAddress.address_key.not_in(addresses))
    )
    session.add_all(PersonAddress(address_key=key, person_id=person.id) for key in addresses if key not in found)
    return sorted(found)


def _checked(said: Iterable[str], form: re.Pattern[str], fold: Callable[[str], str], why: str) -> list[str]:
    found = list(dict.fromkeys(fold(one.strip()) for one in said if one.strip()))
    for one in found:
        if not one.isprintable() or not form.fullmatch(one):
            raise InvalidValue(f"{one[:60]!r}: {why}")
    if len(found) > _MOST:
        raise InvalidValue(f"{len(found)} are too many; {_MOST} may be")
    return found

# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's company as Postfix needs it: mailboxes, logins, who may send as what."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

COMPANY_FILE = Path(str(files("postfix") / "sandbox" / "company.toml"))
RULES_FILE = Path(str(files("postfix") / "sandbox" / "rules.toml"))


@dataclass(frozen=True, slots=True)
class Company:
    """Addresses in lower case.  `logins` maps each person's address to his SASL name; `pools` maps address to members."""

    domains: tuple[str, ...]
    logins: dict[str, str]
    pools: dict[str, tuple[str, ...]]
    manager: str

    @property
    def mailboxes(self) -> tuple[str, ...]:
        """Every address that has a mailbox: people and pools."""
        return (*self.logins, *self.pools)

    def is_own(self, address: str) -> bool:
        """Tell whether an address lies in one of the company's domains."""
        return address.rpartition("@")[2].lower() in self.domains

    def login_for(self, sender: str) -> str:
        """Return who signs in to send as this address: the person himself, the first member of a pool, the manager."""
        member = next(iter(self.pools.get(sender, ())), sender)
        return self.logins.get(member, self.logins[self.manager])


def read_company(path: Path = COMPANY_FILE) -> Company:
    """Read a company file.  Raises OSError, KeyError and tomllib.TOMLDecodeError: it is part of this package."""
    data = tomllib.loads(path.read_text("utf-8"))
    people = data["person"]
    return Company(
        domains=tuple(domain.lower() for domain in data["company"]["domains"]),
        logins={person["email"].lower(): person["login"] for person in people},
        pools={
            address.lower(): tuple(member.lower() for member in pool["members"])
            for pool in data["pool"]
            for address in pool["addresses"]
        },
        manager=next(person["email"].lower() for person in people if person["role"] == "manager"),
    )

# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply a company file to the records: twice is the same as once, and every difference is said."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue
from crm_sync.advisory_locks import RECORDING, STAFF, hold_for_transaction
from crm_sync.company_file import CompanyFile, CompanyFileError, PersonEntry, PoolEntry
from crm_sync.company_roles import apply_roles
from crm_sync.customer_file import apply_customers
from crm_sync.directory_rows import DirtyKeys
from crm_sync.models.base import Base
from crm_sync.models.people import (
    Company,
    OwnDomain,
    Person,
    PersonAddress,
    PersonLogin,
    Pool,
    PoolAddress,
    PoolMember,
    Role,
    Team,
)
from crm_sync.models.rules import RuleRow
from crm_sync.people.absences import check_substitute
from crm_sync.people.hiring import move_scopes
from crm_sync.people.keepers import has_keeper
from crm_sync.rights import root_viewer, teams_below
from crm_sync.setup_events import note_setup
from tradepost.addresses import address_key, domain_key
from tradepost.rules import Rule

_MOST_TOLD: Final = 1000  # lines that the event of a file repeats


def apply_company(session: Session, file: CompanyFile) -> tuple[str, ...]:
    """Make the records say what the file says; return one line per difference, none when there was none.

    What the file does not name stays.  Raises CompanyFileError; the caller rolls back.
    """
    hold_for_transaction(session.connection(), STAFF)
    hold_for_transaction(session.connection(), RECORDING)  # what makes customers must not make the same ones meanwhile
    dirty = DirtyKeys()
    had_keeper = has_keeper(session)
    lines = [
        *_apply_name(session, file),
        *_apply_teams(session, file),
        *apply_roles(session, file.role),
        *_apply_people(session, file.person, dirty),
        *_apply_pools(session, file.pool),
    ]
    session.flush()
    if had_keeper and not has_keeper(session):
        raise CompanyFileError("nobody would be left who may change people and roles: a person needs such a role")
    _finish_policy(session, dirty, bool(lines))
    lines += apply_customers(session, file.customer, dirty)
    if lines:
        note_setup(session, root_viewer(), "company", "file-applied", datetime.now(UTC), lines=lines[:_MOST_TOLD])
    session.flush()
    dirty.write(session)
    return tuple(lines)


def apply_rules(session: Session, rules: Sequence[Rule]) -> tuple[str, ...]:
    """Make these the rules, in this order; return one line per difference.  They must have been compiled before.

    Raises CompanyFileError when a rule assigns to nobody we know.
    """
    people = set(session.scalars(select(Person.email).where(Person.left_at.is_(None))))
    for rule in rules:
        for effect in rule.then:
            if effect.action == "assign" and address_key(effect.value) not in people:
                raise CompanyFileError(f"rule {rule.id!r}: assigns to {effect.value}, who is no registered person")
    rows = {row.id: row for row in session.scalars(select(RuleRow))}
    lines = []
    for position, rule in enumerate(rules):
        wanted: dict[str, Any] = {
            "position": position,
            "name": rule.name,
            "description": rule.description,
            "enabled": rule.enabled,
            # As JSON gives it back: lists, not tuples, or every rule would look changed.
            "condition": msgspec.json.decode(msgspec.json.encode(rule.when)),
            "effects": msgspec.json.decode(msgspec.json.encode(rule.then)),
        }
        row = rows.pop(rule.id, None)
        if row is None:
            session.add(RuleRow(id=rule.id, version=1, **wanted))
            lines.append(f"+ rule {rule.id}")
        elif changes := set_fields(row, wanted):
            row.version += 1
            lines.append(f"~ rule {rule.id}: {', '.join(change.partition(':')[0] for change in changes)}")
    for rule_id in sorted(rows):
        session.execute(delete(RuleRow).where(RuleRow.id == rule_id))
        lines.append(f"- rule {rule_id}")
    dirty = DirtyKeys()
    _finish_policy(session, dirty, bool(lines))
    dirty.write(session)
    return tuple(lines)


def _finish_policy(session: Session, dirty: DirtyKeys, has_changed: bool) -> None:
    session.flush()
    if has_changed:
        session.execute(update(Company).values(policy_version=Company.policy_version + 1))
        dirty.policy = True


def set_fields(row: Base, wanted: dict[str, Any]) -> list[str]:
    """Set what differs; return `field: old -> new` for each."""
    changes = []
    for name, value in wanted.items():
        before = getattr(row, name)
        if before != value:
            setattr(row, name, value)
            changes.append(f"{name}: {_shown(before)} -> {_shown(value)}")
    return changes


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)


def _apply_name(session: Session, file: CompanyFile) -> list[str]:
    if file.company is None:
        return []
    row = session.scalars(select(Company)).one()
    lines = [f"~ company: {change}" for change in set_fields(row, {"name": file.company.name})]
    wanted = [domain_key(domain) for domain in file.company.domains]
    found = list(session.scalars(select(OwnDomain.domain).order_by(OwnDomain.position)))
    if found != wanted:
        session.execute(delete(OwnDomain))
        session.add_all(OwnDomain(domain=domain, position=number) for number, domain in enumerate(wanted))
        lines.append(f"~ company: domains: {_shown(found)} -> {_shown(wanted)}")
    return lines


def _apply_teams(session: Session, file: CompanyFile) -> list[str]:
    known = set(session.scalars(select(Team.name)))
    named = dict.fromkeys(
        [team.name for team in file.team]
        + [team.under for team in file.team if team.under]
        + [person.team for person in file.person if person.team]
    )
    new = [name for name in named if name not in known]
    session.add_all(Team(name=name) for name in new)
    session.flush()
    teams = {team.name: team for team in session.scalars(select(Team))}
    names = {team.id: team.name for team in teams.values()}
    lines = [f"+ team {name}" for name in new]
    for entry in file.team:
        team = teams[entry.name]
        before = names.get(team.parent_id or 0, "")
        if entry.under is not None and entry.under != before:
            team.parent_id = teams[entry.under].id if entry.under else None
            lines.append(f"~ team {entry.name}: under: {_shown(before)} -> {_shown(entry.under)}")
    parents = {team.id: team.parent_id for team in teams.values()}
    for team in teams.values():
        if team.parent_id is not None and team.parent_id in teams_below(parents, [team.id]):
            raise CompanyFileError(f"team {team.name}: would lie below itself")
    session.flush()
    return lines


def _apply_people(session: Session, entries: Sequence[PersonEntry], dirty: DirtyKeys) -> list[str]:
    teams = dict(session.execute(select(Team.name, Team.id)).all())
    people = {row.email: row for row in session.scalars(select(Person))}
    roles = sorted(session.scalars(select(Role.name)))
    lines = []
    for entry in entries:
        email = address_key(entry.email)
        if entry.role not in roles:
            raise CompanyFileError(
                f"person {entry.email}: there is no role {entry.role!r}; there are {', '.join(roles)}"
            )
        wanted: dict[str, Any] = {
            "name": entry.name,
            "team_id": teams[entry.team] if entry.team else None,
            "role": entry.role,
            "languages": list(entry.languages),
            "countries": [country.upper() for country in entry.countries],
        }
        row = people.get(email)
        if row is not None and row.left_at is not None:
            raise CompanyFileError(
                f"person {entry.email}: has left; 'tradepost person return' takes him back, else take him out of the file"
            )
        if entry.is_away is not None and (row is None or row.is_away is not entry.is_away):
            wanted |= {"is_away": entry.is_away, "away_from": None, "away_until": None}
        if row is None:
            row = people[email] = Person(email=email, open_conversations=0, **wanted)
            session.add(row)
            session.flush()
            dirty.people.add(row.id)
            lines.append(f"+ person {email}")
        else:
            had_team = row.team_id
            changes = set_fields(row, wanted)
            row.version += 1 if changes else 0
            if row.team_id != had_team:
                session.flush()
                move_scopes(session, row.id, row.team_id)
            lines += [f"~ person {email}: {change}" for change in changes]
        logins = dict.fromkeys((entry.login, *entry.logins) if entry.login else entry.logins)
        addresses = dict.fromkeys(map(address_key, entry.addresses))
        lines += _apply_keys(session, PersonLogin, PersonLogin.login, row, list(logins), "login")
        lines += _apply_keys(session, PersonAddress, PersonAddress.address_key, row, list(addresses), "address")
    lines += _apply_substitutes([entry for entry in entries if entry.substitute is not None], people)
    return lines


def _apply_substitutes(entries: Sequence[PersonEntry], people: dict[str, Person]) -> list[str]:
    lines = []
    for entry in entries:
        substitute = people.get(address_key(entry.substitute)) if entry.substitute else None
        if entry.substitute and substitute is None:
            raise CompanyFileError(f"person {entry.email}: the substitute {entry.substitute} is no registered person")
        row = people[address_key(entry.email)]
        changes = set_fields(row, {"substitute_id": substitute.id if substitute else None})
        lines += [f"~ person {row.email}: substitute" for _ in changes]
    by_id = {person.id: person for person in people.values()}
    for entry in entries:
        row = people[address_key(entry.email)]
        if row.substitute_id is not None:
            try:
                check_substitute(by_id, row, by_id[row.substitute_id])
            except InvalidValue as circle:
                raise CompanyFileError(str(circle)) from circle
    return lines


def _apply_keys(
    session: Session,
    model: type[PersonLogin | PersonAddress],
    column: Any,
    person: Person,
    wanted: list[str],
    word: str,
) -> list[str]:
    """Make these the logins or addresses of a person.  Raises CompanyFileError when one is somebody else's."""
    owners: dict[str, int | None] = dict(
        session.execute(select(column, model.person_id).where(column.in_(wanted))).all()
    )
    for key, owner in owners.items():
        if owner != person.id:
            raise CompanyFileError(f"person {person.email}: the {word} {key} belongs to somebody else")
    found = set(session.scalars(select(column).where(model.person_id == person.id)))
    session.execute(delete(model).where(model.person_id == person.id, column.not_in(wanted)))
    session.add_all(model(**{column.key: key, "person_id": person.id}) for key in wanted if key not in found)
    session.flush()
    gone, new = sorted(found - set(wanted)), [key for key in wanted if key not in found]
    return [f"~ person {person.email}: + {word} {key}" for key in new] + [
        f"~ person {person.email}: - {word} {key}" for key in gone
    ]


def _apply_pools(session: Session, entries: Sequence[PoolEntry]) -> list[str]:
    people = dict(session.execute(select(Person.email, Person.id)).all())
    pools = {row.name: row for row in session.scalars(select(Pool))}
    lines = []
    for position, entry in enumerate(entries):
        wanted = {
            "delivery": entry.delivery,
            "distribution": entry.distribution,
            "archive": address_key(entry.archive) if entry.archive else "",
            "expands": entry.expands,
            "position": position,
        }
        row = pools.get(entry.name)
        if row is None:
            row = pools[entry.name] = Pool(name=entry.name, turn=0, **wanted)
            session.add(row)
            session.flush()
            lines.append(f"+ pool {entry.name}")
        else:
            lines += [f"~ pool {entry.name}: {change}" for change in set_fields(row, wanted)]
        lines += _apply_pool_addresses(session, row, [address_key(address) for address in entry.addresses])
        lines += _apply_members(session, row, [address_key(member) for member in entry.members], people)
    return lines


def _apply_pool_addresses(session: Session, pool: Pool, wanted: list[str]) -> list[str]:
    taken = session.execute(
        select(PoolAddress.address_key, Pool.name)
        .join(Pool, Pool.id == PoolAddress.pool_id)
        .where(PoolAddress.address_key.in_(wanted), PoolAddress.pool_id != pool.id)
    ).first()
    if taken is not None:
        raise CompanyFileError(f"pool {pool.name}: {taken[0]} is the address of the pool {taken[1]}")
    mine = select(PoolAddress.address_key).where(PoolAddress.pool_id == pool.id).order_by(PoolAddress.position)
    found = list(session.scalars(mine))
    if found == wanted:
        return []
    session.execute(delete(PoolAddress).where(PoolAddress.pool_id == pool.id))
    session.add_all(PoolAddress(address_key=key, pool_id=pool.id, position=n) for n, key in enumerate(wanted))
    session.flush()
    return [f"~ pool {pool.name}: addresses: {_shown(found)} -> {_shown(wanted)}"]


def _apply_members(session: Session, pool: Pool, wanted: list[str], people: dict[str, int]) -> list[str]:
    for member in wanted:
        if member not in people:
            raise CompanyFileError(f"pool {pool.name}: {member} is no registered person")
    mine = (
        select(Person.email)
        .join(PoolMember, PoolMember.person_id == Person.id)
        .where(PoolMember.pool_id == pool.id)
        .order_by(PoolMember.position)
    )
    found = list(session.scalars(mine))
    if found == wanted:
        return []
    session.execute(delete(PoolMember).where(PoolMember.pool_id == pool.id))
    session.add_all(PoolMember(pool_id=pool.id, person_id=people[m], position=n) for n, m in enumerate(wanted))
    session.flush()
    return [f"~ pool {pool.name}: members: {_shown(found)} -> {_shown(wanted)}"]

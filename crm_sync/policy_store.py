# SPDX-License-Identifier: GPL-3.0-or-later
"""The company in SQL, read as the snapshot that arrival and completion decide by."""

from collections import defaultdict
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.customers.reclaim import ReclaimRules
from crm_sync.models.people import (
    Company,
    OwnDomain,
    PersonAddress,
    PersonLogin,
    PoolAddress,
    PoolMember,
    Team,
)
from crm_sync.models.people import Person as PersonRow
from crm_sync.models.people import Pool as PoolRow
from crm_sync.models.rules import RuleRow
from crm_sync.pipeline.snapshot import PipelineSnapshot, fetch_snapshot
from tradepost.policy import Person, Policy, Pool
from tradepost.rules import Effect, Group, Rule, ask_for_products


@dataclass(frozen=True, slots=True)
class PolicyView:
    """The policy and the keys of its people and pools in SQL."""

    policy: Policy
    person_ids: dict[str, int]  # email -> person.id
    emails: dict[int, str]  # person.id -> email
    team_ids: dict[int, int | None]  # person.id -> team.id
    pool_ids: dict[str, int]  # name -> pool.id
    pipeline: PipelineSnapshot = field(default_factory=PipelineSnapshot)
    reclaim: ReclaimRules = field(default_factory=ReclaimRules)  # when customers fall back into which pool

    def person_id(self, email: str | None) -> int | None:
        """Return the key of a person by email; None for nobody or somebody who is not registered any more."""
        return self.person_ids.get(email) if email else None


def fetch_policy_version(session: Session) -> int:
    """Return the number of the last change."""
    return session.execute(select(Company.policy_version)).scalar_one()


def fetch_policy(session: Session) -> PolicyView:
    """Read everything business people decided."""
    company = session.execute(select(Company.name, Company.policy_version)).one()
    domains = session.execute(select(OwnDomain.domain).order_by(OwnDomain.position, OwnDomain.domain)).scalars()
    rows = session.execute(select(PersonRow).where(PersonRow.left_at.is_(None)).order_by(PersonRow.id)).scalars().all()
    emails = {row.id: row.email for row in rows}
    pools = session.execute(select(PoolRow).order_by(PoolRow.position, PoolRow.id)).scalars().all()
    rules, pipeline = fetch_rules(session), fetch_snapshot(session)
    policy = Policy(
        version=company.policy_version,
        company=company.name,
        domains=tuple(domains),
        people=_people(session, list(rows), emails),
        pools=_pools(session, list(pools), emails),
        rules=rules,
        products=pipeline.for_policy() if ask_for_products(rules) else (),
    )
    return PolicyView(
        policy=policy,
        person_ids={email: key for key, email in emails.items()},
        emails=emails,
        team_ids={row.id: row.team_id for row in rows},
        pool_ids={pool.name: pool.id for pool in pools},
        pipeline=pipeline,
        reclaim=ReclaimRules.fetch(session),
    )


def _people(session: Session, rows: list[PersonRow], emails: dict[int, str]) -> tuple[Person, ...]:
    teams = dict(session.execute(select(Team.id, Team.name)).all())
    logins, addresses = defaultdict(list), defaultdict(list)
    for owner, login in session.execute(select(PersonLogin.person_id, PersonLogin.login).order_by(PersonLogin.login)):
        logins[owner].append(login)
    for owner, key in session.execute(
        select(PersonAddress.person_id, PersonAddress.address_key).order_by(PersonAddress.address_key)
    ):
        addresses[owner].append(key)
    return tuple(
        Person(
            email=row.email,
            name=row.name,
            team=teams.get(row.team_id, "") if row.team_id else "",
            role=row.role,
            logins=tuple(logins[row.id]),
            addresses=tuple(addresses[row.id]),
            languages=tuple(row.languages),
            countries=tuple(row.countries),
            is_away=row.is_away,
            substitute=emails.get(row.substitute_id, "") if row.substitute_id else "",
        )
        for row in rows
    )


def _pools(session: Session, rows: list[PoolRow], emails: dict[int, str]) -> tuple[Pool, ...]:
    addresses, members = defaultdict(list), defaultdict(list)
    for pool_id, key in session.execute(
        select(PoolAddress.pool_id, PoolAddress.address_key).order_by(PoolAddress.position, PoolAddress.address_key)
    ):
        addresses[pool_id].append(key)
    for pool_id, person_id in session.execute(
        select(PoolMember.pool_id, PoolMember.person_id).order_by(PoolMember.position, PoolMember.person_id)
    ):
        if person_id in emails:
            members[pool_id].append(emails[person_id])
    return tuple(
        Pool(
            name=row.name,
            addresses=tuple(addresses[row.id]),
            members=tuple(members[row.id]),
            delivery=row.delivery,
            distribution=row.distribution,
            archive=row.archive,
            expands=row.expands,
        )
        for row in rows
    )


def fetch_rules(session: Session) -> tuple[Rule, ...]:
    """Read all rules, in the order that is policy."""
    rows = session.execute(select(RuleRow).order_by(RuleRow.position, RuleRow.id)).scalars()
    return tuple(
        Rule(
            id=row.id,
            name=row.name,
            when=msgspec.convert(row.condition, Group),
            then=tuple(msgspec.convert(row.effects, list[Effect])),
            description=row.description,
            enabled=row.enabled,
        )
        for row in rows
    )

# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pools customers fall into and are claimed from, and what each allows: settings that people edit, not code."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from crm_sync.customers.reclaim import refresh_reclaim_dates
from crm_sync.customers.transfers import begin_transfers
from crm_sync.directory_rows import DirtyKeys
from crm_sync.models.conversations import Event
from crm_sync.models.people import Company, Person, Pool, PoolMember
from crm_sync.models.public_pool import PublicPool, ReleaseReason
from crm_sync.rights import Action, Entity, Reach, Viewer
from tradepost.addresses import address_key
from tradepost.errors import Refusal

# The greatest value of each number that is set: what is beyond is a slip of the finger.
LIMITS: Mapping[str, int] = {
    "most_customers": 1_000_000,
    "claims_per_day": 100_000,
    "cool_down_hours": 24 * 3650,
    "idle_days": 3650,
}
_CODE = re.compile(r"[a-z][a-z0-9-]{0,39}")
_LONGEST_NAME, _MOST_GRADES = 100, 50


class PublicPoolError(Refusal, ValueError):
    """The settings can't be so, or are not the viewer's to see or change; nothing was changed."""


@dataclass(frozen=True, slots=True)
class PublicPoolView:
    """A pool that customers may lie in.  None: no limit, never.  `version` 0: nothing was ever set for it."""

    pool: str
    is_default: bool = False
    most_customers: int | None = None
    claims_per_day: int | None = None
    cool_down_hours: int | None = None
    idle_days: int | None = None
    protected_grades: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class ReasonView:
    """A reason for a release."""

    code: str
    name: str
    name_zh: str
    is_active: bool


def fetch_public_pools(session: Session, viewer: Viewer) -> tuple[PublicPoolView, ...]:
    """Return every pool with its settings.  Raises PublicPoolError for who may not see the company's settings."""
    _check_company(viewer, Action.SEE)
    members: dict[int, list[str]] = {}
    wanted = (
        select(PoolMember.pool_id, Person.email)
        .join(Person, Person.id == PoolMember.person_id)
        .order_by(PoolMember.position, Person.id)
    )
    for pool_id, email in session.execute(wanted):
        members.setdefault(pool_id, []).append(email)
    rows = session.execute(
        select(Pool, PublicPool)
        .outerjoin(PublicPool, PublicPool.pool_id == Pool.id)
        .order_by(Pool.position, Pool.id)
        .execution_options(populate_existing=True)
    )
    return tuple(_view(pool, settings, tuple(members.get(pool.id, ()))) for pool, settings in rows)


def add_public_pool(
    session: Session, viewer: Viewer, name: str, members: tuple[str, ...], cause_id: str, now: datetime
) -> None:
    """Make a pool without an address, only for customers to lie in; `members` see them and may claim.

    Raises PublicPoolError.
    """
    _check_company(viewer, Action.EDIT)
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise PublicPoolError(f"pool: give it a name of at most {_LONGEST_NAME} printable characters")
    if session.scalars(select(Pool.id).where(Pool.name == name)).first() is not None:
        raise PublicPoolError(f"pool {name}: is there already")
    people = dict(session.execute(select(Person.email, Person.id).where(Person.left_at.is_(None))).all())
    unknown = next((one for one in members if address_key(one) not in people), None)
    if unknown is not None:
        raise PublicPoolError(f"pool {name}: {unknown[:100]!r} is no registered person")
    position = session.scalar(select(func.coalesce(func.max(Pool.position), -1))) or 0
    pool = Pool(name=name, distribution="none", turn=0, position=position + 1)
    session.add(pool)
    session.flush()
    keys = dict.fromkeys(people[address_key(one)] for one in members)
    session.add_all(PoolMember(pool_id=pool.id, person_id=key, position=n) for n, key in enumerate(keys))
    _note(session, viewer, pool.id, {"name": name, "members": sorted(members)}, cause_id, now, "pool-added")
    _tell_worker(session)


def change_public_pool(
    session: Session, viewer: Viewer, name: str, wanted: Mapping[str, Any], cause_id: str, now: datetime
) -> PublicPoolView:
    """Set what is named in `wanted`: the numbers of LIMITS (None: no limit), `protected_grades`, `is_default`.

    Dates on which customers fall back are computed anew.  Raises PublicPoolError.
    """
    _check_company(viewer, Action.EDIT)
    _check(wanted)
    begin_transfers(session)  # recording writes the same dates
    pool = session.scalars(select(Pool).where(Pool.name == name)).one_or_none() if name.isprintable() else None
    if pool is None:
        raise PublicPoolError(f"pool {name[:100]!r}: there is none; 'tradepost customer pool-settings' lists them")
    row = session.get(PublicPool, pool.id, with_for_update=True)
    if row is None:
        row = PublicPool(pool_id=pool.id, is_default=False, protected_grades=[], version=0)
        session.add(row)
    if wanted.get("is_default"):
        session.execute(update(PublicPool).where(PublicPool.pool_id != pool.id).values(is_default=False))
    changes = {key: value for key, value in wanted.items() if getattr(row, key) != value}
    for key, value in changes.items():
        setattr(row, key, value)
    if changes:
        row.version += 1
        _note(session, viewer, pool.id, {"changes": changes}, cause_id, now)
        refresh_reclaim_dates(session)
        _tell_worker(session)
    return next(one for one in fetch_public_pools(session, viewer) if one.pool == name)


def fetch_release_reasons(session: Session, viewer: Viewer) -> tuple[ReasonView, ...]:
    """Return the reasons, in their order.  Raises PublicPoolError for who may not see the company's settings."""
    _check_company(viewer, Action.SEE)
    rows = session.scalars(select(ReleaseReason).order_by(ReleaseReason.position, ReleaseReason.code))
    return tuple(ReasonView(row.code, row.name, row.name_zh, row.is_active) for row in rows)


def set_release_reason(session: Session, viewer: Viewer, reason: ReasonView, cause_id: str, now: datetime) -> None:
    """Add a reason or change one; one that is not active is offered no more.  Raises PublicPoolError."""
    _check_company(viewer, Action.EDIT)
    if not _CODE.fullmatch(reason.code):
        raise PublicPoolError(
            f"reason {reason.code[:40]!r}: a code is of small letters, digits and hyphens, at most 40"
        )
    names = (reason.name, reason.name_zh)
    if not reason.name.strip() or any(len(one) > _LONGEST_NAME or not one.isprintable() for one in names):
        raise PublicPoolError(f"reason {reason.code}: give it a name of at most {_LONGEST_NAME} printable characters")
    row = session.get(ReleaseReason, reason.code)
    if row is None:
        last = session.scalar(select(func.max(ReleaseReason.position)))
        row = ReleaseReason(code=reason.code, position=0 if last is None else last + 1)
        session.add(row)
    row.name, row.name_zh, row.is_active = reason.name, reason.name_zh, reason.is_active
    _note(session, viewer, None, {"reason": asdict(reason)}, cause_id, now)


def recompute_reclaim_dates(session: Session, viewer: Viewer) -> int:
    """Compute anew when each customer falls back; return how many dates were wrong.  Raises PublicPoolError."""
    _check_company(viewer, Action.EDIT)
    begin_transfers(session)  # recording writes the same dates
    return refresh_reclaim_dates(session)


def _check_company(viewer: Viewer, action: Action) -> None:
    if viewer.reach(Entity.COMPANY, action) is not Reach.ALL:
        raise PublicPoolError(f"the settings of pools are not for {viewer.actor} to {action.value}")


def _check(wanted: Mapping[str, Any]) -> None:
    for key, value in wanted.items():
        if key in LIMITS:
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            if value is not None and not (is_whole and 0 <= value <= LIMITS[key]):
                raise PublicPoolError(f"{key}: {value!r} is not between 0 and {LIMITS[key]:,}; None is no limit")
        elif key == "protected_grades":
            if len(value) > _MOST_GRADES or any(not one or len(one) > 10 or not one.isprintable() for one in value):
                raise PublicPoolError(f"{key}: at most {_MOST_GRADES} grades of at most 10 characters")
        elif key != "is_default":
            raise PublicPoolError(f"{key!r}: a pool has no such setting; there are {', '.join(LIMITS)}")


def _view(pool: Pool, row: PublicPool | None, members: tuple[str, ...]) -> PublicPoolView:
    if row is None:
        return PublicPoolView(pool.name, members=members)
    return PublicPoolView(
        pool.name,
        row.is_default,
        row.most_customers,
        row.claims_per_day,
        row.cool_down_hours,
        row.idle_days,
        tuple(row.protected_grades),
        members,
        row.version,
    )


def _note(
    session: Session,
    viewer: Viewer,
    pool_id: int | None,
    details: dict[str, Any],
    cause_id: str,
    now: datetime,
    step: str = "settings-changed",
) -> None:
    subject = f"pool:{pool_id}" if pool_id is not None else "release-reasons"
    session.add(
        Event(
            cause_id=cause_id,
            step=step,
            subject=subject,
            at=now,
            person_id=viewer.actor_id,
            details=details,
        )
    )
    session.flush()


def _tell_worker(session: Session) -> None:
    """Recording reads pools and their days with the policy."""
    session.execute(update(Company).values(policy_version=Company.policy_version + 1))
    dirty = DirtyKeys(policy=True)
    dirty.write(session)

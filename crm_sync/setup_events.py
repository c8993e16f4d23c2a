# SPDX-License-Identifier: GPL-3.0-or-later
"""Who changed what all records share, when and how: one event a change."""

from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import update
from sqlalchemy.orm import Session
from ulid import ULID

from crm_sync.directory_rows import DirtyKeys
from crm_sync.models.conversations import Event
from crm_sync.models.people import Company


class Actor(Protocol):
    """Who did it.  Whether he may was asked before."""

    @property
    def actor_id(self) -> int | None:
        """The key of a person; None: root."""

    @property
    def actor(self) -> str:
        """In words."""


def note_setup(session: Session, who: Actor, subject: str, step: str, now: datetime, **details: Any) -> None:
    """Write the event; `subject` as `stage:3`."""
    session.add(
        Event(
            cause_id=str(ULID()),
            step=step,
            subject=subject,
            at=now,
            person_id=who.actor_id,
            details={"actor": who.actor, **details},
        )
    )


def tell_policy(session: Session) -> None:
    """Let workers and milters read again what business people decided: stages, rules and products are part of it."""
    session.flush()
    session.execute(update(Company).values(policy_version=Company.policy_version + 1))
    dirty = DirtyKeys(policy=True)
    dirty.write(session)

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the letters of a conversation bring it: ids, people, clocks.  Read again from the letters, for some of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.key_lists import among_keys
from crm_sync.models.mail import Message, MessageRecipient
from tradepost.addresses import address_key
from tradepost.policy import Policy
from tradepost.verdict import Direction

_LETTERS = (
    select(
        Message.id,
        Message.id_digest,
        Message.named_digests,
        Message.direction,
        Message.at,
        Message.from_address,
        Message.subject,
        Message.is_automatic,
    )
    .where(among_keys(Message.id))
    .order_by(Message.at, Message.id)
)
_RECIPIENTS = select(MessageRecipient.message_id, MessageRecipient.address_key).where(
    among_keys(MessageRecipient.message_id)
)


@dataclass(frozen=True, slots=True)
class LetterOf:
    """One letter.  `people` maps everybody outside whom it names to whether somebody outside only named him."""

    id: int
    own: str
    named: tuple[str, ...] | None  # newest first; None: not kept when it was recorded
    direction: Direction
    at: datetime
    subject: str
    is_automatic: bool
    people: dict[str, bool]

    @property
    def digests(self) -> set[str]:
        """Every id that leads to its conversation, as far as known."""
        return {self.own, *(self.named or ())} - {""}


def read_letters_of(session: Session, policy: Policy, message_ids: Collection[int]) -> list[LetterOf]:
    """Return these letters, oldest first."""
    keys = list(message_ids)
    recipients: dict[int, set[str]] = {key: set() for key in keys}
    connection = session.connection()
    for key, address in connection.execute(_RECIPIENTS, {"keys": keys}):
        recipients[key].add(address)
    return [
        LetterOf(
            id=row.id,
            own=row.id_digest,
            named=None if row.named_digests is None else tuple(row.named_digests),
            direction=Direction(row.direction),
            at=row.at,
            subject=row.subject,
            is_automatic=row.is_automatic,
            people=_people(policy, Direction(row.direction), row.from_address, recipients[row.id]),
        )
        for row in connection.execute(_LETTERS, {"keys": keys})
    ]


def people_of(letters: Sequence[LetterOf]) -> dict[str, bool]:
    """Return everybody outside, and whether he was only named by somebody outside."""
    found: dict[str, bool] = {}
    for letter in letters:
        for address, is_named_only in letter.people.items():
            found[address] = found.get(address, True) and is_named_only
    return found


def last_at(letters: Sequence[LetterOf], direction: Direction) -> datetime | None:
    """Return when a human being last wrote in that direction."""
    times = (letter.at for letter in letters if letter.direction is direction and not letter.is_automatic)
    return max(times, default=None)


def _people(policy: Policy, direction: Direction, writer: str, recipients: set[str]) -> dict[str, bool]:
    is_ours = direction is not Direction.INBOUND
    found = {address: not is_ours for address in recipients if "@" in address and not policy.is_own(address)}
    key = address_key(writer)
    if not is_ours and "@" in key and not policy.is_own(key):
        found[key] = False
    return found

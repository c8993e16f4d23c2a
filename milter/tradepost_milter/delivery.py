# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else gets a copy: the owner of pool mail, his substitute, the pool of what was sent in its name.  Pure."""

from collections.abc import Sequence

from tradepost.addresses import address_key
from tradepost.policy import Policy, Pool
from tradepost.verdict import Action, ActionKind


def inbound_recipients(
    policy: Policy, pools: Sequence[Pool], owner: str | None, recipients: Sequence[str]
) -> list[Action]:
    """Return recipient edits for mail to pools.  Nobody who is addressed already is added: Postfix would deliver twice."""
    person = policy.person(owner) if owner else None
    if person is None:
        return []
    wanted = [person.email]
    substitute = policy.stand_in(person)
    if substitute is not None:
        wanted.append(substitute.email)
    addressed = {address_key(recipient) for recipient in recipients}
    actions: list[Action] = []
    for pool in pools:
        if pool.delivery == "mailbox":
            continue
        for email in wanted:
            if address_key(email) in addressed or (pool.expands and email in pool.members):
                continue
            addressed.add(address_key(email))
            actions.append(Action(ActionKind.ADD_RECIPIENT, value=email))
        if pool.delivery == "owner" and pool.archive:
            actions += _divert(pool, recipients, addressed)
    return actions


def _divert(pool: Pool, recipients: Sequence[str], addressed: set[str]) -> list[Action]:
    own = {address_key(address) for address in pool.addresses}
    actions = [Action(ActionKind.DELETE_RECIPIENT, value=r) for r in recipients if address_key(r) in own]
    if address_key(pool.archive) not in addressed:
        addressed.add(address_key(pool.archive))
        actions.insert(0, Action(ActionKind.ADD_RECIPIENT, value=pool.archive))
    return actions


def outbound_recipients(policy: Policy, spoken_for: Sequence[str], recipients: Sequence[str]) -> list[Action]:
    """Return the copy to the pool in whose name a mail leaves (`spoken_for`: envelope sender and From)."""
    addressed = {address_key(recipient) for recipient in recipients}
    for address in spoken_for:
        pool = policy.pool(address)
        if pool is not None:
            if any(address_key(own) in addressed for own in pool.addresses):
                return []
            return [Action(ActionKind.ADD_RECIPIENT, value=pool.addresses[0])]
    return []

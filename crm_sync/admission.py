# SPDX-License-Identifier: GPL-3.0-or-later
"""May he?  One customer, or what all records share, for whoever may do that with it; everybody else is refused in one line."""

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.models.customers import Customer
from crm_sync.rights import Action, Entity, Reach, Viewer, may
from tradepost.errors import Refusal

# A merged record leads to the one that stayed; more steps than this are a circle.
_LONGEST_TRAIL: Final = 20
_LONGEST_ID: Final = 26


class NotFound(Refusal, LookupError):
    """There is nothing by that name that the viewer may see."""


class NotAllowed(Refusal, PermissionError):
    """He may see it, and not do that."""


class InvalidValue(Refusal, ValueError):
    """What was said can't be; nothing was changed.  One line: what was wanted, why not, what may be."""


class Outdated(Refusal, RuntimeError):
    """Somebody changed the record since it was read."""


def require_company(viewer: Viewer, action: Action) -> None:
    """Raise NotAllowed unless the viewer may do that with what all records share: stages, products, lists, points."""
    reach = viewer.reach(Entity.COMPANY, action)
    if reach is Reach.NONE or (action is not Action.SEE and viewer.reach(Entity.COMPANY, Action.SEE) is Reach.NONE):
        raise NotAllowed(f"{viewer.actor} may not {action} what all records share; a role with that right may")


def find_customer(session: Session, viewer: Viewer, public_id: str, action: Action = Action.SEE) -> Customer:
    """Return the customer in force, locked if anything is to be done with him.  Raises NotFound, NotAllowed."""
    is_id = public_id.isalnum() and public_id.isascii() and len(public_id) <= _LONGEST_ID
    wanted = select(Customer).where(Customer.public_id == public_id)
    customer = session.scalars(wanted).one_or_none() if is_id else None
    for _ in range(_LONGEST_TRAIL):
        if customer is None or customer.merged_into is None:
            break
        customer = session.get(Customer, customer.merged_into)
    key = 0 if customer is None else customer.id
    mine = select(Customer).where(Customer.id == key, may(viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id))
    if session.scalars(mine).one_or_none() is None:
        raise NotFound(f"customer {public_id[:60]!r}: there is none that {viewer.actor} may see")
    if action is not Action.SEE:
        mine = mine.where(may(viewer, Entity.CUSTOMER, action, Customer.scope_id))
        mine = mine.with_for_update(key_share=True).execution_options(populate_existing=True)
    found = session.scalars(mine).one_or_none()
    if found is None:
        raise NotAllowed(f"customer {public_id[:60]!r}: {viewer.actor} may see, but not {action} him")
    return found


def checked_names(english: str | None, chinese: str | None, longest: int = 100) -> dict[str, str]:
    """Return the names that were given as columns, trimmed.  Raises InvalidValue."""
    names = {}
    for column, said in (("name_en", english), ("name_zh", chinese)):
        if said is None:
            continue
        text = " ".join(said.split())
        if not text.isprintable() or len(text) > longest or (column == "name_en" and not text):
            raise InvalidValue(f"name {said[:60]!r}: is 1 to {longest} printable characters")
        names[column] = text
    return names

# SPDX-License-Identifier: GPL-3.0-or-later
"""Which fields a role may be kept from: those that answers, filters, sorts and searches leave out on `viewer.hides`.

A field that no function hides does not stand here: whoever hides it would believe that it is hidden.
"""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.fields.definitions import RIGHT_OF, hidden_name
from crm_sync.models.choices import ChoiceList
from crm_sync.models.fields import FieldDef
from crm_sync.rights import Entity

HIDEABLE: Mapping[Entity, tuple[str, ...]] = {
    Entity.CUSTOMER: ("grade",),
    Entity.MESSAGE: (),
    Entity.OPPORTUNITY: ("amount", "quantity", "target_price"),
    Entity.NOTE: (),
    Entity.COMPANY: ("price_floor",),
}


def fetch_hideable(session: Session) -> Mapping[Entity, tuple[str, ...]]:
    """Return the fields that may be hidden, by entity and in the order of the alphabet: ours, and the company's own lists."""
    lists = session.scalars(select(ChoiceList.key).where(ChoiceList.subject == Entity.CUSTOMER))
    own = {Entity.CUSTOMER: [*lists], Entity.OPPORTUNITY: []}
    for entity, key in session.execute(select(FieldDef.entity, FieldDef.key)):
        own[RIGHT_OF[entity]].append(hidden_name(entity, key))
    return {entity: tuple(sorted({*fields, *own.get(entity, ())})) for entity, fields in HIDEABLE.items()}

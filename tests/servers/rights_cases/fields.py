# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that the company adds."""

from rights_case import Case, changes, lists, manages, reads
from rights_world import World
from sqlalchemy.orm import Session

from crm_sync.fields.definitions import (
    FieldEntry,
    add_field,
    change_field,
    fetch_fields,
    find_field,
    is_hidden,
    retire_field,
)
from crm_sync.fields.filters import Filter, Order, find_records
from crm_sync.fields.records import find_record
from crm_sync.fields.values import fetch_values, set_values
from crm_sync.models.fields import CustomValues, FieldDef, FieldValue
from crm_sync.rights import Action, Entity

_SECRET, _HIDDEN = "zqfield", "zqhiddenfield"


def plant(session: Session, world: World) -> None:
    """Give every customer a value in a field that all see, and one in a field that roles may be kept from."""
    ids = {}
    for key in (_SECRET, _HIDDEN):
        field = FieldDef(
            id=world.key(), entity="customer", key=key, type="text", name_en="Field", name_zh="", help_en="", help_zh="",
            options={}, stages=[], is_required=False, is_filterable=True, is_unique=False, position=0, version=1,
        )  # fmt: skip
        session.add(field)
        session.flush()
        ids[key] = field.id
    for record in world.planted.values():
        held = {
            _SECRET: world.secret(record, Entity.CUSTOMER, "field"),
            _HIDDEN: world.hide(Entity.CUSTOMER, f"field:{_HIDDEN}", f"zqhidden{record.tag}value"),
        }
        session.add(CustomValues(entity="customer", record_id=record.customer_id, held=held, version=1))
        for key, value in held.items():
            session.add(FieldValue(field_id=ids[key], record_id=record.customer_id, position=0, k=value.casefold()))


def _entry() -> FieldEntry:
    return FieldEntry(name_en="Hall")


_AREA = "crm_sync.fields"
CASES: dict[str, Case] = {
    f"{_AREA}.definitions.fetch_fields": lists(lambda s, v, w: fetch_fields(s, v, "customer"), Entity.CUSTOMER),
    f"{_AREA}.definitions.is_hidden": lists(lambda s, v, w: is_hidden(v, "customer", _HIDDEN), is_plain=True),
    f"{_AREA}.definitions.find_field": lists(
        lambda s, v, w: find_field(s, v, "customer", _SECRET).key, Entity.CUSTOMER
    ),
    f"{_AREA}.definitions.add_field": manages(
        lambda s, v, w: add_field(s, v, "customer", "hall", "text", _entry(), w.now)
    ),
    f"{_AREA}.definitions.change_field": manages(
        lambda s, v, w: change_field(s, v, "customer", _SECRET, _entry(), w.now)
    ),
    f"{_AREA}.definitions.retire_field": manages(lambda s, v, w: retire_field(s, v, "customer", _SECRET, w.now)),
    f"{_AREA}.records.find_record": reads(
        lambda s, v, w, r: (find_record(s, v, f"customer:{r.public_id}"), w.secret(r, Entity.CUSTOMER))
    ),
    f"{_AREA}.values.fetch_values": reads(lambda s, v, w, r: fetch_values(s, v, f"customer:{r.public_id}")),
    f"{_AREA}.values.set_values": changes(
        lambda s, v, w, r: set_values(s, v, f"customer:{r.public_id}", {_SECRET: "new"}, w.now),
        Entity.CUSTOMER,
        Action.EDIT,
    ),
    f"{_AREA}.filters.find_records": lists(
        lambda s, v, w: [
            find_records(s, v, "customer", [Filter(_SECRET, "filled")]),
            find_records(s, v, "customer", [], Order(_SECRET)),
        ],
        Entity.CUSTOMER,
    ),
}

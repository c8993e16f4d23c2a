# SPDX-License-Identifier: GPL-3.0-or-later
"""What is chosen from elsewhere: choices of a list, colleagues, teams, customers, contacts, products.

A link is stored by the id that people see.  It is read only where the viewer may look, and shown as it is stored: whoever
may not see the other side learns its opaque id and no name.
"""

from typing import Final

from sqlalchemy import select

from crm_sync.admission import InvalidValue, NotFound, find_customer
from crm_sync.choices.lists import find_choices
from crm_sync.fields.types import Asking, FieldType, quoted, text_key
from crm_sync.models.customers import Contact, ContactAddress, Customer
from crm_sync.models.people import Person, Team
from crm_sync.models.pipeline import Product
from crm_sync.rights import Action, Entity, may
from tradepost.addresses import address_key


def _choice(raw: str, asking: Asking) -> str:
    assert asking.options.list is not None
    try:
        return find_choices(asking.session, asking.options.list, [raw])[0].key
    except NotFound as error:
        raise InvalidValue(str(error)) from None


def _person(raw: str, asking: Asking) -> str:
    key = address_key(raw)
    wanted = select(Person.email).where(Person.email == key, Person.left_at.is_(None))
    if asking.session.scalars(wanted).one_or_none() is None:
        raise InvalidValue(f"{quoted(raw)}: is no registered person; 'tradepost person list' names them")
    return key


def _team(raw: str, asking: Asking) -> str:
    if asking.session.scalars(select(Team.id).where(Team.name == raw)).one_or_none() is None:
        raise InvalidValue(f"{quoted(raw)}: is no team; 'tradepost team list' names them")
    return raw


def _customer(raw: str, asking: Asking) -> str:
    try:
        return find_customer(asking.session, asking.viewer, raw.removeprefix("customer:")).public_id
    except NotFound as error:
        raise InvalidValue(str(error)) from None


def _contact(raw: str, asking: Asking) -> str:
    key = address_key(raw)
    wanted = (
        select(Contact.id)
        .join(ContactAddress, ContactAddress.contact_id == Contact.id)
        .join(Customer, Customer.id == Contact.customer_id)
        .where(
            ContactAddress.address_key == key,
            may(asking.viewer, Entity.CUSTOMER, Action.SEE, Customer.scope_id),
        )
    )
    if asking.session.scalars(wanted).one_or_none() is None:
        raise InvalidValue(
            f"{quoted(raw)}: is no contact that {asking.viewer.actor} may see; write one of his addresses"
        )
    return key


def _product(raw: str, asking: Asking) -> str:
    wanted = select(Product.code).where(Product.code == raw, Product.retired_at.is_(None))
    if asking.session.scalars(wanted).one_or_none() is None:
        raise InvalidValue(f"{quoted(raw)}: is no product; 'tradepost product list' names them")
    return raw


_LIST = frozenset({"list"})

LINK_TYPES: Final = (
    FieldType("choice", "Choice", "单选", _choice, str, text_key, "a key of the list", _LIST),
    FieldType(
        "choices", "Several choices", "多选", _choice, str, text_key, "a key of the list", _LIST, takes_many=True
    ),
    FieldType("person", "Colleague", "同事", _person, str, text_key, "ann@own.example"),
    FieldType("people", "Several colleagues", "多位同事", _person, str, text_key, "ann@own.example", takes_many=True),
    FieldType("team", "Team", "团队", _team, str, text_key, "Sales"),
    FieldType("customer", "Customer", "客户", _customer, str, text_key, "a customer's id"),
    FieldType("contact", "Contact", "联系人", _contact, str, text_key, "buyer@acme.example"),
    FieldType("product", "Product", "产品", _product, str, text_key, "P-100"),
    FieldType("products", "Several products", "多个产品", _product, str, text_key, "P-100", takes_many=True),
)

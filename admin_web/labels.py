# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own words in the person's language: categories, priorities, kinds, countries, languages."""

from collections.abc import Mapping
from typing import Any

from flask_babel import LazyString, get_locale, lazy_gettext

from admin_web.quantities import render_number

LABELS: Mapping[str, LazyString] = {
    "inquiry": lazy_gettext("inquiry"),
    "sample": lazy_gettext("sample"),
    "order": lazy_gettext("order"),
    "payment": lazy_gettext("payment"),
    "logistics": lazy_gettext("logistics"),
    "complaint": lazy_gettext("complaint"),
    "support": lazy_gettext("support"),
    "marketing": lazy_gettext("marketing"),
    "spam": lazy_gettext("spam"),
    "automatic": lazy_gettext("automatic"),
    "other": lazy_gettext("other"),
    "urgent": lazy_gettext("urgent"),
    "high": lazy_gettext("high"),
    "normal": lazy_gettext("normal"),
    "low": lazy_gettext("low"),
    "inbound": lazy_gettext("inbound"),
    "outbound": lazy_gettext("outbound"),
    "internal": lazy_gettext("internal"),
    "full": lazy_gettext("whole mail"),
    "envelope": lazy_gettext("envelope only"),
    "none": lazy_gettext("counted only"),
    "pending": lazy_gettext("not confirmed yet"),
    "confirmed": lazy_gettext("accepted by Postfix"),
    "assumed": lazy_gettext("assumed accepted"),
    "refused": lazy_gettext("refused by Postfix"),
    "customer": lazy_gettext("customer"),
    "lead": lazy_gettext("lead"),
    "supplier": lazy_gettext("supplier"),
    "forwarder": lazy_gettext("forwarder"),
    "bank": lazy_gettext("bank"),
    "platform": lazy_gettext("platform"),
    "own": lazy_gettext("own company"),
    "unknown": lazy_gettext("unknown"),
    "rep": lazy_gettext("rep"),
    "manager": lazy_gettext("manager"),
    "administrator": lazy_gettext("administrator"),
    "owner": lazy_gettext("company owner"),
    "viewer": lazy_gettext("viewer"),
}
ENTITIES: Mapping[str, LazyString] = {
    "person": lazy_gettext("Person"),
    "company": lazy_gettext("Company"),
    "phone": lazy_gettext("Phone"),
    "product": lazy_gettext("Product"),
    "quantity": lazy_gettext("Quantity"),
    "unit": lazy_gettext("Unit"),
    "target_price": lazy_gettext("Target price"),
    "currency": lazy_gettext("Currency"),
    "incoterm": lazy_gettext("Incoterm"),
    "title": lazy_gettext("Title"),
    "phones": lazy_gettext("Phones"),
    "address": lazy_gettext("Postal address"),
    "website": lazy_gettext("Website"),
    "social": lazy_gettext("Messengers"),
    "products": lazy_gettext("All goods"),
    "incoterm_place": lazy_gettext("Place of the Incoterm"),
    "needed_by": lazy_gettext("Needed by"),
    "payment_term": lazy_gettext("Term of payment"),
    "references": lazy_gettext("References"),
}


def render_label(value: str | None) -> str:
    """Return one of our labels in the language of the page; an administrator's own label as he wrote it."""
    return "" if value is None else str(LABELS.get(value, value))


def render_entity(name: str) -> str:
    """Return the name of something found in a text."""
    return str(ENTITIES.get(name, name))


def render_fact(value: object) -> str:
    """Return something found in a text as one line: a word, a number, or a list of goods, numbers, accounts."""
    if isinstance(value, list):
        return "; ".join(map(render_fact, value))
    if isinstance(value, dict):
        return " ".join(render_fact(part) for part in value.values() if part is not None)
    return render_number(value) if isinstance(value, int | float) else str(value)


def list_facts(entities: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return name and line of each thing found in a text; where each stands is for programs, one product is said already."""
    shown = {name: value for name, value in entities.items() if name != "spans" and value not in (None, "", [])}
    if len(shown.get("products", ())) == 1:
        del shown["products"]
    return [(render_entity(name), render_fact(value)) for name, value in shown.items()]


def render_country(code: str | None) -> str:
    """Return a country's name (CLDR), or the code."""
    locale = get_locale()
    return "" if not code else str((locale.territories.get(code) if locale else None) or code)


def render_language(code: str | None) -> str:
    """Return a language's name (CLDR), or the code."""
    locale = get_locale()
    return "" if not code else str((locale.languages.get(code) if locale else None) or code)

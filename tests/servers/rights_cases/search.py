# SPDX-License-Identifier: GPL-3.0-or-later
"""Search: what is found, suggested, counted and marked is the asker's to see, whatever he asks with."""

from collections.abc import Iterator

from rights_case import Case, lists
from rights_world import World, marker
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_sync.models.mail import Message
from crm_sync.rights import Entity, Viewer
from crm_sync.search.filters import Filter, condition_of, customers_named
from crm_sync.search.mail_hits import customer_ref, mail_hits
from crm_sync.search.mail_hunt import Place, Wanted, find_letters
from crm_sync.search.mail_rows import index_messages
from crm_sync.search.meaning import check_fields, is_hidden, mail_expression, record_expression
from crm_sync.search.query_language import Question, Term, parse_question
from crm_sync.search.record_hits import record_hits
from crm_sync.search.record_hunt import SOURCES, find_records
from crm_sync.search.record_rows import index_records
from crm_sync.search.searching import search
from crm_sync.search.suggestions import suggest
from tradepost.errors import Refusal

_ALL = "-zznowhere"


def plant(session: Session, world: World) -> None:
    """Index what all areas planted: it was written past the program."""
    connection = session.connection()
    index_messages(connection, list(session.scalars(select(Message.id))))
    for kind, source in SOURCES.items():
        index_records(connection, kind, list(session.scalars(select(source.key))))


def _questions(world: World) -> Iterator[str]:
    yield _ALL
    yield f"in:customer {_ALL}"
    yield f"status:open owner:ann@own.example category:inquiry {_ALL}"
    for record in world.planted.values():
        yield f"from:{record.address} customer:{record.public_id}"
        yield " OR ".join(f"{marker(record.tag, entity)}*" for entity in Entity)
    for values in world.hidden.values():
        yield " OR ".join(f'"{value}"' for value in values)


def _ask_everything(session: Session, viewer: Viewer, world: World) -> list[object]:
    said: list[object] = [search(session, viewer, _ALL, sort="rank")]
    for question in _questions(world):
        try:
            said.append(search(session, viewer, question))
        except Refusal as refused:
            said.append(str(refused))
    return said


def _hits_of_all(session: Session, viewer: Viewer, _: World) -> object:
    rows = session.execute(select(Message.at, Message.id))
    return mail_hits(session, viewer, Question(), [Place(at, key) for at, key in rows])


def _records(session: Session, viewer: Viewer, _: World) -> list[object]:
    found: list[object] = []
    for kind in SOURCES:
        rows = find_records(session, viewer, kind, Wanted(), 100).rows
        found += [(record.fields, public_id) for record, public_id, _ in rows if kind != "customer"]
    return found


def _record_hits(session: Session, viewer: Viewer, _: World) -> list[object]:
    return [
        record_hits(session, viewer, Question(), find_records(session, viewer, kind, Wanted(), 100).rows)
        for kind in SOURCES
    ]


def _named(session: Session, viewer: Viewer, world: World) -> list[str]:
    """Name the customers that bare keys lead to."""
    found = set()
    for record in world.planted.values():
        found.update(
            customers_named(
                session, viewer, [Term(record.public_id), Term(marker(record.tag, Entity.CUSTOMER), "", True)]
            )
        )
    return [marker(record.tag, Entity.CUSTOMER) for record in world.planted.values() if record.customer_id in found]


def _letters(session: Session, viewer: Viewer, world: World) -> list[str]:
    caught = find_letters(session, viewer, Wanted(), 1000)
    keys = {place.id for place in caught.places}
    return [
        marker(record.tag, Entity.MESSAGE) for record in world.planted.values() if keys.intersection(record.message_ids)
    ]


def _condition(session: Session, viewer: Viewer, world: World) -> object:
    terms = tuple(Term(record.public_id, "customer") for record in world.planted.values())
    return condition_of(session, viewer, Filter("customer", terms, False)) is None


def _check(session: Session, viewer: Viewer, world: World) -> str:
    try:
        check_fields(parse_question("category:inquiry from:ann"), viewer)
    except Refusal as refused:
        return str(refused)
    return ""


CASES: dict[str, Case] = {
    "crm_sync.search.searching.search": lists(_ask_everything, Entity.MESSAGE),
    "crm_sync.search.suggestions.suggest": lists(
        lambda session, viewer, world: [
            suggest(session, viewer, marker(record.tag, Entity.CUSTOMER)) for record in world.planted.values()
        ]
    ),
    "crm_sync.search.mail_hunt.find_letters": lists(_letters, Entity.MESSAGE),
    "crm_sync.search.mail_hits.mail_hits": lists(_hits_of_all, Entity.MESSAGE),
    "crm_sync.search.mail_hits.customer_ref": lists(
        lambda session, viewer, world: customer_ref(viewer, None), is_plain=True
    ),
    "crm_sync.search.record_hunt.find_records": lists(_records, Entity.NOTE),
    "crm_sync.search.record_hits.record_hits": lists(_record_hits, Entity.CUSTOMER),
    "crm_sync.search.filters.customers_named": lists(_named),
    "crm_sync.search.filters.condition_of": lists(_condition, is_plain=True),
    "crm_sync.search.meaning.check_fields": lists(_check, is_plain=True),
    "crm_sync.search.meaning.is_hidden": lists(
        lambda session, viewer, world: is_hidden(viewer, "category"), is_plain=True
    ),
    "crm_sync.search.meaning.mail_expression": lists(
        lambda session, viewer, world: repr(mail_expression(parse_question(_ALL), viewer)), is_plain=True
    ),
    "crm_sync.search.meaning.record_expression": lists(
        lambda session, viewer, world: repr(record_expression(parse_question(_ALL), viewer, "customer")), is_plain=True
    ),
}
NO_VIEWER: dict[str, str] = {
    "crm_sync.search.rebuilding.check_index": "counts rows for the host's administrator: he reads the database anyway",
}

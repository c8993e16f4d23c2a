# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail: the newest, one whole, corrections; and what the web room and the commands ask beside it."""

from collections.abc import Collection
from datetime import timedelta

from rights_case import Case, changes, lists, reads
from rights_world import Planted, World, marker

from crm_sync.correction_report import fetch_report
from crm_sync.corrections import correct_mail
from crm_sync.newest_mails import Wanted, fetch_newest_entries
from crm_sync.queries import counts, fetch_mail, newest
from crm_sync.rights import Action, Entity


def _sees_all_mail(world: World, name: str, _: Planted) -> bool:
    return world.may(name, Entity.MESSAGE, Action.SEE, world.planted["nobodys"])


CASES: dict[str, Case] = {
    "crm_sync.queries.newest": lists(
        lambda session, viewer, world: [
            newest(session, viewer),
            newest(session, viewer, direction="inbound"),
            newest(session, viewer, category="inquiry"),
        ],
        Entity.MESSAGE,
    ),
    "crm_sync.newest_mails.fetch_newest_entries": lists(
        lambda session, viewer, world: _tags_of(world, fetch_newest_entries(session, viewer, Wanted())), Entity.MESSAGE
    ),
    "crm_sync.queries.fetch_mail": reads(
        lambda session, viewer, world, record: [fetch_mail(session, viewer, entry) for entry in record.entry_ids],
        Entity.MESSAGE,
    ),
    "crm_sync.queries.counts": lists(
        lambda session, viewer, world: counts(session, viewer, world.now - timedelta(days=60)),
        Entity.MESSAGE,
        is_plain=True,
        allowed=_sees_all_mail,
    ),
    "crm_sync.correction_report.fetch_report": lists(
        lambda session, viewer, world: fetch_report(session, viewer),
        Entity.MESSAGE,
        is_plain=True,
        allowed=_sees_all_mail,
    ),
    "crm_sync.corrections.correct_mail": changes(
        lambda session, viewer, world, record: correct_mail(
            session, viewer, record.entry_ids[0], {"category": "order"}, "c1", world.now
        ),
        Entity.MESSAGE,
        Action.CORRECT,
    ),
}
NO_VIEWER: dict[str, str] = {
    "crm_sync.company.apply_company": "a file that the host's administrator applies: he reads and writes the database anyway",
    "crm_sync.company.apply_rules": "the same",
    "crm_sync.corrections.fetch_corrector": "makes the viewer",
    "crm_sync.corrections.known_categories": "words of the program and of rules, everybody's knowledge",
    "crm_sync.lessons.fetch_lesson_mails": "lets the program learn: what it read is told to nobody",
    "crm_sync.models.people.Person": "sign-in finds out who somebody is before he has rights",
    "crm_sync.models.service.SigninToken": "sign-in, the program's own bookkeeping",
    "crm_sync.models.service.WebSession": "the same",
    "crm_sync.policy_store.fetch_policy": "what arrival decides by, printed for root",
    "crm_sync.policy_store.fetch_rules": "the same",
    "crm_sync.queries.colleagues": "who works here is everybody's knowledge",
    "crm_sync.queries.rule_names": "says `rule:<id>` in words to whoever sees the mark",
    "crm_sync.rights.fetch_viewer": "makes the viewer",
}


def _tags_of(world: World, entry_ids: Collection[str]) -> list[str]:
    """Name the records that bare entry ids lead to, as their letters would."""
    return [
        marker(record.tag, Entity.MESSAGE)
        for record in world.planted.values()
        if set(record.entry_ids) & set(entry_ids)
    ]

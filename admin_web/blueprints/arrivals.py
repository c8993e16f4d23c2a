# SPDX-License-Identifier: GPL-3.0-or-later
"""The live page: the newest mails with their marks, how the installation stands, and one mail whole."""

import re
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from flask import Blueprint, abort, make_response, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from admin_web.blueprints.corrections import offer_choices
from admin_web.marks import describe_marks
from admin_web.room import room, viewer
from admin_web.state import State, describe_state
from crm_sync.mail_views import MailView
from crm_sync.queries import counts, fetch_mail, newest, rule_names
from tradepost.verdict import CATEGORIES, Direction

blueprint = Blueprint("arrivals", __name__)

PAGE_MAILS = 50
COUNTED = timedelta(hours=24)
_ENTRY_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


@dataclass(frozen=True, slots=True)
class Wish:
    """What of the mails is wanted; empty: everything."""

    direction: str = ""
    category: str = ""
    before: str = ""

    @property
    def is_all(self) -> bool:
        """Is nothing left out?"""
        return self == Wish()

    def link(self, endpoint: str, before: str = "") -> str:
        """Return the address of an endpoint that shows this, older than the entry id `before`."""
        return url_for(
            endpoint,
            direction=self.direction or None,
            category=self.category or None,
            before=before or None,
        )


@blueprint.get("/")
def index() -> str:
    """Show the newest mails, or older ones by `before`."""
    with room().database.reading() as session:
        live = _render_live(session, _wish())
    return render_template(
        "arrivals/index.html", live=live, wish=_wish(), categories=CATEGORIES, directions=tuple(Direction)
    )


@blueprint.get("/live")
def live() -> Response:
    """Return the part of the page that moves; 304 when nothing did."""
    with room().database.reading() as session:
        page = _render_live(session, _wish())
    answer = make_response(page)
    answer.set_etag(sha256(page.encode()).hexdigest()[:32])
    return answer.make_conditional(request)


@blueprint.get("/mails/<entry_id>")
def show(entry_id: str) -> str:
    """Show one mail: text only, marks, reasons, envelope, attachments by name, and its conversation."""
    return render_mail(find_mail(entry_id))


def find_mail(entry_id: str) -> MailView:
    """Return a mail that the viewer may see; ends the request with 404 otherwise."""
    if not _ENTRY_ID.fullmatch(entry_id):
        abort(404)
    with room().database.reading() as session:
        mail = fetch_mail(session, viewer(), entry_id)
    if mail is None:
        abort(404)  # also when it exists: that it does is nobody else's business
    return mail


def render_mail(mail: MailView, translated: object = None) -> str:
    """Return the page of one mail; `translated` is what came of translating it, where somebody asked for that."""
    with room().database.reading() as session:
        rules = rule_names(session)
        choices = offer_choices(session) if mail.can_correct else None
    marks = describe_marks(mail.row, {correction.field for correction in mail.corrections})
    return render_template(
        "arrivals/show.html",
        mail=mail,
        marks=marks,
        rules=rules,
        choices=choices,
        translated=translated,
        can_translate=room().translator is not None,
    )


def _wish() -> Wish:
    direction, category, before = (request.args.get(name, "") for name in ("direction", "category", "before"))
    if direction and direction not in tuple(Direction):
        abort(400)
    if before and not _ENTRY_ID.fullmatch(before):
        abort(400)
    return Wish(direction, category[:40], before)


def _render_live(session: Session, wish: Wish) -> str:
    mails = newest(
        session,
        viewer(),
        before=wish.before or None,
        limit=PAGE_MAILS + 1,
        direction=wish.direction or None,
        category=wish.category or None,
    )
    shown = mails[:PAGE_MAILS]
    older = wish.link(".index", shown[-1].entry_id) if len(mails) > PAGE_MAILS else None
    return render_template(
        "arrivals/_live.html",
        mails=shown,
        older=older,
        wish=wish,
        state=_state(session),
        is_new=wish.is_all,
        rules=rule_names(session),
    )


def _state(session: Session) -> State | None:
    """Return how the installation stands; None for somebody who may not read the company's numbers."""
    counted = counts(session, viewer(), room().clock() - COUNTED)
    return None if counted is None else describe_state(counted, room().read())

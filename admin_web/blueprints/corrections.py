# SPDX-License-Identifier: GPL-3.0-or-later
"""Correct the labels of a mail, and see how often that was needed."""

import logging
import re
from collections.abc import Mapping, Sequence

from flask import Blueprint, abort, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from ulid import ULID
from werkzeug.wrappers import Response

from admin_web.labels import render_label, render_language
from admin_web.room import room, viewer
from crm_sync.correction_report import fetch_report
from crm_sync.corrections import FIELDS, CorrectionError, correct_mail, known_categories
from crm_sync.queries import colleagues, fetch_mail
from tradepost.verdict import Priority

log = logging.getLogger("tradepost.web")

blueprint = Blueprint("corrections", __name__)

# What buyers write in; any other language is corrected on the command line.
_LANGUAGES = (
    "ar", "bg", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hu", "id", "it", "ja", "ko", "ms", "nl",
    "no", "pl", "pt", "ro", "ru", "sv", "th", "tr", "uk", "vi", "zh",
)  # fmt: skip
_ENTRY_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
Choice = tuple[str, str]  # value, what the page says


def offer_choices(session: Session) -> Mapping[str, Sequence[Choice]]:
    """Return what each field may be set to, in the language of the page."""
    return {
        "category": [(label, render_label(label)) for label in known_categories(session)],
        "priority": [(label, render_label(label)) for label in Priority],
        "language": sorted(((code, render_language(code)) for code in _LANGUAGES), key=lambda choice: choice[1]),
        "owner": [(person.email, person.name or person.email) for person in colleagues(session)],
    }


@blueprint.post("/mails/<entry_id>/labels")
def correct(entry_id: str) -> Response:
    """Correct the fields that were changed in the form; what somebody else changed meanwhile stays."""
    if not _ENTRY_ID.fullmatch(entry_id):
        abort(404)
    wanted = {
        field: label
        for field in FIELDS
        if (label := request.form.get(field, "")) and label != request.form.get(f"was-{field}", "")
    }
    with room().database.writing() as session:
        mail = fetch_mail(session, viewer(), entry_id)
        if mail is None:
            abort(404)
        if not mail.can_correct:
            abort(403)
        try:
            correct_mail(session, viewer(), entry_id, wanted, str(ULID()), room().clock())
        except CorrectionError as error:
            log.info("mail %s was not corrected: %s", entry_id, error)
            abort(409)
    return redirect(url_for("arrivals.show", entry_id=entry_id), 303)


@blueprint.get("/corrections")
def index() -> str:
    """Show how right the classifier was, to whoever may read the company's numbers."""
    if not viewer().sees_all:
        abort(403)
    with room().database.reading() as session:
        report = fetch_report(session, viewer())
    learns_at_night = room().settings.learning.nightly
    return render_template("corrections/index.html", report=report, learns_at_night=learns_at_night)

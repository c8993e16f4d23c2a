# SPDX-License-Identifier: GPL-3.0-or-later
"""Translate a mail's own words into the language of the page, on a person's click, beside the original."""

from dataclasses import dataclass
from http import HTTPStatus

from flask import Blueprint, abort
from flask_babel import get_locale

from admin_web.blueprints.arrivals import find_mail, render_mail
from admin_web.room import room
from crm_sync.mail_views import MailView
from tradepost.translation import Translation, TranslationError

blueprint = Blueprint("translation", __name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of it: the translation, or the line that tells why there is none.  `is_cut`: of the beginning only."""

    translation: Translation | None = None
    error: str = ""
    is_cut: bool = False


@blueprint.post("/mails/<entry_id>/translation")
def show(entry_id: str) -> tuple[str, int]:
    """Show one mail with its translation.  Nothing is kept; a POST, because the words leave for the endpoint."""
    mail = find_mail(entry_id)
    if room().translator is None or mail.row.message_id is None:
        abort(404)
    attempt = _translate(mail)
    status = HTTPStatus.OK if attempt.translation else HTTPStatus.BAD_GATEWAY
    return render_mail(mail, attempt), status


def _translate(mail: MailView) -> Attempt:
    translator = room().translator
    assert translator is not None
    text = "\n\n".join(part for part in (mail.row.subject.strip(), mail.new_text.strip()) if part)
    locale = get_locale()
    target = locale.language if locale else "en"
    try:
        translation = translator.translate(text, mail.row.language, target)
    except TranslationError as error:
        return Attempt(error=str(error))
    return Attempt(translation, is_cut=len(text) > room().settings.translation.max_chars)

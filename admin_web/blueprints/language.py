# SPDX-License-Identifier: GPL-3.0-or-later
"""The language switch."""

from flask import Blueprint, abort, redirect, request, url_for
from werkzeug.wrappers import Response

from admin_web.languages import COOKIE, LANGUAGES
from admin_web.room import room

blueprint = Blueprint("language", __name__)
_YEAR_SECONDS = 365 * 86400


@blueprint.post("/language")
def choose() -> Response:
    """Remember the language in a cookie and go back to the page it was chosen on."""
    language = request.form.get("language", "")
    if language not in LANGUAGES:
        abort(400)
    back = request.form.get("back", "")
    # A path of ours only: "//elsewhere" and "/\elsewhere" are other sites to a browser.
    is_ours = back.startswith("/") and not back.startswith(("//", "/\\"))
    answer = redirect(back if is_ours else url_for("arrivals.index"), 303)
    answer.set_cookie(
        COOKIE,
        language,
        max_age=_YEAR_SECONDS,
        samesite="Lax",
        httponly=True,
        secure=room().settings.web.behind_tls_proxy,
    )
    return answer

# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages for what goes wrong: each says what it means and what to do.  They need no database and no signed-in person."""

import logging

from flask import Flask, g, render_template, request
from flask_babel import LazyString, lazy_gettext
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from admin_web.access import FRAGMENTS
from crm_sync.database import DatabaseError

log = logging.getLogger("tradepost.web")

# Status -> (title, what it means and what to do).
_TEXTS: dict[int, tuple[LazyString, LazyString]] = {
    400: (
        lazy_gettext("This request can't be understood"),
        lazy_gettext("Go back, load the page again and repeat what you did."),
    ),
    401: (lazy_gettext("You are not signed in"), lazy_gettext("Your sign-in ended.  Sign in again by a fresh link.")),
    403: (
        lazy_gettext("This is not yours to see"),
        lazy_gettext("Ask whoever looks after the customer, or your manager."),
    ),
    404: (
        lazy_gettext("There is nothing here"),
        lazy_gettext("The address is mistyped, or what it led to is not yours to see."),
    ),
    405: (lazy_gettext("This can't be done here"), lazy_gettext("Go back to the newest mails and start from there.")),
    409: (
        lazy_gettext("This can't be chosen any more"),
        lazy_gettext("Nothing was changed.  Go back, load the page again and choose from what is there now."),
    ),
    413: (lazy_gettext("This is too large"), lazy_gettext("Send less at once.")),
    429: (lazy_gettext("Too many tries"), lazy_gettext("Wait ten minutes, then ask for a fresh sign-in link.")),
}
_FORM_TOO_OLD = lazy_gettext(
    "The form you sent was opened too long ago, or cookies are off.  Load the page and repeat it."
)


def install_errors(app: Flask) -> None:
    """Answer every error with a page."""
    app.register_error_handler(HTTPException, _show_http)
    app.register_error_handler(DatabaseError, _show_database)
    app.register_error_handler(Exception, _show_bug)


def _show_http(error: HTTPException) -> tuple[str, int]:
    code = error.code or 500
    if request.endpoint in FRAGMENTS:
        return "", code
    title, text = _TEXTS.get(code, _TEXTS[400])
    if isinstance(error, CSRFError):
        text = _FORM_TOO_OLD
    return render_template("errors/error.html", title=title, text=text, code=code), code


def _show_database(error: DatabaseError) -> tuple[str, int, dict[str, str]]:
    log.error("%s", error)
    g.viewer = None  # who it is could not be told, or what is his
    page = "" if request.endpoint in FRAGMENTS else render_template("errors/database.html", cause=str(error))
    return page, 503, {"Retry-After": "10"}


def _show_bug(error: Exception) -> tuple[str, int]:
    log.exception("%s %s failed", request.method, request.endpoint)
    g.viewer = None
    return "" if request.endpoint in FRAGMENTS else render_template("errors/bug.html"), 500

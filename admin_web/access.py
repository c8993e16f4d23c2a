# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate: every endpoint wants a signed-in person, unless it is named here as open.  Also the one keeper of the cookie."""

from flask import Flask, Response, abort, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from admin_web.browser_sessions import ROTATE_AFTER, SESSION_LASTS, find_session, rotate_session
from admin_web.room import room
from crm_sync.database import DatabaseError
from crm_sync.schema import check_schema, fetch_revision

COOKIE = "tradepost_session"
# A new endpoint is closed until somebody writes it down here.
OPEN_ENDPOINTS = frozenset({"static", "sign_in.show", "sign_in.use", "language.choose"})
# Asked for by a script: a page of explanation would be no answer.
FRAGMENTS = frozenset({"arrivals.live"})


def install_gate(app: Flask) -> None:
    """Ask every request who it is, and hand out a fresh cookie from time to time."""
    app.before_request(_let_in)
    app.after_request(_hand_out)


def _let_in() -> AnyResponse | None:
    g.viewer = None
    cookie = request.cookies.get(COOKIE, "")
    if request.endpoint != "static" and cookie:
        now = room().clock()
        _check_revision()
        with room().database.reading() as session:
            signed_in = find_session(session, cookie, now)
        if signed_in is not None:
            g.viewer = signed_in.viewer
            if now - signed_in.created_at > ROTATE_AFTER and request.endpoint not in FRAGMENTS:
                with room().database.writing() as session:
                    g.new_cookie = rotate_session(session, cookie, signed_in, now)
    if g.viewer is not None or request.endpoint is None or request.endpoint in OPEN_ENDPOINTS:
        return None  # an unknown address is nobody's secret: it ends as 404
    if request.endpoint in FRAGMENTS or request.method != "GET":
        abort(401)
    return redirect(url_for("sign_in.show"), 303)


def _check_revision() -> None:
    """Refuse to guess what tables mean that were changed under a running program."""
    if fetch_revision(room().database) != room().revision:
        check_schema(room().database)
        raise DatabaseError(
            f"{room().database.name}: the schema was changed while this ran; start 'tradepost web' again"
        )


def _hand_out(response: Response) -> Response:
    cookie = g.get("new_cookie")
    if cookie is not None:
        set_cookie(response, cookie)
    return response


def set_cookie(response: AnyResponse, cookie: str) -> None:
    """Give the browser its session; scripts can't read it, other sites' forms can't send it."""
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="Lax",
        secure=room().settings.web.behind_tls_proxy,
    )


def drop_cookie(response: AnyResponse) -> None:
    """Take the session away from the browser."""
    response.delete_cookie(COOKIE, httponly=True, samesite="Lax", secure=room().settings.web.behind_tls_proxy)

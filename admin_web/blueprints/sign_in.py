# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign in by a one-time link, sign out.

Opening the link only shows whom it signs in; the button uses it up, so that whoever looks at links beforehand (mail
scanners, previews) does not spend it.
"""

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin_web.access import COOKIE, drop_cookie, set_cookie
from admin_web.browser_sessions import end_session, peek_signin_token, start_session, use_signin_token
from admin_web.room import room

blueprint = Blueprint("sign_in", __name__)


@blueprint.get("/sign-in")
def show() -> tuple[str, int]:
    """Say whom the link would sign in, or how to get one."""
    token = request.args.get("token", "")
    email = None
    if token:
        _refuse_when_spent()
        with room().database.reading() as session:
            email = peek_signin_token(session, token, room().clock())
        if email is None:
            room().attempts.note_failure(_client())
    page = render_template("sign_in/show.html", token=token, email=email)
    return page, 200 if email or not token else 410


@blueprint.post("/sign-in")
def use() -> tuple[str, int] | Response:
    """Use the link up and give the browser its session."""
    _refuse_when_spent()
    token, now = request.form.get("token", ""), room().clock()
    with room().database.writing() as session:
        person_id = use_signin_token(session, token, now)
        cookie = None if person_id is None else start_session(session, person_id, now)
        # Whoever signs in anew is a new person to this browser: the session before ends.
        if cookie is not None and (before := request.cookies.get(COOKIE)):
            end_session(session, before, now)
    if cookie is None:
        room().attempts.note_failure(_client())
        return render_template("sign_in/show.html", token=token, email=None), 410
    answer = redirect(url_for("arrivals.index"), 303)
    set_cookie(answer, cookie)
    return answer


@blueprint.post("/sign-out")
def out() -> Response:
    """End the browser's session."""
    with room().database.writing() as session:
        end_session(session, request.cookies[COOKIE], room().clock())
    answer = redirect(url_for("sign_in.show"), 303)
    drop_cookie(answer)
    return answer


def _client() -> str:
    return request.remote_addr or ""


def _refuse_when_spent() -> None:
    if room().attempts.is_spent(_client()):
        abort(429)

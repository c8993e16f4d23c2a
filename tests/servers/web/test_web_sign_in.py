# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign in by a link that works once, stay signed in, sign out."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from web_company import Clock, Company, SignIn, form_key

from admin_web.access import COOKIE
from admin_web.attempts import LIMIT, WINDOW_SECONDS, Attempts
from admin_web.browser_sessions import ROTATE_AFTER, SESSION_LASTS, UnknownPerson, make_signin_token
from crm_sync.models.people import Person
from crm_sync.models.service import SigninToken, WebSession


def make_link(company: Company, clock: Clock, name: str = "li.na", minutes: int = 30) -> str:
    """Make a token for a person."""
    with company.database.writing() as session:
        return make_signin_token(session, f"{name}@brightway.example", minutes, clock())


def use_link(browser: FlaskClient, token: str) -> int:
    """Open the link, press the button, and return the status of the answer."""
    key = form_key(browser.get("/sign-in").text)
    return browser.post("/sign-in", data={"token": token, "csrf_token": key}).status_code


def test_opening_the_link_only_shows_whom_it_signs_in(app: Flask, company: Company, clock: Clock) -> None:
    token, browser = make_link(company, clock), app.test_client()
    for _ in range(3):
        assert "li.na@brightway.example" in browser.get("/sign-in", query_string={"token": token}).text
    assert browser.get("/").status_code == 303
    assert use_link(browser, token) == 303
    assert browser.get("/").status_code == 200


def test_a_link_works_once(app: Flask, company: Company, clock: Clock) -> None:
    token = make_link(company, clock)
    assert use_link(app.test_client(), token) == 303
    assert use_link(app.test_client(), token) == 410
    assert app.test_client().get("/sign-in", query_string={"token": token}).status_code == 410


@pytest.mark.parametrize(("minutes", "status"), [(29, 303), (31, 410)])
def test_a_link_gets_too_old(app: Flask, company: Company, clock: Clock, minutes: int, status: int) -> None:
    token = make_link(company, clock)
    clock.now += timedelta(minutes=minutes)
    assert use_link(app.test_client(), token) == status


def test_the_link_needs_our_own_form(app: Flask, company: Company, clock: Clock) -> None:
    token = make_link(company, clock)
    assert app.test_client().post("/sign-in", data={"token": token}).status_code == 400
    assert use_link(app.test_client(), token) == 303  # and was not used up


def test_only_digests_are_kept(app: Flask, company: Company, clock: Clock) -> None:
    token, browser = make_link(company, clock), app.test_client()
    assert use_link(browser, token) == 303
    cookie = browser.get_cookie(COOKIE)
    assert cookie is not None
    with company.database.reading() as session:
        kept = {*session.execute(select(SigninToken.token_sha256)).scalars()}
        kept.update(session.execute(select(WebSession.token_sha256)).scalars())
    assert len(kept) == 2
    assert not kept & {token, cookie.value}


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(app: Flask, company: Company, clock: Clock) -> None:
    browser = app.test_client()
    use_link(browser, make_link(company, clock))
    cookie = browser.get_cookie(COOKIE)
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site, cookie.path, cookie.domain) == (True, "Lax", "/", "localhost")


def test_a_stranger_to_the_company_gets_no_link(company: Company, clock: Clock) -> None:
    with pytest.raises(UnknownPerson, match=r"^nobody@brightway\.example: no such person is registered"):
        make_link(company, clock, "nobody")


def test_signing_out_ends_the_session(sign_in: SignIn) -> None:
    browser = sign_in("li.na")
    stolen = browser.get_cookie(COOKIE)
    assert stolen is not None
    key = form_key(browser.get("/").text)
    assert browser.post("/sign-out").status_code == 400
    assert browser.get("/").status_code == 200
    assert browser.post("/sign-out", data={"csrf_token": key}).status_code == 303
    browser.set_cookie(COOKIE, stolen.value)
    assert browser.get("/").status_code == 303


def test_signing_in_again_ends_the_session_before(app: Flask, company: Company, clock: Clock, sign_in: SignIn) -> None:
    browser = sign_in("li.na")
    before = browser.get_cookie(COOKIE)
    assert before is not None
    assert use_link(browser, make_link(company, clock, "zhang.wei")) == 303
    other = app.test_client()
    other.set_cookie(COOKIE, before.value)
    assert other.get("/").status_code == 303


def test_a_cookie_is_replaced_from_time_to_time(app: Flask, sign_in: SignIn, clock: Clock) -> None:
    browser = sign_in("li.na")
    first = browser.get_cookie(COOKIE)
    clock.now += ROTATE_AFTER + timedelta(seconds=1)
    assert browser.get("/live").status_code == 200
    assert browser.get_cookie(COOKIE) == first  # a script's look hands out nothing
    assert browser.get("/").status_code == 200
    second = browser.get_cookie(COOKIE)
    assert first is not None
    assert second is not None
    assert first.value != second.value
    late = app.test_client()
    late.set_cookie(COOKIE, first.value)
    assert late.get("/live").status_code == 200  # what was on its way still arrives
    clock.now += timedelta(minutes=2)
    assert late.get("/live").status_code == 401
    assert browser.get("/").status_code == 200


def test_a_session_ends_by_itself_however_often_it_was_renewed(sign_in: SignIn, clock: Clock) -> None:
    browser = sign_in("li.na")
    for _ in range(int(SESSION_LASTS / timedelta(days=1)) - 1):
        clock.now += timedelta(days=1)
        assert browser.get("/").status_code == 200
    clock.now += timedelta(days=1)
    assert browser.get("/").status_code == 303


def test_who_leaves_the_company_is_signed_out(company: Company, sign_in: SignIn, clock: Clock) -> None:
    browser = sign_in("li.na")
    token = make_link(company, clock)
    with company.database.writing() as session:
        session.get_one(Person, company.people["li.na"]).left_at = clock()
    assert browser.get("/").status_code == 303
    assert browser.get("/sign-in", query_string={"token": token}).status_code == 410
    assert use_link(browser, token) == 410


def test_guessing_links_is_slowed_down(app: Flask, company: Company, clock: Clock) -> None:
    browser = app.test_client()
    for number in range(LIMIT):
        assert use_link(browser, f"guess-{number}") == 410
    assert use_link(browser, make_link(company, clock)) == 429
    assert browser.get("/sign-in", query_string={"token": "guess"}).status_code == 429
    assert browser.get("/sign-in").status_code == 200


def test_failed_tries_are_forgotten_after_a_while() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for _ in range(LIMIT):
        attempts.note_failure("192.0.2.1")
    assert attempts.is_spent("192.0.2.1")
    assert not attempts.is_spent("192.0.2.2")
    now[0] = WINDOW_SECONDS + 1
    assert not attempts.is_spent("192.0.2.1")


@pytest.mark.parametrize("token", ["", "x" * 5000, "\x00", "ключ", "../../etc/passwd", "' OR 1=1 --"])
def test_odd_tokens_are_only_wrong(app: Flask, company: Company, token: str) -> None:
    assert use_link(app.test_client(), token) == 410

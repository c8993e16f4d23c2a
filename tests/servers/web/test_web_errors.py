# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong is a page that says what to do; every answer carries the headers that keep browsers safe."""

import re
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text
from web_company import Company, SignIn, form_key

from admin_web.security import POLICY
from crm_sync.database import open_database
from tradepost.health import Readings
from tradepost.settings import Settings


def test_an_unknown_address_is_a_page(app: Flask, sign_in: SignIn) -> None:
    for browser in (app.test_client(), sign_in("chen")):
        answer = browser.get("/nowhere")
        assert (answer.status_code, "There is nothing here" in answer.text) == (404, True)


def test_a_form_without_its_key_is_refused(sign_in: SignIn) -> None:
    answer = sign_in("chen").post("/sign-out")
    assert (answer.status_code, "opened too long ago" in answer.text) == (400, True)


def test_too_much_is_refused(app: Flask) -> None:
    browser = app.test_client()
    key = form_key(browser.get("/sign-in").text)
    answer = browser.post("/sign-in", data={"csrf_token": key, "token": "x" * 70_000})
    assert (answer.status_code, "too large" in answer.text) == (413, True)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_a_wrong_method_is_a_page(app: Flask, sign_in: SignIn, method: str) -> None:
    browser = sign_in("chen")
    key = form_key(browser.get("/").text)
    answer = browser.open("/", method=method, headers={"X-CSRFToken": key})
    assert (answer.status_code, "done here" in answer.text) == (405, True)


def test_a_locked_database_is_a_page_that_names_the_cause(
    settings: Settings, company: Company, app: Flask, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = sign_in("chen")
    key = form_key(browser.get("/").text)
    impatient = open_database(settings.database_url, busy_ms=50)
    monkeypatch.setattr(company.database, "writer", impatient.writer)
    holder = open_database(settings.database_url)
    try:
        with holder.writing() as session:
            session.connection()  # the lock is taken now
            answer = browser.post("/sign-out", data={"csrf_token": key})
    finally:
        holder.close()
        impatient.close()
    assert answer.status_code == 503
    assert "another program holds the database" in answer.text
    assert "Mail goes on" in answer.text
    assert browser.get("/").status_code == 200  # and it is over with the lock


def test_a_deleted_database_is_a_page_that_names_the_way_out(company: Company, sign_in: SignIn) -> None:
    browser = sign_in("chen")
    Path(company.database.name).unlink()
    answer = browser.get("/")
    assert answer.status_code == 503
    assert "there is no database" in answer.text
    assert answer.headers["Retry-After"] == "10"
    assert browser.get("/live").status_code == 503


def test_a_schema_from_the_future_is_not_guessed_at(company: Company, sign_in: SignIn) -> None:
    browser = sign_in("chen")
    with company.database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    answer = browser.get("/")
    assert answer.status_code == 503
    assert "the schema is too new" in answer.text


def test_a_bug_of_ours_shows_no_insides(
    sign_in: SignIn, readings: list[Readings], caplog: pytest.LogCaptureFixture
) -> None:
    browser = sign_in("chen")
    readings.clear()  # reading the parts raises IndexError now
    answer = browser.get("/")
    assert answer.status_code == 500
    assert "mistake of ours" in answer.text
    assert "IndexError" not in answer.text
    assert "IndexError" in caplog.text


@pytest.mark.parametrize("path", ["/", "/live", "/sign-in", "/nowhere", "/static/tradepost.css"])
def test_every_answer_carries_the_headers(app: Flask, sign_in: SignIn, path: str) -> None:
    for browser in (app.test_client(), sign_in("chen")):
        with browser.get(path) as answer:
            assert answer.headers["Content-Security-Policy"] == POLICY
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert ("no-store" in answer.headers.get("Cache-Control", "")) == (not path.startswith("/static"))


def test_no_page_holds_script_or_style_of_its_own(company: Company, sign_in: SignIn) -> None:
    entry_id = company.add_letter(owner="li.na")
    browser = sign_in("chen")
    for path in ("/", "/sign-in", "/nowhere", f"/mails/{entry_id}"):
        page = browser.get(path).text
        assert " style=" not in page
        assert "<style" not in page
        assert not re.search(r"<[^>]*\son\w+=", page)
        assert page.count("<script") == page.count('<script src="/static/') == 1
        assert "http://" not in page
        assert "https://" not in page


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8025", 303),
        ("localhost:8025", 303),
        ("[::1]:8025", 303),
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("[::1", 400),
        ("", 400),
    ],
)
def test_only_our_own_names_are_answered(app: Flask, host: str, status: int) -> None:
    assert app.test_client().get("/", headers={"Host": host}).status_code == status

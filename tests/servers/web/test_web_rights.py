# SPDX-License-Identifier: GPL-3.0-or-later
"""Every endpoint, asked by nobody and by a rep who may see nothing.  A new endpoint fails here until it is written down."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from web_company import Company, SignIn, form_key
from werkzeug.routing import Rule

from crm_sync.rights import fetch_viewer
from tradepost.verdict import Direction

# (endpoint, method) -> (status without sign-in, status for a rep who may see nothing)
EXPECTED = {
    ("arrivals.index", "GET"): (303, 200),
    ("arrivals.live", "GET"): (401, 200),
    ("arrivals.show", "GET"): (303, 404),
    ("corrections.index", "GET"): (303, 403),
    ("corrections.correct", "POST"): (401, 404),
    ("language.choose", "POST"): (303, 303),
    ("sign_in.show", "GET"): (200, 200),
    ("sign_in.use", "POST"): (410, 410),
    ("sign_in.out", "POST"): (401, 303),
    ("translation.show", "POST"): (401, 404),
    ("static", "GET"): (200, 200),
}
SECRET = "Secret price list"


def endpoints(app: Flask) -> set[tuple[str, str]]:
    """Return every endpoint with each method it answers."""
    return {
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def ask(app: Flask, browser: FlaskClient, endpoint: str, method: str, entry_id: str) -> tuple[int, str]:
    """Call an endpoint as far as possible: with the id of a mail that is somebody else's, and a good form key."""
    rule = next(
        rule for rule in app.url_map.iter_rules() if rule.endpoint == endpoint and method in (rule.methods or ())
    )
    with app.test_request_context():
        path = str(rule.build(_values(rule, entry_id))[1])  # type: ignore[index]
    key = form_key(browser.get("/sign-in").text)
    data = {"csrf_token": key, "language": "en"} if method == "POST" else None
    answer = browser.open(path, method=method, data=data)
    try:
        return answer.status_code, answer.text
    finally:
        answer.close()


def _values(rule: Rule, entry_id: str) -> dict[str, str]:
    known = {"entry_id": entry_id, "filename": "tradepost.css"}
    return {name: known[name] for name in rule.arguments}


def test_every_endpoint_is_written_down(app: Flask) -> None:
    assert endpoints(app) == set(EXPECTED)


@pytest.mark.parametrize(("endpoint", "method"), EXPECTED)
def test_without_sign_in_nothing_is_shown(app: Flask, company: Company, endpoint: str, method: str) -> None:
    entry_id = company.add_letter(owner="li.na", subject=SECRET)
    status, page = ask(app, app.test_client(), endpoint, method, entry_id)
    assert status == EXPECTED[endpoint, method][0]
    assert SECRET not in page


@pytest.mark.parametrize(("endpoint", "method"), EXPECTED)
def test_a_stranger_sees_nothing_of_others(
    app: Flask, company: Company, sign_in: SignIn, endpoint: str, method: str
) -> None:
    entry_id = company.add_letter(owner="li.na", subject=SECRET, customer="Secret customer")
    company.add_letter(owner=None, subject=SECRET)  # in a pool that is not his
    status, page = ask(app, sign_in("zhao"), endpoint, method, entry_id)
    assert status == EXPECTED[endpoint, method][1]
    for word in (SECRET, "Secret customer", "accepted 2"):
        assert word not in page


def test_who_is_who_decides_what_is_seen(company: Company, sign_in: SignIn) -> None:
    company.add_letter(owner="li.na", subject="Letter to Li")
    company.add_letter(owner="zhang.wei", subject="Letter to Zhang")
    company.add_letter(owner=None, subject="Letter in the pool")
    company.add_envelope()
    seen = {
        name: [word for word in ("to Li", "to Zhang", "in the pool", "only the envelope") if word in page]
        for name in ("chen", "ma", "li.na", "zhang.wei", "zhao")
        if (page := sign_in(name).get("/").text)
    }
    everything = ["to Li", "to Zhang", "in the pool", "only the envelope"]
    assert seen == {
        "chen": everything,
        "ma": everything,
        "li.na": ["to Li", "in the pool"],
        "zhang.wei": ["to Zhang"],
        "zhao": [],
    }


@pytest.mark.parametrize(("name", "status"), [("ma", 200), ("li.na", 200), ("zhang.wei", 404), ("zhao", 404)])
def test_the_page_of_one_mail_asks_the_same_rights(company: Company, sign_in: SignIn, name: str, status: int) -> None:
    entry_id = company.add_letter(owner="li.na")
    assert sign_in(name).get(f"/mails/{entry_id}").status_code == status


def test_only_who_sees_all_reads_the_companys_numbers(company: Company, sign_in: SignIn) -> None:
    company.add_letter(owner="li.na")
    assert "accepted 1 / recorded 1" in sign_in("ma").get("/").text
    assert "recorded" not in sign_in("li.na").get("/").text


def test_blind_copies_are_for_sender_and_manager(company: Company, sign_in: SignIn) -> None:
    entry_id = company.add_letter(
        owner="li.na",
        direction=Direction.OUTBOUND,
        operator="zhang.wei",
        recipients=("ana@ferreteria.example", "hidden@partner.example", "sales@brightway.example"),
        named=("ana@ferreteria.example",),
    )
    assert "hidden@partner.example" in sign_in("ma").get(f"/mails/{entry_id}").text
    page = sign_in("li.na").get(f"/mails/{entry_id}").text
    assert "hidden@partner.example" not in page
    assert "ana@ferreteria.example" in page
    assert "sales@brightway.example" in page


def test_the_sender_knows_his_blind_copies(company: Company, sign_in: SignIn) -> None:
    entry_id = company.add_letter(
        owner="li.na", direction=Direction.OUTBOUND, operator="li.na", recipients=("hidden@partner.example",)
    )
    assert "hidden@partner.example" in sign_in("li.na").get(f"/mails/{entry_id}").text


def test_a_conversation_lists_only_what_is_the_viewers(company: Company, sign_in: SignIn) -> None:
    first = company.add_letter(owner="li.na", subject="First of the thread")
    company.add_letter(subject="Second of the thread", conversation_id=company.conversation_of(first))
    company.add_letter(owner="zhang.wei", subject="Another thread")
    page = sign_in("li.na").get(f"/mails/{first}").text
    assert "Second of the thread" in page
    assert "Another thread" not in page


def test_a_person_who_left_is_no_viewer(company: Company) -> None:
    with company.database.reading() as session:
        chen, nobody = fetch_viewer(session, company.people["chen"]), fetch_viewer(session, 999)
    assert chen is not None
    assert chen.sees_all
    assert nobody is None

# SPDX-License-Identifier: GPL-3.0-or-later
"""Correct a mail's labels on its page, and read what was corrected: who may, what changes, in both languages."""

import re
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update
from web_company import Company, SignIn, form_key
from werkzeug.test import TestResponse

from crm_sync.models.customers import Scope
from crm_sync.models.mail import Message
from crm_sync.models.people import Person, RoleRight, Team
from crm_sync.models.rules import Correction
from tradepost.settings import LearningSettings, Settings


def fields_of(page: str) -> dict[str, str]:
    """Return what the form would send as it stands."""
    form = page.partition('<details class="correct">')[2].partition("</form>")[0]
    sent = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    for name, options in re.findall(r'<select name="([^"]+)">(.*?)</select>', form, re.DOTALL):
        sent[name] = re.findall(r'<option value="([^"]*)" selected', options)[0]
    return sent


def send(browser: FlaskClient, entry_id: str, **labels: str) -> TestResponse:
    form = fields_of(browser.get(f"/mails/{entry_id}").text)
    return browser.post(f"/mails/{entry_id}/labels", data=form | labels)


def test_a_rep_corrects_his_mail_and_the_page_says_who_decided(company: Company, sign_in: SignIn) -> None:
    entry_id = company.add_letter(owner="li.na")
    browser = sign_in("li.na")
    assert send(browser, entry_id, category="order", language="de").status_code == 303
    page = browser.get(f"/mails/{entry_id}").text
    rows = {
        name: re.findall(
            r"<td>(?:<bdi>)?([^<]*)", page.partition(f'<th scope="row">{name}</th>')[2].partition("</tr>")[0]
        )
        for name in ("Category", "Language", "Priority")
    }
    assert rows["Category"] == ["inquiry", "order", "a person"]
    assert rows["Language"] == ["Spanish", "German", "a person"]
    assert rows["Priority"][2] == "the milter"
    history = re.sub(r"<[^>]*>", "", page.partition("</details>")[2].partition("Confidence")[0])
    assert "inquiry → order" in history
    assert "Spanish → German" in history
    assert history.count("Li Na") == 2
    send(browser, entry_id, category="inquiry")
    with company.database.reading() as session:
        assert session.scalars(select(Message.category)).one() == "inquiry"
        assert session.scalars(select(Correction.new).order_by(Correction.id)).all() == ["order", "de", "inquiry"]


def test_a_viewer_sees_his_teams_mail_and_is_offered_no_correction(company: Company, sign_in: SignIn) -> None:
    entry_id = company.add_letter(owner="li.na")
    with company.database.writing() as session:
        team = Team(name="latin")
        session.add(team)
        session.flush()
        session.execute(update(Scope).values(team_id=team.id))
        zhao = session.get_one(Person, company.people["zhao"])
        zhao.role, zhao.team_id = "viewer", team.id
    browser = sign_in("zhao")
    page = browser.get(f"/mails/{entry_id}").text
    assert "Please quote 500 pieces." in page
    assert "<small>viewer</small>" in page
    assert fields_of(page) == {}
    key = form_key(browser.get("/").text)
    answer = browser.post(f"/mails/{entry_id}/labels", data={"csrf_token": key, "category": "order"})
    assert answer.status_code == 403
    chinese = browser.get(f"/mails/{entry_id}", headers={"Accept-Language": "zh-CN"}).text
    assert "<small>只读成员</small>" in chinese


def test_what_was_not_touched_is_no_correction_though_somebody_else_changed_it(
    company: Company, sign_in: SignIn
) -> None:
    entry_id = company.add_letter(owner="li.na")
    late, early = sign_in("li.na"), sign_in("ma")
    form = fields_of(late.get(f"/mails/{entry_id}").text)
    send(early, entry_id, category="order")
    late.post(f"/mails/{entry_id}/labels", data=form | {"priority": "urgent"})
    with company.database.reading() as session:
        message = session.scalars(select(Message)).one()
        assert (message.category, message.priority) == ("order", "urgent")


def test_another_owner_is_chosen_by_name(company: Company, sign_in: SignIn) -> None:
    entry_id = company.add_letter(owner="li.na")
    browser = sign_in("ma")
    assert ">Zhang Wei<" in browser.get(f"/mails/{entry_id}").text
    send(browser, entry_id, owner="zhang.wei@brightway.example")
    assert "zhang.wei@brightway.example" in browser.get(f"/mails/{entry_id}").text.partition("Owner")[2]


@pytest.mark.parametrize("label", ["no-such-thing", "<script>", "x" * 60_000, "\0", "li.na@brightway.example\0"])
@pytest.mark.parametrize("field", ["category", "priority", "language", "owner"])
def test_what_does_not_exist_is_refused(company: Company, sign_in: SignIn, field: str, label: str) -> None:
    entry_id = company.add_letter(owner="li.na")
    answer = send(sign_in("li.na"), entry_id, **({"category": "order", field: label}))
    assert answer.status_code == 409
    assert "Nothing was changed." in answer.text
    with company.database.reading() as session:
        assert session.scalars(select(Message.category)).one() == "inquiry"
        assert session.scalars(select(Correction)).all() == []


def test_who_may_only_read_finds_no_form_and_is_refused(company: Company, sign_in: SignIn) -> None:
    entry_id = company.add_letter(owner="li.na")
    with company.database.writing() as session:
        session.execute(delete(RoleRight).where(RoleRight.action == "correct", RoleRight.role == "rep"))
    browser = sign_in("li.na")
    page = browser.get(f"/mails/{entry_id}").text
    assert "This is right" not in page
    form = {"csrf_token": form_key(page), "category": "spam"}
    assert browser.post(f"/mails/{entry_id}/labels", data=form).status_code == 403


def test_without_the_forms_key_nothing_is_changed(company: Company, sign_in: SignIn) -> None:
    entry_id = company.add_letter(owner="li.na")
    assert sign_in("li.na").post(f"/mails/{entry_id}/labels", data={"category": "spam"}).status_code == 400
    with company.database.reading() as session:
        assert session.scalars(select(Message.category)).one() == "inquiry"


@pytest.mark.parametrize("nightly", [True, False])
def test_the_page_promises_learning_only_where_the_settings_do(
    app: Flask, company: Company, sign_in: SignIn, settings: Settings, nightly: bool
) -> None:
    parts = app.extensions["tradepost"]
    learning = LearningSettings(nightly=nightly)
    app.extensions["tradepost"] = replace(parts, settings=settings.model_copy(update={"learning": learning}))
    page = sign_in("chen").get("/corrections").text
    assert ("At night the classifier learns from them." in page) is nightly


def test_who_reads_the_companys_numbers_sees_what_was_corrected(company: Company, sign_in: SignIn) -> None:
    browser = sign_in("chen")
    assert "0 of 0 mails" in browser.get("/corrections").text
    entries = [company.add_letter(owner="li.na", sender="<b>ana</b>@ferreteria.example") for _ in range(3)]
    send(browser, entries[0], category="order", priority="urgent", language="de", owner="zhang.wei@brightway.example")
    page = browser.get("/corrections").text
    assert "1 of 3 mails from outside were corrected by a person." in page
    assert 'href="/corrections"' in browser.get("/").text
    languages = page.rpartition("<table")[2]
    assert "Language</th>" in languages
    assert "German" in languages
    for word in ("67 %", "order", "urgent", "German", "zhang.wei@brightway.example"):
        assert word in page, word
    assert "<b>ana</b>" not in page
    browser.set_cookie("tradepost_language", "zh_Hans")
    assert "外来邮件共 3 封，其中 1 封由人工更正过。" in browser.get("/corrections").text
    rep = sign_in("li.na")
    assert rep.get("/corrections").status_code == 403
    assert 'href="/corrections"' not in rep.get("/").text

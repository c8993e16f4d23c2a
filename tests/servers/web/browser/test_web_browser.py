# SPDX-License-Identifier: GPL-3.0-or-later
"""The room in a real browser: signed in by the link, at the width of a desk and of a phone, kept up to date by the script."""

import time
from datetime import UTC, datetime

import pytest
from web_chromium import Chromium
from web_company import Company

from admin_web.browser_sessions import make_signin_token
from crm_sync.database import Database

ROWS = "document.querySelectorAll('tr[data-entry]').length"
OVERHANG = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def make_link(database: Database, address: str, name: str) -> str:
    """Return a sign-in link of a person, as `tradepost web sign-in-link` prints it."""
    with database.writing() as session:
        token = make_signin_token(session, f"{name}@brightway.example", 5, datetime.now(UTC))
    return f"{address}/sign-in?token={token}"


def wait_until(browser: Chromium, condition: str) -> None:
    """Wait until a JavaScript condition holds."""
    deadline = time.monotonic() + 20
    while not browser.evaluate(condition):
        assert time.monotonic() < deadline, condition
        time.sleep(0.2)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_person_signs_in_and_reads_at_both_widths(
    company: Company, served: str, chromium: Chromium, language: str
) -> None:
    hostile = "<img src=x onerror=\"console.error('run')\">"
    entries = [company.add_letter(owner="li.na", subject="long" * 100, text=hostile + "x" * 5000) for _ in range(4)]
    company.add_letter(owner="zhang.wei", subject=hostile, sender_name=hostile, customer=hostile)
    chromium.speak(language)
    chromium.resize(1280, 900)
    chromium.open(make_link(company.database, served, "chen"))
    chromium.click("button.main")
    for width, height in ((1280, 900), (390, 844)):
        chromium.resize(width, height)
        chromium.open(f"{served}/")
        assert chromium.evaluate(ROWS) == 5
        assert chromium.evaluate(OVERHANG) <= 0
        chromium.open(f"{served}/mails/{entries[0]}")
        assert chromium.evaluate("document.querySelectorAll('pre.letter').length") == 1
        assert chromium.evaluate(OVERHANG) <= 0
    assert chromium.evaluate("document.documentElement.lang") == ("en" if language == "en" else "zh-Hans")
    assert chromium.complaints == []


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_mail_is_corrected_and_counted_at_both_widths(
    company: Company, served: str, chromium: Chromium, language: str
) -> None:
    entries = [
        company.add_letter(owner="li.na", sender=f"{'purchasing.' * number}@{'long-name' * 5}.example")
        for number in range(1, 5)
    ]
    chromium.speak(language)
    chromium.resize(1280, 900)
    chromium.open(make_link(company.database, served, "chen"))
    chromium.click("button.main")
    for entry_id, (width, height) in zip(entries, ((1280, 900), (390, 844)) * 2, strict=True):
        chromium.resize(width, height)
        chromium.open(f"{served}/mails/{entry_id}")
        chromium.evaluate("document.querySelector('details.correct').open = true")
        assert chromium.evaluate(OVERHANG) <= 0
        for field, label in (("category", "order"), ("language", "de"), ("owner", "zhang.wei@brightway.example")):
            chromium.evaluate(f"document.querySelector('select[name={field}]').value = '{label}'")
        chromium.click("details.correct button")
        assert chromium.evaluate("document.querySelector('select[name=category]').value") == "order"
        assert chromium.evaluate(OVERHANG) <= 0
        chromium.open(f"{served}/corrections")
        assert chromium.evaluate(OVERHANG) <= 0
    counts = "[...document.querySelectorAll('#senders ~ table tbody')].map(body => body.rows.length)"
    assert chromium.evaluate(counts) == [4, 1]
    assert chromium.complaints == []


def test_a_new_mail_shows_by_itself_and_disturbs_nobody(company: Company, served: str, chromium: Chromium) -> None:
    company.add_letter(owner="li.na", subject="First")
    chromium.resize(1280, 900)
    chromium.open(make_link(company.database, served, "chen"))
    chromium.click("button.main")
    chromium.evaluate("document.querySelector('tr[data-entry] details').open = true")
    chromium.evaluate("document.querySelector('tr[data-entry] a').focus()")
    # The script's first look only learns where it stands; what comes after it is news.
    wait_until(chromium, "performance.getEntriesByType('resource').some((e) => e.name.endsWith('/live'))")
    company.add_letter(owner="li.na", subject="Second")
    wait_until(chromium, f"{ROWS} === 2")
    assert chromium.evaluate("document.getElementById('news').textContent") == "1 new mail"
    assert chromium.evaluate("document.querySelector('tr[data-entry]:last-child details').open")
    assert chromium.evaluate("document.activeElement.textContent") == "First"
    assert chromium.evaluate("document.querySelector('time').title").endswith(" UTC")
    assert chromium.complaints == []


def test_the_page_works_without_script(company: Company, served: str, chromium: Chromium) -> None:
    for number in range(60):
        company.add_letter(owner="li.na", subject=f"Letter {number}")
    chromium.call("Emulation.setScriptExecutionDisabled", value=True)
    chromium.open(make_link(company.database, served, "chen"))
    # evaluate() is the debugger's, it works with the page's own scripts turned off
    chromium.click("button.main")
    assert chromium.evaluate("document.querySelector('time').textContent").endswith(" UTC")
    chromium.click("a[rel=next]")
    assert chromium.evaluate(ROWS) == 10
    chromium.click("a[href^='/mails/']")
    assert chromium.evaluate("document.querySelector('h1').textContent") == "Letter 9"
    chromium.click("form[action='/language'] button")
    assert chromium.evaluate("document.documentElement.lang") == "zh-Hans"
    chromium.click("form[action='/sign-out'] button")
    assert chromium.evaluate("location.pathname") == "/sign-in"
    assert chromium.complaints == []

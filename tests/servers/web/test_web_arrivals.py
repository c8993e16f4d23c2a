# SPDX-License-Identifier: GPL-3.0-or-later
"""The live page and the page of one mail: what they show, and how they bear what strangers write."""

import re
from dataclasses import replace

import pytest
from web_company import Company, SignIn

from admin_web.blueprints.arrivals import PAGE_MAILS
from tradepost.health import JournalReading, Readings
from tradepost.verdict import Direction, Labels, Priority, Verdict

RIGHT_TO_LEFT = "\u202e"


def subjects(page: str) -> list[str]:
    """Return the subjects of the list, top first."""
    return re.findall(r'<p class="subject"><a [^>]*><bdi>(.*?)</bdi>', page)


def test_a_mail_shows_its_marks_and_the_reasons_behind_each(company: Company, sign_in: SignIn) -> None:
    labels = Labels("inquiry", 0.9, Priority.URGENT, "subject-urgent", "es", "MX", "phone", reasons=("model",))
    reasons = ("model", "rule:r7", "owner-by-rule:r7", "unheard-of")
    company.add_letter(
        owner="li.na",
        customer="Ferretería Bajío",
        verdict=Verdict(Direction.INBOUND, labels, reasons=reasons, rule_labels=("vip",)),
    )
    page = sign_in("chen").get("/").text
    for word in (
        "Price of 500 wrenches", "Ana Ruiz", "ana@ferreteria.example", "inquiry", "Spanish · Mexico", "Ferretería Bajío",
        "Li Na", "vip", "The trained model read subject and text.", "The rule “Mexico is Li Na&#39;s” holds.",
        "The rule “Mexico is Li Na&#39;s” names the owner.", "unheard-of", '<time datetime="2026-11-20T08:01:00Z">',
    ):  # fmt: skip
        assert word in page, word


FRAUD = Verdict(
    Direction.INBOUND,
    Labels("payment", 0.8, Priority.HIGH, warnings=("looks-like-customer", "bank-account-changed"), warning_score=0.8),
    reasons=("model",),
)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Careful: this may be fraud", "another bank account", "Pay nothing and change no account", "letter by letter")),
        ("zh-Hans", ("小心：这可能是诈骗", "另一个银行账户", "不要付款", "逐个字母核对地址")),
    ],
)  # fmt: skip
def test_a_likely_fraud_is_shown_above_the_letter_with_what_to_do(
    company: Company, sign_in: SignIn, language: str, words: tuple[str, ...]
) -> None:
    entry_id = company.add_letter(owner="li.na", verdict=FRAUD)
    browser = sign_in("chen")
    page = browser.get(f"/mails/{entry_id}", headers={"Accept-Language": language}).text
    assert page.index('class="beware"') < page.index('class="letter"')
    for word in words:
        assert word in page, word
    inbox = browser.get("/").text
    assert 'class="alarm"' in inbox
    for shown in (page, inbox):  # a borrowed name hides whose address it stands before
        assert 'class="alarm">&lt;<bdi>ana@ferreteria.example</bdi>&gt;' in shown


def test_a_weak_sign_of_fraud_is_a_reason_among_others(company: Company, sign_in: SignIn) -> None:
    labels = Labels("inquiry", 0.8, Priority.HIGH, warnings=("throwaway-domain",), warning_score=0.35)
    entry_id = company.add_letter(owner="li.na", verdict=Verdict(Direction.INBOUND, labels))
    browser = sign_in("chen")
    page = browser.get(f"/mails/{entry_id}").text
    assert "of a kind that swindlers throw away" in page
    assert 'class="beware"' not in page
    assert 'class="alarm"' not in page
    assert 'class="alarm"' not in browser.get("/").text


def test_an_outbound_mail_names_its_operator(company: Company, sign_in: SignIn) -> None:
    company.add_letter(
        owner="li.na", direction=Direction.OUTBOUND, operator="zhang.wei", named=("ana@ferreteria.example",)
    )
    page = sign_in("chen").get("/").text
    assert re.search(r"sent by\s+<span class=\"person\" title=\"zhang\.wei@brightway\.example\">", page)
    assert re.search(r"to\s+<bdi>ana@ferreteria\.example</bdi>", page)


def test_the_newest_come_first_and_older_by_the_link(company: Company, sign_in: SignIn) -> None:
    for number in range(2 * PAGE_MAILS + 5):
        company.add_letter(owner="li.na", subject=f"Letter {number}")
    browser = sign_in("chen")
    path, found = "/", list[str]()
    pages = 0
    while path:
        page = browser.get(path).text
        found += subjects(page)
        pages += 1
        link = re.search(r'<a rel="next" href="([^"]+)"', page)
        path = link[1].replace("&amp;", "&") if link else ""
    assert found == [f"Letter {number}" for number in reversed(range(2 * PAGE_MAILS + 5))]
    assert pages == 3


def test_filters_hold_over_pages(company: Company, sign_in: SignIn) -> None:
    for number in range(PAGE_MAILS + 2):
        company.add_letter(owner="li.na", subject=f"Order {number}", category="order")
        company.add_letter(owner="li.na", subject="Other thing", category="other")
    company.add_letter(owner="li.na", subject="Going out", direction=Direction.OUTBOUND, category="order")
    browser = sign_in("chen")
    page = browser.get("/?direction=inbound&category=order").text
    assert subjects(page) == [f"Order {number}" for number in reversed(range(2, PAGE_MAILS + 2))]
    older = re.search(r'rel="next" href="([^"]+)"', page)
    assert older is not None
    assert subjects(browser.get(older[1].replace("&amp;", "&")).text) == ["Order 1", "Order 0"]
    assert subjects(browser.get("/?direction=outbound").text) == ["Going out"]
    assert "No mail matches" in browser.get("/?direction=internal").text


@pytest.mark.parametrize("query", ["direction=sideways", "before=yesterday", "before=01M7VZJ6K0'; DROP TABLE arrival"])
def test_odd_wishes_are_refused(sign_in: SignIn, query: str) -> None:
    assert sign_in("chen").get(f"/?{query}").status_code == 400


def test_what_postfix_refused_is_not_listed_and_what_is_open_says_so(company: Company, sign_in: SignIn) -> None:
    refused = company.add_letter(owner="li.na", subject="Phantom", acceptance="refused")
    company.add_letter(owner="li.na", subject="Waiting", acceptance="pending")
    browser = sign_in("chen")
    page = browser.get("/").text
    assert "Phantom" not in page
    assert "not confirmed yet" in page
    assert "accepted 0 / recorded 0" in page
    assert "1 more waits for Postfix" in page
    assert "Postfix refused this mail" in browser.get(f"/mails/{refused}").text


@pytest.mark.parametrize(
    ("journal", "sentence", "tone"),
    [
        (JournalReading(0, 0.0, 0, False), "accepted 1 / recorded 1", "good"),
        (JournalReading(3, 125.0, 0, False), "accepted 4 / recorded 1", "bad"),
        (JournalReading(0, 0.0, 2, False), "accepted 3 / recorded 1", "bad"),
        (None, "accepted ? / recorded 1", "bad"),
    ],
)
def test_accepted_is_held_against_recorded(
    company: Company,
    sign_in: SignIn,
    readings: list[Readings],
    journal: JournalReading | None,
    sentence: str,
    tone: str,
) -> None:
    company.add_letter(owner="li.na")
    readings.append(replace(readings[0], journal=journal))
    page = sign_in("chen").get("/").text
    line = page.partition('<p class="even')[2].partition("</p>")[0]
    assert line.startswith(f" {tone}")
    assert sentence in line


@pytest.mark.parametrize(
    ("part", "reading", "words"),
    [
        ("journal", JournalReading(3, 125.0, 0, False), "3 mails wait, the oldest for 2 minutes"),
        ("journal", JournalReading(3, 9000.0, 0, False), "3 mails wait, the oldest for 2 hours"),
        ("journal", JournalReading(0, 0.0, 0, True), "its reserve is reached"),
        ("worker", None, "not running: mail waits in the journal"),
        ("milter", None, "not running: mail passes unmarked"),
        ("directory", None, "not there yet"),
        ("maillog_silent_seconds", None, "has never been read"),
        ("maillog_silent_seconds", 7200.0, "last read 2 hours ago"),
        ("confirmation", "assumed", "none is read: acceptance is assumed"),
    ],
)
def test_what_does_not_work_is_said(
    sign_in: SignIn, readings: list[Readings], part: str, reading: object, words: str
) -> None:
    readings.append(replace(readings[0], **{part: reading}))  # type: ignore[arg-type]
    page = sign_in("chen").get("/").text
    assert words in page
    assert '<details class="parts" id="parts-good"' not in page


def test_without_any_mail_the_page_says_what_to_do(sign_in: SignIn) -> None:
    assert "Send a mail to one of your pools" in sign_in("chen").get("/").text
    page = sign_in("zhao").get("/").text
    assert "Nothing of it has come yet" in page
    assert "Send a mail" not in page


def test_the_live_part_is_the_pages_own_and_changes_with_it(company: Company, sign_in: SignIn) -> None:
    company.add_letter(owner="li.na", subject="First")
    browser = sign_in("chen")
    first = browser.get("/live")
    assert first.text in browser.get("/").text
    again = browser.get("/live", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.text) == (304, "")
    company.add_letter(owner="li.na", subject="Second")
    changed = browser.get("/live", headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, subjects(changed.text)) == (200, ["Second", "First"])


def test_one_mail_shows_envelope_header_text_files_and_verdict(company: Company, sign_in: SignIn) -> None:
    labels = Labels("inquiry", 0.91, Priority.HIGH, "asks-for-quote", "es", "MX", "phone", reasons=("model",))
    verdict = Verdict(Direction.INBOUND, labels, missing=("owner", "customer", "conversation"))
    entry_id = company.add_letter(
        owner="li.na",
        verdict=verdict,
        completion={"owner": "li.na@brightway.example"},
        files=(("plano técnico.pdf", "application/pdf", 482_113), ("", "image/png", 999)),
        defects=("cut-boundary",),
    )
    page = sign_in("chen").get(f"/mails/{entry_id}").text
    for word in (
        "Please quote 500 pieces.", "plano técnico.pdf", "482 kB", "999 bytes", "203.0.113.9", "TLSv1.3", "4Q00000001",
        entry_id, "&lt;1@ferreteria.example&gt;", "91 %", "cut-boundary", "Quantity", "Message-ID",
    ):  # fmt: skip
        assert word in page, word
    decided = dict(re.findall(r'<tr><th scope="row">(\w+)</th>.*?<td>([^<]*)</td></tr>', page))
    assert decided == {
        "Direction": "the milter", "Category": "the milter", "Priority": "the milter", "Language": "the milter",
        "Country": "the milter", "Customer": "nobody yet", "Owner": "the worker",
    }  # fmt: skip


def test_a_second_opinion_is_told_from_the_first(company: Company, sign_in: SignIn) -> None:
    verdict = Verdict(Direction.INBOUND, Labels("inquiry", 0.3, Priority.HIGH, None, "es", "MX", reasons=("model",)))
    second = {"instead_of": "inquiry", "decided": "complaint", "reasons": ["model", "second-opinion"]}
    entry_id = company.add_letter(owner="li.na", category="complaint", verdict=verdict, second_opinion=second)
    page = sign_in("chen").get(f"/mails/{entry_id}").text
    marks = dict(re.findall(r'<tr><th scope="row">(\w+)</th>(.*?)</tr>', page))
    assert re.findall(r">(\w[^<]*)<", marks["Category"]) == ["inquiry", "complaint", "a second opinion"]
    assert "a slower reader was asked" in page


def test_a_letter_that_arrived_twice_names_its_other_arrival(company: Company, sign_in: SignIn) -> None:
    first = company.add_letter(owner="li.na")
    again = company.add_arrival(first)
    browser = sign_in("li.na")
    assert f'href="/mails/{again}"' in browser.get(f"/mails/{first}").text
    assert f'href="/mails/{first}"' in browser.get(f"/mails/{again}").text


def test_a_correction_by_a_person_is_told_from_the_verdict(company: Company, sign_in: SignIn) -> None:
    verdict = Verdict(Direction.INBOUND, Labels("spam", 0.4, Priority.HIGH, None, "es", "MX"))
    entry_id = company.add_letter(owner="li.na", category="order", verdict=verdict)
    page = sign_in("chen").get(f"/mails/{entry_id}").text
    row = page.partition('<th scope="row">Category</th>')[2].partition("</tr>")[0]
    assert re.findall(r"<td>(?:<bdi>)?([^<]*)", row) == ["spam", "order", "a person"]


def test_of_an_envelope_only_mail_nothing_else_is_claimed(company: Company, sign_in: SignIn) -> None:
    page = sign_in("chen").get(f"/mails/{company.add_envelope()}").text
    assert "zhang.wei@brightway.example" in page
    assert "only who wrote to whom" in page.lower()
    assert "Attachments" not in page
    assert "Header" not in page


@pytest.mark.parametrize("path", ["/mails/nothing", "/mails/01M7VZJ6K00000000000000000", "/mails/..%2f..%2fetc"])
def test_an_unknown_mail_is_not_there(sign_in: SignIn, path: str) -> None:
    assert sign_in("chen").get(path).status_code == 404


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}"


def test_hostile_words_come_out_as_words(company: Company, sign_in: SignIn) -> None:
    entry_id = company.add_letter(
        owner="li.na", subject=HOSTILE, sender=f'"{HOSTILE}"@evil.example', sender_name=HOSTILE, text=HOSTILE,
        customer=HOSTILE, recipients=(HOSTILE,), named=(HOSTILE,), files=((HOSTILE, HOSTILE, 1),), defects=(HOSTILE,),
        verdict=Verdict(
            Direction.INBOUND,
            Labels(HOSTILE, 0.5, None, HOSTILE, HOSTILE, HOSTILE, HOSTILE, warnings=(HOSTILE,), reasons=(HOSTILE,)),
            owner=HOSTILE, customer=HOSTILE, reasons=(HOSTILE, f"rule:{HOSTILE}"), rule_labels=(HOSTILE,),
            pools=(HOSTILE,),
        ),
    )  # fmt: skip
    browser = sign_in("chen")
    for path in ("/", "/live", f"/mails/{entry_id}"):
        page = browser.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;alert(1)" in page
        assert "49" not in page


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        RIGHT_TO_LEFT + "gnp.exe",
        "\x00\x07\x1b[31m\x85",
        "lone \udcff surrogate",
        "\u2066isolated for ever",
        "\r\n" * 5000,
        "a\u0300" * 20_000,
    ],
    ids=["100-kB-line", "right-to-left-override", "controls", "surrogate", "unclosed-isolate", "empty-lines", "zalgo"],
)
def test_odd_text_is_isolated_and_bounded(company: Company, sign_in: SignIn, text: str) -> None:
    # A database holds no lone surrogate: SQLite's driver refuses to encode one.
    stored = text.encode("utf-8", "replace").decode()
    entry_id = company.add_letter(owner="li.na", subject=stored, sender_name=stored, text=stored)
    browser = sign_in("chen")
    page = browser.get("/")
    assert page.status_code == 200
    assert len(page.data) < 20_000
    row = page.text.partition("data-entry")[2]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", row)
    assert RIGHT_TO_LEFT not in re.sub(r"<bdi>.*?</bdi>", "", row, flags=re.DOTALL)
    assert browser.get(f"/mails/{entry_id}").status_code == 200


def test_a_very_long_text_is_cut_and_says_so(company: Company, sign_in: SignIn) -> None:
    entry_id = company.add_letter(owner="li.na", text="word " * 100_000)
    page = sign_in("chen").get(f"/mails/{entry_id}").text
    assert len(page) < 300_000
    assert "the rest is in the mailbox" in page

# SPDX-License-Identifier: GPL-3.0-or-later
"""English and Chinese: chosen by browser or person, whole, and compiled."""

import gettext
import re
from collections.abc import Iterator

import pytest
from flask import Flask
from web_company import Company, SignIn, form_key

from admin_web.catalog import extract, po_path, read_catalog
from admin_web.languages import LANGUAGES
from tradepost.verdict import CATEGORIES, Direction, Priority

TRANSLATED = [locale for locale in LANGUAGES if locale != "en"]


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("zh-TW", "zh-Hans"),
        ("zh-Hans-CN", "zh-Hans"),
        ("en-GB,zh;q=0.5", "en"),
        ("de,zh;q=0.4", "zh-Hans"),
        ("zh;q=0,en;q=0.1", "en"),
        ("de,fr", "en"),
        ("*", "en"),
        ("", "en"),
        ("\x01;;q=x", "en"),
    ],
)
def test_the_browser_is_answered_in_its_language(app: Flask, wanted: str, language: str) -> None:
    page = app.test_client().get("/sign-in", headers={"Accept-Language": wanted}).text
    assert f'<html lang="{language}">' in page


def test_the_switch_is_stronger_than_the_browser_and_lasts(sign_in: SignIn) -> None:
    browser = sign_in("chen")
    chosen = {"language": "zh_Hans", "back": "/?direction=inbound", "csrf_token": form_key(browser.get("/").text)}
    answer = browser.post("/language", data=chosen)
    assert (answer.status_code, answer.location) == (303, "/?direction=inbound")
    page = browser.get("/", headers={"Accept-Language": "en"}).text
    assert "最新邮件" in page
    assert '<html lang="zh-Hans">' in page


@pytest.mark.parametrize("back", ["//evil.example/", "/\\evil.example", "https://evil.example/", "", "javascript:1"])
def test_the_switch_leads_nowhere_else(sign_in: SignIn, back: str) -> None:
    browser = sign_in("chen")
    data = {"language": "en", "back": back, "csrf_token": form_key(browser.get("/").text)}
    assert browser.post("/language", data=data).location == "/"


def test_an_unknown_language_is_refused(sign_in: SignIn) -> None:
    browser = sign_in("chen")
    data = {"language": "tlh", "csrf_token": form_key(browser.get("/").text)}
    assert browser.post("/language", data=data).status_code == 400


@pytest.mark.parametrize("locale", TRANSLATED)
def test_every_sentence_is_translated_and_none_is_left_over(locale: str) -> None:
    said = {message.id for message in extract() if message.id}
    catalog = read_catalog(locale)
    assert {message.id for message in catalog if message.id} == said
    for message in catalog:
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(strings), message.id
        assert not message.fuzzy, message.id


@pytest.mark.parametrize("locale", TRANSLATED)
def test_a_translation_keeps_every_blank_to_fill(locale: str) -> None:
    for sentences, translations in pairs(locale):
        for translation in translations:
            assert blanks(translation) == blanks(sentences[-1])


def pairs(locale: str) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield each sentence in English (with its plural) and in another language (in all its plurals)."""
    for message in read_catalog(locale):
        if message.id:
            yield forms(message.id), forms(message.string)


def forms(words: object) -> tuple[str, ...]:
    """Return the plurals of a sentence, or its one form."""
    return tuple(map(str, words)) if isinstance(words, tuple | list) else (str(words),)


def blanks(sentence: str) -> set[str]:
    """Return the names of a sentence's blanks."""
    return set(re.findall(r"%\(\w+\)s|#", sentence))


@pytest.mark.parametrize("locale", TRANSLATED)
def test_the_compiled_catalogue_is_current(locale: str) -> None:
    with po_path(locale).with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for sentences, translations in pairs(locale):
        if len(sentences) == 2:
            assert compiled.ngettext(sentences[0], sentences[1], 5) == translations[-1]
        else:
            assert compiled.gettext(sentences[0]) == translations[0]


@pytest.mark.parametrize("locale", TRANSLATED)
def test_our_own_labels_all_have_words(app: Flask, locale: str) -> None:
    labels = (*CATEGORIES, *Direction, *Priority)
    catalog = read_catalog(locale)
    for label in labels:
        assert catalog.get(str(label)) is not None, label


def test_a_page_in_chinese_holds_no_english_words_of_ours(company: Company, sign_in: SignIn) -> None:
    entry_id = company.add_letter(owner="li.na", subject="1", sender_name="2", customer="3", text="4")
    browser = sign_in("chen")
    for path in ("/", f"/mails/{entry_id}", "/nowhere"):
        page = browser.get(path, headers={"Accept-Language": "zh"}).text
        seen = re.sub(r"<head>.*?</head>|<bdi>.*?</bdi>|<[^>]+>|<time.*?</time>", " ", page, flags=re.DOTALL)
        known = {"tradepost", "English", "UTC", "TLS", "SMTP", "Postfix", "reconcile", "A", "kB", "Message", "ID"}
        assert set(re.findall(r"[A-Za-z][a-z]+|\b[A-Z]+\b", seen)) - known - {"asks", "for", "quote"} <= {entry_id}, (
            path
        )

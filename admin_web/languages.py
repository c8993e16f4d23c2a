# SPDX-License-Identifier: GPL-3.0-or-later
"""Which language a page speaks: what the person chose (a cookie), else what the browser asks for, else English."""

from pathlib import Path

from flask import Flask, has_request_context, request
from flask_babel import Babel, get_locale

COOKIE = "tradepost_language"
# Locale, and its name in itself.
LANGUAGES = {"en": "English", "zh_Hans": "中文"}
FOLDER = Path(__file__).parent / "translations"


def install_languages(app: Flask) -> None:
    """Let pages speak every language of LANGUAGES; times are given in UTC."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(FOLDER)
    Babel(app, default_locale="en", default_timezone="UTC", locale_selector=choose_locale)
    app.context_processor(lambda: {"languages": LANGUAGES, "locale": str(get_locale()), "html_lang": _html_lang()})


def choose_locale() -> str:
    """Return the locale of the request."""
    if not has_request_context():
        return "en"
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    # RFC 9110, 12.5.4: the browser's order.  Every Chinese is answered in the one Chinese there is.
    for tag, quality in request.accept_languages:
        language = tag.replace("_", "-").split("-")[0].lower()
        if quality > 0 and language in ("zh", "en"):
            return "zh_Hans" if language == "zh" else "en"
    return "en"


def _html_lang() -> str:
    return str(get_locale()).replace("_", "-")

# SPDX-License-Identifier: GPL-3.0-or-later
"""The app factory: settings and a database in, a Flask app out."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from flask import Flask
from flask_wtf.csrf import CSRFProtect

from admin_web.access import install_gate
from admin_web.attempts import Attempts
from admin_web.blueprints import arrivals, corrections, language, sign_in, translation
from admin_web.errors import install_errors
from admin_web.form_key import read_or_make_form_key
from admin_web.languages import install_languages
from admin_web.libretranslate import make_translator
from admin_web.parts import Parts
from admin_web.room import Room, install_room
from admin_web.security import install_headers, install_host_check
from admin_web.words import install_words
from crm_sync.database import Database
from crm_sync.schema import head_revision
from tradepost.health import Readings
from tradepost.settings import Settings
from tradepost.translation import Translator

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
_FORM_OCTETS = 64 * 1024


def _now() -> datetime:
    return datetime.now(UTC)


def create_app(
    settings: Settings,
    database: Database,
    *,
    clock: Callable[[], datetime] = _now,
    read: Callable[[], Readings] | None = None,
    translator: Translator | None = None,
) -> Flask:
    """Return the web room.  `read` looks at the other parts; without it at those of this host.

    `translator` is another one than the settings name.  Raises FormKeyError and TranslationRefused.
    """
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY=read_or_make_form_key(settings.paths.state / "web.key"),
        SESSION_COOKIE_NAME="tradepost_form",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.web.behind_tls_proxy,
        MAX_CONTENT_LENGTH=_FORM_OCTETS,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the browser session
        WTF_CSRF_SSL_STRICT=False,  # wants a Referer, which we tell browsers not to send
    )
    parts = Room(
        settings=settings,
        database=database,
        revision=head_revision(),
        clock=clock,
        read=read or Parts(settings).read,
        attempts=Attempts(time.monotonic),
        translator=translator or make_translator(settings.translation),
    )
    install_room(app.extensions, parts)
    # The order of these is the order in which a request passes them.
    install_host_check(app, (*LOOPBACK_NAMES, settings.web.host, *settings.web.trusted_hosts))
    install_languages(app)
    install_errors(app)
    CSRFProtect(app)
    install_gate(app)
    install_headers(app)
    install_words(app)
    for page in (arrivals, corrections, language, sign_in, translation):
        app.register_blueprint(page.blueprint)
    return app

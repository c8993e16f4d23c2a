# SPDX-License-Identifier: GPL-3.0-or-later
"""Times, spans, sizes and numbers as the page's language writes them."""

from datetime import UTC, datetime

from babel.numbers import format_decimal
from flask_babel import get_locale, gettext, ngettext
from markupsafe import Markup


def render_stamp(at: datetime | None) -> Markup:
    """Return a time as HTML: UTC for everybody, and machine-readable, so that the browser can show its own zone."""
    if at is None:
        return Markup("")
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%Y-%m-%d %H:%M}")


def render_age(seconds: float) -> str:
    """Return a span of time in its largest unit."""
    if seconds < 60:
        return ngettext("%(num)s second", "%(num)s seconds", int(seconds))
    if seconds < 3600:
        return ngettext("%(num)s minute", "%(num)s minutes", int(seconds // 60))
    if seconds < 86400:
        return ngettext("%(num)s hour", "%(num)s hours", int(seconds // 3600))
    return ngettext("%(num)s day", "%(num)s days", int(seconds // 86400))


def render_octets(octets: int) -> str:
    """Return a size as people say it (decimal units, as mail clients do)."""
    if octets < 1000:
        return ngettext("%(num)s byte", "%(num)s bytes", octets)
    if octets < 1_000_000:
        return gettext("%(size)s kB", size=render_number(round(octets / 1000)))
    return gettext("%(size)s MB", size=render_number(round(octets / 1_000_000, 1)))


def render_number(number: float) -> str:
    """Return a number with the separators of the page's language."""
    return format_decimal(number, locale=get_locale() or "en")

# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that strangers wrote, made fit to be shown.  Escaping is the templates'; this is about what escaping leaves."""

from markupsafe import Markup

# Of a letter's text; more is read in a mail client.
TEXT_LIMIT = 200_000
LINE_LIMIT = 300


def render_hostile(text: str | None, limit: int = TEXT_LIMIT) -> str:
    """Return text of a mail fit to be encoded and read: no control character but tab and line end, no lone surrogate."""
    cut = (text or "")[:limit].replace("\r\n", "\n")
    return "".join(_shown(sign) for sign in cut)


def _shown(sign: str) -> str:
    code = ord(sign)
    if sign in "\t\n" or not (code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000):
        return sign
    return "\ufffd"


def render_line(text: str | None, limit: int = LINE_LIMIT) -> Markup:
    """Return one line of a mail as HTML: isolated, so that its writing direction turns nothing beside it around."""
    whole = " ".join((text or "")[: limit * 4].split())
    shown = render_hostile(whole, limit)
    more = "…" if len(whole) > limit or len(text or "") > limit * 4 else ""
    return Markup("<bdi>{}{}</bdi>").format(shown, more)

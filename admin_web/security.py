# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may call us by which name, and what every answer carries: only our scripts run, caches keep nothing."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Flask, Response, request

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_NOT_OURS = "This name is not one of ours.  An administrator adds it to web.trusted_hosts.\n"
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


def install_host_check(app: Flask, names: Iterable[str]) -> None:
    """Refuse requests under a name that is not ours: another site pointed at our address could read pages (DNS rebinding).

    Done here because werkzeug's own check takes an IPv6 address for a name with a port.
    """
    ours = frozenset(name.strip("[]").lower() for name in names)

    def check() -> tuple[str, int, dict[str, str]] | None:
        try:
            called = urlsplit(f"//{request.headers.get('Host', '')}").hostname
        except ValueError:
            called = None
        if called in ours:
            return None
        return _NOT_OURS, 400, {"Content-Type": "text/plain; charset=utf-8"}

    app.before_request(check)


def install_headers(app: Flask) -> None:
    """Send the headers with every answer, errors too."""
    app.after_request(_add)


def _add(response: Response) -> Response:
    response.headers.update(_HEADERS)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
        response.vary.update(("Cookie", "Accept-Language"))
    return response

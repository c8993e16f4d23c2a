# SPDX-License-Identifier: GPL-3.0-or-later
"""The translation aid as other rooms see it, and whether text may travel to where [translation] says.  Opens no connection.

Who wants another service than LibreTranslate's interface implements `Translator` and hands it to the web room.
"""

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from tradepost.errors import Refusal
from tradepost.secret_files import read_secret
from tradepost.settings import TranslationSettings


class TranslationRefused(Refusal, ValueError):
    """[translation] can't be used as it is set.  The text never holds the key."""

    exit_code = 78  # EX_CONFIG: trying again would not help


class TranslationError(Refusal, RuntimeError):
    """Something could not be translated now.  One line: which endpoint, why, what to do."""


@dataclass(frozen=True, slots=True)
class Translation:
    """Text in the reader's language; `source` is the language it was taken for (ISO 639-1), "" when nobody said."""

    text: str
    source: str = ""


class Translator(Protocol):
    """Translates on a person's click.  Safe to call from several threads."""

    def translate(self, text: str, source: str | None, target: str) -> Translation:
        """Translate plain text between ISO 639-1 languages; `source` None: let the service find out.

        Raises TranslationError.
        """


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A judged endpoint: `url` without a stroke at its end, the key ("" for none), and the TLS context for https."""

    url: str
    key: str
    tls: ssl.SSLContext | None


def read_endpoint(settings: TranslationSettings) -> Endpoint:
    """Judge [translation] and read its files.  Raises TranslationRefused."""
    url = settings.url.rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise TranslationRefused(f"[translation] url: {url!r} is no URL: {error}") from None
    if parts.username is not None or parts.password is not None:
        raise TranslationRefused(
            "[translation] url: a name or password has no place in a URL, which is logged; set key_file"
        )
    if not host or parts.query or parts.fragment:
        raise TranslationRefused(f"[translation] url: {url!r} is no https://HOST[:PORT][/PATH]; write it so")
    if parts.scheme == "http" and not is_loopback(host) and not settings.allow_insecure:
        raise TranslationRefused(
            f"[translation] url: {url} is off this host without TLS, and letters would travel in the clear; use https:// or "
            "set allow_insecure = true"
        )
    key = read_secret("[translation] key_file", settings.key_file, TranslationRefused) if settings.key_file else ""
    return Endpoint(url, key, _tls(settings) if parts.scheme == "https" else None)


def is_loopback(host: str) -> bool:
    """Does the name or address stay on this host?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _tls(settings: TranslationSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or "it holds no certificate"
        raise TranslationRefused(
            f"[translation] ca_file: {Path(settings.ca_file)} can't be used: {reason}; name a PEM file"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context

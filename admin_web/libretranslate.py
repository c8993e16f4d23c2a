# SPDX-License-Identifier: GPL-3.0-or-later
"""A translator that speaks LibreTranslate's interface (POST /translate), as the company runs it itself.

The endpoint is not trusted either: its answer is bounded in time and size, follows nobody elsewhere, and is shown as text.
"""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import BoundedSemaphore, Event, Timer
from typing import Any
from urllib.parse import urlsplit

from tradepost.settings import TranslationSettings
from tradepost.translation import Endpoint, Translation, TranslationError, Translator, read_endpoint

_AT_A_TIME = 2  # pages have eight threads: a slow endpoint must not take them all
_MAX_ANSWER_OCTETS = 1 << 20
_LONGEST_REASON = 200


def make_translator(settings: TranslationSettings) -> Translator | None:
    """Return the translator that the settings name, or None.  Raises TranslationRefused."""
    return LibreTranslate(read_endpoint(settings), settings) if settings.url else None


class LibreTranslate:
    """Implements `tradepost.translation.Translator`."""

    def __init__(self, endpoint: Endpoint, settings: TranslationSettings) -> None:
        self._endpoint = endpoint
        self._seconds = settings.timeout_seconds
        self._max_chars = settings.max_chars
        self._free = BoundedSemaphore(_AT_A_TIME)

    def translate(self, text: str, source: str | None, target: str) -> Translation:
        """Translate the beginning of a text, as much as the settings allow.  Raises TranslationError."""
        wish = {"q": text[: self._max_chars], "source": source or "auto", "target": target, "format": "text"}
        if self._endpoint.key:
            wish["api_key"] = self._endpoint.key
        if not self._free.acquire(blocking=False):
            raise TranslationError(f"{self._endpoint.url}: is busy with other letters; try again in a few seconds")
        try:
            status, answer = self._ask(json.dumps(wish).encode("utf-8", "replace"))
        finally:
            self._free.release()
        return self._read(status, answer)

    def _ask(self, body: bytes) -> tuple[int, bytes]:
        url = urlsplit(self._endpoint.url)
        host, port = url.hostname or "", url.port
        connection = (
            http.client.HTTPSConnection(host, port, timeout=self._seconds, context=self._endpoint.tls)
            if self._endpoint.tls is not None
            else http.client.HTTPConnection(host, port, timeout=self._seconds)
        )
        is_late = Event()
        try:
            with closing(connection):
                connection.connect()
                with _cut_off(connection.sock, self._seconds, is_late):
                    headers = {"Content-Type": "application/json", "Accept": "application/json"}
                    connection.request("POST", f"{url.path}/translate", body, headers)
                    with connection.getresponse() as response:  # it may keep the line open by itself
                        status, answer = response.status, response.read(_MAX_ANSWER_OCTETS + 1)
        except (OSError, http.client.HTTPException) as error:
            if is_late.is_set() or isinstance(error, TimeoutError):
                raise self._late() from error
            raise TranslationError(f"{self._endpoint.url}: {_reason(error)}; {_START}") from error
        if is_late.is_set():
            raise self._late()
        if len(answer) > _MAX_ANSWER_OCTETS:
            raise TranslationError(f"{self._endpoint.url}: its answer is longer than any letter; {_LOOK}")
        return status, answer

    def _late(self) -> TranslationError:
        return TranslationError(
            f"{self._endpoint.url}: gave no answer within {self._seconds:g} s; try again, or raise [translation] timeout_seconds"
        )

    def _read(self, status: int, answer: bytes) -> Translation:
        try:
            said: Any = json.loads(answer)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            said = {}
        text, reason = said.get("translatedText"), said.get("error")
        if status == http.client.OK and isinstance(text, str):
            found = said.get("detectedLanguage")
            language = found.get("language") if isinstance(found, dict) else None
            return Translation(text, language[:12] if isinstance(language, str) else "")
        if isinstance(reason, str) and reason.strip():
            line = "".join(sign if sign.isprintable() else " " for sign in reason[:_LONGEST_REASON])
            raise TranslationError(f"{self._endpoint.url}: refused (status {status}): {line}; {_LOOK}")
        raise TranslationError(f"{self._endpoint.url}: answered status {status} and no translation; {_LOOK}")


@contextmanager
def _cut_off(sock: socket.socket, seconds: float, is_late: Event) -> Iterator[None]:
    """Shut the line when the time is up: a timeout of the socket alone lets an answer drip in for ever."""

    def shut() -> None:
        is_late.set()
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = Timer(seconds, shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


_START = "see that it runs and that [translation] url is right"
_LOOK = "see its own log, [translation] url and key_file"


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}; [translation] ca_file names its CA)"
    if isinstance(error, socket.gaierror):
        return "there is no host of that name"
    return getattr(error, "strerror", None) or "it speaks no HTTP"

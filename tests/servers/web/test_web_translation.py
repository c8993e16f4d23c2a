# SPDX-License-Identifier: GPL-3.0-or-later
"""The translation aid: offered where it is configured, beside the original, with a fake endpoint that behaves and misbehaves."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from certificates import make_certificates
from flask import Flask
from flask.testing import FlaskClient
from web_company import Clock, Company, SignIn, form_key

from admin_web.app import create_app
from admin_web.libretranslate import make_translator
from crm_sync.database import Database
from tradepost.settings import Settings, TranslationSettings
from tradepost.translation import Translation, TranslationError, Translator

SPANISH = "Necesitamos 500 llaves <b>inglesas</b>."


class Endpoint:
    """A private HTTP server: keeps what it was asked and answers as `answer` says."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = say({"translatedText": "We need 500 <i>wrenches</i>."})
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint.paths.append(self.path)
                endpoint.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                endpoint.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def translator(self, **settings: object) -> Translator:
        """Return a translator that asks this endpoint."""
        made = make_translator(TranslationSettings.model_validate({"url": self.url, "timeout_seconds": 1, **settings}))
        assert made is not None
        return made


def say(
    answer: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()
) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with JSON."""

    def do(handler: BaseHTTPRequestHandler) -> None:
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        handler.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return do


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.close()


@pytest.fixture
def app(settings: Settings, database: Database, clock: Clock, endpoint: Endpoint) -> Flask:
    """The web room with the endpoint configured."""
    translation = TranslationSettings(url=f"{endpoint.url}/api/", timeout_seconds=1)
    return create_app(settings.model_copy(update={"translation": translation}), database, clock=clock)


def translate(browser: FlaskClient, entry_id: str, language: str = "en") -> tuple[int, str]:
    """Click the button of a mail's page."""
    page = browser.get(f"/mails/{entry_id}", headers={"Accept-Language": language})
    answer = browser.post(
        f"/mails/{entry_id}/translation",
        data={"csrf_token": form_key(page.text)},
        headers={"Accept-Language": language},
    )
    return answer.status_code, answer.text


def test_the_translation_stands_beside_the_original_and_is_text(
    company: Company, sign_in: SignIn, endpoint: Endpoint
) -> None:
    entry_id = company.add_letter(owner="li.na", subject="Llaves", text=SPANISH)
    browser = sign_in("li.na")
    assert "Translate</button>" in browser.get(f"/mails/{entry_id}").text
    assert endpoint.asked == []  # nothing leaves before somebody asks for it

    status, page = translate(browser, entry_id)

    assert status == 200
    assert "500 llaves &lt;b&gt;inglesas&lt;/b&gt;" in page
    assert "We need 500 &lt;i&gt;wrenches&lt;/i&gt;." in page
    assert page.index("500 llaves") < page.index("We need 500")
    assert endpoint.asked == [{"q": f"Llaves\n\n{SPANISH}", "source": "es", "target": "en", "format": "text"}]
    assert endpoint.paths == ["/api/translate"]


def test_a_chinese_page_wants_chinese(company: Company, sign_in: SignIn, endpoint: Endpoint) -> None:
    entry_id = company.add_letter(owner="li.na", text=SPANISH)
    endpoint.answer = say({"translatedText": "我们需要500把扳手。"})

    _, page = translate(sign_in("li.na"), entry_id, "zh-CN")

    assert endpoint.asked[0]["target"] == "zh"
    for word in ("译文", "再次翻译", "我们需要500把扳手。"):
        assert word in page, word


def test_a_stranger_translates_nothing(company: Company, sign_in: SignIn, endpoint: Endpoint) -> None:
    entry_id = company.add_letter(owner="li.na", text=SPANISH)
    mine = company.add_letter(owner="zhao", text="Mine")
    browser = sign_in("zhao")
    key = form_key(browser.get(f"/mails/{mine}").text)

    answer = browser.post(f"/mails/{entry_id}/translation", data={"csrf_token": key})

    assert answer.status_code == 404
    assert "llaves" not in answer.text
    assert endpoint.asked == []


def test_without_the_forms_key_nothing_leaves(company: Company, sign_in: SignIn, endpoint: Endpoint) -> None:
    entry_id = company.add_letter(owner="li.na", text=SPANISH)

    assert sign_in("li.na").post(f"/mails/{entry_id}/translation").status_code == 400
    assert endpoint.asked == []


def test_of_an_envelope_there_is_nothing_to_translate(company: Company, sign_in: SignIn, endpoint: Endpoint) -> None:
    entry_id = company.add_envelope()
    browser = sign_in("chen")
    page = browser.get(f"/mails/{entry_id}").text

    assert "Translate</button>" not in page
    assert browser.post(f"/mails/{entry_id}/translation", data={"csrf_token": form_key(page)}).status_code == 404
    assert endpoint.asked == []


@pytest.mark.parametrize(("language", "words"), [("en", "It could not be translated."), ("zh-CN", "无法翻译。")])
def test_an_endpoint_that_is_down_is_a_line_above_the_letter(
    company: Company, sign_in: SignIn, endpoint: Endpoint, language: str, words: str
) -> None:
    entry_id = company.add_letter(owner="li.na", text=SPANISH)
    endpoint.answer = say({"error": "Slowdown: <script>too</script> many"}, 429)

    status, page = translate(sign_in("li.na"), entry_id, language)

    assert status == 502
    assert words in page
    assert "Slowdown: &lt;script&gt;too" in page
    assert "500 llaves" in page  # the letter is still there


def test_a_long_letter_is_translated_in_part(settings: Settings, database: Database, endpoint: Endpoint) -> None:
    translator = endpoint.translator(max_chars=100)

    translator.translate("x" * 500, None, "en")

    assert endpoint.asked == [{"q": "x" * 100, "source": "auto", "target": "en", "format": "text"}]


def test_the_page_says_that_only_the_beginning_was_translated(
    company: Company, sign_in: SignIn, endpoint: Endpoint
) -> None:
    entry_id = company.add_letter(owner="li.na", text="palabra " * 2_000)

    assert "Only the beginning was translated." in translate(sign_in("li.na"), entry_id)[1]


def test_the_key_travels_in_the_body(endpoint: Endpoint, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("s3cret")
    file.chmod(0o600)

    endpoint.translator(key_file=str(file)).translate("hola", "es", "en")

    assert endpoint.asked[0]["api_key"] == "s3cret"
    assert "s3cret" not in endpoint.paths[0]


def test_who_says_the_language(endpoint: Endpoint) -> None:
    endpoint.answer = say({"translatedText": "hello", "detectedLanguage": {"language": "es", "confidence": 90}})

    assert endpoint.translator().translate("hola", None, "en") == Translation("hello", "es")


def _drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(40):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)
    except OSError:
        return


def _close(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (say({"translatedText": 7}), "status 200 and no translation"),
        (say(b"<html>"), "status 200 and no translation"),
        (say(b"[" * 5_000), "status 200 and no translation"),
        (say(b"\xff\xfe"), "status 200 and no translation"),
        (say({"error": "Invalid\r\nAPI key"}, 403), r"refused \(status 403\): Invalid  API key"),
        (say({}, 500), "status 500 and no translation"),
        (say({}, 302, (("Location", "http://127.0.0.1:1/"),)), "status 302 and no translation"),
        (say(b" " * 1_200_000), "longer than any letter"),
        (_close, "it speaks no HTTP"),
        (_drip, "no answer within 1 s"),
        (lambda _: time.sleep(1.5), "no answer within 1 s"),
    ],
    ids=["number", "html", "deep", "binary", "key", "broken", "elsewhere", "endless", "closed", "drip", "silent"],
)  # fmt: skip
def test_a_bad_answer_is_one_line(
    endpoint: Endpoint, answer: Callable[[BaseHTTPRequestHandler], None], words: str
) -> None:
    endpoint.answer = answer
    started = time.monotonic()

    with pytest.raises(TranslationError, match=words) as caught:
        endpoint.translator().translate("hola", "es", "en")

    assert "\n" not in str(caught.value)
    assert endpoint.url in str(caught.value)
    assert time.monotonic() - started < 3


def test_nobody_listens(endpoint: Endpoint) -> None:
    with pytest.raises(TranslationError, match=r"Connection refused; see that it runs"):
        endpoint.translator(url="http://127.0.0.1:9").translate("hola", "es", "en")


def test_more_clicks_than_it_bears_are_told_to_wait(endpoint: Endpoint) -> None:
    waiting = threading.Event()

    def hold(handler: BaseHTTPRequestHandler) -> None:
        waiting.wait(5)
        say({"translatedText": "late"})(handler)

    endpoint.answer = hold
    translator = endpoint.translator(timeout_seconds=10)
    busy = [threading.Thread(target=translator.translate, args=("hola", "es", "en")) for _ in range(2)]
    for thread in busy:
        thread.start()
    while len(endpoint.asked) < len(busy):
        time.sleep(0.01)
    with pytest.raises(TranslationError, match="is busy"):
        translator.translate("hola", "es", "en")
    waiting.set()
    for thread in busy:
        thread.join()
    endpoint.answer = say({"translatedText": "now"})
    assert translator.translate("hola", "es", "en").text == "now"


def test_a_certificate_must_be_trusted(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.certificate, made.key)
    endpoint = Endpoint(tls)
    try:
        assert endpoint.translator(ca_file=str(made.authority)).translate("hola", "es", "en").text
        with pytest.raises(TranslationError, match="certificate is not trusted"):
            endpoint.translator().translate("hola", "es", "en")
    finally:
        endpoint.close()


class _Echo:
    """Another translator than the settings name: what a site plugs in."""

    def translate(self, text: str, source: str | None, target: str) -> Translation:
        return Translation(f"{source}>{target}: {text.upper()}")


def test_another_translator_can_be_plugged_in(
    settings: Settings, database: Database, clock: Clock, company: Company
) -> None:
    app = create_app(settings, database, clock=clock, translator=_Echo())
    with app.test_request_context():
        assert app.extensions["tradepost"].translator.translate("hola", "es", "en").text == "es>en: HOLA"

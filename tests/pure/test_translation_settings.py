# SPDX-License-Identifier: GPL-3.0-or-later
"""Where letters may travel to be translated: [translation] as it is judged before anything is opened."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from tradepost import cli
from tradepost.settings import Settings, TranslationSettings
from tradepost.translation import TranslationRefused, is_loopback, read_endpoint


def test_by_default_nothing_is_translated() -> None:
    assert Settings().translation.url == ""


@pytest.mark.parametrize(
    ("url", "judged"),
    [
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("http://localhost:5000/api/", "http://localhost:5000/api"),
        ("https://translate.example", "https://translate.example"),
    ],
)
def test_what_may_be_used(url: str, judged: str) -> None:
    endpoint = read_endpoint(TranslationSettings(url=url))

    assert (endpoint.url, endpoint.key) == (judged, "")
    assert (endpoint.tls is not None) is judged.startswith("https")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://translate.example:5000", "without TLS"),
        ("http://192.0.2.7", "without TLS"),
        ("https://me:secret@translate.example", "no place in a URL"),
        ("https://translate.example/?key=1", "is no https://HOST"),
        ("https://", "is no https://HOST"),
        ("https://translate.example:port", "is no URL"),
        ("https://[::1", "is no URL"),
    ],
)
def test_what_is_refused(url: str, words: str) -> None:
    with pytest.raises(TranslationRefused, match=words) as caught:
        read_endpoint(TranslationSettings.model_construct(**{**TranslationSettings().model_dump(), "url": url}))

    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_insecure_endpoint_is_an_explicit_choice() -> None:
    settings = TranslationSettings(url="http://translate.example:5000", allow_insecure=True)

    assert read_endpoint(settings).url == "http://translate.example:5000"


def test_the_key_lies_in_a_file_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("s3cret\n")
    file.chmod(0o600)
    settings = TranslationSettings(url="https://translate.example", key_file=str(file))

    assert read_endpoint(settings).key == "s3cret"
    file.chmod(0o644)
    with pytest.raises(TranslationRefused, match="open to everybody"):
        read_endpoint(settings)


def test_a_missing_or_foreign_authority_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("missing.pem", "empty.pem"):
        settings = TranslationSettings(url="https://translate.example", ca_file=str(tmp_path / name))
        with pytest.raises(TranslationRefused, match="ca_file"):
            read_endpoint(settings)


@pytest.mark.parametrize("url", ["ftp://x.example", "127.0.0.1:5000", "http://"])
def test_another_scheme_is_a_mistake_of_the_settings(url: str) -> None:
    with pytest.raises(ValidationError):
        TranslationSettings(url=url)


def test_settings_check_names_it(tmp_path: Path) -> None:
    file = tmp_path / "tradepost.toml"
    file.write_text('[translation]\nurl = "http://translate.example"\n')

    result = CliRunner().invoke(cli.root, ["--config", str(file), "settings", "check"])

    assert result.exit_code == TranslationRefused.exit_code
    assert "[translation] url: http://translate.example is off this host without TLS" in result.stderr


def test_loopback_is_told_by_address_not_by_look() -> None:
    assert is_loopback("127.9.9.9")
    assert is_loopback("::1")
    assert not is_loopback("localhost.example")
    assert not is_loopback("127.0.0.1.example")

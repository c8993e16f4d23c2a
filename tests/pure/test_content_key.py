# SPDX-License-Identifier: GPL-3.0-or-later
"""The same letter has the same key whatever the way did to it; another letter never has."""

import pytest

from crm_sync.content_key import content_key
from tradepost.mime_reading import parse_message

LETTER = (
    b"From: Buyer <buyer@acme.example>\r\nTo: sales@own.example\r\nDate: Mon, 2 Mar 2026 08:00:00 +0000\r\n"
    b"Message-ID: <1@acme.example>\r\nSubject: Request for 500 pieces\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"Gr\xc3\xbc\xc3\x9fe = 1\r\n\r\n--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment; filename=offer.pdf\r\n\r\nJVBERi0=\r\n--b--\r\n"
)


def key(raw: bytes) -> str:
    return content_key(parse_message(raw, payloads=True))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"Received: from a by b\r\nReturn-Path: <x@y>\r\n" + LETTER, id="trace fields"),
        pytest.param(b"X-Tradepost-Priority: urgent\r\nDelivered-To: info@own.example\r\n" + LETTER, id="our marks"),
        pytest.param(
            LETTER.replace(b"8bit", b"quoted-printable").replace(b"Gr\xc3\xbc\xc3\x9fe = 1", b"Gr=C3=BC=C3=9Fe =3D 1"),
            id="another transfer encoding",
        ),
        pytest.param(LETTER.replace(b"JVBERi0=", b"JVBE\r\nRi0="), id="base64 folded otherwise"),
        pytest.param(LETTER.replace(b"Request for 500", b"Request\r\n for 500"), id="a folded subject"),
        pytest.param(LETTER.replace(b"= 1\r\n", b"= 1  \r\n"), id="white space at the line end"),
        pytest.param(LETTER.replace(b"To: sales@", b"To: info@"), id="a copy to another pool"),
    ],
)
def test_what_the_way_changes_leaves_the_key(raw: bytes) -> None:
    assert raw != LETTER
    assert key(raw) == key(LETTER)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<1@acme.example>", b"<2@acme.example>"),
        (b"buyer@acme.example", b"buyer@acme.test"),
        (b"08:00:00", b"08:00:01"),
        (b"500 pieces", b"600 pieces"),
        (b"= 1", b"= 2"),
        (b"JVBERi0=", b"JVBESi0="),
        (b"application/pdf", b"application/zip"),
    ],
)
def test_what_the_writer_changes_changes_the_key(old: bytes, new: bytes) -> None:
    assert key(LETTER.replace(old, new)) != key(LETTER)


def test_fields_do_not_run_together() -> None:
    one = LETTER.replace(b"<1@acme.example>", b"<1@acme.examplebuyer@acme.example>").replace(
        b"Buyer <buyer@acme.example>", b""
    )
    assert key(one) != key(LETTER)


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"no header at all", b"Subject: x\r\n\r\n"])
def test_a_letter_of_almost_nothing_has_a_key(raw: bytes) -> None:
    assert len(key(raw)) == 64

# SPDX-License-Identifier: GPL-3.0-or-later
"""What Outlook's Thread-Index says, and what a hostile one does not."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sync.conversations.letter_ids import REFERENCES_KEPT, read_letter_ids
from tradepost.directory import id_digest
from tradepost.mime_reading import parse_message
from tradepost.thread_index import read_thread_index

HEADER = b"\x01" + bytes(range(40, 61))
OTHER = b"\x01" + bytes(range(60, 81))


def index(data: bytes) -> str:
    return b64encode(data).decode()


def test_a_thread_shares_its_header_and_knows_its_first_letter() -> None:
    first, answer = read_thread_index(index(HEADER)), read_thread_index(index(HEADER + b"child" * 3))
    other = read_thread_index(index(OTHER))
    assert first is not None
    assert answer is not None
    assert other is not None
    assert (first.is_first, answer.is_first) == (True, False)
    assert (first.digest, first.first_digest) == (answer.digest, answer.first_digest)
    assert len({first.digest, first.first_digest, other.digest, other.first_digest}) == 4


def test_a_folded_value_is_read() -> None:
    text = index(HEADER + b"child" * 30)
    assert read_thread_index(f"{text[:60]}\r\n {text[60:]}") == read_thread_index(text)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "=",
        "AQ==",
        "not base64!",
        "ä" * 32,
        index(HEADER[:-1]),
        index(HEADER + b"chil"),
        index(b"\x02" + HEADER[1:]),
        index(b"\x01" + bytes(21)),
        index(HEADER[:6] + b"\xff" * 16),
        index(HEADER + b"child" * 2_000),
        index(HEADER) + "AAAA",
        "A" * 1_000_000,
    ],
)
def test_what_outlook_never_wrote_says_nothing(value: str) -> None:
    assert read_thread_index(value) is None


@given(st.text() | st.binary().map(index))
def test_nothing_raises(value: str) -> None:
    found = read_thread_index(value)
    assert found is None or len(found.digest) == 32


def letter(head: str, body: str = "text") -> bytes:
    return f"{head}\r\n\r\n{body}\r\n".encode()


def test_a_letter_names_its_newest_reference_first_then_those_of_letters_inside() -> None:
    inside = "Message-ID: <m@in>\r\nReferences: <a@in>\r\nTo: Bo <BO@acme.example>, x\r\n\r\nhello"
    raw = letter(
        "Message-ID: <own@x>\r\nIn-Reply-To: <new@x>\r\nReferences: <old@x> <new@x> <own@x>\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"',
        f"--b\r\nContent-Type: text/plain\r\n\r\nsee\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n{inside}\r\n--b--",
    )
    ids = read_letter_ids(parse_message(raw, payloads=True))
    assert ids.own == id_digest("<own@x>")
    assert list(ids.references) == [id_digest(one) for one in ("<new@x>", "<old@x>", "<m@in>", "<a@in>")]
    assert ids.encloses
    assert ids.enclosed_recipients == {"bo@acme.example"}
    assert ids.anchors == {ids.own, *ids.references}


def test_many_ids_and_many_letters_inside_are_bounded() -> None:
    inside = "".join(
        f"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <{n}@in>\r\nTo: {','.join(f'p{k}@x.example' for k in range(900))}"
        "\r\n\r\nx\r\n"
        for n in range(30)
    )
    head = "References: " + " ".join(f"<{n}@x>" for n in range(150))
    raw = letter(f'{head}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"', f"{inside}--b--")
    ids = read_letter_ids(parse_message(raw, payloads=True))
    assert len(ids.references) == REFERENCES_KEPT
    assert ids.references[0] == id_digest("<149@x>")
    assert len(ids.enclosed_recipients) == 50


def test_a_thread_index_stands_beside_the_ids() -> None:
    first = read_letter_ids(parse_message(letter(f"Thread-Index: {index(HEADER)}\r\nMessage-ID: <1@x>")))
    answer = read_letter_ids(parse_message(letter(f"Thread-Index: {index(HEADER + b'child')}\r\nMessage-ID: <2@x>")))
    assert first.thread is not None
    assert first.anchors == {first.own, first.thread.digest, first.thread.first_digest}
    assert answer.anchors == {answer.own, first.thread.digest}
    assert answer.asked == answer.anchors | {first.thread.first_digest}

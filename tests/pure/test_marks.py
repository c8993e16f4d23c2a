# SPDX-License-Identifier: GPL-3.0-or-later
"""Header edits: what comes out of hostile values, what goes in, and in which order."""

from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradepost.suspicion import WEIGHTS
from tradepost.verdict import ActionKind, Direction, Labels, Priority, Verdict
from tradepost_milter.marks import (
    ID_FIELD,
    SEAL_FIELD,
    VALUE_LIMIT,
    carries_own_seal,
    header_value,
    identity_marks,
    inbound_marks,
    remove_marks,
    seal,
    signed_names,
    urgency_marks,
)

KEY = b"k" * 32


@given(st.text(max_size=6000))
def test_a_value_is_one_short_printable_line(text: str) -> None:
    value = header_value(text)
    assert value.isascii()
    assert value.isprintable()
    assert len(value) <= 200


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a\r\nX-Injected: 1", id="injection"),
        pytest.param("nul\x00byte", id="nul"),
        pytest.param("lone \ud800 surrogate", id="surrogate"),
        pytest.param("x" * 5000, id="5-kB"),
    ],
)
def test_hostile_text_can_be_written_as_a_header(text: str) -> None:
    value = header_value(text)
    value.encode("ascii")
    assert not set(value) & set("\r\n\x00")
    assert len(value) <= 200


def test_chinese_survives_as_an_encoded_word() -> None:
    assert str(make_header(decode_header(header_value("王芳 询价")))) == "王芳 询价"


def test_every_foreign_mark_goes_highest_occurrence_first() -> None:
    fields = [
        (b"X-Tradepost-Priority", b" urgent"),
        (b"Subject", b" hi"),
        (b"x-tradepost-PRIORITY ", b" low"),
        (b"X-Tradepost-Owner", b" me\n you"),
        (b"X-Tradepost-", b""),
    ]
    found = [(action.name, action.index) for action in remove_marks(fields)]
    assert found == [
        ("x-tradepost-priority", 2),
        ("x-tradepost-priority", 1),
        ("x-tradepost-owner", 1),
        ("x-tradepost-", 1),
    ]


def test_signed_names_are_read_from_folded_signatures() -> None:
    fields = [(b"DKIM-Signature", b" v=1; a=rsa-sha256; h=From:Subject:\n\tX-Priority : date; bh=x")]
    assert signed_names(fields) == {b"from", b"subject", b"x-priority", b"date"}


@pytest.mark.parametrize(
    ("signed", "expected"),
    [
        pytest.param(b"", ["X-Priority", "Importance"], id="unsigned"),
        pytest.param(b" v=1; h=from:x-priority; b=", ["Importance"], id="x-priority-signed"),
        pytest.param(b" v=1; h=importance:x-priority:x-priority; b=", [], id="both-oversigned"),
    ],
)
def test_urgency_fields_leave_signed_ones_alone(signed: bytes, expected: list[str]) -> None:
    fields = [(b"DKIM-Signature", signed)] if signed else []
    assert [action.name for action in urgency_marks(fields, Priority.URGENT)] == expected


def test_the_senders_own_urgency_is_replaced() -> None:
    actions = urgency_marks([(b"x-priority", b" 1"), (b"X-Priority", b" 1")], Priority.LOW)
    assert [(a.kind, a.name, a.index) for a in actions[:3]] == [
        (ActionKind.REMOVE_HEADER, "X-Priority", 2),
        (ActionKind.REMOVE_HEADER, "X-Priority", 1),
        (ActionKind.INSERT_HEADER, "X-Priority", 1),
    ]


def test_the_id_is_the_last_edit() -> None:
    verdict = Verdict(Direction.INBOUND, Labels("inquiry", 0.9, Priority.HIGH), reasons=("model",))
    actions = inbound_marks(KEY, "01ABC", verdict, [(b"From", b" a@b.example")])
    assert [actions[-2].name, actions[-1].name] == [SEAL_FIELD, ID_FIELD]
    assert actions[-1].value == "01ABC"
    assert all(action.value for action in actions if action.kind is not ActionKind.REMOVE_HEADER)


def test_what_is_not_known_gets_no_field() -> None:
    actions = inbound_marks(KEY, "01ABC", Verdict(Direction.INBOUND), [])
    assert [action.name for action in actions] == ["X-Tradepost-Reason", SEAL_FIELD, ID_FIELD]


def _marked(entry_id: str, fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    marks = [(a.name.encode(), b" " + a.value.encode()) for a in identity_marks(KEY, entry_id, fields)]
    return [*fields, *marks]


def test_our_own_letter_is_known_again() -> None:
    letter = [(b"From", b" a@b.example"), (b"Message-ID", b" <1@b>"), (b"Subject", b" x")]
    assert carries_own_seal(KEY, _marked("01ABC", letter))


def test_a_seal_carried_over_to_another_letter_is_worth_nothing() -> None:
    letter = [(b"From", b" a@b.example"), (b"Message-ID", b" <1@b>")]
    stolen = _marked("01ABC", letter)[-2:]
    assert not carries_own_seal(KEY, [(b"From", b" thief@x.example"), (b"Message-ID", b" <1@b>"), *stolen])
    assert not carries_own_seal(b"z" * 32, _marked("01ABC", letter))
    assert not carries_own_seal(KEY, letter)
    assert seal(KEY, "01ABC", letter) != seal(KEY, "01ABD", letter)


def _warning(labels: Labels) -> str | None:
    actions = inbound_marks(b"k", "E", Verdict(Direction.INBOUND, labels), ())
    return next((action.value for action in actions if action.name == "X-Tradepost-Warning"), None)


def test_weak_signs_of_fraud_get_no_field() -> None:
    assert _warning(Labels(warnings=("throwaway-domain",), warning_score=0.35)) is None
    assert _warning(Labels(warnings=("looks-like-us",), warning_score=0.85)) == "looks-like-us"


def test_a_long_list_of_signs_ends_at_a_whole_name() -> None:
    value = _warning(Labels(warnings=tuple(WEIGHTS), warning_score=1.0)) or ""
    assert len(value) <= VALUE_LIMIT
    assert set(value.split()) < set(WEIGHTS)

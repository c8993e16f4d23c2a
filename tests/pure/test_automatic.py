# SPDX-License-Identifier: GPL-3.0-or-later
"""Automatic mail against people: real header combinations, one line each in tests/golden/automatic.tsv (trap 8)."""

from pathlib import Path

import pytest

from classifiers.automatic import is_robot_address, read_automation
from tradepost.mime_reading import parse_message

TABLE = Path(__file__).parent.parent / "golden" / "automatic.tsv"


def _cases() -> list[list[str]]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def _letter(subject: str, sender: str, headers: str, text: str) -> bytes:
    fields = [f"From: {sender}", f"Subject: {subject}", *(field for field in headers.split("|") if field)]
    return ("\r\n".join(fields) + "\r\n\r\n" + text).encode()


def test_the_table_is_large_enough() -> None:
    assert len(_cases()) >= 40


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case[0])
def test_headers_tell_robots_from_people(case: list[str]) -> None:
    _, expected, subject, sender, headers, text = case
    message = parse_message(_letter(subject, sender, headers, text))

    automation = read_automation(message, message.text)

    if expected == "human":
        assert (automation.is_automatic, automation.reason) == (False, None)
    elif expected == "platform-relay":
        assert (automation.is_automatic, automation.is_relay) == (False, True)
    else:
        assert automation.is_automatic
        assert automation.reason == expected


@pytest.mark.parametrize(
    ("sender", "automatic"),
    [("", True), ("ann@buyer.example", False), (None, False)],
    ids=["null", "person", "unknown"],
)
def test_the_null_sender_is_a_robot(sender: str | None, automatic: bool) -> None:
    message = parse_message(b"From: ann@buyer.example\r\nSubject: Your mail\r\n\r\nIt was not delivered.")

    assert read_automation(message, message.text, sender).is_automatic is automatic


@pytest.mark.parametrize(
    "address", ["noreply@x.example", "no-reply@x.example", "shop.noreply@x.example", "MAILER-DAEMON@x"]
)
def test_robots_have_names(address: str) -> None:
    assert is_robot_address(address)


@pytest.mark.parametrize("address", ["ann@x.example", "information@x.example", "alertis.b@x.example", ""])
def test_people_have_names(address: str) -> None:
    assert not is_robot_address(address)

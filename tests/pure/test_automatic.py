# SPDX-License-Identifier: GPL-3.0-or-later
"""Automatic mail against people: real header combinations, one line each in tests/golden/automatic.tsv (trap 8)."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from classifiers.analyst import TradeAnalyst
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


@pytest.mark.parametrize(
    ("subject", "headers", "text"),
    [
        (
            "AUTO: clutch sets",
            (),
            "We need 200 clutch sets a month for VW and Ford. Please quote your best price, FOB.\nBoris",
        ),
        ("Ausencia de cajas", (), "Estimados, hay ausencia de 3 cajas en el contenedor. Favor revisar.\nLuis"),
        (
            "Read: order 4471",
            (),
            "We take the 40 pumps at USD 31 and change line 2 of the order to 60. Send the PI.\nAnn",
        ),
        ("Order 40 pumps", ("Auto-Submitted: auto-generated",), "We take the 40 pumps at USD 31. Send the PI.\nAnn"),
        (
            "Re: [Ticket#4711] Pump",
            ("Precedence: bulk", "In-Reply-To: <1@us.example>"),
            "The pump does not start. Which fuse do we need?\nService desk",
        ),
    ],
)
def test_words_that_only_a_person_writes_outweigh_a_machines_sign(
    analyst: TradeAnalyst, subject: str, headers: tuple[str, ...], text: str
) -> None:
    raw = "\r\n".join(("From: Ann Lee <ann@buyer.example>", f"Subject: {subject}", *headers, "", text)).encode()

    labels = analyst.label(parse_message(raw), datetime.now(UTC))

    assert not labels.is_automatic
    assert labels.category != "automatic"


@pytest.mark.parametrize(
    ("subject", "headers", "text"),
    [
        (
            "Out of Office: RFQ bolts",
            (),
            "I'm at the fair in Cologne and answer on Monday. Orders: orders@firm.example",
        ),
        ("부재중: 견적", (), "12월 5일까지 출장입니다. 급한 주문은 김대리에게 연락 바랍니다."),
        ("خارج المكتب", (), "سأعود يوم 5 ديسمبر. للطلبات العاجلة اتصل بالسيد علي."),
        ("Read: Price list", (), "Your message was read on 22.11.2026 08:00."),
        (
            "Payment received",
            ("Auto-Submitted: auto-generated",),
            "We have credited USD 4,000.00 to your account 4711.",
        ),
        ("Stock report", ("Auto-Submitted: auto-generated",), "Warehouse 3: 417 pallets, 2 blocked."),
    ],
)
def test_a_machines_sign_holds_where_the_words_do_not_contradict(
    analyst: TradeAnalyst, subject: str, headers: tuple[str, ...], text: str
) -> None:
    raw = "\r\n".join(("From: Ann Lee <ann@buyer.example>", f"Subject: {subject}", *headers, "", text)).encode()

    assert analyst.label(parse_message(raw), datetime.now(UTC)).is_automatic


def test_a_postmaster_who_asks_is_a_person() -> None:
    raw = (
        b"From: Joe <postmaster@buyer.example>\r\nSubject: Re: your quotation\r\nIn-Reply-To: <1@us.example>\r\n\r\n"
        b"Your mails were blocked, now they come through. Can you send the quotation again?"
    )
    message = parse_message(raw)

    assert read_automation(message, message.text).reason is None

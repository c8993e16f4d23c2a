# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole letters in, labels and facts out; within its bounds whatever comes, from several threads, without a trace."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import entry_points
from time import perf_counter

import pytest

from classifiers.analyst import TradeAnalyst, load
from classifiers.linear_model import Opinion
from classifiers.priority import Urgency, read_priority
from classifiers.reading import read_letter
from tradepost.message import Message
from tradepost.mime_reading import parse_message
from tradepost.verdict import CATEGORIES, Labels, Priority

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def _letter(subject: str, text: str, *fields: str, sender: str = "Ann Lee <ann@buyer.example>") -> Message:
    head = "\r\n".join((f"From: {sender}", f"Subject: {subject}", "Content-Type: text/plain; charset=utf-8", *fields))
    return parse_message(f"{head}\r\n\r\n{text}".encode())


@pytest.mark.parametrize(
    ("category", "subject", "text"),
    [
        (
            "inquiry",
            "Inquiry water pumps",
            "Dear Sir, please send us your quotation, MOQ and price list for water pumps.",
        ),
        (
            "inquiry",
            "Anfrage",
            "Guten Tag, bitte senden Sie uns ein Angebot über 300 Pumpen mit Preisliste und Lieferzeit.",
        ),
        ("inquiry", "询价", "您好，请报一下这款水泵的价格和最小起订量，谢谢。"),
        (
            "sample",
            "Muestras",
            "Buenas tardes, necesitamos dos muestras antes de decidir, la muestra por DHL a nuestra cuenta.",
        ),
        (
            "order",
            "PO 4471",
            "Please find attached our purchase order 4471, kindly confirm the order and send the proforma.",
        ),
        ("payment", "入金のご連絡", "本日、残金を送金いたしました。振込の控えを添付しますので入金をご確認ください。"),
        (
            "logistics",
            "선적 서류",
            "컨테이너 선적 일정과 선하증권 사본을 보내 주세요. 포워더가 통관 서류를 기다립니다.",
        ),
        (
            "complaint",
            "Рекламация",
            "В партии брак: треснули корпуса, недостача 40 штук. Направляем претензию, просим компенсацию.",
        ),
        (
            "support",
            "Arıza",
            "Makine çalışmıyor, hata kodu E-07 veriyor. Yedek parça ve kullanım kılavuzu gönderir misiniz?",
        ),
        ("other", "Frohe Weihnachten", "Wir wünschen Ihnen frohe Weihnachten und einen guten Rutsch ins neue Jahr!"),
    ],
)
def test_plain_letters_of_every_kind(analyst: TradeAnalyst, category: str, subject: str, text: str) -> None:
    labels = analyst.label(_letter(subject, text), NOW)

    assert labels.category == category
    assert labels.confidence is not None
    assert 0 < labels.confidence <= 1
    assert "model" in labels.reasons
    assert labels.model


def test_list_mail_is_marketing(analyst: TradeAnalyst) -> None:
    labels = analyst.label(
        _letter("New machines", "See our new machines, special offer.", "List-Unsubscribe: <https://x.example>"), NOW
    )

    assert (labels.category, labels.priority, labels.is_automatic) == ("marketing", Priority.LOW, False)
    assert "list-mail" in labels.reasons


def test_a_bounce_is_known_by_its_envelope(analyst: TradeAnalyst) -> None:
    letter = _letter("Your mail", "It could not be delivered.")

    assert analyst.label(letter, NOW, sender="").category == "automatic"
    assert not analyst.label(letter, NOW, sender="ann@buyer.example").is_automatic


def test_a_platform_speaks_for_a_buyer(analyst: TradeAnalyst) -> None:
    letter = _letter(
        "New inquiry from Bob about pumps",
        "You have received a new inquiry.\nBuyer: Bob Stone\nCountry: Nigeria\nTel: +234 803 555 0129\nMessage:\n"
        "Please quote 200 pcs of water pumps CIF Apapa.\nReply now",
        "Reply-To: Bob Stone <bob@farm.example>",
        "Auto-Submitted: auto-generated",
        sender="TradePlaza <noreply@plaza.example>",
    )

    labels, extract = analyst.label(letter, NOW), analyst.extract(letter)

    assert (labels.category, labels.is_automatic, labels.country) == ("inquiry", False, "NG")
    assert extract.new_text == "Please quote 200 pcs of water pumps CIF Apapa."
    assert (extract.person, extract.phone, extract.incoterm) == ("Bob Stone", "+2348035550129", "CIF")
    assert (extract.quantity, extract.unit, extract.product) == (200, "pcs", "water pumps")


def test_facts_are_read_by_the_labels_in_force(analyst: TradeAnalyst) -> None:
    letter = _letter(
        "LED panels", "Hello, we saw your LED panels at the fair.\n\nBest regards,\nAnn Lee\nTel: 030 901820"
    )

    bare = analyst.extract(letter)
    known = analyst.extract(letter, Labels(category="inquiry", country="DE"))

    assert bare.phone is None  # nothing in the letter says how a number without a country is to be read
    assert (known.phone, known.product) == ("+4930901820", "LED panels")
    assert analyst.extract(letter, Labels(category="payment", country="DE")).product is None
    assert analyst.extract(letter, Labels()) == bare  # labels that know no category: all is found out here
    assert (known.new_text, known.signature, known.person) == (bare.new_text, bare.signature, bare.person)


def test_haste_with_harm_is_urgent(analyst: TradeAnalyst) -> None:
    labels = analyst.label(
        _letter("URGENT: stop loading", "Stop the shipment today! Customs blocked the container, wrong consignee on the B/L. "
                "If not corrected before 15:00 we pay demurrage and a penalty.", "In-Reply-To: <1@x.example>"),
        NOW,
    )  # fmt: skip

    assert labels.priority is Priority.URGENT
    assert labels.priority_reason in ("loss-within-hours", "deadline-within-hours", "subject-urgent")


def test_an_advertiser_in_a_hurry_is_not_urgent(analyst: TradeAnalyst) -> None:
    labels = analyst.label(
        _letter(
            "URGENT! Last places today", "Only today: 50% discount on booths. Book now!", "List-Id: <fair.example>"
        ),
        NOW,
    )

    assert labels.priority is Priority.LOW


def test_a_letter_passed_on_is_judged_by_what_it_holds(analyst: TradeAnalyst) -> None:
    text = "FYI\n\n---------- Forwarded message ---------\nFrom: Bob <bob@x.example>\nDate: Tue\nSubject: x\n\n"
    labels = analyst.label(
        _letter("Fwd: x", text + "The pump is broken and leaks, we want compensation for the damage."), NOW
    )

    assert labels.category == "complaint"


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        (("Reply-To: boss.example@gmail.com",), "answers-go-to-free-mail"),
        (('Content-Disposition: attachment; filename="invoice.html"',), "risky-attachment"),
    ],
)
def test_signs_of_fraud_are_named(analyst: TradeAnalyst, fields: tuple[str, ...], warning: str) -> None:
    assert warning in analyst.label(_letter("Invoice", "See the invoice.", *fields), NOW).warnings


def test_a_name_that_shows_another_address_is_a_sign_of_fraud(analyst: TradeAnalyst) -> None:
    letter = _letter("Bank", "Our bank account has changed.", sender='"ceo@exporter.example" <x@evil.example>')

    assert "name-shows-other-address" in analyst.label(letter, NOW).warnings


@pytest.mark.parametrize(
    "raw", [b"", b"\0" * 100, b"Subject: \xff\xfe\r\n\r\n\xff", b"From: <>\r\n\r\n", b"\r\n\r\n" + b"\xe2\x80\xae" * 50]
)
def test_whatever_comes_gets_labels(analyst: TradeAnalyst, raw: bytes) -> None:
    labels = analyst.label(parse_message(raw), NOW)

    assert labels.category in CATEGORIES
    assert labels.priority is not None
    analyst.extract(parse_message(raw))


HOSTILE = {
    "words": "a " * 10_000,
    "digits": "1" * 20_000,
    "telephones": "+49 30 1234567 " * 1_300,
    "prices": "USD 1,000.00 target price 300 pcs " * 600,
    "addresses": "a@b.example " * 1_600,
    "links": "https://x.icu/a " * 1_250,
    "closings": "Best regards\n" * 1_500,
    "attribution": "On " + "a " * 9_000 + "wrote:",
    "hanzi": "询价报价" * 5_000,
    "mixed": "询价 offer 見積 цена 가격 سعر ราคา giá " * 500,
    "cities": "Hamburg Rotterdam 上海 " * 900,
    "one line": "x" * 20_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_20_kB_of_anything_is_labelled_in_time(analyst: TradeAnalyst, name: str) -> None:
    message = Message(subject=HOSTILE[name][:500], text=HOSTILE[name])
    analyst.label(message, NOW)

    fastest = min(_seconds(analyst, message) for _ in range(3))

    assert fastest < 0.25  # the budget is 50 ms on a quiet machine; this catches what grows without end


def _seconds(analyst: TradeAnalyst, message: Message) -> float:
    started = perf_counter()
    analyst.label(message, NOW)
    return perf_counter() - started


def test_threads_agree(analyst: TradeAnalyst) -> None:
    letters = [
        _letter(f"PO {number}", f"Please confirm our order of {number} pumps, ref {number}.") for number in range(60)
    ]
    alone = [analyst.label(letter, NOW) for letter in letters]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda letter: analyst.label(letter, NOW), letters * 3))

    assert together == alone * 3


def test_the_analyst_is_found_by_its_entry_point() -> None:
    (point,) = entry_points(group="tradepost.parts", name="analyst")

    assert point.load() is load


def test_a_letter_may_be_read_once_for_labels_and_facts(analyst: TradeAnalyst) -> None:
    text = "Dear Amy,\n\nplease quote 300 pumps.\n\nBest regards,\nAnn Lee\nAcme Tools GmbH\n+49 30 1234567"
    letter = _letter("Inquiry", text)
    reading = read_letter(letter)
    assert analyst.label(letter, NOW, reading=reading) == analyst.label(letter, NOW)
    assert analyst.extract(letter, reading=reading) == analyst.extract(letter)


def test_what_may_be_an_advertisement_is_not_put_aside() -> None:
    """A buyer's short question is taken for one when the model knows no better; low mail is read last, or never."""
    opinion = Opinion((("low", 0.9), ("normal", 0.1), ("high", 0.0), ("urgent", 0.0)))
    assert read_priority("marketing", frozenset(), opinion, confidence=0.3) == Urgency(Priority.NORMAL, "unsure")
    assert read_priority("marketing", frozenset(), opinion, confidence=0.6).priority is Priority.LOW
    assert read_priority("automatic", frozenset(), opinion, confidence=0.3).priority is Priority.LOW


@pytest.mark.parametrize("body", ["", "\r\n\r\n", "???", "1234 5678", "\0\0\0"])
def test_a_mail_without_a_word_is_left_to_a_person(analyst: TradeAnalyst, body: str) -> None:
    raw = f"From: ann@buyer.example\r\n\r\n{body}".encode()

    labels = analyst.label(parse_message(raw), datetime.now(UTC))

    assert (labels.category, labels.priority, labels.reasons[0]) == ("other", "normal", "unsure")


def test_a_mail_without_a_word_may_carry_its_meaning(analyst: TradeAnalyst) -> None:
    raw = (
        b"From: ann@buyer.example\r\nContent-Type: application/pdf\r\n"
        b'Content-Disposition: attachment; filename="Purchase Order 4711.pdf"\r\n\r\n%PDF'
    )

    labels = analyst.label(parse_message(raw), datetime.now(UTC))

    assert "attachment-order" in labels.reasons
    assert "unsure" not in labels.reasons


@pytest.mark.parametrize("body", ["ok", "a" * 100_000, "Danke!"])
def test_next_to_nothing_wakes_nobody_up(analyst: TradeAnalyst, body: str) -> None:
    labels = analyst.label(parse_message(f"From: ann@buyer.example\r\n\r\n{body}".encode()), datetime.now(UTC))

    assert labels.priority != "urgent"


def test_who_quotes_what_a_notice_wants_does_not_want_it(analyst: TradeAnalyst) -> None:
    quoted = "\n".join(
        f"> {line}"
        for line in ("Please note our new bank account for this payment.", "Log in with your password to see it.")
    )
    raw = (
        "From: Ann Lee <ann@buyer.example>\r\nSubject: Re: PI 4471\r\n{answer}\r\n"
        f"Tom, is this mail really from you? We pay nothing before you call.\n\n"
        f"On Mon, 16 Nov 2026 at 10:00, Sales <sales@maker.cn> wrote:\n{quoted}\n"
    )
    answer = parse_message(raw.format(answer="In-Reply-To: <1@maker.cn>\r\n").encode())
    feigned = parse_message(raw.format(answer="").encode())

    assert analyst.label(answer, NOW).warnings == ()
    assert "bank-account-changed" in analyst.label(feigned, NOW).warnings

# SPDX-License-Identifier: GPL-3.0-or-later
"""A thread through a real Postfix, end to end: buyer, rep through submission, buyer; and a stranger who quotes it."""

import re
from collections.abc import Callable

import pytest

from postfix.sandbox.processes import wait_until
from postfix.sandbox.sending import Stranger
from postfix.sandbox.service_stack import ServiceStack
from tradepost.sqlite import connect

SALES = "sales@brightway.example"
ANN = "ann@thread-buyer.example"
BUYER = Stranger("203.0.113.9", "mail.thread-buyer.example")
ROW = """
SELECT c.public_id, p.email, a.direction, a.acceptance, a.login FROM arrival a
JOIN message m ON m.id = a.message_id JOIN conversation c ON c.id = m.conversation_id
LEFT JOIN person p ON p.id = a.operator_id WHERE a.queue_id = ?
"""


def mail(number: int, sender: str, to: str, subject: str, answers: int | None = None) -> bytes:
    fields = [
        f"From: {sender}", f"To: {to}", f"Subject: {subject}", f"Message-ID: <t{number}@thread.example>",
        "Date: Mon, 16 Nov 2026 09:00:00 +0100",
    ]  # fmt: skip
    if answers is not None:
        fields += [f"In-Reply-To: <t{answers}@thread.example>", f"References: <t{answers}@thread.example>"]
    return "\r\n".join([*fields, "", f"Letter {number}: please quote 500 cordless drills, CIF Hamburg.", ""]).encode()


def recorded(stack: ServiceStack, queue_id: str) -> tuple[str, str | None, str, str, str]:
    """Wait until a mail is recorded and confirmed; return (conversation, operator, direction, acceptance, login)."""
    rows: list[tuple[str, str | None, str, str, str]] = []

    def is_confirmed() -> bool:
        connection = connect(stack.settings.paths.state / "tradepost.sqlite", busy_ms=5000, read_only=True)
        try:
            rows[:] = connection.execute(ROW, (queue_id,)).fetchall()
        finally:
            connection.close()
        return bool(rows) and rows[0][3] == "confirmed"

    wait_until(f"{queue_id} to be recorded and confirmed", is_confirmed, 20)
    assert len(rows) == 1
    return rows[0]


def test_a_thread_is_one_conversation_with_a_named_operator(stack: ServiceStack) -> None:
    with stack.postfix.arriving(stranger=BUYER) as session:
        first = session.send(ANN, [SALES], mail(1, ANN, SALES, "Cordless drills"))
    conversation, operator, direction, _, _ = recorded(stack, first)
    assert (operator, direction) == (None, "inbound")

    with stack.postfix.submitting("li.na") as session:
        reply = session.send(SALES, [ANN], mail(2, SALES, ANN, "Re: Cordless drills", answers=1))
    assert recorded(stack, reply) == (conversation, "li.na@brightway.example", "outbound", "confirmed", "li.na")

    with stack.postfix.arriving(stranger=BUYER) as session:
        answer = session.send(ANN, [SALES], mail(3, ANN, SALES, "AW: Cordless drills", answers=2))
    assert recorded(stack, answer)[0] == conversation

    with stack.postfix.arriving(stranger=BUYER) as session:
        eve = session.send(
            "eve@evil.example", [SALES], mail(4, "eve@evil.example", SALES, "Re: Cordless drills", answers=2)
        )
    assert recorded(stack, eve)[0] != conversation, "who quotes an id has not taken part"


def test_what_a_phone_sends_without_an_id_is_known_by_the_one_postfix_gave_it(stack: ServiceStack) -> None:
    """A phone need not write a Message-ID; what the buyer answers to is the one that left the house."""
    phone = mail(21, SALES, ANN, "Your samples").replace(b"Message-ID: <t21@thread.example>\r\n", b"")
    with stack.postfix.submitting("li.na") as session:
        sent = session.send(SALES, [ANN], phone)
    conversation = recorded(stack, sent)[0]
    (copy, *_) = stack.postfix.delivered(sent)
    found = re.search(rb"(?im)^message-id:\s*(<[^>]+>)", copy.content)
    assert found is not None
    answer = mail(22, ANN, SALES, "Re: Your samples", answers=21).replace(b"<t21@thread.example>", found[1])
    with stack.postfix.arriving(stranger=BUYER) as session:
        back = session.send(ANN, [SALES], answer)
    assert recorded(stack, back)[0] == conversation


@pytest.mark.parametrize("part", ["milter", "sync"])
def test_mail_goes_on_while_a_part_is_off(make_stack: Callable[..., ServiceStack], part: str) -> None:
    stack = make_stack()
    stack.stop(part)
    with stack.postfix.arriving(stranger=BUYER) as session:
        queue_id = session.send(ANN, [SALES], mail(9, ANN, SALES, "While a part is off"))
    (copy, *_) = stack.postfix.delivered(queue_id)
    assert ("x-tradepost-id" in copy.marks()) == (part == "sync")
    stack.start(part)
    if part == "sync":
        recorded(stack, queue_id)


def test_the_private_postfix_keeps_its_environment(stack: ServiceStack) -> None:
    """Trap 53: with import_environment emptied the daemons silently use /etc/postfix."""
    main_cf = (stack.postfix.site.config / "main.cf").read_text()
    assert "import_environment" not in main_cf
    assert "MAIL_CONFIG" in stack.postfix.parameter("import_environment")

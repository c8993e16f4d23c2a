# SPDX-License-Identifier: GPL-3.0-or-later
"""What one mail, or the next, does to the records."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mailroom import ANN, BOB, Mail, MailRoom, reply
from record_servers import RecordServer
from sqlalchemy import select

from crm_sync.models.conversations import ConversationPool
from crm_sync.models.customers import ContactAddress, CustomerDomain
from crm_sync.models.mail import Arrival, Message, MessagePart, MessageRecipient, MessageText
from tradepost.verdict import Direction, Recording


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


def test_an_inquiry_of_a_stranger_makes_a_lead_with_contact_and_domain(room: MailRoom) -> None:
    [entry] = room.record(Mail())
    with room.looking() as look:
        [lead] = look.customers()
        assert (lead.kind, lead.name, lead.source) == ("lead", "acme.example", "mail")
        assert look.session.get_one(CustomerDomain, "acme.example").customer_id == lead.id
        assert look.session.get_one(ContactAddress, "buyer@acme.example")
        message = look.message(entry)
        assert (message.category, message.party_kind, message.subject) == ("inquiry", "lead", "Request")
        assert message.scope_id == lead.scope_id
        assert look.conversation(entry).customer_id == lead.id
        assert look.session.get_one(MessageText, message.id).new_text.strip() == "Please quote 500 pieces."
        assert look.arrival(entry).acceptance == "pending"


@pytest.mark.parametrize("category", ["marketing", "spam", "automatic", "other"])
def test_mail_without_business_makes_no_lead(room: MailRoom, category: str) -> None:
    [entry] = room.record(Mail(category=category))
    with room.looking() as look:
        assert look.customers() == []
        assert look.message(entry).contact_id is None


@pytest.mark.parametrize("sender", ["no-reply@acme.example", "newsletter@acme.example", "MAILER-DAEMON@acme.example"])
def test_a_robot_is_no_lead(room: MailRoom, sender: str) -> None:
    room.record(Mail(sender=sender))
    with room.looking() as look:
        assert look.customers() == []


def test_automatic_mail_is_no_lead(room: MailRoom) -> None:
    room.record(Mail(is_automatic=True))
    with room.looking() as look:
        assert look.customers() == []


def test_who_claims_to_be_us_from_outside_is_no_lead(room: MailRoom) -> None:
    [entry] = room.record(Mail(sender="boss@own.example"))
    with room.looking() as look:
        assert look.customers() == []
        assert look.message(entry).party_kind == "own"


def test_free_mail_makes_a_contact_and_no_company_domain(room: MailRoom) -> None:
    first, second = room.record(
        Mail(sender="one@gmail.com", message_id="<a@gmail.com>"),
        Mail(sender="two@gmail.com", message_id="<b@gmail.com>"),
    )
    with room.looking() as look:
        assert [customer.name for customer in look.customers()] == ["one@gmail.com", "two@gmail.com"]
        assert look.count(CustomerDomain) == 0
        assert look.conversation(first).id != look.conversation(second).id


def test_a_colleague_of_a_customer_is_a_new_contact_of_the_same_customer(room: MailRoom) -> None:
    room.record(Mail(), Mail(sender="boss@mail.acme.example", message_id="<2@acme.example>"))
    with room.looking() as look:
        assert len(look.customers()) == 1
        assert look.count(ContactAddress) == 2


def test_outbound_to_somebody_unknown_gives_the_operator_the_lead(room: MailRoom) -> None:
    [entry] = room.record(reply(BOB, to="new@prospect.example", missing=(), owner=BOB))
    with room.looking() as look:
        [lead] = look.customers()
        assert look.owner(lead) == BOB
        assert look.assignee(entry) == BOB
        assert look.arrival(entry).operator_id == look.message(entry).operator_id is not None


def test_a_reply_through_submission_joins_the_buyers_conversation(room: MailRoom) -> None:
    first, answer, again = room.record(
        Mail(),
        reply(BOB, references=("<1@acme.example>",)),
        Mail(
            message_id="<3@acme.example>", references=("<1@acme.example>", "<r1@own.example>"), text="Thanks, we order."
        ),
    )
    with room.looking() as look:
        assert len(look.all_conversations([first, answer, again])) == 1
        assert "answered" in look.steps(answer)
        conversation = look.conversation(first)
        assert conversation.last_in_at == look.arrival(again).arrived_at
        assert conversation.last_out_at == look.arrival(answer).arrived_at


def test_a_later_answer_through_an_id_that_outlook_alone_named_joins(room: MailRoom) -> None:
    """Trap 11: ids of what reps send from Outlook are recorded, and all references are searched."""
    first, answer, again = room.record(
        Mail(),
        reply(BOB, references=("<1@acme.example>",)),
        Mail(message_id="<3@acme.example>", references=("<r1@own.example>",), text="Thanks."),
    )
    with room.looking() as look:
        assert len(look.all_conversations([first, answer, again])) == 1


def test_a_stranger_with_the_right_id_gets_his_own_conversation(room: MailRoom) -> None:
    """Traps 9 and 10: a reference binds only for who took part."""
    first, strange = room.record(
        Mail(),
        Mail(
            sender="spy@rival.example",
            message_id="<s@rival.example>",
            references=("<1@acme.example>",),
            subject="Re: Request Ticket#1",
            text="Send me the price list too.",
        ),
    )
    with room.looking() as look:
        assert look.conversation(first).id != look.conversation(strange).id
        assert look.message(strange).scope_id != look.message(first).scope_id


def test_a_stranger_who_names_the_buyer_in_cc_still_does_not_join(room: MailRoom) -> None:
    first, strange = room.record(
        Mail(),
        Mail(
            sender="spy@rival.example",
            cc=("buyer@acme.example",),
            message_id="<s@rival.example>",
            references=("<1@acme.example>",),
        ),
    )
    with room.looking() as look:
        assert look.conversation(first).id != look.conversation(strange).id


def test_a_forger_who_used_the_id_first_does_not_catch_the_buyers_mail(room: MailRoom) -> None:
    """Trap 47: the buyer's letter, and the rep's answer to him, stay together and away from the forger."""
    forged, real, answer, back = room.record(
        Mail(sender="spy@rival.example", message_id="<1@acme.example>", text="Wire the money to me."),
        Mail(),
        reply(BOB, references=("<1@acme.example>",)),
        Mail(message_id="<4@acme.example>", references=("<1@acme.example>", "<r1@own.example>"), text="Agreed."),
    )
    with room.looking() as look:
        assert len(look.all_conversations([real, answer, back])) == 1
        assert look.conversation(forged).id != look.conversation(real).id
        assert look.message(real).has_id_clash
        assert look.message(forged).has_id_clash
        assert "id-clash" in look.steps(real)


def test_a_device_that_repeats_its_id_makes_two_messages_in_two_conversations(room: MailRoom) -> None:
    """Trap 47: the ERP of one customer sends every order with the same Message-ID."""
    order, payment, answer = room.record(
        Mail(text="Order 1"),
        Mail(text="Payment advice 2", category="payment"),
        reply(BOB, references=("<1@acme.example>",)),
    )
    with room.looking() as look:
        assert look.count(Message) == 3
        assert look.conversation(order).id != look.conversation(payment).id
        assert look.conversation(answer).id == look.conversation(payment).id
        assert {look.message(order).has_id_clash, look.message(payment).has_id_clash} == {True}


def test_one_letter_to_two_pools_is_one_message_in_both(room: MailRoom) -> None:
    """Trap 15, as two transactions: two arrivals, one message, pools united."""
    mail = Mail(to=("sales@own.example", "info@own.example"))
    first = room.post(mail, recipients=("sales@own.example",))
    second = room.post(mail, recipients=("info@own.example",))
    room.worker.drain()
    with room.looking() as look:
        assert look.count(Message) == 1
        assert look.message(first).id == look.message(second).id
        pools = look.session.scalars(select(ConversationPool.pool_id)).all()
        assert len(pools) == 2
        assert look.load(ANN) + look.load(BOB) == 1


def test_one_letter_to_two_pools_in_one_transaction_is_in_both(room: MailRoom) -> None:
    [entry] = room.record(Mail(to=("sales@own.example", "info@own.example")))
    with room.looking() as look:
        pools = look.session.scalars(
            select(ConversationPool.pool_id).where(ConversationPool.conversation_id == look.conversation(entry).id)
        ).all()
        assert len(pools) == 2


def test_a_reply_that_names_the_pool_in_cc_only_is_routed(room: MailRoom) -> None:
    """Trap 12: the envelope decides, whatever To says."""
    [entry] = room.record(
        Mail(to=("someone@elsewhere.example",), cc=("sales@own.example",), recipients=("sales@own.example",))
    )
    with room.looking() as look:
        assert look.assignee(entry) in (ANN, BOB)
        kinds = look.session.execute(
            select(MessageRecipient.address_key, MessageRecipient.kind).where(
                MessageRecipient.message_id == look.message(entry).id
            )
        )
        assert set(kinds) == {
            ("someone@elsewhere.example", "to"),
            ("sales@own.example", "cc"),
            ("sales@own.example", "envelope"),
        }


def test_mail_to_an_address_nobody_registered_is_recorded_unowned(room: MailRoom) -> None:
    [entry] = room.record(Mail(to=("old-brand@own.example",)))
    with room.looking() as look:
        assert look.assignee(entry) is None
        assert len(look.customers()) == 1


def test_bcc_of_what_a_rep_sends_is_kept_as_bcc(room: MailRoom) -> None:
    [entry] = room.record(reply(ANN, recipients=("buyer@acme.example", "hidden@acme.example"), missing=(), owner=ANN))
    with room.looking() as look:
        kinds = look.session.execute(
            select(MessageRecipient.address_key).where(
                MessageRecipient.message_id == look.message(entry).id, MessageRecipient.kind == "bcc"
            )
        ).scalars()
        assert list(kinds) == ["hidden@acme.example"]


def test_of_internal_mail_only_the_envelope_is_kept(room: MailRoom) -> None:
    [entry] = room.record(
        Mail(
            sender=ANN,
            to=(BOB,),
            direction=Direction.INTERNAL,
            recording=Recording.ENVELOPE,
            missing=(),
            operator=ANN,
            login="ann",
        )
    )
    with room.looking() as look:
        arrival = look.arrival(entry)
        assert (arrival.recording, arrival.message_id, arrival.raw_sha256) == ("envelope", None, None)
        assert arrival.envelope["recipients"] == [BOB]
        assert look.count(Message) == 0


def test_the_verdict_is_stored_as_it_was(room: MailRoom) -> None:
    [entry] = room.record(Mail(owner=BOB, owner_reason="distribution", missing=(), reasons=("model",)))
    with room.looking() as look:
        verdict = look.arrival(entry).verdict
        assert (verdict["owner"], verdict["reasons"], verdict["labels"]["category"]) == (BOB, ["model"], "inquiry")
        assert look.arrival(entry).completion is None


def test_attachments_are_stored_once_and_read_back(room: MailRoom) -> None:
    room.record(
        Mail(attachment=b"%PDF-1.7 offer"),
        Mail(attachment=b"%PDF-1.7 offer", message_id="<2@acme.example>", text="Again."),
    )
    with room.looking() as look:
        parts = look.session.scalars(select(MessagePart)).all()
        assert {part.filename for part in parts} == {"offer.pdf"}
        [digest] = {part.sha256 for part in parts}
        assert room.blobs.read(digest) == b"%PDF-1.7 offer"
        raw = look.session.scalars(select(Arrival.raw_sha256)).first()
        assert raw is not None
        assert room.blobs.read(raw).startswith(b"From: buyer@acme.example\r\n")


def test_automatic_mail_moves_no_clock(room: MailRoom) -> None:
    """Trap 7: an out-of-office answer is not the customer's answer."""
    first, _, away = room.record(
        Mail(),
        reply(BOB, references=("<1@acme.example>",)),
        Mail(
            message_id="<ooo@acme.example>", references=("<r1@own.example>",), category="automatic", is_automatic=True
        ),
    )
    with room.looking() as look:
        assert look.conversation(away).id == look.conversation(first).id
        assert look.conversation(first).last_in_at == look.arrival(first).arrived_at


def test_hostile_text_is_recorded(room: MailRoom) -> None:
    """Trap 18: what can't be stored as it is is stored as it can be."""
    entry = room.post(Mail(subject="\udcff\x00 offer", text="NUL \x00 in the text"))
    room.worker.drain()
    with room.looking() as look:
        assert "offer" in look.message(entry).subject
    assert list(room.journal.failures()) == []


@pytest.mark.parametrize("letters", ["x", "İ", "ü"])
def test_what_is_longer_than_its_column_is_recorded(room: MailRoom, letters: str) -> None:
    long = letters * 2000
    address = f"{long}@{long}.example"
    mails = [
        Mail(sender=address, recipients=(f"{long}@own.example", address), cc=(address,), login=long, text="One"),
        Mail(sender=long, message_id=f"<{long}@x>", references=(f"<{long}@y>",), text="Two", subject=long),
        reply(ANN, to=address, headers=(("Reply-To", f'"{long}" <{address}>'),), missing=(), owner=ANN),
        Mail(headers=(("Content-Type", f"{long}/{long}; name={long}"),), attachment=b"x", message_id="<3@x>"),
        Mail(sender=ANN, to=(f"{long}@own.example",), direction=Direction.INTERNAL, recording=Recording.ENVELOPE),
    ]
    entries = room.record(*mails)
    assert list(room.journal.failures()) == []
    with room.looking() as look:
        assert all(look.arrival(entry) for entry in entries)


@pytest.mark.parametrize("sign", ["\0", "\U0001f4a9"])
def test_what_was_spoken_in_smtp_is_recorded_whatever_it_was(room: MailRoom, sign: str) -> None:
    mail = Mail(sender=f"a{sign}@acme.example", recipients=(f"b{sign}@own.example",), login=sign)
    assert len(room.record(mail)) == 1
    assert list(room.journal.failures()) == []


def test_two_buyers_of_one_platform_are_two_leads(room: MailRoom) -> None:
    """Trap 30: a platform's domain is no company of its buyers."""
    for name in ("bo", "li"):
        room.record(
            Mail(
                sender="noreply@plaza.example",
                headers=(("Reply-To", f"{name} <buyer-{name}@reply.plaza.example>"),),
                message_id=f"<{name}@plaza.example>",
                text=f"{name} asks",
            )
        )
    with room.looking() as look:
        assert [customer.name for customer in look.customers()] == ["bo", "li"]
        assert look.count(CustomerDomain) == 0


def test_a_robot_that_has_answers_sent_to_a_known_buyer_does_not_join_his_conversation(room: MailRoom) -> None:
    first, strange = room.record(
        Mail(),
        Mail(
            sender="noreply@rival.example",
            headers=(("Reply-To", "buyer@acme.example"),),
            message_id="<s@rival.example>",
            references=("<1@acme.example>",),
            text="Click here.",
        ),
    )
    with room.looking() as look:
        assert look.conversation(first).id != look.conversation(strange).id


def test_internal_mail_in_a_customers_conversation_joins_it_and_moves_no_clock(room: MailRoom) -> None:
    first, internal = room.record(
        Mail(owner=ANN, owner_reason="distribution", missing=()),
        Mail(
            sender=ANN,
            to=(BOB,),
            direction=Direction.INTERNAL,
            message_id="<i@own.example>",
            references=("<1@acme.example>",),
            text="Can you quote this?",
            category=None,
            operator=ANN,
            login="ann",
            missing=(),
        ),
    )
    with room.looking() as look:
        conversation = look.conversation(first)
        assert look.conversation(internal).id == conversation.id
        assert look.message(internal).scope_id == look.customers()[0].scope_id
        assert (conversation.last_in_at, conversation.last_out_at) == (look.arrival(first).arrived_at, None)
        assert look.load(ANN) == 1


def test_internal_mail_of_its_own_is_nobodys_work(room: MailRoom) -> None:
    [entry] = room.record(
        Mail(sender=ANN, to=(BOB,), direction=Direction.INTERNAL, category=None, operator=ANN, login="ann", missing=())
    )
    with room.looking() as look:
        assert (look.conversation(entry).status, look.assignee(entry)) == ("closed", None)
        assert look.customers() == []


def test_a_merge_gives_the_older_half_the_customer_of_the_younger(room: MailRoom) -> None:
    first, second, third = room.record(
        Mail(category="other"),
        Mail(message_id="<2@acme.example>", text="We order."),
        Mail(
            message_id="<3@acme.example>",
            references=("<1@acme.example>", "<2@acme.example>"),
            category="other",
            text="As I wrote.",
        ),
    )
    with room.looking() as look:
        [customer] = look.customers()
        assert look.conversation(third).customer_id == customer.id
        assert {look.message(entry).scope_id for entry in (first, second, third)} == {customer.scope_id}
        assert "merged" in look.steps(third)
        assert look.load(ANN) + look.load(BOB) == 1

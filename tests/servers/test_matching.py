# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose customer a mail is: several domains, shared ones, platforms, agents, forwards, people who change; and why."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mailroom import ANN, BOB, Mail, MailRoom, PlainAnalyst, reply
from record_servers import RecordServer
from sqlalchemy import select

from crm_sync.models.conversations import Activity, Conversation
from crm_sync.models.customers import (
    Contact,
    ContactAddress,
    ContactPhone,
    Customer,
    CustomerDomain,
    PartySuggestion,
    SharedDomain,
)
from crm_sync.models.mail import MessageLink
from tradepost.analysis import Extract
from tradepost.directory import SHARED, DomainFact, decode_fact, domain_fact_key
from tradepost.facts import Account, Span
from tradepost.message import Message as Letter
from tradepost.verdict import Direction, Labels


class SigningAnalyst(PlainAnalyst):
    """An analyst that reads a signature of lines `Name:`, `Firm:`, `Tel:`, `Web:`."""

    def extract(self, message: Letter, labels: Labels | None = None) -> Extract:
        said = dict(line.split(": ", 1) for line in message.text.splitlines() if ": " in line)
        spans = (Span("company", "signature", 0, 1),) if "Firm" in said else ()
        tel = said.get("Tel")
        return Extract(
            new_text=message.text,
            person=said.get("Name"),
            company=said.get("Firm"),
            title=said.get("Title"),
            phone=tel,
            phones=(Account("phone", tel),) if tel else (),
            website=said.get("Web"),
            spans=spans,
        )


@pytest.fixture
def room(tmp_path: Path, server: RecordServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailRoom]:
    monkeypatch.setattr("mailroom.PlainAnalyst", SigningAnalyst)
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


def signed(number: int, sender: str, *lines: str, **more: object) -> Mail:
    """Return an inquiry with a signature."""
    text = "\r\n".join((f"Please quote item {number}.", "", *lines))
    return replace(Mail(sender=sender, message_id=f"<{number}@mail.example>", text=text), **more)  # type: ignore[arg-type]


ACME = ("Name: Ann Lee", "Firm: Acme Trading GmbH", "Tel: +493012345678")


def customers_of(room: MailRoom, *entries: str) -> list[str | None]:
    with room.looking() as look:
        found = []
        for entry in entries:
            key = look.conversation(entry).customer_id
            found.append(look.session.get_one(Customer, key).name if key else None)
        return found


def reasons(room: MailRoom, entry: str) -> dict[str, tuple[str, str]]:
    with room.looking() as look:
        rows = look.session.execute(
            select(Customer.name, MessageLink.role, MessageLink.reason)
            .join(Customer, Customer.id == MessageLink.customer_id)
            .where(MessageLink.message_id == look.message(entry).id)
        )
        return {name: (role, reason) for name, role, reason in rows}


def test_a_second_domain_is_learned_from_name_and_phone(room: MailRoom) -> None:
    first, second, third = room.record(
        signed(1, "ann@acme.example", *ACME),
        signed(2, "bo@acme-handel.example", "Name: Bo Kim", *ACME[1:]),
        signed(3, "cy@acme-handel.example"),
    )
    assert set(customers_of(room, first, second, third)) == {"Acme Trading GmbH"}
    assert reasons(room, second) == {"Acme Trading GmbH": ("party", "signature-and-phone")}
    assert reasons(room, third) == {"Acme Trading GmbH": ("party", "company-domain")}


def test_a_name_alone_links_nobody(room: MailRoom) -> None:
    first, second = room.record(
        signed(1, "ann@acme.example", *ACME), signed(2, "eva@acme-peru.example", "Name: Eva Ruiz", ACME[1])
    )
    assert len(set(customers_of(room, first, second))) == 1  # they are called alike
    with room.looking() as look:
        assert look.count(Customer) == 2
        assert look.conversation(first).customer_id != look.conversation(second).customer_id


def test_a_look_alike_domain_is_not_learned(room: MailRoom) -> None:
    first = room.record(signed(1, "ann@acme.example", *ACME))[0]
    forged = room.post(signed(2, "ann@acrne.example", *ACME))
    # What arrival said of it: the sign stands in the verdict's labels.
    import json

    path = next((room.journal.root / "new").glob(f"*{forged}*"))
    head, _, rest = path.read_bytes().partition(b"\n")
    line = json.loads(head)
    line["verdict"]["labels"]["warnings"] = ["looks-like-customer"]
    path.write_bytes(json.dumps(line).encode() + b"\n" + rest)
    room.worker.drain()
    with room.looking() as look:
        assert look.conversation(first).customer_id != look.conversation(forged).customer_id


def test_a_domain_of_two_companies_decides_nothing_alone_at_arrival_neither(room: MailRoom) -> None:
    other = ("Name: Cy Wu", "Firm: Borealis Import Ltd", "Tel: +442012345678")
    first, second, third, fourth = room.record(
        signed(1, "ann@park.example", *ACME),
        signed(2, "cy@park.example", *other),
        signed(3, "dee@park.example"),
        signed(4, "eli@park.example", "Name: Eli Ng", other[1]),
    )
    assert customers_of(room, first, second, fourth) == [
        "Acme Trading GmbH",
        "Borealis Import Ltd",
        "Borealis Import Ltd",
    ]
    assert reasons(room, fourth) == {"Borealis Import Ltd": ("party", "signature-at-shared-domain")}
    with room.looking() as look:
        assert look.session.get_one(SharedDomain, "park.example").reason == "signature-names-another"
        assert look.count(CustomerDomain) == 0
        # Nobody knows whose Dee is: he is somebody of his own until a person says more.
        known = {look.conversation(entry).customer_id for entry in (first, second)}
        assert look.conversation(third).customer_id not in known
    fact = room.directory().fetch([domain_fact_key("park.example")])
    assert isinstance(fact, dict)
    assert decode_fact(fact[domain_fact_key("park.example")], DomainFact) == DomainFact(None, None, SHARED, None)


def test_a_colleague_who_signs_for_the_company_of_the_domain_splits_nothing(room: MailRoom) -> None:
    room.record(
        signed(1, "ann@acme.example", *ACME),
        signed(2, "bo@acme.example", "Name: Bo Kim", "Firm: Borealis Import Ltd", "Tel: +442012345678"),
    )
    with room.looking() as look:
        assert look.count(Customer) == 1  # the domain is named after Acme


def test_who_was_put_to_a_company_by_his_domain_takes_his_mail_along_when_he_signs_for_another(room: MailRoom) -> None:
    first, silent, loud = room.record(
        signed(1, "ann@park.example", *ACME),
        signed(2, "cy@park.example"),
        signed(3, "cy@park.example", "Name: Cy Wu", "Firm: Borealis Import Ltd", "Tel: +442012345678"),
    )
    assert customers_of(room, first, silent, loud) == [
        "Acme Trading GmbH",
        "Borealis Import Ltd",
        "Borealis Import Ltd",
    ]


def test_the_buyers_of_a_platform_are_known_by_what_its_form_says(room: MailRoom) -> None:
    """Trap 30: the platform is never the customer, and its own notices make no lead."""
    form = "Buyer: Ann Lee\r\nCompany: Acme Trading GmbH\r\nEmail: ann@acme.example"
    notice, first, second = room.record(
        signed(1, "service@made-in-china.com", category="order"),
        signed(
            2, "notification@made-in-china.com", form, headers=(("Reply-To", "buyer123456@message.made-in-china.com"),)
        ),
        signed(3, "ann@acme.example"),
    )
    assert customers_of(room, notice, first, second) == [None, "Acme Trading GmbH", "Acme Trading GmbH"]
    with room.looking() as look:
        assert look.message(notice).party_kind == "platform"
        assert {row.address_key for row in look.session.scalars(select(ContactAddress))} == {
            "ann@acme.example",
            "buyer123456@message.made-in-china.com",
        }
        [lead] = look.customers()
        assert (lead.source, lead.kind_reason) == ("platform", "platform-names-buyer")


def test_a_form_counts_only_from_a_platforms_own_domain(room: MailRoom) -> None:
    [entry] = room.record(signed(1, "x@rival.example", "Buyer: Ann Lee", "Email: ann@acme.example"))
    with room.looking() as look:
        assert look.session.get(ContactAddress, "ann@acme.example") is None
        assert look.session.get(ContactAddress, "x@rival.example") is not None
        assert look.conversation(entry).customer_id


def test_an_agents_mail_is_the_buyers_and_stands_with_both(room: MailRoom) -> None:
    first, named, copied = room.record(
        signed(1, "ann@acme.example", *ACME),
        signed(2, "omar@souq.example", "We write on behalf of our client Acme Trading, who needs hinges."),
        signed(3, "omar@souq.example", cc=("ann@acme.example",), recipients=("sales@own.example",)),
    )
    assert set(customers_of(room, first, named, copied)) == {"Acme Trading GmbH"}
    assert reasons(room, named) == {
        "Acme Trading GmbH": ("on-behalf", "customer-named"),
        "souq.example": ("agent", "writes-for-a-client"),
    }
    assert reasons(room, copied)["Acme Trading GmbH"] == ("on-behalf", "customer-in-copy")
    with room.looking() as look:
        agent = look.session.scalars(select(Customer).where(Customer.kind == "agent")).one()
        stands = select(Activity.message_id).where(Activity.customer_id == agent.id)
        assert set(look.session.scalars(stands)) == {look.message(named).id, look.message(copied).id}


def test_an_agents_client_is_not_the_company_of_another_legal_form(room: MailRoom) -> None:
    first, other = room.record(
        signed(1, "ann@acme.example", *ACME),
        signed(2, "omar@souq.example", "We write on behalf of our client Acme Trading LLC, who needs hinges."),
    )
    assert customers_of(room, first, other) == ["Acme Trading GmbH", "souq.example"]


@pytest.mark.parametrize("direction", [Direction.INTERNAL, Direction.INBOUND])
def test_what_a_colleague_passes_on_is_the_buyers(room: MailRoom, direction: Direction) -> None:
    first = room.record(signed(1, "ann@acme.example", *ACME))[0]
    block = "From: Ann Lee <ann@acme.example>\r\nSent: Mon, 2 Mar 2026 08:00\r\nTo: bob@own.example\r\nSubject: More"
    passed = Mail(
        sender=BOB,
        subject="WG: More",
        message_id="<f@own.example>",
        text=f"FYI\r\n\r\n{block}\r\n\r\nWe need 500 more.\r\n",
        direction=direction,
        operator=BOB,
        login="bob",
    )
    [entry] = room.record(passed)
    with room.looking() as look:
        message = look.message(entry)
        if direction is Direction.INBOUND:  # an own address from outside: anybody could have written it
            assert (look.conversation(entry).customer_id, message.forwarded_by_id) == (None, None)
            return
        assert look.conversation(entry).customer_id == look.conversation(first).customer_id
        assert (message.direction, look.arrival(entry).direction) == ("inbound", "internal")
        assert message.forwarded_by_id == room_person(look, BOB)
    assert reasons(room, entry) == {"Acme Trading GmbH": ("party", "forwarded-by-colleague")}


def room_person(look: object, email: str) -> int:
    from crm_sync.models.people import Person

    return look.session.scalars(select(Person.id).where(Person.email == email)).one()  # type: ignore[attr-defined, no-any-return]


def test_headers_and_signature_fill_what_nobody_entered(room: MailRoom) -> None:
    room.record(
        signed(1, '"Ann" <ann@acme.example>'),
        signed(2, "ann@acme.example", *ACME, "Title: Buyer"),
    )
    with room.database.writing() as session:
        contact = session.scalars(select(Contact)).one()
        assert (contact.name, contact.title) == ("Ann Lee", "Buyer")
        assert session.scalars(select(ContactPhone.e164)).all() == ["+493012345678"]
        assert session.scalars(select(Customer.name)).one() == "Acme Trading GmbH"
        contact.name, contact.origins = "Dr. Ann Lee", {**contact.origins, "name": "person"}
    room.record(signed(3, "ann@acme.example", "Name: Anna Maria Lee", *ACME[1:]))
    with room.looking() as look:
        assert look.session.scalars(select(Contact.name)).one() == "Dr. Ann Lee"


def test_who_signs_for_another_company_from_a_private_address_is_suggested_and_history_stays(room: MailRoom) -> None:
    first, later = room.record(
        signed(1, "ann.lee@gmail.com", *ACME),
        signed(2, "ann.lee@gmail.com", "Name: Ann Lee", "Firm: Borealis Import Ltd"),
    )
    with room.looking() as look:
        assert look.conversation(first).customer_id == look.conversation(later).customer_id
        suggestion = look.session.scalars(select(PartySuggestion)).one()
        assert (suggestion.kind, suggestion.subject) == ("works-elsewhere", "Borealis Import Ltd")


@pytest.mark.parametrize(
    ("firm", "numbers", "has_moved"),
    [
        ("Borealis Import Ltd", ("Tel: +442079583973",), True),
        ("Borealis Import Ltd", ("Tel: +493012345678",), False),
        ("Borealis Homeware", ("Tel: +442079583973",), True),
        ("Borealis Homeware", ("Tel: +493012345678",), False),
        ("Borealis Homeware", (), False),
        ("Acme", ("Tel: +442079583973",), False),
    ],
)
def test_who_signs_for_another_company_with_another_number_has_moved_on(
    room: MailRoom, firm: str, numbers: tuple[str, ...], has_moved: bool
) -> None:
    [first] = room.record(signed(1, "ann.lee@gmail.com", *ACME))
    [later] = room.record(signed(2, "ann.lee@gmail.com", "Name: Ann Lee", f"Firm: {firm}", *numbers))
    was, now = customers_of(room, first, later)
    assert was == "Acme Trading GmbH"
    assert (now != was) is has_moved


@pytest.mark.parametrize(
    ("sender", "category", "text", "kind"),
    [
        ("li@oceanlink-logistics.example", "logistics", "Ocean freight is USD 900, closing date Friday.", "forwarder"),
        ("advice@unionbank.example", "payment", "An incoming payment was credited to your account.", "bank"),
        ("ed@steelworks.example", "order", "Please arrange payment of our invoice 7.", "supplier"),
        ("ed@steelworks.example", "inquiry", "We are a manufacturer and need your hinges.", "lead"),
    ],
)
def test_what_is_no_buyer_is_kept_as_what_it_is(
    room: MailRoom, sender: str, category: str, text: str, kind: str
) -> None:
    room.record(Mail(sender=sender, category=category, text=text))
    with room.looking() as look:
        assert [customer.kind for customer in look.customers()] == [kind]


def test_whom_we_ask_for_goods_is_a_supplier_and_our_own_people_are_nobodys_lead(room: MailRoom) -> None:
    room.record(
        reply(ANN, to="ed@steelworks.example", text="Please deliver 500 kg raw material to our factory.", missing=()),
        Mail(sender="boss@hk.own.example", message_id="<9@own.example>"),
    )
    with room.looking() as look:
        assert [customer.kind for customer in look.customers()] == ["supplier"]


def test_a_conversation_that_a_forwarder_began_becomes_the_buyers(room: MailRoom) -> None:
    room.record(signed(1, "ann@acme.example", *ACME))
    carried = room.record(
        Mail(sender="li@oceanlink-logistics.example", category="logistics", text="Our freight invoice.", message_id="<f@o>",
             cc=("ann@acme.example",), recipients=("sales@own.example",)),
    )[0]  # fmt: skip
    with room.looking() as look:
        owner = look.session.scalars(select(Customer).where(Customer.kind == "lead")).one()
        # Its first letter names the buyer in copy, but the forwarder was unknown until then.
        before = look.session.get_one(Customer, look.conversation(carried).customer_id)
        assert before.kind == "forwarder"
    room.record(Mail(sender="ann@acme.example", references=("<f@o>",), message_id="<a@acme.example>", text="Go ahead."))
    with room.looking() as look:
        assert look.conversation(carried).customer_id == owner.id
        assert look.session.scalars(select(Conversation.customer_id).where(Conversation.id == look.conversation(carried).id)).one() == owner.id  # fmt: skip

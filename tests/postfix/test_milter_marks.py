# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks on real mail through a real Postfix: what goes in, what never gets in, what never gets out, and every extreme."""

import smtplib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dkim  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from postfix.sandbox.mailboxes import MailFile
from postfix.sandbox.private_postfix import PrivatePostfix
from postfix.sandbox.sending import Stranger
from postfix.sandbox.service_stack import ServiceStack
from tradepost.journal import Entry, Journal
from tradepost.verdict import Direction, Recording

SANDBOX = Path(__file__).parents[2] / "postfix" / "sandbox"
SALES, LI_NA = "sales@brightway.example", "li.na@brightway.example"
DEAD = "{ unix:tradepost/nobody-listens-here, default_action=accept }"
BUYER = Stranger("203.0.113.9", "mail.buyer.example")
MAILBOXES = ("@brightway.example", SALES, "info@brightway.example", LI_NA)


@pytest.fixture(scope="module")
def stack() -> Iterator[ServiceStack]:
    """Postfix with our milter; the worker is off, so the journal keeps every entry to be looked at."""
    passwords = {"li.na": "sesame", "wang.fang": "sesame"}
    with PrivatePostfix(MAILBOXES, hostname="mx.brightway.example", passwords=passwords) as private:
        with ServiceStack(
            private,
            company=SANDBOX / "company.toml",
            rules=SANDBOX / "rules.toml",
            parts=("sync", "milter"),
            settings={"recording": {"excluded": ["hr@brightway.example"]}},
        ) as services:
            services.stop("sync")
            yield services


def send(
    stack: ServiceStack,
    content: bytes,
    sender: str = "ann@buyer.example",
    to: tuple[str, ...] = (SALES,),
    *,
    utf8: bool = False,
) -> str:
    with stack.postfix.arriving(stranger=BUYER) as session:
        return session.send(sender, to, content, smtputf8=utf8)


def entry_of(stack: ServiceStack, queue_id: str) -> Entry:
    journal = Journal(stack.settings.journal_dir)
    for entry_id in reversed(journal.waiting()):
        entry = journal.read(entry_id)
        if entry.arrival.envelope.queue_id == queue_id:
            return entry
    raise AssertionError(f"{queue_id} is not in the journal")


def copy_for(copies: list[MailFile], mailbox: str) -> MailFile:
    return next(copy for copy in copies if copy.mailbox == mailbox)


INQUIRY = (
    b"From: Ann Smith <ann@buyer.example>\r\nTo: sales@brightway.example\r\nSubject: Inquiry for cordless drills\r\n"
    b"Message-ID: <%s@buyer.example>\r\nDate: Mon, 16 Nov 2026 09:00:00 +0100\r\n\r\n"
    b"Dear sales team,\r\n\r\nplease quote 500 pcs of your 18 V cordless drill, CIF Hamburg.\r\n\r\nBest regards\r\nAnn\r\n"
)


def test_an_inquiry_is_marked_journaled_and_copied_to_its_owner(stack: ServiceStack) -> None:
    queue_id = send(stack, INQUIRY % b"m1")
    copies = stack.postfix.delivered(queue_id)
    marks = copies[0].marks()
    entry = entry_of(stack, queue_id)
    assert marks["x-tradepost-id"] == [entry.arrival.entry_id]
    assert marks["x-tradepost-category"] == ["inquiry"]
    assert marks["x-tradepost-language"] == ["en"]
    owner = marks["x-tradepost-owner"][0]
    assert sorted(copy.mailbox for copy in copies) == sorted(
        [SALES, "catch-all@brightway.example" if owner != LI_NA else LI_NA]
    )
    assert entry.arrival.verdict.owner == owner
    assert entry.arrival.verdict.direction is Direction.INBOUND
    assert entry.arrival.envelope.client.address == BUYER.address
    assert copies[0].message["X-Priority"]
    assert copies[0].message["Importance"]


def test_the_journal_keeps_every_byte(stack: ServiceStack) -> None:
    content = (
        b"From:no space <ann@buyer.example>\r\nTo: sales@brightway.example\r\nSubject:\ttab and \xe9\xe8 raw\r\n"
        b"X-Folded: one\r\n\ttwo\r\n  three\r\nX-Empty:\r\nMessage-ID: <bytes@buyer.example>\r\n"
        b"Date: Mon, 16 Nov 2026 09:00:00 +0100\r\n\r\n..dots\r\n\r\n.x \x80\xff\r\nend \r\n"
    )
    queue_id = send(stack, content)
    raw = entry_of(stack, queue_id).raw()
    assert raw == content
    stack.postfix.wait_for([queue_id])


FORGERIES = [
    pytest.param(b"X-Tradepost-Priority: urgent\r\n", id="plain"),
    pytest.param(b"X-Tradepost-Priority: urgent\r\nX-Tradepost-Priority: urgent\r\n", id="repeated"),
    pytest.param(b"x-TRADEPOST-priority: urgent\r\n", id="odd-case"),
    pytest.param(b"X-Tradepost-Priority:\r\n urgent\r\n", id="folded"),
    pytest.param(b"X-Tradepost-Priority : urgent\r\n", id="space-before-colon"),
    pytest.param(b"X-Tradepost-Owner: \xff\xfe urgent\r\n", id="8-bit"),
    pytest.param(b"X-Tradepost-Anything: urgent\x00nul\r\n", id="nul"),
    pytest.param(b"X-Tradepost-Long: " + b"urgent " * 700 + b"\r\n", id="5-kB"),
    pytest.param(b"X-Tradepost-Id: 01FORGED\r\nX-Tradepost-Seal: urgent\r\n", id="id-and-seal"),
    pytest.param(b"X-Tradepost-\xed\xa0\x80: urgent\r\n", id="surrogate-in-the-name"),
]


@pytest.mark.parametrize("forged", FORGERIES)
@pytest.mark.parametrize("milter", ["alive", "dead"])
def test_a_forged_mark_never_reaches_a_mailbox(stack: ServiceStack, forged: bytes, milter: str) -> None:
    """Trap 23."""
    if milter == "dead":
        stack.postfix.configure(milters=[DEAD])
    try:
        queue_id = send(stack, forged + INQUIRY % b"forged")
        for copy in stack.postfix.delivered(queue_id):
            assert all("urgent" not in value for values in copy.marks().values() for value in values)
            assert ("x-tradepost-id" in copy.marks()) == (milter == "alive")
    finally:
        if milter == "dead":
            stack.postfix.configure(milters=["tradepost"])


REPLY = (
    b"From: Brightway Sales <sales@brightway.example>\r\nTo: ann@buyer.example\r\nSubject: Re: Inquiry for cordless drills\r\n"
    b"Message-ID: <%s@brightway.example>\r\nX-Tradepost-Category: forged\r\n\r\nDear Ann, please find our price attached.\r\n"
)


@pytest.mark.parametrize("milter", ["alive", "dead"])
def test_our_marks_never_leave(stack: ServiceStack, milter: str) -> None:
    before = len(stack.postfix.outside.mails())
    if milter == "dead":
        stack.postfix.configure(milters=[DEAD])
    try:
        with stack.postfix.submitting("li.na") as session:
            queue_id = session.send(SALES, ["ann@buyer.example"], REPLY % b"r1")
        copies = stack.postfix.delivered(queue_id)
    finally:
        if milter == "dead":
            stack.postfix.configure(milters=["tradepost"])
    (departed,) = stack.postfix.outside.mails()[before:]
    assert b"tradepost" not in departed.content.lower().split(b"\r\n\r\n")[0]
    if milter == "alive":
        arrival = entry_of(stack, queue_id).arrival
        assert arrival.verdict.direction is Direction.OUTBOUND
        assert arrival.verdict.operator == LI_NA
        assert arrival.envelope.client.login == "li.na"
        (copy,) = copies
        assert copy.mailbox == SALES, "what is sent as the pool is copied to the pool"
        assert copy.marks().keys() == {"x-tradepost-id", "x-tradepost-seal"}
        assert copy.marks()["x-tradepost-id"] == [arrival.entry_id]


def test_a_personal_outbound_mail_gets_no_mark_and_no_copy(stack: ServiceStack) -> None:
    content = b"From: li.na@brightway.example\r\nTo: ann@buyer.example\r\nSubject: hello\r\n\r\nHello Ann\r\n"
    with stack.postfix.submitting("li.na") as session:
        queue_id = session.send(LI_NA, ["ann@buyer.example"], content)
    assert stack.postfix.delivered(queue_id) == []
    assert entry_of(stack, queue_id).arrival.verdict.direction is Direction.OUTBOUND


def test_mail_among_ourselves_keeps_only_the_envelope(stack: ServiceStack) -> None:
    content = b"From: li.na@brightway.example\r\nTo: wang.fang@brightway.example\r\nSubject: lunch\r\n\r\nnoodles?\r\n"
    with stack.postfix.submitting("li.na") as session:
        queue_id = session.send(LI_NA, ["wang.fang@brightway.example"], content)
    stack.postfix.wait_for([queue_id])
    entry = entry_of(stack, queue_id)
    assert entry.arrival.verdict.recording is Recording.ENVELOPE
    assert entry.raw() == b""
    assert b"noodles" not in entry.path.read_bytes()
    assert b"lunch" not in entry.path.read_bytes()


def test_excluded_mail_leaves_one_line_in_the_seen_list_and_nothing_else(stack: ServiceStack) -> None:
    queue_id = send(stack, INQUIRY % b"hr" + b"x" * 2_000_000 + b"\r\n", to=("hr@brightway.example",))
    stack.postfix.wait_for([queue_id])
    with pytest.raises(AssertionError, match="not in the journal"):
        entry_of(stack, queue_id)
    seen = "".join(path.read_text() for path in (stack.settings.journal_dir / "seen").iterdir())
    assert f"{queue_id} - excluded" in seen
    assert list((stack.settings.journal_dir / "tmp").iterdir()) == []


def test_the_null_sender_and_an_empty_body(stack: ServiceStack) -> None:
    queue_id = send(stack, b"From: mailer-daemon@buyer.example\r\nAuto-Submitted: auto-replied\r\n\r\n", sender="")
    (copy,) = stack.postfix.delivered(queue_id)
    assert copy.marks()["x-tradepost-category"] == ["automatic"]
    assert entry_of(stack, queue_id).arrival.envelope.sender == ""
    bare = send(stack, b"")
    assert "x-tradepost-id" in stack.postfix.delivered(bare)[0].marks()


def test_smtputf8_addresses_are_kept(stack: ServiceStack) -> None:
    content = "From: müller@buyer.example\r\nTo: sales@brightway.example\r\nSubject: Größe\r\n\r\nGrüße\r\n".encode()
    queue_id = send(stack, content, sender="müller@buyer.example", utf8=True)
    assert "x-tradepost-id" in stack.postfix.delivered(queue_id)[0].marks()
    entry = entry_of(stack, queue_id)
    assert entry.arrival.envelope.sender == "müller@buyer.example"
    assert entry.raw().endswith("Grüße\r\n".encode())


def test_chunking_is_taken(stack: ServiceStack) -> None:
    content = INQUIRY % b"bdat"
    with smtplib.SMTP("127.0.0.1", stack.postfix.site.smtp_port) as smtp:
        smtp.ehlo()
        smtp.mail("ann@buyer.example")
        smtp.rcpt(SALES)
        for chunk, last in ((content[:50], ""), (content[50:], " LAST")):
            smtp.send(f"BDAT {len(chunk)}{last}\r\n".encode() + chunk)
            code, reply = smtp.getreply()
            assert code == 250
    queue_id = reply.decode().split()[-1]
    assert entry_of(stack, queue_id).raw() == content
    assert "x-tradepost-id" in stack.postfix.delivered(queue_id)[0].marks()


def test_a_thousand_recipients(stack: ServiceStack) -> None:
    everybody = tuple(f"r{n}@brightway.example" for n in range(999))
    queue_id = send(stack, INQUIRY % b"crowd", to=(*everybody, SALES))
    entry = entry_of(stack, queue_id)
    assert len(entry.arrival.envelope.recipients) == 1000
    copies = stack.postfix.delivered(queue_id, 120)
    assert len(copies) == 1001, "everybody once, and the owner's copy"
    assert all("x-tradepost-id" in copy.marks() for copy in copies)


def test_twenty_thousand_header_fields(stack: ServiceStack) -> None:
    content = b"".join(b"X-Many-%d: x\r\n" % n for n in range(20_000)) + INQUIRY % b"many"
    queue_id = send(stack, content)
    assert "x-tradepost-id" in stack.postfix.delivered(queue_id)[0].marks()


def test_several_mails_in_one_session_do_not_mix(stack: ServiceStack) -> None:
    with stack.postfix.arriving(stranger=BUYER) as session:
        ids = [session.send("ann@buyer.example", [SALES], INQUIRY % b"s%d" % n) for n in range(5)]
    stack.postfix.wait_for(ids)
    entries = [entry_of(stack, queue_id) for queue_id in ids]
    assert len({entry.arrival.entry_id for entry in entries}) == 5
    assert [b"<s%d@buyer.example>" % n in entry.raw() for n, entry in enumerate(entries)] == [True] * 5


def test_eight_times_fifty_megabytes_at_once(stack: ServiceStack) -> None:
    line = b"0123456789" * 7 + b"\r\n"
    content = INQUIRY % b"huge" + line * (50_000_000 // len(line))
    found: dict[int, str] = {}

    def one(number: int) -> None:
        found[number] = send(stack, content.replace(b"<huge@", b"<huge%d@" % number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    largest = 0
    while any(thread.is_alive() for thread in threads):
        largest = max(largest, *(resident_kib(pid) for pid in children_of(stack)))
        time.sleep(0.05)
    assert len(found) == 8
    stack.postfix.wait_for(found.values(), 120)
    for queue_id in found.values():
        assert entry_of(stack, queue_id).arrival.raw_bytes == len(content) + 1
    assert largest < 400 * 1024, f"a child grew to {largest} KiB"
    for copy in stack.postfix.mailboxes.files():
        if copy.queue_id in found.values():
            copy.path.unlink()


def children_of(stack: ServiceStack) -> list[int]:
    pid = stack.part("milter").pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident_kib(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(status.split("VmRSS:")[1].split()[0]) if "VmRSS:" in status else 0


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
PUBLIC = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def public_record(name: bytes, timeout: int = 5) -> bytes:
    """Answer the verifier's DNS question."""
    return b"v=DKIM1; k=rsa; p=" + b"".join(PUBLIC.split(b"\n")[1:-2])


@pytest.mark.parametrize(
    ("names", "extra", "is_touched"),
    [
        pytest.param([b"from", b"subject", b"date"], b"", True, id="plain"),
        pytest.param([b"from", b"subject", b"x-priority"], b"X-Priority: 1\r\n", False, id="x-priority-signed"),
        pytest.param([b"from", b"subject", b"x-priority", b"importance"], b"", False, id="oversigned"),
    ],
)
def test_signatures_survive(stack: ServiceStack, names: list[bytes], extra: bytes, is_touched: bool) -> None:
    content = extra + INQUIRY % b"dkim"
    signature = dkim.sign(content, b"s1", b"buyer.example", PRIVATE, include_headers=names)
    queue_id = send(stack, signature + content)
    for copy in stack.postfix.delivered(queue_id):
        # virtual(8) writes LF; what was signed had CRLF.
        stored = copy.content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        assert dkim.verify(stored, dnsfunc=public_record), "our edits broke the signature"
        assert "x-tradepost-id" in copy.marks()
        ours = [value for value in copy.message.get_all("X-Priority", []) if value != "1"]
        assert bool(ours) == is_touched


def test_a_letter_that_a_filter_hands_back_keeps_its_marks(stack: ServiceStack) -> None:
    first = send(stack, INQUIRY % b"again")
    marked = stack.postfix.delivered(first)[0]
    content = marked.content.split(b"\n", 3)[3]  # without what virtual(8) put before it
    # A re-injection port has its own cleanup service, without the one that strips.
    stack.postfix.configure(parameters={"tradepost_header_checks": ""})
    try:
        stack.stop("milter")
        stack.start("milter", environment={"TRADEPOST_MILTER__TRUSTED_NETWORKS": '["127.0.0.0/8"]'})
        with stack.postfix.arriving() as session:
            second = session.send("ann@buyer.example", [SALES], content)
        copy = copy_for(stack.postfix.delivered(second), SALES)
        assert copy.marks()["x-tradepost-id"] == marked.marks()["x-tradepost-id"]
        assert entry_of(stack, second).arrival.verdict.reasons == ("own-mark",)
        with stack.postfix.arriving() as session:
            forged = session.send("ann@buyer.example", [SALES], content.replace(b"Inquiry", b"Enquiry"))
        other = copy_for(stack.postfix.delivered(forged), SALES)
        assert other.marks()["x-tradepost-id"] != marked.marks()["x-tradepost-id"]
    finally:
        stack.postfix.configure(
            parameters={"tradepost_header_checks": "regexp:$config_directory/tradepost_header_checks"}
        )
        stack.stop("milter")
        stack.start("milter")

# SPDX-License-Identifier: GPL-3.0-or-later
"""From a mail to a verdict, with a directory that knows, one that does not, and one that is silent."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tradepost.analysis import Extract
from tradepost.directory import (
    SHARED,
    UNKNOWN,
    AddressFact,
    DirectoryState,
    DomainFact,
    Fact,
    ThreadFact,
    Unknown,
    address_fact_key,
    claim_key,
    digest_fact_key,
    domain_fact_key,
    encode_fact,
    thread_fact_key,
)
from tradepost.envelope import Client, Envelope
from tradepost.message import Message
from tradepost.mime_reading import parse_fields
from tradepost.policy import Person, Policy, PolicyProduct, Pool
from tradepost.rules import Condition, Effect, Group, Rule
from tradepost.settings import Settings
from tradepost.thread_index import read_thread_index
from tradepost.verdict import ActionKind, Direction, Labels, Priority, Recording, Verdict
from tradepost_milter.decision import Decider, Seen
from tradepost_milter.policies import PolicySource

KEY = b"k" * 32
WANG = Person("wang@own.example", logins=("wang",), languages=("en", "zh"))
LINA = Person("li.na@own.example", logins=("li.na",), languages=("es",))
SALES = Pool("sales", ("sales@own.example",), (WANG.email, LINA.email))
URGENT = Rule(
    "urgent-subject",
    "Urgent subjects",
    Group("all", (Condition("subject", "contains", "urgent"), Condition("country", "in", ("US", "CA")))),
    (Effect("set_priority", "urgent"), Effect("add_label", "north-america")),
)
POLICY = Policy(1, "Own", ("own.example",), (WANG, LINA), (SALES,), (URGENT,))
ANN = "ann@buyer.example"


class FakeDirectory:
    """Everything in dictionaries; `silent` answers unknown to everything."""

    def __init__(
        self, facts: dict[str, Fact] | None = None, *, policy: Policy | None = POLICY, silent: bool = False
    ) -> None:
        self.values = {key: encode_fact(fact) for key, fact in (facts or {}).items()}
        self.claims: dict[str, str] = {}
        self.turns: dict[str, int] = {}
        self.silent = silent
        self._policy = policy

    def state(self) -> DirectoryState | None:
        return None

    def policy(self) -> Policy | None:
        return self._policy

    def fetch(self, keys: Sequence[str]) -> dict[str, bytes] | Unknown:
        if self.silent:
            return UNKNOWN
        held = {claim_key(claim): value.encode() for claim, value in self.claims.items()}
        return {key: value for key, value in {**held, **self.values}.items() if key in keys}

    def claim(self, key: str, value: str, ttl_seconds: float) -> str | Unknown:
        return UNKNOWN if self.silent else self.claims.setdefault(key, value)

    def next_turn(self, key: str) -> int | Unknown:
        self.turns[key] = self.turns.get(key, 0) + 1
        return UNKNOWN if self.silent else self.turns[key]

    def note(self, values: dict[str, bytes], ttl_seconds: float) -> None:
        raise AssertionError("arrival notes nothing yet")

    def close(self) -> None:
        """Nothing is open."""


class FakeAnalyst:
    """Says what it was told to say."""

    def __init__(self, labels: Labels | None) -> None:
        self._labels = labels

    def label(self, message: Message, now: datetime, *, sender: str | None = None) -> Labels:
        if self._labels is None:
            raise RuntimeError("broken")
        return self._labels

    def extract(self, message: Message, labels: Labels | None = None) -> Extract:
        return Extract()

    def refresh(self) -> None:
        """It never learns."""


INQUIRY = Labels("inquiry", 0.9, Priority.HIGH, "intent", "en", "DE", "phone", reasons=("model",))


def seen(
    sender: str = ANN,
    to: tuple[str, ...] = SALES.addresses,
    *,
    login: str = "",
    fields: tuple[tuple[bytes, bytes], ...] = (),
    subject: bytes = b" hello",
    from_: str = "",
) -> Seen:
    header = (
        (b"From", f" {from_ or sender}".encode()),
        (b"Subject", subject),
        (b"Message-ID", b" <1@buyer.example>"),
        *fields,
    )
    envelope = Envelope("Q1", sender, to, Client(address="203.0.113.9", login=login))
    return Seen("01ENTRY", envelope, header, b"text\r\n", False, 100)


def decide(mail: Seen, directory: FakeDirectory, labels: Labels | None = INQUIRY) -> Verdict:
    policies = PolicySource(directory)
    policies.refresh()
    decider = Decider(
        FakeAnalyst(labels),
        directory,
        policies,
        Settings(),
        KEY,
        lambda m: parse_fields(m.fields, m.body, truncated=m.is_cut),
        lambda: datetime(2026, 11, 21, tzinfo=UTC),
    )
    return decider.decide(mail)


def test_a_known_contact_keeps_his_owner() -> None:
    fact = AddressFact(7, "K1", LINA.email, "customer", "A")
    verdict = decide(seen(), FakeDirectory({address_fact_key(ANN): fact}))
    assert (verdict.owner, verdict.owner_reason) == (LINA.email, "contact")
    assert (verdict.customer, verdict.contact) == ("K1", 7)
    assert verdict.missing == ()
    assert verdict.recording is Recording.FULL
    added = [action.value for action in verdict.actions if action.kind is ActionKind.ADD_RECIPIENT]
    assert added == [LINA.email]


def test_a_colleague_of_a_known_contact_is_found_by_the_company() -> None:
    directory = FakeDirectory({domain_fact_key("buyer.example"): DomainFact("K1", LINA.email)})
    assert decide(seen("bob@mail.buyer.example"), directory).owner_reason == "company-domain"


def test_unknown_is_not_none() -> None:
    """Trap 43: a silent directory must not read as a new customer."""
    verdict = decide(seen(), FakeDirectory(silent=True))
    assert verdict.owner is None
    assert set(verdict.missing) == {"customer", "contact", "conversation", "owner"}
    assert not [a for a in verdict.actions if a.kind is ActionKind.ADD_RECIPIENT], "nobody is chosen in the dark"
    assert verdict.labels.category == "inquiry"


@pytest.mark.parametrize("key", [address_fact_key(ANN), claim_key("owner:buyer.example")])
def test_a_fact_that_can_not_be_read_is_unknown_and_costs_no_label(key: str) -> None:
    directory = FakeDirectory()
    directory.values[key] = b"\xc1\xff"
    verdict = decide(seen(), directory)
    assert "owner" in verdict.missing
    assert verdict.labels.category == "inquiry"


def test_distribution_sticks_to_the_party_and_the_letter() -> None:
    directory = FakeDirectory()
    spanish = replace(INQUIRY, language="es")
    first = decide(seen(), directory, spanish)
    assert (first.owner, first.owner_reason) == (LINA.email, "distribution")
    again = decide(seen(), directory, INQUIRY)
    assert again.owner == LINA.email, "the claim holds, whatever the second mail's language"
    colleague = decide(seen("bob@buyer.example"), directory, INQUIRY)
    assert colleague.owner == LINA.email


def test_a_retry_keeps_the_owner_after_the_partys_claim_is_gone() -> None:
    directory = FakeDirectory()
    first = decide(seen(), directory)
    directory.claims = {key: value for key, value in directory.claims.items() if key.startswith("letter:")}
    assert decide(seen(), directory).owner == first.owner


@pytest.mark.parametrize("category", ["automatic", "spam", "marketing"])
def test_nobody_is_busied_with_a_newsletter(category: str) -> None:
    directory = FakeDirectory()
    verdict = decide(seen(), directory, replace(INQUIRY, category=category, is_automatic=category == "automatic"))
    assert (verdict.owner, verdict.owner_reason) == (None, "pool")
    assert directory.claims == {}


def test_a_broken_classifier_costs_only_the_labels() -> None:
    verdict = decide(seen(), FakeDirectory({address_fact_key(ANN): AddressFact(7, "K1", LINA.email)}), None)
    assert set(verdict.missing) == {"category", "priority", "language", "country"}
    assert verdict.owner == LINA.email
    assert "classifier-failed" in verdict.reasons


def test_a_rule_overrides_and_is_named() -> None:
    labels = replace(INQUIRY, country="US")
    verdict = decide(seen(subject=b" URGENT: drills"), FakeDirectory(), labels)
    assert verdict.labels.priority is Priority.URGENT
    assert verdict.labels.priority_reason == "rule:urgent-subject"
    assert verdict.rule_labels == ("north-america",)
    assert "rule:urgent-subject" in verdict.reasons


def test_mail_about_a_category_of_goods_is_given_to_whom_a_rule_names() -> None:
    when = Group("all", (Condition("product_category", "is", "drilling"),))
    drills = replace(URGENT, id="drills", when=when, then=(Effect("assign", LINA.email),))
    policy = replace(
        POLICY, rules=(drills,), products=(PolicyProduct("D-10", ("drilling", "tools"), ("impact drill",)),)
    )
    verdict = decide(seen(subject=b" Impact drills, 500 pieces"), FakeDirectory(policy=policy))
    assert (verdict.owner, verdict.owner_reason) == (LINA.email, "rule:drills")
    assert decide(seen(subject=b" Saws"), FakeDirectory(policy=policy)).owner_reason == "distribution"


def test_a_reply_of_a_participant_goes_to_the_assignee() -> None:
    thread = ThreadFact("C1", WANG.email, "K1", participants=(ANN,))
    directory = FakeDirectory(
        {thread_fact_key("<0@own.example>"): thread, address_fact_key(ANN): AddressFact(7, "K1", LINA.email)}
    )
    verdict = decide(seen(fields=((b"In-Reply-To", b" <0@own.example>"),)), directory)
    assert (verdict.owner, verdict.conversation) == (WANG.email, "C1")
    stranger = decide(seen("eve@evil.example", fields=((b"References", b" <0@own.example>"),)), directory)
    assert stranger.conversation is None


def test_an_answer_of_outlook_without_references_goes_to_the_assignee_too() -> None:
    index = read_thread_index(b64encode(b"\x01" + bytes(range(21)) + b"child").decode())
    assert index is not None
    directory = FakeDirectory({digest_fact_key(index.digest): ThreadFact("C1", WANG.email, "K1", participants=(ANN,))})
    answer, first = (
        ((b"Thread-Index", b" " + b64encode(b"\x01" + bytes(range(21)) + more)),) for more in (b"child" * 2, b"")
    )
    assert decide(seen(fields=answer), directory).owner == WANG.email
    assert decide(seen("eve@evil.example", fields=answer), directory).conversation is None
    assert decide(seen(fields=first), directory).conversation is None


def test_a_reply_through_submission_names_its_operator_and_copies_the_pool() -> None:
    mail = seen("sales@own.example", (ANN,), login="li.na")
    verdict = decide(mail, FakeDirectory())
    assert (verdict.direction, verdict.operator) == (Direction.OUTBOUND, LINA.email)
    assert (verdict.owner, verdict.owner_reason) == (LINA.email, "operator")
    assert [a.value for a in verdict.actions if a.kind is ActionKind.ADD_RECIPIENT] == ["sales@own.example"]
    assert verdict.actions[-1].name == "X-Tradepost-Id"


def test_mail_among_ourselves_is_not_read() -> None:
    verdict = decide(seen(WANG.email, (LINA.email,), login="wang"), FakeDirectory(), None)
    assert verdict.direction is Direction.INTERNAL
    assert verdict.recording is Recording.ENVELOPE
    assert verdict.missing == ()
    assert verdict.actions == ()


def test_internal_mail_about_a_customer_is_kept_whole() -> None:
    directory = FakeDirectory(
        {thread_fact_key("<0@own.example>"): ThreadFact("C1", customer="K1", participants=(ANN,))}
    )
    mail = seen(WANG.email, (LINA.email,), login="wang", fields=((b"References", b" <0@own.example>"),))
    verdict = decide(mail, directory)
    assert (verdict.recording, verdict.conversation) == (Recording.FULL, "C1")


def test_our_address_from_outside_is_named() -> None:
    verdict = decide(seen(ANN, from_="boss@own.example"), FakeDirectory())
    assert verdict.labels.warnings == ("own-address-from-outside",)
    warning = next(action for action in verdict.actions if action.name == "X-Tradepost-Warning")
    assert warning.value == "own-address-from-outside"


def test_a_customers_name_bent_by_a_letter_is_named() -> None:
    facts: dict[str, Fact] = {domain_fact_key("stonefarms.com"): DomainFact("K1", WANG.email)}
    verdict = decide(seen("ann@st0nefarms.com"), FakeDirectory(facts))
    assert verdict.labels.warnings == ("looks-like-customer",)
    assert (verdict.customer, verdict.labels.warning_score) == (None, 0.6)


def test_a_customers_other_ending_warns_nobody() -> None:
    facts: dict[str, Fact] = {domain_fact_key("stonefarms.com"): DomainFact("K1", WANG.email)}
    verdict = decide(seen("ann@stonefarms.de"), FakeDirectory(facts))
    assert verdict.labels.warnings == ("resembles-customer",)
    assert "X-Tradepost-Warning" not in {action.name for action in verdict.actions}


def test_a_customer_whose_name_is_like_anothers_is_a_customer() -> None:
    facts: dict[str, Fact] = {
        domain_fact_key("stonefarms.com"): DomainFact("K1", WANG.email),
        domain_fact_key("st0nefarms.com"): DomainFact("K2", LINA.email),
    }
    verdict = decide(seen("ann@st0nefarms.com"), FakeDirectory(facts))
    assert (verdict.labels.warnings, verdict.customer) == ((), "K2")


def test_a_stranger_like_a_participant_is_named() -> None:
    thread = ThreadFact("C1", LINA.email, "K1", participants=("ann@stonefarms.com",))
    mail = seen("ann@stonefarrns.com", fields=((b"References", b" <0@own.example>"),))
    verdict = decide(mail, FakeDirectory({thread_fact_key("<0@own.example>"): thread}))
    assert verdict.labels.warnings == ("looks-like-participant", "stranger-in-thread")
    assert verdict.owner != LINA.email


def test_a_silent_directory_knows_our_own_look_alikes_only() -> None:
    policy = replace(POLICY, domains=("brightpump-works.cn",))
    verdict = decide(seen("x@brightpump-w0rks.cn"), FakeDirectory(policy=policy, silent=True))
    assert verdict.labels.warnings == ("looks-like-us",)


def test_mail_on_its_way_out_warns_of_nobody() -> None:
    facts: dict[str, Fact] = {domain_fact_key("stonefarms.com"): DomainFact("K1", WANG.email)}
    verdict = decide(seen(WANG.email, ("ann@st0nefarms.com",), login="wang"), FakeDirectory(facts))
    assert verdict.labels.warnings == ()


def test_before_the_company_is_known_mail_is_still_marked() -> None:
    verdict = decide(seen(), FakeDirectory(policy=None))
    assert verdict.direction is Direction.INBOUND
    assert "direction" in verdict.missing
    assert verdict.recording is Recording.FULL
    assert verdict.actions[-1].name == "X-Tradepost-Id"


def test_deciding_blind_touches_nothing_slow() -> None:
    directory = FakeDirectory(silent=True)
    policies = PolicySource(directory)
    policies.refresh()
    decider = Decider(
        FakeAnalyst(None),
        directory,
        policies,
        Settings(),
        KEY,
        lambda _: pytest.fail("read"),
        lambda: datetime.now(UTC),
    )
    verdict = decider.decide_blind(seen(), "soft-deadline")
    assert verdict.reasons == ("soft-deadline",)
    assert {"category", "owner"} <= set(verdict.missing)
    assert verdict.actions[-1].name == "X-Tradepost-Id"


def test_a_platform_that_writes_for_buyers_is_not_one_customer() -> None:
    directory = FakeDirectory()
    for buyer, language in (("ann@buyer.example", "en"), ("pedro@comprador.example", "es")):
        mail = seen(
            "noreply@plaza.example", fields=((b"Reply-To", f" {buyer}".encode()),), subject=b" You have an inquiry"
        )
        decide(mail, directory, replace(INQUIRY, language=language))
    held = {key: value for key, value in directory.claims.items() if key.startswith("owner:")}
    assert held == {"owner:buyer.example": WANG.email, "owner:comprador.example": LINA.email}


def test_two_companies_at_one_domain_do_not_share_an_owner() -> None:
    directory = FakeDirectory({domain_fact_key("buyer.example"): DomainFact(kind=SHARED)})
    first, _ = decide(seen(), directory), decide(seen("bob@buyer.example"), directory)
    assert (first.customer, first.owner_reason) == (None, "distribution")
    assert {f"owner:{ANN}", "owner:bob@buyer.example"} <= set(directory.claims)


def test_a_forward_among_ourselves_is_kept_and_read() -> None:
    mail = seen(
        WANG.email, login="wang", subject=b" Fwd: Request", fields=((b"Content-Type", b" text/plain; charset=utf-8"),)
    )
    block = (
        b"From: Ann <ann@buyer.example>\r\nDate: 2 Mar 2026\r\nTo: wang@own.example\r\nSubject: Request\r\n\r\nHi\r\n"
    )
    verdict = decide(replace(mail, body=block), FakeDirectory())
    assert (verdict.direction, verdict.recording) == (Direction.INTERNAL, Recording.FULL)
    assert verdict.labels.category == "inquiry"
    assert decide(mail, FakeDirectory()).recording is Recording.ENVELOPE

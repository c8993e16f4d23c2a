# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and facts of the directory: one writing for each thing, and nothing read as what it is not."""

from datetime import UTC, datetime

import msgspec
import pytest

from tradepost.directory import (
    AddressFact,
    DomainFact,
    LoadFact,
    ThreadFact,
    address_fact_key,
    decode_fact,
    domain_fact_key,
    encode_fact,
    id_digest,
    load_fact_key,
    thread_fact_key,
)
from tradepost.policy import Policy


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (address_fact_key("Ann@Bücher.example"), address_fact_key("ann@xn--bcher-kva.example")),
        (domain_fact_key("Bücher.example"), domain_fact_key("xn--bcher-kva.example.")),
        (load_fact_key("Li@own.example"), load_fact_key("li@OWN.example")),
        (thread_fact_key("<a.1@far.example>"), thread_fact_key(" a.1@far.\r\n example ")),
    ],
)
def test_one_thing_has_one_key(one: str, other: str) -> None:
    assert one == other


def test_different_things_have_different_keys() -> None:
    keys = {
        address_fact_key("a@b.example"),
        domain_fact_key("b.example"),
        load_fact_key("a@b.example"),
        thread_fact_key("a@b.example"),
        thread_fact_key("A@b.example"),  # Message-IDs are case-sensitive (RFC 5322, 3.6.4)
    }
    assert len(keys) == 5


def test_digest_takes_what_broken_mail_holds_and_is_short() -> None:
    assert len(id_digest("<\udcff" + "x" * 10_000 + ">")) == 32


def test_facts_come_back() -> None:
    address = AddressFact(7, "K1", "li@own.example", "supplier", "A")
    assert decode_fact(encode_fact(address), AddressFact) == address
    domain = DomainFact("K1")
    assert decode_fact(encode_fact(domain), DomainFact) == domain
    thread = ThreadFact("C1", participants=("ann@far.example",), last_answer_at=datetime(2026, 11, 21, tzinfo=UTC))
    assert decode_fact(encode_fact(thread), ThreadFact) == thread
    assert decode_fact(encode_fact(LoadFact(3)), LoadFact) == LoadFact(3)
    policy = Policy(version=2, domains=("own.example",))
    assert decode_fact(encode_fact(policy), Policy) == policy


@pytest.mark.parametrize("data", [b"", b"\x01", b"\xc1", b"\x91\x01", encode_fact(LoadFact(3))[:-1]])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_fact(data, AddressFact)

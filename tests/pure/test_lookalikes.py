# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains made to be taken for another, and those that only happen to be near."""

import time

import pytest

from tradepost.lookalikes import bent_from, looks_like, mixes_scripts, near_to, skeleton

OURS = "brightpump-works.cn"


@pytest.mark.parametrize(
    "domain",
    [
        "brightpump-works.co",
        "brightpump-works.com.cn",
        "brightpumpworks.cn",
        "bright-pump-works.cn",
        "brightpump-w0rks.cn",
        "brightpurnp-works.cn",
        "brihgtpump-works.cn",
        "brightpump-work.cn",
        "brightpump-works.cn.mail-login.example",
        "brightpump-works-cn.example",
        "brightpump-works.pay.example",
        "brightpump-wоrks.cn",  # a Cyrillic o
        "xn--brightpump-wrks-jsh.cn",
    ],
)
def test_who_wants_to_be_taken_for_us(domain: str) -> None:
    assert looks_like(domain, ["other.example", OURS]) == OURS


@pytest.mark.parametrize(
    "domain",
    [OURS, f"mail.{OURS}", "pump-works.cn", "brightpump.cn", "gmail.com", "works.example", "", "localhost", "."],
)
def test_who_is_only_near(domain: str) -> None:
    assert looks_like(domain, [OURS]) is None


@pytest.mark.parametrize(
    ("one", "other"), [("acme.example", "acne.example"), ("hp.com", "hp.co"), ("kone.fi", "bone.fi")]
)
def test_short_names_are_alike_by_chance(one: str, other: str) -> None:
    assert looks_like(other, [one]) is None


def test_a_free_mailbox_looks_like_nobody() -> None:
    assert looks_like("gmail.com", ["gmall.example"]) is None
    assert looks_like("outlook.de", ["outlook.com"]) is None


def test_scripts_are_mixed_by_forgers_only() -> None:
    assert mixes_scripts("pаypump.example")  # a Cyrillic a
    assert not mixes_scripts("насосы.example")
    assert not mixes_scripts("bürste.example")
    assert not mixes_scripts("xn--brste-kva.example")


def test_a_glance_sees_no_accents_hyphens_or_figures() -> None:
    assert skeleton("Brìght-Pump5") == skeleton("brightpumps")
    assert skeleton("rnodern") == skeleton("modern")


@pytest.mark.parametrize(
    ("made", "real"),
    [
        ("acrne-pumps.com", "acme-pumps.com"),
        ("acmepumpps.com", "acmepumps.com"),
        ("acmepump5.com", "acmepumps.com"),
        ("acmepumps.com".replace("a", "а", 1), "acmepumps.com"),  # a Cyrillic a
        ("helloworid.com", "helloworld.com"),
        ("bürstenwerk.de", "burstenwerk.de"),
    ],
)
def test_a_lookup_finds_the_name_that_was_bent(made: str, real: str) -> None:
    assert real in bent_from(made)
    assert made not in bent_from(made)


@pytest.mark.parametrize(
    ("made", "real"),
    [
        ("acmepumps.com", "acmepump.com"),
        ("acme-pumps.com", "acmepumps.com"),
        ("acme-pumps.co", "acme-pumps.com"),
        ("acmepumps-group.com", "acmepumps.com"),
    ],
)
def test_a_lookup_finds_the_names_near_by(made: str, real: str) -> None:
    assert real in near_to(made)
    assert real not in bent_from(made)


def test_a_subsidiary_has_another_ending() -> None:
    assert looks_like("acmepumps.de", ["acmepumps.com"]) == "acmepumps.com"
    assert looks_like("acmepumps.de", ["acmepumps.com"], endings=False) is None


@pytest.mark.parametrize("domain", ["gmail.com", "", "ibm.com", "localhost"])
def test_of_some_names_nothing_is_asked(domain: str) -> None:
    assert bent_from(domain) == near_to(domain) == ()


def test_few_names_are_asked_for() -> None:
    for domain in ("aabbccddeeffgghhiijj-kkllmm.com", "x" * 60 + ".de"):
        assert len(bent_from(domain)) + len(near_to(domain)) <= 30


def test_hostile_names_cost_nothing() -> None:
    started = time.process_time()
    for domain in (
        "a-" * 2000 + ".com",
        "xn--" + "a" * 60 + ".com",
        "\ud800.com",
        "é" * 5000 + ".cn",
        ".".join("ab" * 900),
    ):
        looks_like(domain, [OURS])
        bent_from(domain)
        near_to(domain)
        mixes_scripts(domain)
    assert time.process_time() - started < 0.5

# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of `make bench`: what its closing line says is what was measured."""

import json
from collections.abc import Callable
from email import message_from_bytes
from typing import Any

import pytest
from rich.console import Console

import bench.__main__ as command
from bench.figures import percentiles, ratios, slope, spread
from bench.headline import KEYS, judge, make_headline
from bench.letters import make_letters
from bench.memory import greatest, summarize

# Written out once more on purpose: scripts read this line, a key that changes is noticed here.
WANTED_KEYS = [
    "ratio_worker_paused",
    "ratio_worker_on",
    "ratio_rspamd",
    "inet_over_unix",
    "eom_ms_p50",
    "eom_ms_p99",
    "eom_10mb_ms",
    "classify_ms_p50",
    "worker_sqlite_mails_s",
    "worker_postgresql_mails_s",
    "worker_at_1m_over_empty",
    "two_workers_over_one",
    "milter_rss_mb",
    "worker_rss_mb",
]


def quiet() -> Console:
    return Console(quiet=True)


def test_spread_names_least_median_and_greatest() -> None:
    assert spread([3.0, 1.0, 10.0, 2.0]) == {"n": 4, "least": 1.0, "median": 2.5, "greatest": 10.0}


@pytest.mark.parametrize("measure", [spread, percentiles], ids=lambda one: one.__name__)
def test_nothing_measured_is_an_error(measure: Callable[[list[float]], object]) -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        measure([])


@pytest.mark.parametrize(
    ("count", "p50", "p99"),
    [
        pytest.param(1, 1, 1, id="one"),
        pytest.param(2, 1, 2, id="two"),
        pytest.param(99, 50, 99, id="ninety-nine"),
        pytest.param(100, 50, 99, id="a-hundred"),
        pytest.param(101, 51, 100, id="a-hundred-and-one"),
        pytest.param(1000, 500, 990, id="a-thousand"),
    ],
)
def test_percentiles_are_nearest_ranks(count: int, p50: float, p99: float) -> None:
    found = percentiles([float(value) for value in range(count, 0, -1)])
    assert found == {"n": count, "p50": p50, "p99": p99, "max": count}


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([2.0, 9.0], [4.0, 3.0]) == [0.5, 3.0]
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_slope_of_a_flat_and_a_rising_process() -> None:
    assert slope([(0, 100.0), (5, 100.0), (10, 100.0)]) == pytest.approx(0)
    assert slope([(0, 100.0), (5, 110.0), (10, 120.0)]) == pytest.approx(2)
    assert slope([(3, 100.0), (3, 120.0)]) == 0


def test_memory_counts_growth_of_the_second_half_only() -> None:
    warming = [
        (sent, {"rss": float(rss), "pss": rss / 2}) for sent, rss in ((0, 50), (1000, 90), (2000, 90), (3000, 90))
    ]
    found = summarize(warming)  # type: ignore[arg-type]
    assert (found["start"], found["end"], found["greatest"], found["pss_end"]) == (50, 90, 90, 45)
    assert found["slope"] == pytest.approx(0)
    courses: Any = {
        "small": {"processes": {"child-1": found, "child-2": found | {"greatest": 120.0}, "sync": found}},
        "large": {"processes": {"child-1": found | {"greatest": 130.0}, "sync": found}},
    }
    assert (greatest(courses, "child"), greatest(courses, "sync")) == (130, 90)


def test_the_closing_line_has_exactly_the_keys_that_were_asked_for() -> None:
    assert list(KEYS) == WANTED_KEYS
    headline = make_headline({"eom_ms_p50": 2.34567})
    assert list(headline) == WANTED_KEYS
    assert headline["eom_ms_p50"] == 2.346
    assert [key for key, value in headline.items() if value is not None] == ["eom_ms_p50"]
    with pytest.raises(KeyError, match="eom_ms_p51"):
        make_headline({"eom_ms_p51": 1.0})


@pytest.mark.parametrize(
    ("figures", "verdicts"),
    [
        pytest.param({"eom_ms_p50": 3.0}, {("eom_ms_p50", "≤ 3"): True}, id="at-most-held"),
        pytest.param({"eom_ms_p50": 3.001}, {("eom_ms_p50", "≤ 3"): False}, id="at-most-missed"),
        pytest.param({"inet_over_unix": 0.9}, {("inet_over_unix", "≥ 0.9"): True}, id="at-least-held"),
        pytest.param({"inet_over_unix": 0.899}, {("inet_over_unix", "≥ 0.9"): False}, id="at-least-missed"),
        pytest.param(
            {"ratio_worker_paused": 0.8, "ratio_rspamd": 0.8},
            {("ratio_worker_paused", "≥ 0.75"): True, ("ratio_worker_paused", "> 0.8"): False},
            id="as-fast-as-rspamd-is-not-above-it",
        ),
    ],
)
def test_figures_are_judged_by_the_budget(figures: dict[str, float], verdicts: dict[tuple[str, str], bool]) -> None:
    judged = judge(make_headline(figures))
    assert {(key, bound): holds for key, _, bound, holds in judged if holds is not None} == verdicts


def test_letters_are_the_same_for_a_seed_and_all_different() -> None:
    first, again = list(make_letters(200, seed=5)), list(make_letters(200, seed=5))
    assert first == again
    assert len({letter.content for letter in first}) == 200
    assert len({letter.sender for letter in first}) > 25
    ids = [message_from_bytes(letter.content)["Message-ID"] for letter in first]
    assert len(set(ids)) == 200
    assert not any(line.startswith(b".") for letter in first for line in letter.content.split(b"\r\n"))


@pytest.mark.parametrize("octets", [5_000, 20_000, 50_000, 1_000_000])
def test_letters_have_the_size_that_was_asked_for(octets: int) -> None:
    for letter in make_letters(5, octets=octets):
        assert len(letter.content) == pytest.approx(octets, rel=0.2)
        assert letter.content.endswith(b"\r\n")


def test_most_letters_answer_what_is_stored() -> None:
    letters = list(make_letters(200, answers=[("bo@old.example", "<1@old.example>")]))
    answers = [letter for letter in letters if letter.sender == "bo@old.example"]
    assert 90 < len(answers) < 150
    assert {message_from_bytes(letter.content)["In-Reply-To"] for letter in answers} == {"<1@old.example>"}


def test_a_part_that_fails_costs_only_its_own_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> float:
        raise OSError("no such luck")

    parts = {
        "good": command.Part(lambda n: n, lambda *_: None, {"n": 2.0}, lambda found: {"eom_ms_p50": found}),
        "bad": command.Part(broken, lambda *_: None, {}, lambda found: {"eom_ms_p99": found}),
        "late": command.Part(lambda: 7.0, lambda *_: None, {}, lambda found: {"eom_10mb_ms": found}),
    }
    monkeypatch.setattr(command, "PARTS", parts)
    kept, headline, failures = command.run(list(parts), is_quick=True, console=quiet())
    assert failures == 1
    assert kept["failed"] == {"bad": "OSError: no such luck"}
    assert (headline["eom_ms_p50"], headline["eom_ms_p99"], headline["eom_10mb_ms"]) == (2.0, None, 7.0)
    assert json.loads(json.dumps(kept))["measured"] == {"good": 2.0, "late": 7.0}
    assert "no such luck" in capsys.readouterr().err


def test_an_unknown_name_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "thruput"])
    assert command.main() == 64
    assert "there is no benchmark 'thruput'" in capsys.readouterr().err

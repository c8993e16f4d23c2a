# SPDX-License-Identifier: GPL-3.0-or-later
"""How long rules take for one mail.  Budget: about 5 us a rule, 20 kB of text included."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import TypedDict

from rich.console import Console
from rich.table import Table

from bench.figures import percentiles
from tradepost.rules import Condition, Effect, Group, Rule, Value, compile_rules

RULES = 100


def made_rules() -> list[Rule]:
    """Return rules as people write them: a guard or two, some words, now and then an expression."""
    rules = []
    for number in range(RULES):
        conditions: list[Condition | Group] = [
            Condition("direction", "is", "inbound"),
            Condition("is_automatic", "is", "false"),
            Condition("subject", "contains_any", (f"word{number}", "quotation", "报价")),
            Group("any", (Condition("country", "in", ("US", "CA", "MX")), Condition("customer_grade", "is", "A"))),
        ]
        if number % 10 == 0:
            conditions.append(Condition("text", "matches", rf"\b(order|po)\s*(no|nr|#)?\s*{number}\d+\b"))
        rules.append(Rule(f"rule-{number}", "", Group("all", tuple(conditions)), (Effect("add_label", "x"),)))
    return rules


def measure(call: Callable[[], object], rounds: int) -> list[float]:
    """Return seconds per call."""
    taken = []
    for _ in range(rounds):
        started_at = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started_at)
    return taken


class Length(TypedDict):
    """One length and script of text: microseconds a rule."""

    script: str
    characters: int
    p50_us: float
    p99_us: float
    explained_us: float


class RuleTimes(TypedDict):
    """All lengths."""

    rules: int
    rounds: int
    by_length: list[Length]


def measure_rules(*, rounds: int = 500) -> RuleTimes:
    """Evaluate all rules so many times for each length of text."""
    compiled = compile_rules(made_rules())
    found: list[Length] = []
    for octets, script in (
        (300, "ascii"),
        (3_000, "ascii"),
        (20_000, "ascii"),
        (3_000, "chinese"),
        (20_000, "chinese"),
    ):
        words = (
            "Please send your quotation for order no 4711. " if script == "ascii" else "请报价，数量五百个，尽快发货。"
        )
        facts: dict[str, Value] = {
            "direction": "inbound",
            "is_automatic": False,
            "subject": "Quotation for 500 pcs",
            "country": "US",
            "text": (words * octets)[:octets],
        }
        taken = percentiles([seconds * 1e3 for seconds in measure(partial(compiled.evaluate, facts), rounds)])
        found.append(
            {
                "script": script,
                "characters": octets,
                "p50_us": taken["p50"] / RULES * 1e3,
                "p99_us": taken["p99"] / RULES * 1e3,
                "explained_us": statistics.median(measure(partial(compiled.explain, facts), 20)) / RULES * 1e6,
            }
        )
    return {"rules": RULES, "rounds": rounds, "by_length": found}


def show_rules(times: RuleTimes, console: Console) -> None:
    """Print what measure_rules found."""
    title = f"{times['rules']} rules, {times['rounds']} rounds: microseconds a rule"
    table = Table("text", "characters", "p50", "p99", "explained", title=title)
    for one in times["by_length"]:
        figures = (f"{one[key]:.1f}" for key in ("p50_us", "p99_us", "explained_us"))
        table.add_row(one["script"], f"{one['characters']:,}", *figures)
    console.print(table)

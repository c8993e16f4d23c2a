# SPDX-License-Identifier: GPL-3.0-or-later
"""How long rules take for one mail: python bench/rules.py [ROUNDS].  Budget: about 5 us a rule, 20 kB of text included."""

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

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


def main(rounds: int) -> None:
    """Print a line per length of text, and the same as JSON."""
    figures = []
    compiled = compile_rules(made_rules())
    print(f"{RULES} rules, {rounds} rounds, microseconds a rule")
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
        taken = sorted(measure(partial(compiled.evaluate, facts), rounds))
        per_rule = [seconds / RULES * 1e6 for seconds in taken]
        p50, p99 = statistics.median(per_rule), per_rule[int(len(per_rule) * 0.99)]
        explained = statistics.median(measure(partial(compiled.explain, facts), 20)) / RULES * 1e6
        print(f"{script:8} {octets:6} characters: p50 {p50:6.2f}  p99 {p99:6.2f}  explained {explained:7.1f}")
        figures.append(
            {"script": script, "characters": octets, "p50_us": p50, "p99_us": p99, "explained_us": explained}
        )
    print(json.dumps({"rules": RULES, "rounds": rounds, "by_length": figures}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)

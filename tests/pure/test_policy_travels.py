# SPDX-License-Identifier: GPL-3.0-or-later
"""The company's policy, rules included, comes out of the directory as it went in."""

from tradepost.directory import decode_fact, encode_fact
from tradepost.policy import Person, Policy, PolicyProduct, Pool
from tradepost.rules import Condition, Effect, Group, Rule


def test_policy_with_nested_rules_survives_the_directory() -> None:
    rule = Rule(
        id="key-buyer",
        name="Key buyer",
        when=Group(
            "all",
            (
                Condition("subject", "contains", "offer"),
                Group("any", (Condition("size", "above", 3.5), Condition("country", "in", ("DE", "FR")))),
            ),
        ),
        then=(Effect("set_priority", "high"),),
    )
    policy = Policy(
        version=7,
        company="Own Trading",
        domains=("own.example",),
        people=(Person("li@own.example", logins=("li",), languages=("zh", "en")),),
        pools=(Pool("sales", ("sales@own.example",), ("li@own.example",)),),
        rules=(rule,),
        products=(PolicyProduct("D-10", ("drilling", "tools"), ("impact drill", "冲 击 钻")),),
    )
    assert decode_fact(encode_fact(policy), Policy) == policy

# SPDX-License-Identifier: GPL-3.0-or-later
"""The company's policy and its compiled rules, fetched every second in the background: never while a mail waits."""

import logging
import threading
from dataclasses import dataclass

from tradepost.directory import Directory
from tradepost.metrics import Stage, count_failure
from tradepost.policy import Policy
from tradepost.rules import CompiledRules, RuleError, compile_rules

log = logging.getLogger("tradepost.milter")


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """A policy (None: nothing is registered yet) with its rules compiled."""

    policy: Policy | None
    rules: CompiledRules


class PolicySource:
    """Keeps the newest policy at hand.  A policy that can't be read leaves the one before it in force."""

    def __init__(self, directory: Directory, every_seconds: float = 1.0) -> None:
        self._directory = directory
        self._every_seconds = every_seconds
        self._force = PolicyInForce(None, compile_rules(()))

    def current(self) -> PolicyInForce:
        """Return what is in force, without waiting for anything."""
        return self._force

    def refresh(self) -> None:
        """Look once."""
        policy = self._directory.policy()
        if policy is None or policy is self._force.policy:
            return
        try:
            self._force = PolicyInForce(policy, compile_rules(policy.rules))
        except RuleError as error:
            count_failure(Stage.RULES)
            log.error("policy %d has a rule that can't be used, the one before it stays: %s", policy.version, error)
            self._force = PolicyInForce(policy, self._force.rules)

    def follow(self, stop: threading.Event) -> None:
        """Look every second until told to stop."""
        while not stop.wait(self._every_seconds):
            self.refresh()

# SPDX-License-Identifier: GPL-3.0-or-later
"""How much the named signs of fraud weigh together.  Arrival, worker and pages use the same numbers.  Pure."""

from collections.abc import Iterable
from dataclasses import replace

from tradepost.verdict import Labels

# Share of certainty that a sign adds: signs are taken as independent, so 0.5 and 0.5 make 0.75.  What an honest buyer
# shows now and then stays below `ALARMING` alone.
WEIGHTS: dict[str, float] = {
    # whose name is worn
    "looks-like-us": 0.85,
    "looks-like-participant": 0.8,
    "looks-like-customer": 0.6,
    "own-address-from-outside": 0.7,
    "mixed-script-domain": 0.6,
    "name-shows-other-address": 0.5,
    "own-name-outside": 0.45,
    "wears-a-brand": 0.45,
    "own-person-outside": 0.4,
    "resembles-customer": 0.25,
    "stranger-in-thread": 0.2,
    # where answers and links lead
    "answers-go-to-free-mail": 0.4,
    "answers-go-elsewhere": 0.2,
    "link-hides-target": 0.35,
    "throwaway-link": 0.4,
    "throwaway-domain": 0.35,
    "sender-differs": 0.1,
    # what is wanted
    "bank-account-changed": 0.5,
    "asks-for-secret": 0.55,
    "untraceable-payment": 0.4,
    "asks-for-fee": 0.35,
    "promises-a-fortune": 0.4,
    "asks-for-secrecy": 0.3,
    "threatens-loss": 0.25,
    # what is sent
    "hides-file-type": 0.7,
    "risky-attachment": 0.5,
    "packed-attachment": 0.2,
}
ALARMING = 0.5  # from here on people are warned
_UNKNOWN_SIGN = 0.3  # named by another version


def weigh_signs(signs: Iterable[str]) -> float:
    """Return the score of these signs, 0..1."""
    doubt = 1.0
    for sign in dict.fromkeys(signs):
        doubt *= 1.0 - WEIGHTS.get(sign, _UNKNOWN_SIGN)
    return round(1.0 - doubt, 3)


def add_signs(labels: Labels, signs: Iterable[str]) -> Labels:
    """Return the labels with these signs beside their own, and the score of all; the heaviest comes first."""
    named = tuple(dict.fromkeys((*labels.warnings, *signs)))
    if named == labels.warnings:
        return labels
    ordered = tuple(sorted(named, key=lambda sign: -WEIGHTS.get(sign, _UNKNOWN_SIGN)))
    return replace(labels, warnings=ordered, warning_score=weigh_signs(ordered))


def is_alarming(labels: Labels) -> bool:
    """Are people to be warned?  Labels of a version that gave no score always warned."""
    return bool(labels.warnings) and (labels.warning_score is None or labels.warning_score >= ALARMING)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Built-in reason names as sentences for people.  A name without a sentence is shown as it is, never hidden."""

from collections.abc import Mapping

from flask_babel import LazyString, gettext, lazy_gettext

SENTENCES: Mapping[str, LazyString] = {
    "model": lazy_gettext("The trained model read subject and text."),
    "internal": lazy_gettext("Mail among ourselves: its words are not read."),
    "own-mark": lazy_gettext("Carries our own keyed mark: it was decided before."),
    "soft-deadline": lazy_gettext("The time for deciding was up: it passed without being read."),
    "decide-failed": lazy_gettext("Deciding failed: it passed without marks of its own."),
    "classifier-failed": lazy_gettext("The classifier failed: the worker decides."),
    "owner-by-conversation": lazy_gettext("Its conversation is assigned to this person."),
    "owner-by-contact": lazy_gettext("The sender is a contact of this person's customer."),
    "owner-by-company-domain": lazy_gettext("The sender's company belongs to this person."),
    "owner-by-addressed": lazy_gettext("It is addressed to this person."),
    "owner-by-distribution": lazy_gettext("The pool's turn fell on this person."),
    "owner-by-pool": lazy_gettext("It stays in the pool for somebody to take."),
    "owner-by-nobody": lazy_gettext("It is addressed to no pool and to no registered person."),
    "owner-by-operator": lazy_gettext("Who wrote first to a stranger owns the new lead."),
}

WARNINGS: Mapping[str, LazyString] = {
    "own-address-from-outside": lazy_gettext("The sender claims one of our own addresses, but came from outside."),
}


def explain_reason(name: str, rules: Mapping[str, str]) -> str:
    """Return a reason as a sentence in the language of the page.  `rules` gives the name of a rule by its id."""
    if name.startswith(("rule:", "owner-by-rule:")):
        rule_id = name.rpartition("rule:")[2]
        rule = rules.get(rule_id, rule_id)
        if name.startswith("owner-by-"):
            return gettext("The rule “%(rule)s” names the owner.", rule=rule)
        return gettext("The rule “%(rule)s” holds.", rule=rule)
    return str(SENTENCES.get(name, name))


def explain_warning(name: str) -> str:
    """Return a fraud signal as a sentence in the language of the page."""
    return str(WARNINGS.get(name, name))

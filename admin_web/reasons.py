# SPDX-License-Identifier: GPL-3.0-or-later
"""Built-in reason names as sentences for people.  A name without a sentence is shown as it is, never hidden."""

from collections.abc import Mapping

from flask_babel import LazyString, gettext, lazy_gettext

from admin_web.labels import render_label

SENTENCES: Mapping[str, LazyString] = {
    # who or what wrote it
    "rfc3834": lazy_gettext("Its header says that a machine wrote it (Auto-Submitted)."),
    "auto-replied": lazy_gettext("Its header says that a machine answered (Auto-Submitted)."),
    "autoresponder-field": lazy_gettext("It carries a header field that only automatic answers have."),
    "precedence-auto-reply": lazy_gettext("Its header says that it is an automatic answer (Precedence)."),
    "null-sender": lazy_gettext("It has no sender to answer to, as bounces have."),
    "delivery-report": lazy_gettext("It is a delivery report."),
    "read-receipt": lazy_gettext("It is a read receipt."),
    "feedback-report": lazy_gettext("It is a complaint report from a mail provider."),
    "invitation-answer": lazy_gettext("It answers an invitation."),
    "subject-auto-reply": lazy_gettext("Its subject begins as automatic answers do."),
    "subject-bounce": lazy_gettext("Its subject speaks of mail that could not be delivered."),
    "robot-sender": lazy_gettext("Its sender is an address that no person reads."),
    "robot-words": lazy_gettext("Its text says that nobody reads answers."),
    "robot-address": lazy_gettext("It comes from an address that no person reads."),
    "automatic": lazy_gettext("A machine wrote it."),
    "platform-relay": lazy_gettext("A platform or form passes a person's words on."),
    "list-mail": lazy_gettext("It came by a mailing list or newsletter."),
    "in-thread": lazy_gettext("It answers an earlier mail."),
    # what it wants
    "unsure": lazy_gettext("No category was likely enough."),
    # how soon
    "loss-within-hours": lazy_gettext("Within hours there would be a loss."),
    "deadline-within-hours": lazy_gettext("It names a deadline within hours."),
    "subject-urgent": lazy_gettext("Its subject says that it is urgent."),
    "angry-customer": lazy_gettext("Somebody complains and is in earnest."),
    "asks-for-speed": lazy_gettext("It asks for a quick answer."),
    "purchase-intent": lazy_gettext("It shows a firm intent to buy."),
    "negotiation": lazy_gettext("It negotiates about amounts."),
    "model-urgent": lazy_gettext("The trained model takes its words for urgent."),
    "model-high": lazy_gettext("The trained model takes its words for important."),
    # what arrival did with it
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

COUNTRY_EVIDENCE: Mapping[str, LazyString] = {
    "phone": lazy_gettext("phone number"),
    "phone-in-text": lazy_gettext("phone number in the text"),
    "place": lazy_gettext("place in the signature"),
    "place-in-text": lazy_gettext("place in the text"),
    "domain": lazy_gettext("country of the domain"),
    "provider": lazy_gettext("mail provider"),
    "legal-form": lazy_gettext("legal form of the company"),
    "language": lazy_gettext("language"),
    "time-zone": lazy_gettext("time zone"),
    "language-and-zone": lazy_gettext("language together with the time zone"),
    "ip": lazy_gettext("network of the sender"),
}

WARNINGS: Mapping[str, LazyString] = {
    "name-shows-other-address": lazy_gettext("The sender's name shows another address than the mail comes from."),
    "answers-go-to-free-mail": lazy_gettext("Answers would go to a free mailbox, not to the sender's company."),
    "throwaway-domain": lazy_gettext("The sender's domain is of a kind that swindlers throw away."),
    "throwaway-link": lazy_gettext("A link leads to a domain of a kind that swindlers throw away."),
    "risky-attachment": lazy_gettext("An attachment is of a kind that can run programs."),
    "own-address-from-outside": lazy_gettext("The sender claims one of our own addresses, but came from outside."),
}


def explain_reason(name: str, rules: Mapping[str, str]) -> str:
    """Return a reason as a sentence in the language of the page.  `rules` gives the name of a rule by its id."""
    if name.startswith("attachment-"):
        return gettext(
            "The name of an attachment speaks for “%(category)s”.",
            category=render_label(name.removeprefix("attachment-")),
        )
    if name.startswith("category-"):
        return gettext(
            "Mail of the category “%(category)s” has this priority.",
            category=render_label(name.removeprefix("category-")),
        )
    if name.startswith(("rule:", "owner-by-rule:")):
        rule_id = name.rpartition("rule:")[2]
        rule = rules.get(rule_id, rule_id)
        if name.startswith("owner-by-"):
            return gettext("The rule “%(rule)s” names the owner.", rule=rule)
        return gettext("The rule “%(rule)s” holds.", rule=rule)
    return str(SENTENCES.get(name, name))


def explain_country(evidence: str) -> str:
    """Return what speaks for the country, given as names joined by +, in the language of the page."""
    names = (str(COUNTRY_EVIDENCE.get(name, name)) for name in evidence.split("+"))
    return gettext("What speaks for the country: %(evidence)s.", evidence=", ".join(names))


def explain_warning(name: str) -> str:
    """Return a fraud signal as a sentence in the language of the page."""
    return str(WARNINGS.get(name, name))

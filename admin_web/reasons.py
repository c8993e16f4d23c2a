# SPDX-License-Identifier: GPL-3.0-or-later
"""Built-in reason names as sentences for people.  A name without a sentence is shown as it is, never hidden."""

from collections.abc import Collection, Mapping

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
    "system-notice": lazy_gettext("A system reports something and awaits no answer."),
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
    "asks-again": lazy_gettext("The writer asks again: what came before was not answered."),
    "purchase-intent": lazy_gettext("It shows a firm intent to buy."),
    "negotiation": lazy_gettext("It negotiates about amounts."),
    "model-urgent": lazy_gettext("The trained model takes its words for urgent."),
    "model-high": lazy_gettext("The trained model takes its words for important."),
    # what arrival did with it
    "model": lazy_gettext("The trained model read subject and text."),
    "second-opinion": lazy_gettext("The model was unsure; a slower reader was asked, and both together decided."),
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
    "national-phone": lazy_gettext("telephone number in national writing"),
    "tax-number": lazy_gettext("tax number"),
    "postal-code": lazy_gettext("postal code"),
    "town": lazy_gettext("town in the signature"),
    "town-of-name": lazy_gettext("town beside the name"),
    "here": lazy_gettext("the writer says where he is"),
    "domain-name": lazy_gettext("words of the domain"),
    "variety": lazy_gettext("turns of phrase of a country"),
    "clock": lazy_gettext("the sender's clock"),
    "program": lazy_gettext("the sender's mail program"),
}

WARNINGS: Mapping[str, LazyString] = {
    # whose name it wears
    "looks-like-us": lazy_gettext("The sender's domain is made to be taken for one of ours."),
    "looks-like-participant": lazy_gettext(
        "The sender's domain is made to be taken for somebody's in this conversation."
    ),
    "looks-like-customer": lazy_gettext("The sender's domain is made to be taken for that of a company we know."),
    "resembles-customer": lazy_gettext("The sender's domain differs little from that of a company we know."),
    "own-address-from-outside": lazy_gettext("The sender claims one of our own addresses, but came from outside."),
    "own-name-outside": lazy_gettext("The sender writes under our company's name from an address that is not ours."),
    "own-person-outside": lazy_gettext("The sender bears a colleague's name, but the address is not his."),
    "stranger-in-thread": lazy_gettext("The sender has not taken part in this conversation before."),
    "wears-a-brand": lazy_gettext("The sender's domain holds a well-known name without belonging to it."),
    "mixed-script-domain": lazy_gettext("The sender's domain mixes letters of two scripts that look the same."),
    "name-shows-other-address": lazy_gettext("The sender's name shows another address than the mail comes from."),
    "throwaway-domain": lazy_gettext("The sender's domain is of a kind that swindlers throw away."),
    "sender-differs": lazy_gettext("It was sent by another domain than the one it names."),
    # where answers and links lead
    "answers-go-to-free-mail": lazy_gettext("Answers would go to a free mailbox, not to the sender's company."),
    "answers-go-elsewhere": lazy_gettext("Answers would go to another domain than the sender's."),
    "link-hides-target": lazy_gettext("A link shows another address than the one it leads to."),
    "throwaway-link": lazy_gettext("A link leads to a domain of a kind that swindlers throw away."),
    # what it wants
    "bank-account-changed": lazy_gettext("It says that money is to go to another bank account."),
    "asks-for-secret": lazy_gettext("It asks for a password or another secret."),
    "untraceable-payment": lazy_gettext(
        "It speaks of payments that nobody gets back (gift cards, cash transfer, coins)."
    ),
    "asks-for-fee": lazy_gettext("It asks for a fee before something else is paid or given."),
    "promises-a-fortune": lazy_gettext("It promises money out of nowhere."),
    "asks-for-secrecy": lazy_gettext("It asks that nobody else is told or called."),
    "threatens-loss": lazy_gettext("It threatens that an account or a mailbox will be lost."),
    # what it carries
    "hides-file-type": lazy_gettext("An attachment is named like a document but runs a program."),
    "risky-attachment": lazy_gettext("An attachment is of a kind that can run programs."),
    "packed-attachment": lazy_gettext("An attachment is packed so that scanners seldom look inside."),
}

_CALL = lazy_gettext("Pay nothing and change no account before you called the partner under a number you knew before.")
_COMPARE = lazy_gettext("Compare the address letter by letter, and answer by a new mail to the address you know.")
_TYPE_NOTHING = lazy_gettext("Follow no link and type no password; open the service's own page yourself.")
_OPEN_NOTHING = lazy_gettext("Do not open the attachment; show the mail to your administrator.")
# Which signs ask for which care.
_ADVICE: tuple[tuple[LazyString, frozenset[str]], ...] = (
    (
        _CALL,
        frozenset(
            {
                "bank-account-changed", "looks-like-us", "looks-like-participant", "looks-like-customer",
                "own-address-from-outside", "own-person-outside", "own-name-outside", "untraceable-payment",
                "asks-for-fee", "promises-a-fortune", "asks-for-secrecy",
            }
        ),
    ),
    (
        _COMPARE,
        frozenset(
            {
                "looks-like-us", "looks-like-participant", "looks-like-customer", "own-address-from-outside",
                "own-person-outside", "own-name-outside", "mixed-script-domain", "name-shows-other-address",
                "answers-go-to-free-mail", "answers-go-elsewhere",
            }
        ),
    ),
    (
        _TYPE_NOTHING,
        frozenset({"asks-for-secret", "wears-a-brand", "threatens-loss", "link-hides-target", "throwaway-link"}),
    ),
    (_OPEN_NOTHING, frozenset({"hides-file-type", "risky-attachment", "packed-attachment"})),
)  # fmt: skip


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


def advise(names: Collection[str]) -> tuple[str, ...]:
    """Return what to do about these signs of fraud, in the language of the page."""
    return tuple(str(advice) for advice, signs in _ADVICE if not signs.isdisjoint(names))

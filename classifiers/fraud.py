# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs of fraud that a mail shows by itself: whose name it wears, where answers and links lead, what it wants.

Signs are warnings and evidence, never proof: each has a weight (`tradepost.suspicion`), and one that honest buyers show now
and then warns nobody alone.  What needs the company's people, customers and conversations is added at arrival.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from classifiers.tables import PatternSet, any_of, linear, read_table
from tradepost.addresses import domain_of, is_free_mail, registrable_domain
from tradepost.lookalikes import looks_like, mixes_scripts, skeleton
from tradepost.message import Message
from tradepost.suspicion import weigh_signs

_TABLE = read_table("fraud")
_WORD_GROUPS = ("secret", "give", "threat", "untraceable", "fee", "fortune", "bank_changed", "secrecy")
_WORDS = PatternSet({name: rf"(?i)(?:{any_of(_TABLE[name])})" for name in _WORD_GROUPS})
_MAX_CHARS = 6_000
_MAX_HTML_CHARS = 40_000
_MAX_LINKS = 40
_MAX_TAG_CHARS = 2_000
_MAX_SHOWN_CHARS = 200
_THROWAWAY = frozenset(_TABLE["throwaway_domains"])
_RUNNING = frozenset(_TABLE["running_files"])
_PACKED = frozenset(_TABLE["packed_files"])
_BRANDS: dict[str, frozenset[str]] = {skeleton(name): frozenset(own) for name, own in _TABLE["brands"].items()}
_DOCUMENTS = frozenset(("pdf", "doc", "docx", "xls", "xlsx", "jpg", "jpeg", "png", "txt", "zip", "rar", "mp3"))
_ADDRESS_IN_NAME = linear(r"[^\s@<>\"']+@[^\s@<>\"']+\.[a-z]{2,}")
_HREF = linear(r"(?i)\shref\s*=\s*[\"']?\s*(https?://[^\"'\s<>]+)")
_SHOWN_HOST = linear(r"(?i)^\s*(?:https?://)?((?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,24})(?:[/:?#]\S*)?\s*$")
# Hosts that mail programs and gateways put before every link.
_REWRITERS = frozenset(
    {
        "outlook.com", "office.com", "urldefense.com", "proofpoint.com", "google.com", "mimecast.com", "barracudanetworks.com",
        "list-manage.com", "sendgrid.net", "hubspotlinks.com", "mailchi.mp", "exct.net", "rs6.net", "cudasvc.com", "sophos.com",
        "trendmicro.com", "fireeye.com", "safelinks.com", "awstrack.me", "sparkpostmail.com", "mailgun.org", "mjt.lu",
    }
)  # fmt: skip
_SHORTEST_OWN_NAME = 8  # letters of the company's name in somebody's address or name: shorter ones are words
_BAIT = 0.3  # less than people are warned from: what is in doubt is left to the model
_HTTP = re.compile("http", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fraud:
    """The built-in names of what was found, the heaviest first, and their score 0..1."""

    signs: tuple[str, ...] = ()
    score: float = 0.0

    @property
    def odds(self) -> float:
        """By how much the signs raise the odds of spam: 2 for a weak one, 4 for one that warns, 60 at most."""
        return min((1.0 - self.score) ** -2, 60.0)


NO_FRAUD = Fraud()


def read_fraud(message: Message, *, is_relay: bool = False, is_list: bool = False, words: str | None = None) -> Fraud:
    """Name what honest mail seldom shows.

    A platform that carries a buyer's words answers elsewhere by its nature, and a list's links pass through a counter.
    `words` are the sender's own: whoever answers a notice quotes it and wants none of what it wants.  A quotation in what is
    no answer is the sender's own making.
    """
    is_answer = message.in_reply_to or message.references
    signs = [
        *_worn_names(message),
        *(() if is_relay else _answers(message)),
        *_attachments(message),
        *_links(message, is_list=is_list),
        *find_bait(message.subject, words if is_answer and words is not None else message.text),
    ]
    if not signs:
        return NO_FRAUD
    ordered = tuple(sorted(dict.fromkeys(signs), key=lambda sign: -weigh_signs((sign,))))
    return Fraud(ordered, weigh_signs(ordered))


def find_bait(subject: str, text: str) -> tuple[str, ...]:
    """Return the signs of what the words want: a secret, money to somewhere else, a fee before a fortune."""
    found = _WORDS.found(f"{subject}\n{text[:_MAX_CHARS]}")
    if not found:
        return ()
    signs = []
    if "secret" in found and ("give" in found or "threat" in found):
        signs.append("asks-for-secret")
    if "bank_changed" in found:
        signs.append("bank-account-changed")
    for group, sign in (
        ("untraceable", "untraceable-payment"),
        ("fee", "asks-for-fee"),
        ("fortune", "promises-a-fortune"),
        ("secrecy", "asks-for-secrecy"),
        ("threat", "threatens-loss"),
    ):
        if group in found:
            signs.append(sign)
    return tuple(signs)


def reads_like_bait(message: Message) -> bool:
    """Would a machine's notice that reads so rather be a swindler's?  A brand in its domain alone is a partner's as well."""
    fraud = read_fraud(message)
    return fraud.score >= _BAIT and fraud.signs != ("wears-a-brand",)


def _worn_names(message: Message) -> list[str]:
    signs = []
    from_ = message.from_
    domain = domain_of(from_.address)
    named = _ADDRESS_IN_NAME.search(from_.name) if "@" in from_.name else None
    if named is not None and domain_of(named.group()) != domain:
        signs.append("name-shows-other-address")
    ours = {company for address in (*message.to[:20], *message.cc[:20]) if (company := _company(address.address))}
    if domain and ours and registrable_domain(domain) not in ours:
        # Of several companies addressed only one is ours: another may be the writer's sister, with her country's ending.
        if looks_like(domain, ours, endings=len(ours) == 1) is not None:
            signs.append("looks-like-us")
        elif _wears_our_name(message, ours):
            signs.append("own-name-outside")
    if _wears_a_brand(domain):
        signs.append("wears-a-brand")
    if mixes_scripts(domain):
        signs.append("mixed-script-domain")
    if _is_throwaway(domain):
        signs.append("throwaway-domain")
    return signs


def _company(address: str) -> str:
    domain = domain_of(address)
    return "" if not domain or is_free_mail(domain) else registrable_domain(domain)


def _wears_our_name(message: Message, ours: set[str]) -> bool:
    """Does somebody outside write under the company's name, in the address or before it?"""
    worn = (skeleton(message.from_.address.partition("@")[0]), skeleton(message.from_.name))
    names = [skeleton(company.partition(".")[0]) for company in ours]
    return any(len(name) >= _SHORTEST_OWN_NAME and any(name in other for other in worn) for name in names)


def _wears_a_brand(domain: str) -> bool:
    """Does a host's name hold a carrier's, bank's or platform's as a word ("dhl-parcel.example") without being theirs?"""
    company = registrable_domain(domain).partition(".")[0]
    for label in domain.split(".")[:-1]:
        for word in {label, *label.split("-")}:
            own = _BRANDS.get(skeleton(word))
            if own is not None and company not in own:
                return True
    return False


def _answers(message: Message) -> list[str]:
    if not message.reply_to:
        return []
    domain, answer = domain_of(message.from_.address), domain_of(message.reply_to[0].address)
    company, other = registrable_domain(domain), registrable_domain(answer)
    if not company or not other or company == other:
        return []
    if is_free_mail(answer):
        # From one free mailbox to another is how some people live; from a company's to a free one is not.
        return ["answers-go-elsewhere" if is_free_mail(domain) else "answers-go-to-free-mail"]
    # A buyer who writes from a free mailbox and wants answers at his company's is honest about it.
    return [] if is_free_mail(domain) else ["answers-go-elsewhere"]


def _attachments(message: Message) -> list[str]:
    signs = []
    for part in message.attachments[:50]:
        stem, dot, ending = part.filename.lower().rstrip(" .").rpartition(".")
        if not dot:
            continue
        if ending in _RUNNING:
            hides = stem.rpartition(".")[2].strip() in _DOCUMENTS
            signs.append("hides-file-type" if hides else "risky-attachment")
        elif ending in _PACKED:
            signs.append("packed-attachment")
    return signs


def _is_throwaway(host: str) -> bool:
    _, dot, last = host.rpartition(".")
    return bool(dot) and last in _THROWAWAY


def _links(message: Message, *, is_list: bool) -> list[str]:
    signs = []
    if _has_throwaway_link(message.text, registrable_domain(domain_of(message.from_.address))):
        signs.append("throwaway-link")
    if not is_list and "<a" in message.html and _has_hidden_target(message.html[:_MAX_HTML_CHARS]):
        signs.append("link-hides-target")
    return signs


def _has_throwaway_link(text: str, own: str) -> bool:
    """Is there a link to such a domain?  The writer's own is named once, as his."""
    for count, match in enumerate(_HTTP.finditer(text)):
        if count == _MAX_LINKS:
            break
        start = match.start()
        word = text[start : start + 300].split(maxsplit=1)[0]
        try:
            host = urlsplit(word.rstrip(">).,")).hostname or ""
        except ValueError:
            host = ""
        if _is_throwaway(host) and registrable_domain(host) != own:
            return True
    return False


def _has_hidden_target(html: str) -> bool:
    """Does a link show one company's address and lead to another's?"""
    position = html.find("<a")
    for _ in range(_MAX_LINKS):
        if position < 0:
            break
        opened = html.find(">", position, position + _MAX_TAG_CHARS)
        closed = html.find("<", opened, opened + _MAX_SHOWN_CHARS) if opened > 0 else -1
        if closed > 0 and _leads_elsewhere(html[position:opened], html[opened + 1 : closed]):
            return True
        position = html.find("<a", position + 2)
    return False


def _leads_elsewhere(tag: str, text: str) -> bool:
    shown = _SHOWN_HOST.search(text) if "." in text else None
    href = _HREF.search(tag) if shown is not None else None
    if shown is None or href is None:
        return False
    try:
        host = urlsplit(href.group(1)).hostname or ""
    except ValueError:
        return False
    target, seen = registrable_domain(host), registrable_domain(shown.group(1))
    return bool(seen and target) and target != seen and target not in _REWRITERS

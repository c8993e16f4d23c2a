# SPDX-License-Identifier: GPL-3.0-or-later
"""Unknown is not none: `UNKNOWN` says that nobody could answer, `None` that there is nothing."""

from enum import Enum
from typing import Final, Literal


class _Unknown(Enum):
    UNKNOWN = "unknown"


UNKNOWN: Final = _Unknown.UNKNOWN
Unknown = Literal[_Unknown.UNKNOWN]

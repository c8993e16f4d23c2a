# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of addresses, domains and words that come with the program: data files, read once."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def read_lists(name: str) -> dict[str, Any]:
    """Return the tables of `tradepost/data/NAME.toml`."""
    return tomllib.loads((files("tradepost") / "data" / f"{name}.toml").read_text("utf-8"))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Short expressions that speak for a category: classifiers/training/expressions/*.tsv, "category, priority, text" a line.

They teach words and turns of phrase that no letter happens to hold; they are no letters, and nothing is measured on them.
"""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from classifiers.training.letters import LetterError
from tradepost.verdict import CATEGORIES, Priority

_SAYS_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Expression:
    """One line; the priority is None where the expression says nothing of it."""

    name: str  # file and line
    category: str
    priority: Priority | None
    text: str


def read_expressions() -> list[Expression]:
    """Read all expressions.  Raises LetterError for the first bad line."""
    found = []
    folder = Path(str(files("classifiers.training"))) / "expressions"
    for file in sorted(folder.glob("*.tsv")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            name = f"{file.stem}:{number}"
            category, _, rest = line.partition("\t")
            priority, _, text = rest.partition("\t")
            if category not in CATEGORIES or priority not in (*Priority, _SAYS_NOTHING) or not text.strip():
                raise LetterError(f"expressions/{file.name}:{number}: not category, priority and text: {line!r}")
            found.append(Expression(name, category, None if priority == _SAYS_NOTHING else Priority(priority), text))
    return found

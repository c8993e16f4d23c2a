# SPDX-License-Identifier: GPL-3.0-or-later
"""The sentences of this room and their translations: `python -m admin_web.catalog` finds new ones and compiles.

English is the language of the source.  Every other one has a messages.po beside its compiled messages.mo; both are kept,
so that an installation needs no compiler.
"""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from admin_web.languages import FOLDER, LANGUAGES

ROOM = Path(__file__).parent
_METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
_KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
}
_OPTIONS = {"templates/**.html": {"extensions": "jinja2.ext.i18n", "silent": "false"}}
_WIDTH = 120
_NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)


def extract() -> Catalog:
    """Return every sentence that the room's code and templates say."""
    found = Catalog(project="tradepost", charset="utf-8")
    for _, _, sentence, comments, context in extract_from_dir(
        str(ROOM), _METHODS, _OPTIONS, _KEYWORDS, comment_tags=("Translators:",)
    ):
        found.add(sentence, None, auto_comments=comments, context=context)
    return found


def po_path(locale: str) -> Path:
    """Return where a language's translations lie."""
    return FOLDER / locale / "LC_MESSAGES" / "messages.po"


def read_catalog(locale: str) -> Catalog:
    """Return a language's translations."""
    with po_path(locale).open("rb") as file:
        return read_po(file, locale=locale)


def compile_catalog(catalog: Catalog) -> bytes:
    """Return the bytes of messages.mo."""
    compiled = BytesIO()
    write_mo(compiled, catalog)
    return compiled.getvalue()


def _bring_up_to_date(locale: str) -> int:
    """Add new sentences, drop old ones, compile.  Return how many are still to be translated."""
    path = po_path(locale)
    path.parent.mkdir(parents=True, exist_ok=True)
    catalog = read_catalog(locale) if path.exists() else Catalog(locale=locale, charset="utf-8")
    catalog.update(extract(), no_fuzzy_matching=True)
    catalog.header_comment = "# SPDX-License-Identifier: GPL-3.0-or-later"
    catalog.fuzzy = False
    catalog.creation_date = catalog.revision_date = _NO_DATE  # git knows the dates; the file changes with its sentences
    catalog.obsolete.clear()
    with path.open("wb") as file:
        write_po(file, catalog, width=_WIDTH, no_location=True, sort_output=True)
    path.with_suffix(".mo").write_bytes(compile_catalog(read_catalog(locale)))
    return sum(1 for message in catalog if message.id and not _is_translated(message.string))


def _is_translated(string: object) -> bool:
    return all(string) if isinstance(string, tuple) else bool(string)


if __name__ == "__main__":
    for language in LANGUAGES:
        if language != "en":
            print(f"{language}: {_bring_up_to_date(language)} sentences to translate")

# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings as text: what is in force, docs/settings.md and tradepost.toml(5).

`python -m tradepost.settings_pages` in the checkout writes the two pages from the models, so that neither can drift.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tradepost.settings import Settings, table_models

MARKDOWN_PAGE = Path("docs/settings.md")
MANUAL_PAGE = Path("man/tradepost.toml.5")

# Defaults that are asked of the machine are described, not printed: the page must be the same everywhere.
_ASKED = {("host", "instance"): "this host's full name"}


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as a page shows it."""

    table: str
    key: str
    kind: str  # "whole number, 1 to 64"
    default: str  # TOML, or words for what is asked of the machine
    meaning: str


def render_settings(settings: Settings, *, everything: bool = False) -> str:
    """Return the settings in force as TOML: those that differ from the defaults, or everything with its meaning."""
    lines: list[str] = []
    for table, model in table_models().items():
        values, defaults = getattr(settings, table), model()
        rows: list[str] = []
        for key, field in model.model_fields.items():
            value = getattr(values, key)
            if everything:
                rows += [f"# {field.description}", f"{key} = {render_value(value)}"]
            elif value != getattr(defaults, key):
                rows.append(f"{key} = {render_value(value)}")
        if rows:
            lines += [f"[{table}]", *rows, ""]
    return "\n".join(lines)


def render_value(value: object) -> str:
    """Return one setting's value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(render_value(item) for item in value) + "]"
    # A TOML basic string escapes what a JSON string escapes, and DEL (TOML 1.0, String).
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def describe_settings() -> tuple[Described, ...]:
    """Return every setting, in the order of the file."""
    return tuple(
        _describe(table, key, field)
        for table, model in table_models().items()
        for key, field in model.model_fields.items()
    )


def _describe(table: str, key: str, field: FieldInfo) -> Described:
    default = _ASKED.get((table, key)) or render_value(field.get_default(call_default_factory=True, validated_data={}))
    return Described(table, key, _kind(field), default, field.description or "")


def _kind(field: FieldInfo) -> str:
    bounds = {
        name: value
        for item in field.metadata
        for name in ("ge", "le")
        if (value := getattr(item, name, None)) is not None
    }
    words = _words(field.annotation)
    if "le" in bounds:
        return f"{words}, {bounds['ge']} to {bounds['le']}"
    return f"{words}, {bounds['ge']} or more" if "ge" in bounds else words


def _words(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " | ".join(render_value(choice) for choice in get_args(annotation))
    if get_origin(annotation) is tuple:
        return "list of texts"
    return {bool: "true | false", int: "whole number", float: "number", Path: "path", str: "text"}[annotation]


def render_markdown() -> str:
    """Return docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "<!-- Written by `python -m tradepost.settings_pages` from tradepost/settings.py: change the text there. -->",
        "",
        "One file, `/etc/tradepost/tradepost.toml` (or `--config PATH`, or `$TRADEPOST_CONFIG`). Every setting has a default;",
        "`tradepost settings show` prints what differs, `tradepost settings show --all` everything, `tradepost settings check`",
        "names every mistake by file, table and key. `TRADEPOST_<TABLE>__<KEY>` in the environment goes before the file",
        "(`TRADEPOST_MILTER__CHILDREN=4`); a list is written as JSON there. People, pools and rules are no settings: they",
        "live in the database (`tradepost directory apply`).",
    ]
    for table, model in table_models().items():
        lines += [
            "",
            f"## [{table}]",
            "",
            _first_line(model),
            "",
            "| setting | kind | default | meaning |",
            "| --- | --- | --- | --- |",
        ]
        for item in describe_settings():
            if item.table == table:
                default = item.default if (item.table, item.key) in _ASKED else f"`{item.default}`"
                kind = item.kind.replace("|", "\\|")
                lines.append(f"| `{item.key}` | {kind} | {default} | {item.meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


_MANUAL_HEAD = r"""'\" t
.\" Written by `python -m tradepost.settings_pages` from tradepost/settings.py: change the text there.
.TH TRADEPOST.TOML 5 "" tradepost tradepost
.SH NAME
tradepost.toml \- settings of tradepost
.SH SYNOPSIS
.I /etc/tradepost/tradepost.toml
.SH DESCRIPTION
One TOML file holds all settings of this host.
Every setting has a default; an unknown table or key is refused.
People, pools and rules are no settings: they live in the database, see
.BR tradepost (1),
.BR "directory apply" .
.PP
.B tradepost settings show
prints what differs from the defaults,
.B \-\-all
everything with its meaning;
.B tradepost settings check
names every mistake.
"""

_MANUAL_TAIL = r""".SH ENVIRONMENT
.TP
.BI TRADEPOST_ TABLE __ KEY
goes before the file, as in
.BR TRADEPOST_MILTER__CHILDREN=4 .
A list is written as JSON.
.TP
.B TRADEPOST_CONFIG
names another file.
.SH FILES
.TP
.I /etc/tradepost/tradepost.toml
read where neither
.B \-\-config
nor
.B TRADEPOST_CONFIG
names another.  If it does not exist, the defaults are in force.
.SH DIAGNOSTICS
A mistake is one line that names file, table and key, what is wrong and what is allowed; the program then ends with
status 78 and changes nothing.
.SH BUGS
A running part reads the file when it is started; the milter also on SIGHUP, except for its socket.
.SH SEE ALSO
.BR tradepost (1),
.BR tradepost\-milter (8),
.BR tradepost\-metrics (8)
"""


def render_manual() -> str:
    """Return man/tradepost.toml.5."""
    lines = []
    for table, model in table_models().items():
        lines += [f".SH [{table}]", _escape(_first_line(model))]
        for item in describe_settings():
            if item.table == table:
                lines += [
                    ".TP",
                    rf"\fB{_escape(item.key)}\fR ({_escape(item.kind)}; default {_escape(item.default)})",
                    _escape(item.meaning),
                ]
    return _MANUAL_HEAD + "\n".join(lines) + "\n" + _MANUAL_TAIL


def _escape(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return "\\&" + escaped if escaped.startswith((".", "'")) else escaped


def write_pages(checkout: Path) -> None:
    """Write both pages below the checkout."""
    for page, text in ((MARKDOWN_PAGE, render_markdown()), (MANUAL_PAGE, render_manual())):
        (checkout / page).parent.mkdir(exist_ok=True)
        (checkout / page).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path())

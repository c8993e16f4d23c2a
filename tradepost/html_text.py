# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML into text by one linear pass over its tags.

No tree is built, on purpose: the HTML5 algorithm reopens every unclosed <b> in every following <p>, and 29 kB of such
mail cost a conforming parser 3 s and 1.2 GB (measured with lexbor).  A mail needs lines, not a tree.
"""

import html
import re
from collections import Counter

MAX_HTML_CHARS = 1_000_000
_MAX_DEPTH = 200

_NAME = re.compile(r"/?[a-zA-Z][a-zA-Z0-9:]*")
_ATTRIBUTE = re.compile(r"([a-zA-Z-]{1,30})\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'>]+)")
_SPACES = re.compile(r"[ \t\r\n\f\xa0]+")
_BLANK_LINES = re.compile(r"\n(?:[ \t>]*\n){2,}")
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?:px|pt|em)?\s*(?:;|$)")

_BLOCKS = frozenset(
    [
        "p",
        "div",
        "tr",
        "table",
        "tbody",
        "thead",
        "ul",
        "ol",
        "li",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
        "pre",
        "hr",
        "form",
        "fieldset",
        "section",
        "article",
        "header",
        "footer",
        "address",
        "center",
        "dl",
        "dt",
        "dd",
        "figure",
        "main",
        "body",
        "title",
        "caption",
    ]
)
_SPACED = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre"])
_SKIPPED = frozenset(
    [
        "script",
        "style",
        "head",
        "title",
        "noscript",
        "template",
        "svg",
        "math",
        "object",
        "iframe",
        "select",
        "textarea",
    ]
)
_END_TAGS = {name: re.compile(f"</{name}", re.IGNORECASE | re.ASCII) for name in _SKIPPED}
_VOID = frozenset(
    ["br", "hr", "img", "input", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr", "param"]
)
# Containers in which clients put what was quoted: shown as quotes, whatever the words around it.
_QUOTE_MARKS = ("gmail_quote", "yahoo_quoted", "protonmail_quote", "moz-cite-prefix", "zmail_extra", "isreplycontent",
                "ntes_reply", "tutanota_quote", "gmail_extra_quote")  # fmt: skip
# What stands above the letter answered, without holding it: the rest of the page is quoted, if anything stands before it.
_REST_MARKS = ("divrplyfwdmsg", "outlookmessageheader", "mail-editor-reference-message-container", "zwchr")
_SIGNATURE_MARKS = ("gmail_signature", "moz-signature", "protonmail_signature", "ms-outlook-mobile-signature",
                    "signature_block", "foxmail_signature", "mysigmail")  # fmt: skip


def html_to_text(source: str, *, max_chars: int = MAX_HTML_CHARS) -> str:
    """Return the words of an HTML mail as lines: blocks and <br> break, quotes get "> ", hidden parts are left out.

    Reading ends when about `max_chars` characters of text have been found.
    """
    source = source[:MAX_HTML_CHARS]
    page = _Page(source)
    position = 0
    while position < len(source) and page.written < max_chars:
        start = source.find("<", position)
        if start < 0:
            start = len(source)
        if start > position:
            page.write_text(source[position:start])
        position, tag = _read_tag(source, start)
        match = _NAME.match(tag)
        if not match:
            page.write_text(tag if tag == "<" else "")
            continue
        name = match[0].lower()
        if name[0] == "/":
            page.close(name[1:])
        elif name in _SKIPPED and not tag.endswith("/"):
            position = page.end_of(name, position)
        else:
            page.open(name, tag)
    return page.text()


def _read_tag(source: str, start: int) -> tuple[int, str]:
    """Return where the tag ends and what is between < and >; comments are empty, a lone < is itself."""
    if start >= len(source):
        return start, ""
    if source.startswith("<!--", start):
        end = source.find("-->", start + 4)
        return (end + 3 if end >= 0 else len(source)), ""
    follow = source[start + 1 : start + 2]
    if not (follow.isalpha() or follow in ("/", "!", "?")):
        return start + 1, "<"
    end = source.find(">", start)
    for _ in range(3):  # a > inside a quoted attribute
        if end < 0 or source.count('"', start, min(end, start + 4000)) % 2 == 0:
            break
        end = source.find(">", end + 1)
    if end < 0:
        return len(source), ""
    return end + 1, source[start + 1 : min(end, start + 4000)]


class _Page:
    """What has been read so far: finished lines, the line at hand, and the open elements that change something."""

    def __init__(self, source: str) -> None:
        self.written = 0  # characters
        self._source = source
        self._lines: list[str] = []
        self._line: list[str] = []
        self._quote_depth = 0
        self._hidden = 0
        self._stack: list[tuple[str, bool, bool]] = []  # (name, quotes here, hides here)
        self._open_names: Counter[str] = Counter()
        self._never_closed: set[str] = set()

    def text(self) -> str:
        """Return everything written, runs of blank lines made one."""
        self._break_line()
        return _BLANK_LINES.sub("\n\n", "\n".join(self._lines)).strip("\n")

    def write_text(self, text: str) -> None:
        """Add words between tags."""
        if self._hidden or not text:
            return
        text = _SPACES.sub(" ", html.unescape(text) if "&" in text else text)
        if text != " " or self._line:
            self._line.append(text)
            self.written += len(text)

    def end_of(self, name: str, position: int) -> int:
        """Return the position behind the element's end tag; an element never closed hides nothing but its own tag."""
        if name in self._never_closed:
            return position
        found = _END_TAGS[name].search(self._source, position)
        if found is None:
            self._never_closed.add(name)  # else a thousand of them would search the rest a thousand times
            return position
        end = self._source.find(">", found.end())
        return end + 1 if end >= 0 else len(self._source)

    def open(self, name: str, tag: str) -> None:
        """Note an opening tag."""
        if not self._hidden:
            self._lay_out(name)
        if name == "hr" and "=" in tag and not self._hidden and _nature(name, tag)[3]:
            self._quote_rest()
        if name in _VOID or len(self._stack) == _MAX_DEPTH:
            return
        quotes, hides = False, False
        if "=" in tag or name == "blockquote":
            quotes, hides, signs, quotes_rest = _nature(name, tag)
            if quotes_rest and not self._hidden:
                self._quote_rest()
            if signs and not self._hidden:
                self._break_line()
                self._lines.append("-- ")  # RFC 3676, 4.3
        if quotes and not self._hidden:
            self._break_line()
            self._quote_depth += 1
        else:
            quotes = False
        self._hidden += hides
        self._stack.append((name, quotes, hides))
        self._open_names[name] += 1

    def close(self, name: str) -> None:
        """Note a closing tag: everything back to its opening one ends; without one it only breaks the line."""
        if name in _BLOCKS and not self._hidden:
            self._break_line(blank=name in _SPACED)
        if not self._open_names[name]:
            return
        closed = ""
        while closed != name:
            closed, quotes, hides = self._stack.pop()
            self._open_names[closed] -= 1
            self._hidden -= hides
            if quotes:
                self._break_line()
                while self._lines and self._lines[-1] == ">" * self._quote_depth:
                    self._lines.pop()
                self._quote_depth -= 1

    def _quote_rest(self) -> None:
        self._break_line()
        if self._quote_depth == 0 and any(line.strip(" _") for line in self._lines):
            self._quote_depth = 1

    def _lay_out(self, name: str) -> None:
        if name == "br":
            self._break_line(blank=not self._line)
        elif name in ("td", "th"):
            self._line.append(" ")
        elif name == "hr":
            self._break_line()
            self._line.append("________________________________")
            self._break_line()
        elif name in _BLOCKS:
            self._break_line(blank=name in _SPACED)
            if name == "li":
                self._line.append("- ")

    def _break_line(self, *, blank: bool = False) -> None:
        text = "".join(self._line).strip()
        self._line.clear()
        mark = ">" * min(self._quote_depth, 9)
        if text:
            self._lines.append(f"{mark} {text}" if mark else text)
        if blank and self._lines and self._lines[-1].strip("> "):
            self._lines.append(mark)


def _nature(name: str, tag: str) -> tuple[bool, bool, bool, bool]:
    """Say of an element: does it quote, hide, sign, and begin what is quoted?"""
    attributes = {key.lower(): value.strip("\"'").lower() for key, value in _ATTRIBUTE.findall(tag)}
    marks = f"{attributes.get('class', '')} {attributes.get('id', '')} {attributes.get('data-smartmail', '')}"
    hides = "style" in attributes and bool(_HIDDEN_STYLE.search(attributes["style"]))
    quotes = name == "blockquote" or any(mark in marks for mark in _QUOTE_MARKS)
    begins = any(mark in marks for mark in _REST_MARKS)
    return quotes, hides, any(mark in marks for mark in _SIGNATURE_MARKS), begins

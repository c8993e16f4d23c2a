# SPDX-License-Identifier: GPL-3.0-or-later
"""MIME structure out of bytes: header blocks, parts, transfer encodings.  Every dimension is bounded, nothing raises.

The standard library's parser recurses once per nested part and keeps every layer in memory; this one walks a list.
"""

import binascii
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tradepost.header_words import decode_value, parse_parameters

MAX_FIELDS = 2_000
MAX_HEADER_BYTES = 1_048_576
MAX_DEPTH = 30
MAX_PARTS = 1_000

Fields = list[tuple[bytes, bytes]]

_BLANK_LINE = re.compile(rb"\r?\n\r?\n|\r\r")
_FIELD_NAME = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))


@dataclass(slots=True)
class Leaf:
    """One part without children, still encoded.  `alternative` numbers the multipart/alternative it stands in."""

    number: str
    fields: Fields
    content_type: str
    parameters: dict[str, str]
    body: bytes
    alternative: int | None = None
    is_related: bool = False  # a picture or style inside multipart/related


@dataclass(slots=True)
class Tree:
    """The leaves in order, and what was wrong."""

    leaves: list[Leaf] = field(default_factory=list)
    defects: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Branch:
    number: str
    fields: Fields
    body: bytes
    depth: int
    default_type: str
    alternative: int | None
    is_related: bool


def split_message(raw: bytes) -> tuple[bytes, bytes]:
    """Return the header block and the body.  Without a blank line everything is header."""
    if raw[:1] == b"\n" or raw[:2] == b"\r\n":
        return b"", raw[1 + raw.startswith(b"\r") :]
    blank = _BLANK_LINE.search(raw)
    return (raw[: blank.start()], raw[blank.end() :]) if blank else (raw, b"")


def parse_header_block(block: bytes, defects: set[str]) -> tuple[Fields, bytes]:
    """Return the fields, values still folded, and what follows the first line that is no field (RFC 5322, 2.2)."""
    fields: Fields = []
    if len(block) > MAX_HEADER_BYTES:
        block = block[:MAX_HEADER_BYTES]
        defects.add("header-too-long")
    lines = block.splitlines(keepends=True) if b"\r" in block else block.split(b"\n")
    for index, line in enumerate(lines):
        if line[:1] in (b" ", b"\t"):
            if fields:
                name, value = fields[-1]
                if len(value) < 100_000:  # += on bytes copies: a field folded 20,000 times must not cost a second
                    fields[-1] = (name, value + b"\n" + line.rstrip(b"\r\n"))
            continue
        match = _FIELD_NAME.match(line)
        if match is None:
            if not line.strip() or (index == 0 and line.startswith((b"From ", b">From "))):
                continue
            defects.add("line-without-colon")
            separator = b"" if b"\r" in block else b"\n"
            return fields, separator.join(lines[index:])
        if len(fields) == MAX_FIELDS:
            defects.add("too-many-fields")
            break
        fields.append((match[0][:-1].rstrip(), line[match.end() :].strip(b"\r\n").lstrip(b" \t")))
    return fields, b""


def header_of(fields: Fields, name: bytes) -> bytes:
    """Return the first field of that lower-case name, b"" when missing."""
    for key, value in fields:
        if key.lower() == name:
            return value
    return b""


def read_tree(fields: Fields, body: bytes, *, truncated: bool) -> Tree:
    """Walk the parts depth first.  Beyond the bounds a multipart is one opaque leaf, named in the defects."""
    tree = Tree()
    stack = [_Branch("1", fields, body, 0, "text/plain", None, is_related=False)]
    groups = 0
    while stack:
        branch = stack.pop()
        content_type, parameters = _content_type(branch, tree.defects)
        children: list[bytes] = []
        if content_type.startswith("multipart/"):
            children = _children(branch, parameters.get("boundary", ""), tree, truncated=truncated)
            if not children:
                content_type = "text/plain" if not tree.leaves else "application/octet-stream"
        if not children:
            if len(tree.leaves) == MAX_PARTS:
                tree.defects.add("too-many-parts")
                break
            tree.leaves.append(Leaf(branch.number, branch.fields, content_type, parameters, branch.body,
                                    branch.alternative, branch.is_related))  # fmt: skip
            continue
        alternative, is_related = branch.alternative, branch.is_related
        if content_type == "multipart/alternative":
            groups += 1
            alternative = groups
        elif content_type == "multipart/related":
            is_related = True
        elif content_type == "multipart/mixed":
            is_related = False
        if len(stack) + len(children) > MAX_PARTS:
            tree.defects.add("too-many-parts")
            del children[MAX_PARTS - len(stack) :]
        default = "message/rfc822" if content_type == "multipart/digest" else "text/plain"
        prefix = "" if branch.depth == 0 else f"{branch.number}."
        for index in range(len(children), 0, -1):
            part_fields, part_body = _split_part(children[index - 1], tree.defects)
            stack.append(_Branch(f"{prefix}{index}", part_fields, part_body, branch.depth + 1, default,
                                 alternative, is_related))  # fmt: skip
    return tree


def _content_type(branch: _Branch, defects: set[str]) -> tuple[str, dict[str, str]]:
    value = header_of(branch.fields, b"content-type")
    if not value:
        return branch.default_type, {}
    content_type, parameters = parse_parameters(decode_value(value))
    if content_type.count("/") != 1 or " " in content_type:
        defects.add("bad-content-type")
        guess = content_type.split(" ")[0].strip("\"',")
        return (guess if guess.count("/") == 1 else "text/plain"), parameters
    return content_type, parameters


def _split_part(part: bytes, defects: set[str]) -> tuple[Fields, bytes]:
    block, body = split_message(part)
    fields, rest = parse_header_block(block, defects)
    return fields, rest + b"\n" + body if rest else body


def _children(branch: _Branch, boundary: str, tree: Tree, *, truncated: bool) -> list[bytes]:
    """Cut a multipart body at its delimiter lines (RFC 2046, 5.1.1)."""
    if branch.depth >= MAX_DEPTH:
        tree.defects.add("too-deep")
        return []
    if not boundary:
        tree.defects.add("no-boundary")
        return []
    delimiter = b"--" + boundary.rstrip()[:200].encode("utf-8", "surrogateescape")
    parts: list[bytes] = []
    start = -1
    for position, after, is_last in _delimiters(branch.body, delimiter):
        if start >= 0:
            parts.append(branch.body[start:position])
        start = -1 if is_last else after
        if is_last or len(parts) > MAX_PARTS:
            break
    if start >= 0:
        parts.append(branch.body[start:])
        if not truncated:
            tree.defects.add("boundary-not-closed")
    if not parts:
        tree.defects.add("boundary-not-found")
    return parts


def _delimiters(body: bytes, delimiter: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield (end of the part before, start of the part after, closing?) for each delimiter line."""
    position = body.find(delimiter)
    while position >= 0:
        after = position + len(delimiter)
        if position == 0 or body[position - 1] in b"\r\n":
            line_end = body.find(b"\n", after)
            line_end = len(body) if line_end < 0 else line_end + 1
            rest = body[after : min(line_end, after + 80)].strip()
            if rest in (b"", b"--") or rest.startswith(b"--"):
                end = position - 1 if position > 0 else 0
                if end > 0 and body[end - 1 : end + 1] == b"\r\n":
                    end -= 1
                yield max(end, 0), line_end, rest.startswith(b"--")
                after = line_end
        position = body.find(delimiter, after)


def decode_body(body: bytes, encoding: str, defects: set[str]) -> bytes:
    """Undo a Content-Transfer-Encoding; damaged data gives what can be read of it."""
    if encoding == "base64":
        return _decode_base64(body, defects)
    if encoding == "quoted-printable":
        # White space before a line end is transport damage, also behind a soft break (RFC 2045, 6.7).
        return quopri.decodestring(b"\n".join(line.rstrip(b" \t\r") for line in body.split(b"\n")))
    if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return _decode_uu(body)
    if encoding not in ("", "7bit", "8bit", "binary"):
        defects.add("unknown-transfer-encoding")
    return body


def decoded_octets(body: bytes, encoding: str) -> int:
    """Count the decoded bytes without keeping them."""
    if encoding == "base64":
        data = body.translate(None, _NOT_BASE64)
        return len(data.rstrip(b"=")) * 3 // 4
    return len(decode_body(body, encoding, set()))


def _decode_base64(body: bytes, defects: set[str]) -> bytes:
    try:
        return binascii.a2b_base64(body)
    except binascii.Error:
        defects.add("bad-base64")
    data = body.translate(None, _NOT_BASE64).replace(b"=", b"")
    data = data[: len(data) - (len(data) % 4 == 1)]
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4))


def _decode_uu(body: bytes) -> bytes:
    out = bytearray()
    for line in body.splitlines():
        if line.startswith(b"begin ") or line.strip() in (b"end", b"`", b""):
            continue
        try:
            out += binascii.a2b_uu(line)
        except binascii.Error:
            continue
    return bytes(out)

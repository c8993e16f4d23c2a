# SPDX-License-Identifier: GPL-3.0-or-later
"""One letter out of its bytes.  Never raises and never hangs: what is wrong becomes a defect on the result."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tradepost.charsets import codec_name, decode_text
from tradepost.header_words import (
    clean_filename,
    clean_line,
    decode_value,
    decode_words,
    parse_addresses,
    parse_date,
    parse_id,
    parse_ids,
    parse_parameters,
)
from tradepost.html_text import html_to_text
from tradepost.message import Address, Message, Part
from tradepost.mime_tree import (
    MAX_FIELDS,
    Fields,
    Leaf,
    decode_body,
    decoded_octets,
    header_of,
    parse_header_block,
    read_tree,
    split_message,
)

MAX_TEXT_BYTES = 1_048_576  # of one text part; a longer one is no letter
_STUB_CHARS = 60  # a text/plain alternative this short may be "your program can't show HTML"
_NO_FIELD = ""


def parse_message(raw: bytes, *, limit: int | None = None, payloads: bool = False) -> Message:
    """Parse a whole mail.  With `limit` only so many bytes of the body are read and `truncated` says so.

    With `payloads` every part carries its decoded bytes: for the worker, not for arrival.
    """
    defects: set[str] = set()
    block, body = split_message(raw)
    fields, rest = parse_header_block(block, defects)
    if rest:
        body = rest + b"\n" + body
    truncated = limit is not None and len(body) > limit
    return _read(fields, body[:limit], defects, truncated=truncated, payloads=payloads)


def parse_fields(
    fields: Sequence[tuple[bytes, bytes]], body: bytes, *, truncated: bool = False, payloads: bool = False
) -> Message:
    """Parse what a milter was given: header fields as (name, value) and the beginning of the body."""
    defects: set[str] = set()
    if len(fields) > MAX_FIELDS:
        defects.add("too-many-fields")
    return _read(list(fields[:MAX_FIELDS]), body, defects, truncated=truncated, payloads=payloads)


@dataclass(slots=True)
class _Body:
    """What has been gathered from the leaves."""

    parts: list[Part] = field(default_factory=list)
    attachments: list[Part] = field(default_factory=list)
    # (number of the alternative or None, is HTML, text)
    texts: list[tuple[int | None, bool, str]] = field(default_factory=list)
    enclosed_from: Address | None = None


def _read(fields: Fields, body: bytes, defects: set[str], *, truncated: bool, payloads: bool) -> Message:
    tree = read_tree(fields, body, truncated=truncated)
    defects |= tree.defects
    gathered = _Body()
    for leaf in tree.leaves:
        _gather(leaf, gathered, defects, payloads=payloads)
    charset = next((leaf.parameters["charset"] for leaf in tree.leaves if "charset" in leaf.parameters), "")
    decoded, first = _decode_fields(fields, charset)
    text, html = _choose_text(gathered.texts, max_chars=65_536 if truncated else MAX_TEXT_BYTES)
    from_ = parse_addresses(first.get("from", _NO_FIELD))
    sender = parse_addresses(first.get("sender", _NO_FIELD))
    if not from_:
        defects.add("no-from")
    return Message(
        fields=decoded,
        subject=clean_line(decode_words(first.get("subject", _NO_FIELD))),
        from_=from_[0] if from_ else Address(""),
        sender=sender[0] if sender else Address(""),
        reply_to=parse_addresses(first.get("reply-to", _NO_FIELD)),
        to=parse_addresses(first.get("to", _NO_FIELD)),
        cc=parse_addresses(first.get("cc", _NO_FIELD)),
        date=parse_date(first["date"]) if "date" in first else None,
        message_id=parse_id(first.get("message-id", _NO_FIELD)),
        in_reply_to=parse_ids(first.get("in-reply-to", _NO_FIELD)),
        references=parse_ids(first.get("references", _NO_FIELD)),
        text=text,
        html=html,
        parts=tuple(gathered.parts),
        attachments=tuple(gathered.attachments),
        truncated=truncated,
        defects=tuple(sorted(defects)),
        enclosed_from=gathered.enclosed_from,
    )


def _decode_fields(fields: Fields, charset: str) -> tuple[tuple[tuple[str, str], ...], dict[str, str]]:
    """Return all fields decoded for reading, and the first of each name with its encoded words still in place."""
    hint = charset if codec_name(charset) else ""
    decoded: list[tuple[str, str]] = []
    first: dict[str, str] = {}
    for raw_name, raw_value in fields:
        name = raw_name.decode("latin-1")
        value = decode_value(raw_value, hint)
        decoded.append((name, decode_words(value)))
        key = name.lower()
        # To and Cc may be repeated though they must not; the rest is read once: a second From is a forger's.
        if key in ("to", "cc") and key in first:
            first[key] = f"{first[key]}, {value}"[:100_000]
        else:
            first.setdefault(key, value)
    return tuple(decoded), first


def _gather(leaf: Leaf, gathered: _Body, defects: set[str], *, payloads: bool) -> None:
    """Sort one leaf: words of the letter, attachment, or picture inside the HTML."""
    encoding = decode_value(header_of(leaf.fields, b"content-transfer-encoding")).strip().strip('";').lower()
    disposition, parameters = _disposition(leaf.fields)
    name = clean_filename(parameters.get("filename") or leaf.parameters.get("name", ""))
    kind = leaf.content_type
    is_body = kind.startswith("text/") and kind != "text/calendar" and disposition != "attachment" and not name
    payload = b""
    if is_body or payloads:
        payload = decode_body(leaf.body, encoding, defects)
    content_id = clean_line(decode_value(header_of(leaf.fields, b"content-id"))).strip("<>")
    if kind == "message/rfc822":
        enclosed, _ = parse_header_block(split_message(leaf.body[:65_536])[0], set())
        name = name or _name_of_letter(enclosed)
        if gathered.enclosed_from is None:
            writers = parse_addresses(decode_value(header_of(enclosed, b"from")))
            gathered.enclosed_from = writers[0] if writers else Address("")
    part = Part(
        number=leaf.number,
        content_type=kind,
        filename=name,
        octets=len(payload) if payload else decoded_octets(leaf.body, encoding),
        inline=disposition == "inline" or (leaf.is_related and content_id != ""),
        content_id=content_id,
        payload=payload if payloads else b"",
    )
    gathered.parts.append(part)
    if is_body:
        gathered.texts.append((leaf.alternative, kind == "text/html", _text_of(leaf, payload, defects)))
    elif not (leaf.is_related and content_id and kind.startswith("image/")):
        gathered.attachments.append(part)


def _disposition(fields: Fields) -> tuple[str, dict[str, str]]:
    value = header_of(fields, b"content-disposition")
    if not value:
        return "", {}
    token, parameters = parse_parameters(decode_value(value))
    if "=" in token:  # "Content-Disposition: filename=x"
        return "attachment", parse_parameters(";" + token)[1] | parameters
    return token, parameters


def _name_of_letter(fields: Fields) -> str:
    subject = clean_filename(decode_words(decode_value(header_of(fields, b"subject"))))
    return f"{subject}.eml" if subject else "message.eml"


def _text_of(leaf: Leaf, payload: bytes, defects: set[str]) -> str:
    if len(payload) > MAX_TEXT_BYTES:
        payload = payload[:MAX_TEXT_BYTES]
        defects.add("text-too-long")
    text, is_true = decode_text(payload, leaf.parameters.get("charset", ""))
    if not is_true:
        defects.add("charset-mismatch")
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").lstrip("\ufeff")
    if leaf.parameters.get("format", "").lower() == "flowed":
        return _unflow(text, joins_words=leaf.parameters.get("delsp", "").lower() == "yes")
    return text


def _unflow(text: str, *, joins_words: bool) -> str:
    """Join the soft line breaks of format=flowed (RFC 3676, 4)."""
    out: list[str] = []
    open_depth = -1  # quote depth of a paragraph that goes on
    for line in text.split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")
        goes_on = content.endswith(" ") and content != "-- "
        if open_depth == depth and content != "-- ":
            out.append(content)
        else:
            out.append(("\n" if out else "") + (">" * depth + " " if depth else "") + content)
        if goes_on and joins_words:
            out[-1] = out[-1][:-1]
        open_depth = depth if goes_on else -1
    return "".join(out)


def _choose_text(texts: list[tuple[int | None, bool, str]], *, max_chars: int) -> tuple[str, str]:
    """Return the letter's text and its HTML source: of alternatives the plain one, unless it is empty or a stub."""
    plain_of = {group: text for group, is_html, text in texts if group is not None and not is_html and text.strip()}
    html_of = {group: text for group, is_html, text in texts if group is not None and is_html}
    chosen: list[str] = []
    for group, is_html, text in texts:
        if is_html:
            if group not in plain_of:
                chosen.append(html_to_text(text, max_chars=max_chars))
        elif group is not None and group in html_of and len(text) < _STUB_CHARS:
            from_html = html_to_text(html_of[group], max_chars=max_chars)
            chosen.append(from_html if len(from_html) > 3 * len(text) else text)
        else:
            chosen.append(text)
    html = next((text for _, is_html, text in texts if is_html), "")
    return "\n".join(text.strip("\n") for text in chosen if text.strip()), html

# SPDX-License-Identifier: GPL-3.0-or-later
"""The parser reads what people send and survives what attackers send (traps 17, 18, 19)."""

import tracemalloc
from email.header import Header
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradepost.charsets import codec_name, decode_text
from tradepost.header_words import clean_filename, decode_words, parse_addresses, parse_date, parse_id, parse_ids
from tradepost.html_text import html_to_text
from tradepost.message import Address
from tradepost.mime_reading import parse_fields, parse_message


def _letter(body: bytes, *fields: str) -> bytes:
    return "\r\n".join(("From: ann@buyer.example", *fields)).encode() + b"\r\n\r\n" + body


# Charsets (trap 17: a label is narrower than what is sent)


@pytest.mark.parametrize(
    ("label", "written_as", "text"),
    [
        ("gb2312", "gb18030", "朱镕基先生，请报价 €12"),
        ("GBK", "gb18030", "㐀字也要能读"),
        ("big5", "cp950", "請報價，訂購三千個"),
        ("euc-kr", "cp949", "뷁 견적 요청드립니다"),
        ("ks_c_5601-1987", "cp949", "견적 요청드립니다"),
        ("shift_jis", "cp932", "①お見積り㈱"),
        ("iso-8859-1", "cp1252", "price “firm” – 12 €"),
        ("us-ascii", "cp1252", "naïve café"),
        ("iso-8859-9", "cp1254", "Fiyat teklifi için şimdi"),
        ("windows-1256", "cp1256", "نرجو عرض السعر"),
        ("koi8-r", "koi8-r", "Просим прислать прайс"),
        ("tis-620", "cp874", "ขอใบเสนอราคา"),
        ("utf-8", "utf-8", "Grüße 你好 Привет"),
        ("utf8", "utf-8", "Grüße"),
    ],
)
def test_a_label_is_read_as_wide_as_it_is_used(label: str, written_as: str, text: str) -> None:
    raw = _letter(text.encode(written_as), f"Content-Type: text/plain; charset={label}")

    assert parse_message(raw).text == text


def test_japanese_mail_with_nec_characters() -> None:
    # Outlook and phones write ① and ㈱ (row 13) into ISO-2022-JP, which the standard codec refuses.
    jis = b"\x1b$B" + bytes.fromhex("477C34") + bytes.fromhex("7C2D21") + b"\x1b(B"

    text = parse_message(_letter(jis, "Content-Type: text/plain; charset=iso-2022-jp")).text

    assert "①" in text
    assert "�" not in text


@pytest.mark.parametrize(
    ("written_as", "text"),
    [
        ("utf-8", "请报价三千个"),
        ("gb18030", "你好，请给我们报价，数量三千个，谢谢您的支持"),
        ("cp949", "안녕하세요 견적을 요청드립니다 수량은 삼천개입니다"),
        ("cp932", "お世話になっております。お見積りをお願いいたします。"),
        ("euc_jp", "お世話になっております。お見積りをお願いいたします。"),
        ("cp1251", "Добрый день, просим прислать коммерческое предложение"),
        ("koi8-r", "Добрый день, просим прислать коммерческое предложение"),
        ("cp1256", "نرجو إرسال عرض أسعار للمنتجات التالية مع مدة التسليم"),
        ("big5", "您好，請報價並告知最小訂購量與交貨時間，謝謝"),
        ("cp1252", "Sehr geehrte Damen und Herren, wir möchten für Österreich größere Mengen"),
    ],
)
@pytest.mark.parametrize("label", ["", "x-unknown", "us-ascii"])
def test_bytes_without_an_honest_label_are_recognised(written_as: str, text: str, label: str) -> None:
    field = f"Content-Type: text/plain; charset={label}" if label else "Content-Type: text/plain"

    assert parse_message(_letter(text.encode(written_as), field)).text == text


@pytest.mark.parametrize("label", ["punycode", "unicode_escape", "rot13", "zlib", "idna", "x" * 500, "undefined", "\0"])
def test_a_codec_that_is_no_charset_is_not_used(label: str) -> None:
    assert codec_name(label) == ""
    assert decode_text(b"plain words", label) == ("plain words", False)


# Headers


def test_raw_8bit_subject_in_the_charset_of_the_body() -> None:
    fields = [(b"Subject", "Срочный запрос".encode("cp1251")), (b"Content-Type", b"text/plain; charset=windows-1251")]

    assert parse_fields(fields, "Добрый день".encode("cp1251")).subject == "Срочный запрос"


def test_raw_8bit_subject_without_any_charset() -> None:
    assert parse_fields([(b"Subject", "询价：三千个水泵，请尽快报价".encode("gb18030"))], b"").subject.startswith(
        "询价"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Header("Grüße aus Köln", "utf-8").encode(), "Grüße aus Köln"),
        ("=?utf-8?B?5L2g?= =?utf-8?B?5aW9?=", "你好"),
        ("=?utf-8?B?5L2g5a?= =?utf-8?B?W9?=", "你好"),  # one sign split over two words, against RFC 2047, 5 (3)
        ("=?utf-8?B?5L2g5aW9?= and more", "你好 and more"),
        ("=?gb2312?B?1LvF4A==?=", "曰培"),
        ("=?UTF-8?Q?caf=C3=A9_noir?=", "café noir"),
        ("=?utf-8?Q?two words inside?=", "two words inside"),
        ("=?utf-8?B?5L2g5aW9", "=?utf-8?B?5L2g5aW9"),
        ("=?x-nonsense?Q?abc?=", "abc"),
        ("=?utf-8?B?!!!?=", ""),
        ("=?utf-8*en?Q?hello?=", "hello"),
    ],
)
def test_encoded_words(value: str, expected: str) -> None:
    assert decode_words(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Ann Lee <Ann@Buyer.Example>", [("ann@buyer.example", "Ann Lee")]),
        ("ann@buyer.example (Ann Lee)", [("ann@buyer.example", "Ann Lee")]),
        ('"Lee, Ann" <ann@buyer.example>, bob@x.example', [("ann@buyer.example", "Lee, Ann"), ("bob@x.example", "")]),
        ("=?utf-8?Q?Lee,_Ann?= <ann@buyer.example>", [("ann@buyer.example", "Lee, Ann")]),
        ("Ann <ann@buyer.example", [("ann@buyer.example", "Ann")]),
        ("ann@buyer.example Ann Lee", [("ann@buyer.example", "Ann Lee")]),
        ("undisclosed-recipients:;", []),
        ("Friends: ann@x.example, Bob <bob@x.example>; eve@x.example",
         [("ann@x.example", ""), ("bob@x.example", "Bob"), ("eve@x.example", "")]),
        ("<mailto:ann@buyer.example>", [("ann@buyer.example", "")]),
        ("'ann@buyer.example' <ann@buyer.example>", [("ann@buyer.example", "")]),
        ("Ann Lee", [("", "Ann Lee")]),
        ("", []),
    ],
)  # fmt: skip
def test_addresses_of_every_kind(value: str, expected: list[tuple[str, str]]) -> None:
    assert parse_addresses(value) == tuple(Address(address, name) for address, name in expected)


def test_message_ids() -> None:
    assert parse_ids("<a@x> (note) <b@\r\n y><a@x>") == ("<a@x>", "<b@y>")
    assert parse_id("no-brackets@x") == "<no-brackets@x>"
    assert parse_id("") == ""
    many = parse_ids("".join(f"<{number}@x>" for number in range(3_000)))
    assert (len(many), many[0], many[-1]) == (200, "<0@x>", "<2999@x>")


def test_dates_are_aware_or_nothing() -> None:
    known = parse_date("Mon, 01 Jul 2019 11:47:31 +0300")
    assert known is not None
    assert known.isoformat() == "2019-07-01T11:47:31+03:00"
    assert parse_date("Mon, 01 Jul 2019 11:47:31 -0000").tzinfo is not None  # type: ignore[union-attr]
    assert parse_date("the day after tomorrow") is None
    assert parse_date("Mon, 01 Jul 2019 11:47:31 +9999999999") is None


# Attachments (trap 18: strict decoding in the way of mail)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ('attachment; filename="PO 4471.pdf"', "PO 4471.pdf"),
        ("attachment; filename=PO4471.pdf", "PO4471.pdf"),
        ("attachment; filename*=utf-8''%E8%AE%A2%E5%8D%95.pdf", "订单.pdf"),
        ("attachment; filename*0=\"very \"; filename*1=\"long.pdf\"", "very long.pdf"),
        ("attachment; filename*0*=utf-8''%E8%AE; filename*1*=%A2.pdf", "订.pdf"),
        ("attachment; filename*=broken%ZZ.pdf", "broken%ZZ.pdf"),
        ('attachment; filename="=?gb2312?B?tqm1pS5wZGY=?="', "订单.pdf"),
        ('attachment; filename="..\\..\\evil.exe"', "evil.exe"),
        ('attachment; filename="/etc/passwd"', "passwd"),
        ('attachment; filename="ex\u202efdp.exe"', "exfdp.exe"),
        ('attachment; filename="unclosed.pdf', "unclosed.pdf"),
        ("filename=x.pdf", "x.pdf"),
    ],
)  # fmt: skip
def test_file_names(field: str, expected: str) -> None:
    raw = _letter(
        b"JVBERi0=",
        "Content-Type: application/pdf",
        f"Content-Disposition: {field}",
        "Content-Transfer-Encoding: base64",
    )

    (part,) = parse_message(raw).attachments

    assert (part.filename, part.octets) == (expected, 5)


def test_long_file_names_keep_their_suffix() -> None:
    assert clean_filename("x" * 400 + ".pdf").endswith(".pdf")
    assert len(clean_filename("x" * 400 + ".pdf")) <= 200


MIXED = (
    b'Content-Type: multipart/mixed; boundary="outer"\r\n\r\npreamble\r\n--outer\r\n'
    b"Content-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\nContent-Type: text/plain\r\n\r\nHello\r\n"
    b"--inner\r\nContent-Type: text/html\r\n\r\n<p>Hello <b>you</b></p>\r\n--inner--\r\n"
    b"--outer\r\nContent-Type: image/png; name=logo.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0=\r\n"
    b"--outer\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner letter\r\n\r\ntext\r\n"
    b"--outer\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\n\r\nx\r\n--outer--\r\n"
)


def test_parts_are_numbered_as_in_imap() -> None:
    message = parse_message(b"From: a@b.example\r\n" + MIXED, payloads=True)

    assert [(part.number, part.content_type) for part in message.parts] == [
        ("1.1", "text/plain"), ("1.2", "text/html"), ("2", "image/png"), ("3", "message/rfc822"), ("4", "application/ms-tnef"),
    ]  # fmt: skip
    assert [part.filename for part in message.attachments] == ["logo.png", "inner letter.eml", "winmail.dat"]
    assert message.text == "Hello"
    assert message.html.startswith("<p>")
    assert message.parts[2].payload == b"\x89PNG\r"
    assert message.defects == ()


def test_the_milter_hands_over_a_beginning_only() -> None:
    body = MIXED.partition(b"\r\n\r\n")[2]
    fields = [(b"From", b"a@b.example"), (b"Content-Type", b'multipart/mixed; boundary="outer"')]

    message = parse_fields(fields, body[:150], truncated=True)

    assert message.truncated
    assert message.text == "Hello"
    assert "boundary-not-closed" not in message.defects


def test_limit_cuts_the_body_and_says_so() -> None:
    assert parse_message(_letter(b"x" * 100), limit=10).truncated
    assert not parse_message(_letter(b"x" * 10), limit=10).truncated


def test_damaged_base64_and_quoted_printable_are_read_as_far_as_they_go() -> None:
    broken = _letter(b"SGVsbG8gd29ybG\r\n*QsIGhlbGxv", "Content-Transfer-Encoding: base64")
    assert parse_message(broken).text.startswith("Hello world, hell")
    quoted = _letter(
        b"caf=C3=A9 =ZZ soft=   \r\nbreak",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
    )
    assert parse_message(quoted).text == "café =ZZ softbreak"


def test_flowed_text_is_joined() -> None:
    body = b"We need \r\nthree pumps. \r\nSoon.\r\n> old \r\n> words\r\n-- \r\nAnn"
    text = parse_message(_letter(body, "Content-Type: text/plain; format=flowed")).text
    assert text.split("\n") == ["We need three pumps. Soon.", "> old words", "-- ", "Ann"]


@pytest.mark.parametrize(
    ("raw", "defect"),
    [
        (b"", "no-from"),
        (b"From: a@b\r\nContent-Type: multipart/mixed\r\n\r\nx", "no-boundary"),
        (b"From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nx", "boundary-not-found"),
        (b"From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx", "boundary-not-closed"),
        (b"From: a@b\r\nno colon here\r\n\r\nx", "line-without-colon"),
        (b"From: a@b\r\nContent-Type: text\r\n\r\nx", "bad-content-type"),
        (b"From: a@b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xff\xfe\xfd", "charset-mismatch"),
        (b"From: a@b\r\nContent-Transfer-Encoding: magic\r\n\r\nx", "unknown-transfer-encoding"),
    ],
)
def test_what_is_wrong_is_named(raw: bytes, defect: str) -> None:
    assert defect in parse_message(raw).defects


# HTML


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("One<br>Two<br/>Three", "One\nTwo\nThree"),
        ("<div>One</div><div>Two</div>", "One\nTwo"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        ("<style>p{}</style><script>x()</script>Text<!-- no -->", "Text"),
        ("<div style='display:none'>hidden</div>shown", "shown"),
        ("<blockquote>old</blockquote>new", "> old\nnew"),
        ("new<div class='gmail_quote'>On Monday Ann wrote:<blockquote>old</blockquote></div>", "new\n> On Monday Ann wrote:\n>\n>> old"),
        ("new<div id=divRplyFwdMsg><b>Von:</b> Ann<br>Gesendet: x</div><div>old</div>", "new\n> Von: Ann\n> Gesendet: x\n> old"),
        ("<div id=divRplyFwdMsg>From: Ann</div><div>passed on</div>", "From: Ann\npassed on"),  # a forward without a word
        ("new<div id='mail-editor-reference-message-container'>old <div>older</div></div>oldest", "new\n> old\n> older\n> oldest"),
        ("new<hr id=zwchr><div>old</div>", "new\n________________________________\n> old"),
        ("Hi<div class='gmail_signature'>Ann</div>", "Hi\n-- \nAnn"),
        ("<ul><li>one<li>two</ul>", "- one\n- two"),
        ("a &lt; b &amp; c&nbsp;d", "a < b & c d"),
        ("2 < 3 and 4 > 3", "2 < 3 and 4 > 3"),
        ('<a href="x>y">link</a>', "link"),
        ("<!DOCTYPE html><html><head><title>t</title></head><body>b</body></html>", "b"),
        ("<script>never closed", "never closed"),
        ("<p", ""),
    ],
)  # fmt: skip
def test_html_becomes_lines(source: str, expected: str) -> None:
    assert html_to_text(source) == expected


def test_html_is_used_when_there_is_no_plain_text() -> None:
    assert parse_message(_letter(b"<p>Please quote</p>", "Content-Type: text/html")).text == "Please quote"


def test_a_stub_of_plain_text_gives_way_to_html() -> None:
    raw = _letter(
        b"--b\r\nContent-Type: text/plain\r\n\r\nsee HTML\r\n--b\r\nContent-Type: text/html\r\n\r\n"
        b"<p>Please quote three hundred pumps for our project in Lima.</p>\r\n--b--",
        "Content-Type: multipart/alternative; boundary=b",
    )
    assert parse_message(raw).text.startswith("Please quote three hundred")


# Hostile mail: the answer comes, soon and small.

HOSTILE = {
    "10 MB of one word": b"Subject: x\r\n\r\n" + b"a" * 10_000_000,
    "10 MB of one header": b"Subject: " + b"a" * 10_000_000 + b"\r\n\r\nx",
    "5,000 nested parts": b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (depth, depth) for depth in range(5_000)
    ),
    "20,000 headers": b"".join(b"X-H%d: v\r\n" % number for number in range(20_000)) + b"\r\nbody",
    "200,000 folded lines": b"Subject: x\r\n" + b" y\r\n" * 200_000 + b"\r\nbody",
    "100,000 parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000,
    # An HTML5 tree of this is 30,000 elements times 30,000 paragraphs.
    "formatting bomb": b"Content-Type: text/html\r\n\r\n<p>" + b"".join(b"<b id=%d>" % n for n in range(30_000))
    + b"</p>" + b"<p>x</p>" * 30_000,
    "80,000 open tags": b"Content-Type: text/html\r\n\r\n" + b"<div>" * 80_000,
    "unclosed scripts": b"Content-Type: text/html\r\n\r\n" + b"<script>" * 60_000,
    "closing tags": b"Content-Type: text/html\r\n\r\n" + b"<i>" * 1_000 + b"</x>" * 100_000,
    "half an encoded word": b"Subject: " + b"=?utf-8?q?a" * 90_000 + b"\r\n\r\nx",
    "quotes and brackets": b"From: " + b'"\\<(' * 20_000 + b"\r\n\r\nx",
    "base64 padding": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"A==" * 3_000_000,
    "dashes": b"Content-Type: multipart/mixed; boundary=" + b"-" * 60 + b"\r\n\r\n" + b"-" * 10_000_000,
    "nothing but NUL": b"\0" * 1_000_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_is_answered_quickly(name: str) -> None:
    started = perf_counter()
    message = parse_message(HOSTILE[name])
    seconds = perf_counter() - started

    assert seconds < 5
    assert len(message.fields) <= 2_000
    assert len(message.parts) <= 1_000


def test_hostile_html_stays_small() -> None:
    tracemalloc.start()
    parse_message(HOSTILE["formatting bomb"], limit=60_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 10_000_000


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.binary(max_size=600), st.booleans())
def test_any_bytes_are_a_message(raw: bytes, payloads: bool) -> None:
    message = parse_message(raw, payloads=payloads)

    message.text.encode("utf-8")  # no surrogates that would break whoever writes it
    message.subject.encode("utf-8")
    assert "\n" not in message.subject


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.sampled_from(
            ["--b\r\n", "--b--\r\n", "\r\n", "Content-Type: multipart/mixed; boundary=b\r\n", "Content-Type: text/html; charset=gbk\r\n",
             "Content-Transfer-Encoding: base64\r\n", "Content-Transfer-Encoding: quoted-printable\r\n", "SGk=\r\n", "=C3=\r\n", "<p>x<b>",
             "Content-Disposition: attachment; filename*0*=\r\n", "From: =?utf-8?b?//79?= <\r\n", "\x1b$B!", "é", " folded\r\n"]
        ),
        max_size=30,
    )
)  # fmt: skip
def test_any_mixture_of_mime_is_a_message(pieces: list[str]) -> None:
    raw = "".join(pieces).encode("utf-8", "replace")

    for message in (
        parse_message(raw),
        parse_message(raw, limit=20),
        parse_fields([(b"Content-Type", raw)], raw, truncated=True),
    ):
        said = [message.subject, message.text, *(part for field in message.fields for part in field)]
        # Whatever is shown or stored later must be encodable: a lone surrogate is not.
        assert not any("\ud800" <= sign <= "\udfff" for words in said for sign in words)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.binary(max_size=80),
    st.sampled_from(["Subject", "From", "To", "Date", "Message-ID", "References", "Content-Disposition"]),
)
def test_any_bytes_in_any_header(value: bytes, name: str) -> None:
    message = parse_fields([(name.encode(), value), (b"Content-Type", b"application/pdf")], b"x")

    assert all("\n" not in text and "\0" not in text for _, text in message.fields)

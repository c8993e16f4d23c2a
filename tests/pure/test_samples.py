# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's own letters are what their list says they are, and nobody's editor has repaired them."""

import email
import email.header
import re
import tomllib
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MAIL = ROOT / "tests" / "mail"
SANDBOX = ROOT / "postfix" / "sandbox"

SAMPLES: list[dict[str, Any]] = tomllib.loads((MAIL / "samples.toml").read_text("utf-8"))["sample"]
COMPANY = tomllib.loads((SANDBOX / "company.toml").read_text("utf-8"))
RULES = tomllib.loads((SANDBOX / "rules.toml").read_text("utf-8"))["rule"]

CATEGORIES = {
    "inquiry",
    "sample",
    "order",
    "payment",
    "logistics",
    "complaint",
    "support",
    "marketing",
    "spam",
    "automatic",
    "other",
}
PRIORITIES = {"urgent", "high", "normal", "low"}
REQUIRED = {
    "file",
    "port",
    "sender",
    "recipients",
    "direction",
    "category",
    "also",
    "priority",
    "language",
    "is_automatic",
}
OPTIONAL = {"login", "smtputf8", "country", "thread", "new_text_contains", "attachments"}
FREE_MAIL = {"gmail.com", "qq.com", "163.com"}
RESERVED = re.compile(r"(?:^|\.)(?:example|example\.(?:com|net|org))$")
ADDRESS = re.compile(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)")

each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample["file"]))


def content(sample: dict[str, Any]) -> bytes:
    path: Path = MAIL / sample["file"]
    return path.read_bytes()


def words(value: str) -> str:
    """Read RFC 2047 words; a word that its charset cannot hold keeps its readable rest."""
    read = ""
    for piece, charset in email.header.decode_header(value):
        read += piece if isinstance(piece, str) else decode(piece, charset or "ascii", "replace")
    return read


def decode(raw: bytes, charset: str, errors: str = "strict") -> str:
    if charset == "iso-2022-jp-ms":
        # JIS X 0213 has Microsoft's row 13 in the same places, and Python knows it under another escape.
        raw, charset = raw.replace(b"\x1b$B", b"\x1b$(Q"), "iso2022_jp_2004"
    return raw.decode("utf-8" if charset == "x-unknown" else charset, errors)


def letter(number: int) -> Message:
    (path,) = MAIL.glob(f"{number:02d}-*.eml")
    return email.message_from_bytes(path.read_bytes())


def leaves(part: Message) -> Iterator[Message]:
    """Walk the parts, but not into an attached letter."""
    children = part.get_payload()
    if part.get_content_type() == "message/rfc822" or not isinstance(children, list):
        yield part
        return
    for child in children:
        assert isinstance(child, Message)
        yield from leaves(child)


def body(message: Message, content_type: str = "text/plain") -> bytes:
    part = next(part for part in leaves(message) if part.get_content_type() == content_type)
    decoded = part.get_payload(decode=True)
    assert isinstance(decoded, bytes)
    return decoded


def people() -> set[str]:
    return {person["email"] for person in COMPANY["person"]}


def pool_addresses() -> set[str]:
    return {address for pool in COMPANY["pool"] for address in pool["addresses"]}


# ---------------------------------------------------------------- the list


def test_there_are_thirty_six_numbered_letters_and_each_is_listed_once() -> None:
    on_disk = sorted(path.name for path in MAIL.glob("*.eml"))
    assert [sample["file"] for sample in SAMPLES] == on_disk
    assert [int(name[:2]) for name in on_disk] == list(range(1, 37))


def test_the_readme_has_a_line_for_each_letter() -> None:
    lines = re.findall(r"^\| `([^`]+)` \|", (MAIL / "README.md").read_text("utf-8"), re.MULTILINE)
    assert lines == [sample["file"] for sample in SAMPLES]


@each_sample
def test_the_list_uses_known_words_only(sample: dict[str, Any]) -> None:
    assert sample.keys() >= REQUIRED
    assert sample.keys() <= REQUIRED | OPTIONAL
    assert {sample["category"], *sample["also"]} <= CATEGORIES
    assert sample["priority"] in PRIORITIES
    assert re.fullmatch(r"[a-z]{2}", sample["language"])
    assert re.fullmatch(r"[A-Z]{2}", sample.get("country", "XX"))
    assert (sample["port"], sample["direction"]) in {("smtp", "inbound"), ("submission", "outbound")}
    assert ("login" in sample) == (sample["port"] == "submission")


def test_the_set_covers_languages_categories_and_priorities() -> None:
    assert len({sample["language"] for sample in SAMPLES}) >= 12
    assert {sample["category"] for sample in SAMPLES} == CATEGORIES
    assert {sample["priority"] for sample in SAMPLES} == PRIORITIES
    assert len({sample["country"] for sample in SAMPLES if "country" in sample}) >= 20


def test_only_robots_are_automatic() -> None:
    assert [sample["file"][:2] for sample in SAMPLES if sample["is_automatic"]] == ["27", "28"]


# --------------------------------------------------------------- the bytes


@each_sample
def test_letters_can_cross_smtp_as_they_are(sample: dict[str, Any]) -> None:
    raw = content(sample)
    assert raw.endswith(b"\r\n")
    assert b"\0" not in raw
    lines = raw.split(b"\r\n")
    assert not [line for line in lines if b"\r" in line or b"\n" in line]
    assert max(map(len, lines)) <= 998


@each_sample
def test_letters_have_the_headers_a_letter_needs(sample: dict[str, Any]) -> None:
    message = email.message_from_bytes(content(sample))
    for name in ("From", "To", "Date", "Subject"):
        assert len(message.get_all(name, [])) == 1, name


@each_sample
def test_addresses_are_reserved_or_free_mail(sample: dict[str, Any]) -> None:
    text = content(sample).replace(b"=\r\n", b"").decode("utf-8", "replace")
    domains = {domain.lower() for domain in ADDRESS.findall(text)}
    assert not [domain for domain in domains if domain not in FREE_MAIL and not RESERVED.search(domain)]


@each_sample
def test_attachment_names_are_as_listed(sample: dict[str, Any]) -> None:
    names = []
    for part in leaves(email.message_from_bytes(content(sample))):
        name = part.get_filename()
        if name is not None:
            names.append(words(name.replace("iso-2022-jp", "iso-2022-jp-ms")))
    assert names == sample.get("attachments", [])


@pytest.mark.parametrize(
    ("number", "label", "really"),
    [
        pytest.param(3, "iso-8859-1", "cp1252", id="smart-quotes"),
        pytest.param(5, "gb2312", "gb18030", id="chinese-simplified"),
        pytest.param(7, "iso-2022-jp", "iso-2022-jp-ms", id="japanese"),
        pytest.param(12, "euc-kr", "cp949", id="korean"),
        pytest.param(13, "big5", "cp950", id="chinese-traditional"),
    ],
)
def test_some_charset_labels_lie(number: int, label: str, really: str) -> None:
    raw = body(letter(number))
    assert SAMPLES[number - 1]["new_text_contains"] in decode(raw, really)
    # Every byte is some sign in iso-8859-1: there the lie shows as control characters.
    assert "\ufffd" in raw.decode(label, "replace") or re.search(r"[\x80-\x9f]", raw.decode(label, "replace"))


# -------------------------------------------- what each letter is there for


@pytest.mark.parametrize("thread", ["mexico", "werkstatt"])
def test_threads_are_linked_by_references_and_hold_a_reply_through_submission(thread: str) -> None:
    samples = [sample for sample in SAMPLES if sample.get("thread") == thread]
    assert [sample["direction"] for sample in samples] == ["inbound", "outbound", "inbound"]
    messages = [email.message_from_bytes(content(sample)) for sample in samples]
    ids = [message["Message-ID"].strip() for message in messages]
    assert len(set(ids)) == 3
    for n in (1, 2):
        assert messages[n]["In-Reply-To"].strip() == ids[n - 1]
        assert messages[n]["References"].split() == ids[:n]
    assert samples[1]["sender"] in pool_addresses()
    assert samples[0]["sender"] == samples[2]["sender"]


def test_one_thread_is_a_known_customers_and_the_other_a_strangers() -> None:
    known = {contact["email"]: customer for customer in COMPANY["customer"] for contact in customer["contacts"]}
    first = {sample["thread"]: sample["sender"] for sample in reversed(SAMPLES) if "thread" in sample}
    assert known[first["mexico"]]["owner"] == "li.na@brightway.example"
    assert first["werkstatt"] not in known


def test_the_forged_letter_carries_our_marks_in_every_disguise() -> None:
    head = content(SAMPLES[25]).split(b"\r\n\r\n")[0]
    assert b"\r\nX-Tradepost-Priority: urgent\r\n" in head
    assert b"\r\nx-tradepost-owner : " in head  # blank before the colon
    assert b"\r\nX-TRADEPOST-CATEGORY: " in head
    assert len(re.findall(rb"(?im)^x-tradepost-category", head)) > 1  # repeated
    assert re.search(rb"(?m)^X-Tradepost-Reason: .*\r\n\t", head)  # folded
    assert b"\r\nX-Tradepost-Customer:\r\n" in head  # empty
    assert re.search(rb"(?m)^X-Tradepost-Warning: .*[\x80-\xff]", head)  # raw 8 bits
    assert len(re.findall(rb"(?m)^X-Priority:", head)) == 2


def test_no_other_letter_carries_our_marks_at_the_top() -> None:
    heads = {sample["file"]: content(sample).split(b"\r\n\r\n")[0] for sample in SAMPLES}
    assert [name[:2] for name, head in heads.items() if re.search(rb"(?im)^x-tradepost-", head)] == ["26"]


def test_the_bounce_has_the_null_sender_and_nobody_else_has() -> None:
    assert [sample["file"] for sample in SAMPLES if not sample["sender"]] == ["27-bounce.eml"]
    assert letter(27).get_content_type() == "multipart/report"
    assert letter(27).get_param("report-type") == "delivery-status"


def test_auto_submitted_no_is_a_human() -> None:
    assert letter(28)["Auto-Submitted"].startswith("auto-replied")
    assert letter(29)["Auto-Submitted"] == "no"
    assert not SAMPLES[28]["is_automatic"]


def test_newsletter_and_platform_look_alike_but_only_one_carries_a_buyer() -> None:
    assert letter(30)["List-Id"]
    assert letter(30)["List-Unsubscribe"]
    assert letter(31)["List-Unsubscribe"]
    assert letter(31)["Reply-To"]
    assert (SAMPLES[29]["category"], SAMPLES[30]["category"]) == ("marketing", "inquiry")


def test_message_ids_repeat_once_and_miss_once() -> None:
    ids = [email.message_from_bytes(content(sample))["Message-ID"] for sample in SAMPLES]
    assert [n for n, message_id in enumerate(ids, 1) if message_id is None] == [34]
    assert [n for n, message_id in enumerate(ids, 1) if message_id and ids.count(message_id) > 1] == [32, 33]
    assert body(letter(32)) != letter(33).get_payload(decode=True)


def test_one_letter_goes_to_two_pools_at_once() -> None:
    assert set(SAMPLES[14]["recipients"]) == {"sales@brightway.example", "info@brightway.example"}


@pytest.mark.parametrize(
    ("number", "piece"),
    [
        pytest.param(1, b"delsp=yes", id="format-flowed"),
        pytest.param(8, b"filename*1*=%B3n", id="rfc2231-letter-cut-in-two"),
        pytest.param(16, b"\r\nSubject: Reclama\xe7\xe3o", id="raw-latin1-subject"),
        pytest.param(17, b"multipart/related", id="related-inside-alternative"),
        pytest.param(18, b"bel=   \r\nge", id="blanks-after-soft-break"),
        pytest.param(18, b"=\r\n", id="soft-break-at-the-end"),
        pytest.param(21, b"Content-Type: message/rfc822", id="attached-letter"),
        pytest.param(22, b"text/calendar", id="calendar"),
        pytest.param(23, b"application/ms-tnef", id="winmail-dat"),
        pytest.param(24, b'charset="x-unknown"', id="unknown-charset"),
        pytest.param(35, b"Reply-To: ", id="reply-to-elsewhere"),
    ],
)
def test_ugly_pieces_are_still_there(number: int, piece: bytes) -> None:
    assert piece in content(SAMPLES[number - 1])


def test_structures_still_end_too_early() -> None:
    boundary = letter(20).get_boundary()
    assert boundary is not None
    assert boundary.encode() + b"--" not in content(SAMPLES[19])
    assert content(SAMPLES[24]).endswith(b"\r\n\r\n")  # 25: not one byte of body
    base64 = re.sub(rb"\s", b"", content(SAMPLES[18]).split(b"\r\n\r\n", 1)[1])
    assert len(base64) % 4 != 0  # 19: padding is missing
    assert b"=" not in base64


def test_smtputf8_is_asked_exactly_where_an_address_needs_it() -> None:
    needs = [s["file"] for s in SAMPLES if not (s["sender"] + "".join(s["recipients"])).isascii()]
    assert needs == [s["file"] for s in SAMPLES if s.get("smtputf8")] == ["36-smtputf8-address.eml"]


# ------------------------------------------------- the company they write to


@each_sample
def test_recipients_and_logins_exist_in_the_company(sample: dict[str, Any]) -> None:
    if sample["direction"] == "inbound":
        assert set(sample["recipients"]) <= people() | pool_addresses()
    else:
        assert sample["login"] in {person["login"] for person in COMPANY["person"]}


def test_pools_owners_and_teams_name_people_who_exist() -> None:
    assert {member for pool in COMPANY["pool"] for member in pool["members"]} <= people()
    assert {customer["owner"] for customer in COMPANY["customer"]} <= people()
    assert {person["team"] for person in COMPANY["person"]} == {team["name"] for team in COMPANY["team"]}


def test_every_known_customer_writes_at_least_one_letter() -> None:
    senders = {sample["sender"] for sample in SAMPLES}
    for customer in COMPANY["customer"]:
        contacts = {contact["email"] for contact in customer["contacts"]}
        assert contacts & senders, customer["name"]
        assert {address.partition("@")[2] for address in contacts} <= set(customer["domains"])


def conditions(group: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in group.get("all", group.get("any", [])):
        if "field" in item:
            yield item
        else:
            yield from conditions(item)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["id"]))
def test_rules_are_complete_and_assign_to_people_who_exist(rule: dict[str, Any]) -> None:
    assert rule["name"]
    assert rule["description"]
    assert list(conditions(rule["when"]))
    for condition in conditions(rule["when"]):
        if condition["op"] == "matches":
            re.compile(condition["value"])
    for effect in rule["then"]:
        assert effect["action"] in {"set_category", "set_priority", "add_label", "assign"}
        assert effect["action"] != "assign" or effect["value"] in people()


def test_letters_exist_that_the_rule_for_north_america_raises() -> None:
    signs, countries = ("urgent", "紧急"), {"US", "CA", "MX"}
    raised = []
    for sample in SAMPLES:
        message = email.message_from_bytes(content(sample))
        subject = words(str(message["Subject"])).lower()
        if any(sign in subject for sign in signs) and sample.get("country") in countries:
            raised.append(sample["file"][:2])
            assert sample["priority"] == "urgent"
    assert raised == ["14", "34"]

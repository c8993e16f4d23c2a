# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads of other projects' test suites (JWZ, IMAP THREAD=REFERENCES), where they lie beside the checkout.

They ask for trees; what they say about which mails are one thread holds for conversations.  Each case is written by one buyer
here: who may join is another matter.  We differ on purpose where a subject alone joins (a suggestion here), and where ids run
in a circle: what refers to each other is one conversation.
"""

import email
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from mailroom import Mail, MailRoom

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "threads"
_ID = re.compile(r"<[^<>\s]+>")

Partition = set[frozenset[int]]


def united(mails: Sequence[Mail]) -> Partition:
    """Return which mails (by position, from 1) share an id, directly or by others."""
    groups: list[tuple[set[int], set[str]]] = []
    for position, mail in enumerate(mails, start=1):
        own: tuple[set[int], set[str]] = ({position}, {*mail.references, mail.message_id} - {""})
        for group in [group for group in groups if group[1] & own[1]]:
            groups.remove(group)
            own = (own[0] | group[0], own[1] | group[1])
        groups.append(own)
    return {frozenset(positions) for positions, _ in groups}


def recorded(room: MailRoom, case: str, mails: Sequence[Mail], *, backwards: bool = False) -> Partition:
    """Record a case, its ids and its writer made its own; return which mails lie in one conversation."""
    numbered = [
        (
            position,
            replace(
                mail,
                sender=f"buyer@{case}.example",
                message_id=mail.message_id.replace(">", f".{case}>"),
                references=tuple(one.replace(">", f".{case}>") for one in mail.references),
            ),
        )
        for position, mail in enumerate(mails, start=1)
    ]
    if backwards:
        numbered.reverse()
    entries = room.record(*(mail for _, mail in numbered))
    found: defaultdict[int, set[int]] = defaultdict(set)
    with room.looking() as look:
        for (position, _), entry in zip(numbered, entries, strict=True):
            found[look.message(entry).conversation_id].add(position)
    return {frozenset(positions) for positions in found.values()}


def read_mbox(path: Path) -> list[Mail]:
    """Return mails with those ids; of each only its number is the text."""
    mails = []
    for number, raw in enumerate(re.split(rb"^From \S+ .*\n", path.read_bytes(), flags=re.MULTILINE)[1:]):
        message = email.message_from_bytes(raw)
        own = _ID.findall(str(message["Message-ID"] or ""))
        references = _ID.findall(f"{message['References'] or ''} {message['In-Reply-To'] or ''}")
        subject = " ".join(str(message["Subject"] or "").split())
        mails.append(
            Mail(message_id="".join(own[:1]), references=tuple(references), subject=subject, text=f"Letter {number}")
        )
    return mails


if CORPUS.is_dir():  # without it these tests don't exist: an absent corpus is no skipped test
    IMAP = {path.stem.removeprefix("src__tests__"): path for path in (CORPUS / "imaptest").glob("*thread*.mbox")}
    DIFFERENT: Mapping[str, Partition] = {
        "thread": {frozenset({1, 2, 3})},  # 2 and 3 refer to each other, and 2 to 1
        "thread3": {frozenset({1}), frozenset({2})},  # one id, two letters: the subject joins them there
        "thread4": {frozenset({1}), frozenset({2})},  # the subject alone
    }

    def imap_answer(path: Path) -> Partition:
        """Return the top-level groups of the first answer in the script of a case."""
        answer = re.search(r"^\* thread (.*)$", path.with_suffix("").read_text(), re.MULTILINE | re.IGNORECASE)
        assert answer is not None
        groups, depth = list[str](), 0
        for sign in answer[1]:
            if sign == "(" and depth == 0:
                groups.append("")
            depth += (sign == "(") - (sign == ")")
            groups[-1] += sign
        return {frozenset(map(int, re.findall(r"\d+", group))) for group in groups}

    def ruby_cases() -> Iterator[list[Mail]]:
        """Yield the messages of each test that builds a list of them."""
        text = (CORPUS / "jwz_ruby" / "test__threading_test.rb").read_text("utf-8")
        for block in re.split(r"^  test", text, flags=re.MULTILINE):
            found = re.findall(r'\bmessage\("([^"]*)", "(\w+)", (\[[^\]]*\]|"\w*")\)', block)
            if found:
                yield [
                    Mail(message_id=f"<{own}>", references=_bracketed(refs), subject=subject, text=own)
                    for subject, own, refs in found
                ]

    def python_cases() -> Iterator[list[Mail]]:
        """Yield the messages of each test of `thread`."""
        text = (CORPUS / "jwz_python" / "test__test_jwz.py").read_text("utf-8")
        for block in re.split(r"^    def ", text, flags=re.MULTILINE):
            owns = re.findall(r"(\w+)(?:\.subject = \w+)?\.message_id = '(\w+)'", block)
            references = dict(re.findall(r"(\w+)\.references = \[([^\]]*)\]", block))
            if block.startswith("test_thread_"):
                yield [
                    Mail(message_id=f"<{own}>", references=_bracketed(references.get(name, "")), text=own)
                    for name, own in owns
                ]

    def _bracketed(names: str) -> tuple[str, ...]:
        return tuple(f"<{one}>" for one in re.findall(r"\w+", names))

    @pytest.mark.corpus
    def test_what_shares_an_id_is_one_conversation(tmp_path: Path) -> None:
        room = MailRoom(tmp_path)
        jwz = {f"jwz{number}": mails for number, mails in enumerate((*ruby_cases(), *python_cases()))}
        assert len(jwz) > 7
        for name, mails in jwz.items():
            assert mails
            assert recorded(room, name, mails) == united(mails), name
            assert recorded(room, f"{name}-backwards", mails, backwards=True) == united(mails), name

        names = [name for name in IMAP if "orderedsubject" not in name]
        assert len(names) == 8
        for name in names:
            wanted = DIFFERENT.get(name) or imap_answer(IMAP[name])
            mails = read_mbox(IMAP[name])[: sum(map(len, wanted))]  # some scripts add the last ones later
            assert recorded(room, name, mails) == wanted, name
            assert recorded(room, f"{name}-backwards", mails, backwards=True) == wanted, name

        for name in ("thread-orderedsubject", "thread-orderedsubject2"):
            mails = read_mbox(IMAP[name])
            assert len(recorded(room, name, mails)) == len(mails) > 7, "a subject alone joins nothing"

        mails = read_mbox(CORPUS / "jwz_ruby" / "example__test1.mbox")
        assert len(mails) > 20
        assert recorded(room, "list", mails) == united(mails)
        room.close()

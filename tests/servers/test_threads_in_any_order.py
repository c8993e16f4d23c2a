# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail of one thread may come in any order, in any batches: it ends in one conversation, and in no stranger's."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from mailroom import ANN, BOB, Mail, MailRoom, reply
from record_servers import RecordServer
from sqlalchemy import func, select

from crm_sync.models.conversations import Conversation, MessageAnchor
from crm_sync.models.people import Person

SOAK = 20 if os.environ.get("TRADEPOST_SOAK") else 1


def thread(links: Sequence[int], by_rep: Sequence[bool]) -> list[Mail]:
    """Return letters.  Letter n answers one of those before it and names, like Outlook, only the last two ids."""
    references: list[tuple[str, ...]] = [()]
    mails = [Mail(message_id="<0@thread>", text="Letter 0")]
    for number, (link, rep) in enumerate(zip(links, by_rep, strict=True), start=1):
        parent = link % number
        references.append((*references[parent], f"<{parent}@thread>")[-2:])
        made = reply(BOB, missing=(), owner=BOB) if rep else Mail()
        mails.append(
            replace(made, message_id=f"<{number}@thread>", text=f"Letter {number}", references=references[number])
        )
    return mails


@st.composite
def posted(draw: st.DrawFn) -> tuple[list[Mail], list[int]]:
    """Draw a thread in some order, and the sizes of the batches it is recorded in."""
    length = draw(st.integers(2, 7))
    links = draw(st.lists(st.integers(0, 9), min_size=length - 1, max_size=length - 1))
    by_rep = draw(st.lists(st.booleans(), min_size=length - 1, max_size=length - 1))
    mails = draw(st.permutations(thread(links, by_rep)))
    return mails, draw(st.lists(st.integers(1, 4), min_size=length, max_size=length))


@settings(max_examples=20 * SOAK, deadline=None)
@given(posted())
def test_one_thread_ends_in_one_conversation(server: RecordServer, case: tuple[list[Mail], list[int]]) -> None:
    mails, sizes = case
    with TemporaryDirectory() as folder:
        room = MailRoom(Path(folder), server)
        entries: list[str] = []
        while mails:
            size, *sizes = sizes
            entries += room.record(*mails[:size])
            mails = mails[size:]
        with room.looking() as look:
            assert len(look.all_conversations(entries)) == 1
            [kept] = look.all_conversations(entries)
            anchored = look.session.scalars(select(MessageAnchor.conversation_id).distinct()).all()
            assert anchored == [kept]
            # The oldest stays, what was merged says into which, and only what is open counts as load.
            rows = look.session.scalars(select(Conversation)).all()
            assert kept == min(row.id for row in rows)
            assert {row.merged_into for row in rows if row.id != kept} <= {kept}
            for person in look.session.scalars(select(Person)):
                counted = select(func.count()).where(
                    Conversation.assignee_id == person.id, Conversation.status == "open"
                )
                assert person.open_conversations == look.session.scalars(counted).one()
        room.close()


@settings(max_examples=10 * SOAK, deadline=None)
@given(st.permutations([0, 1, 2, 3, 4]))
def test_a_stranger_stays_outside_in_any_order(server: RecordServer, order: Sequence[int]) -> None:
    mails = [
        Mail(),
        reply(ANN, references=("<1@acme.example>",), missing=(), owner=ANN),
        Mail(message_id="<2@acme.example>", references=("<r1@own.example>",), text="Yes."),
        Mail(
            sender="spy@rival.example", message_id="<s@rival.example>", references=("<1@acme.example>",), text="Me too."
        ),
        Mail(sender="spy@rival.example", message_id="<r1@own.example>", text="I use your id."),
    ]
    with TemporaryDirectory() as folder:
        room = MailRoom(Path(folder), server)
        found = dict(zip(order, room.record(*(mails[number] for number in order)), strict=True))
        with room.looking() as look:
            ours = look.all_conversations([found[0], found[1], found[2]])
            theirs = look.all_conversations([found[3], found[4]])
            assert len(ours) == 1
            assert not ours & theirs
        room.close()

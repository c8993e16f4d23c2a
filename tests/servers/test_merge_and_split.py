# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges and splits by people, and taking them back: whatever the order, the rows are as they were."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mailroom import ANN, BOB, EVE, Mail, MailRoom, reply
from record_servers import RecordServer
from sqlalchemy import func, select

from crm_sync.admission import InvalidValue, NotAllowed, NotFound
from crm_sync.command_output import acting_viewer
from crm_sync.conversations.merging_by_hand import merge_by_hand
from crm_sync.conversations.splitting import split_conversation
from crm_sync.conversations.undoing import CannotUndo, undo_operation
from crm_sync.followups.notes import add_note
from crm_sync.models.base import table
from crm_sync.models.conversations import (
    Activity,
    Conversation,
    ConversationApart,
    ConversationParticipant,
    ConversationPool,
    MessageAnchor,
)
from crm_sync.models.customers import ScopeShare
from crm_sync.models.followups import Note
from crm_sync.models.mail import Message, MessageLink
from crm_sync.models.people import Person

SOAK = 10 if os.environ.get("TRADEPOST_SOAK") else 1
MISSING = ("customer", "contact", "conversation")


@pytest.fixture
def room(tmp_path: Path, server: RecordServer) -> Iterator[MailRoom]:
    room = MailRoom(tmp_path, server)
    yield room
    room.close()


def mail(number: int, *refs: int, sender: str = "buyer@acme.example", **more: Any) -> Mail:
    return Mail(
        sender=sender, message_id=f"<{number}@x>", references=tuple(f"<{ref}@x>" for ref in refs), text=f"Text {number}",
        subject=f"Subject {number}", owner=ANN, owner_reason="distribution", missing=MISSING, **more,
    )  # fmt: skip


def answer(number: int, *refs: int, to: str = "buyer@acme.example", by: str = ANN) -> Mail:
    return reply(
        by, to=to, message_id=f"<{number}@x>", references=tuple(f"<{ref}@x>" for ref in refs), text=f"Text {number}",
        subject=f"Subject {number}", owner=by, missing=MISSING,
    )  # fmt: skip


def do(room: MailRoom, who: str | None, what: Callable[..., Any], *args: object) -> Any:
    with room.database.writing() as session:
        return what(session, acting_viewer(session, who), *args, room.now())


def public_id(room: MailRoom, entry: str) -> str:
    with room.looking() as look:
        return look.conversation(entry).public_id


def same(room: MailRoom, entries: list[str]) -> list[int]:
    """Return a number for each mail's conversation, the same for the same."""
    with room.looking() as look:
        keys = [look.conversation(entry).id for entry in entries]
    return [keys.index(key) for key in keys]


def rows_of(room: MailRoom) -> dict[str, set[tuple[Any, ...]]]:
    """Return every row that hangs on conversations, and people's loads."""
    with room.looking() as look:
        found = {
            model.__tablename__: set(map(tuple, look.session.execute(select(table(model)))))
            for model in (
                Activity,
                ConversationApart,
                ConversationParticipant,
                ConversationPool,
                MessageAnchor,
                MessageLink,
                Note,
            )
        }
        found["message"] = set(
            map(tuple, look.session.execute(select(Message.id, Message.conversation_id, Message.scope_id)))
        )
        columns = [column for column in table(Conversation).c if column.name not in ("version", "likeness_key")]
        wanted = select(*columns).where(Conversation.merged_into.is_(None))
        found["conversation"] = set(map(tuple, look.session.execute(wanted)))
        shares = select(ScopeShare.scope_id, ScopeShare.person_id, ScopeShare.cause)
        found["scope_share"] = set(map(tuple, look.session.execute(shares)))
        found["person"] = set(map(tuple, look.session.execute(select(Person.id, Person.open_conversations))))
        for person in look.session.scalars(select(Person)):
            mine = select(func.count()).where(
                Conversation.assignee_id == person.id, Conversation.status == "open", Conversation.merged_into.is_(None)
            )
            assert person.open_conversations == look.session.scalars(mine).one()
        return found


def fill(room: MailRoom) -> list[str]:
    """Record four conversations of three customers and a stranger, with notes."""
    entries = room.record(
        mail(1), answer(2, 1), mail(3, 1, 2, cc=("agent@ship.example",)),
        mail(4, 3, sender="agent@ship.example"), mail(5), answer(6, 5, by=BOB),
        mail(7, sender="li@other.example"), answer(8, 7, to="li@other.example"),
        mail(9, sender="who@gmail.com", to=("info@own.example",), category="other"),
    )  # fmt: skip
    for entry in (entries[0], entries[6]):
        with room.database.writing() as session:
            add_note(session, acting_viewer(session, None), f"mail:{entry}", "Careful.", room.now())
    return entries


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Draw merges, splits and undos."""
    kinds = st.sampled_from(("merge", "split", "split", "undo", "undo"))
    return draw(st.lists(st.tuples(kinds, st.integers(0, 8), st.integers(0, 2**9 - 1)), min_size=2, max_size=8))


@settings(max_examples=6 * SOAK, deadline=None)
@given(steps())
def test_what_is_taken_back_is_as_if_it_never_was(server: RecordServer, plan: list[tuple[str, int, int]]) -> None:
    with TemporaryDirectory() as folder:
        room = MailRoom(Path(folder), server)
        entries = fill(room)
        done: list[tuple[str, dict[str, set[tuple[Any, ...]]]]] = []

        def undo(place: int) -> None:
            operation, before = done[place]
            try:
                do(room, EVE, undo_operation, operation)
            except CannotUndo:
                assert place < len(done) - 1, "the last one can always be taken back"
                return
            if place == len(done) - 1:
                assert rows_of(room) == before
            else:
                # Those behind it were about other conversations: what they remember is another state now.
                done[place + 1 :] = [(one, {}) for one, _ in done[place + 1 :]]
            del done[place]

        for kind, number, mask in plan:
            if kind == "undo":
                if done and done[-1][1]:
                    undo(len(done) - 1)
                continue
            before = rows_of(room)
            key = public_id(room, entries[number])
            try:
                if kind == "merge":
                    done.append((do(room, EVE, merge_by_hand, key, public_id(room, entries[mask % 9])), before))
                else:
                    shared = same(room, entries)
                    chosen = [
                        entry
                        for place, entry in enumerate(entries)
                        if shared[place] == shared[number] and mask >> place & 1
                    ]
                    done.append((do(room, EVE, split_conversation, key, chosen)[1], before))
            except InvalidValue:
                assert rows_of(room) == before
        while done:
            undo(len(done) - 1)
        room.close()


def test_later_answers_follow_the_half_they_answer(room: MailRoom) -> None:
    entries = room.record(mail(1), answer(2, 1), mail(3, 1, 2), mail(4, 1, 2, 3))
    assert same(room, entries) == [0, 0, 0, 0]
    key = public_id(room, entries[0])
    new, operation = do(room, ANN, split_conversation, key, [entries[2], entries[3]])
    later = room.record(
        mail(11, 1, 2), mail(12, 1, 2, 3, 4), answer(13, 1, 2, 3), answer(14, 2), mail(15, 4, 1), mail(16, 1, 13)
    )
    assert same(room, [*entries, *later]) == [0, 0, 2, 2, 0, 2, 2, 0, 0, 2]
    with room.looking() as look:
        assert {look.conversation(entry).public_id for entry in (entries[2], later[1])} == {new}
    before = rows_of(room)
    do(room, ANN, undo_operation, operation)
    assert same(room, [*entries, *later]) == [0] * 10
    with room.looking() as look:
        assert look.count(ConversationApart) == 0
        assert look.conversation(entries[0]).last_in_at == look.arrival(later[5]).arrived_at
    with pytest.raises(CannotUndo, match="taken back already"):
        do(room, ANN, undo_operation, operation)
    assert rows_of(room) != before
    [last] = room.record(mail(17, 16))
    assert same(room, [entries[0], last]) == [0, 0]


def test_mail_since_a_merge_goes_where_it_answers_to_when_that_is_taken_back(room: MailRoom) -> None:
    entries = room.record(mail(1), mail(2, sender="li@other.example"))
    keys = [public_id(room, entry) for entry in entries]
    operation = do(room, EVE, merge_by_hand, keys[1], keys[0])
    with room.looking() as look:
        kept = look.conversation(entries[1])
        assert kept.public_id == keys[0], "the older one stays"
        assert look.message(entries[1]).scope_id == kept.scope_id
        assert len(look.session.scalars(select(Activity).where(Activity.customer_id == kept.customer_id)).all()) == 2
    later = room.record(
        mail(3, 1), mail(4, 2, sender="li@other.example"), answer(5, 4, to="li@other.example"), answer(6, 1, 2)
    )
    assert same(room, [*entries, *later]) == [0] * 6
    do(room, EVE, undo_operation, operation)
    assert same(room, [*entries, *later]) == [0, 1, 0, 1, 1, 1]
    with room.looking() as look:
        first, second = look.conversation(entries[0]), look.conversation(entries[1])
        assert first.customer_id != second.customer_id
        assert (first.status, second.status) == ("open", "waiting")
        assert {look.message(entry).scope_id for entry in (entries[1], *later[1:])} == {second.scope_id}
        stands = select(Activity.message_id).where(Activity.customer_id == second.customer_id)
        mine = [look.message(entry).id for entry in (entries[1], *later[1:])]
        assert sorted(filter(None, look.session.scalars(stands))) == sorted(mine)
        assert look.count(ConversationApart) == 1, "one letter names both: it must not join them again"
    rows_of(room)
    [both] = room.record(mail(7, 1, 6))
    assert same(room, [entries[1], both]) in ([0, 0], [0, 1])
    assert same(room, entries) == [0, 1]


def test_what_came_in_between_is_named_when_it_stands_in_the_way(room: MailRoom) -> None:
    entries = room.record(mail(1), mail(2), mail(3, 2), mail(4))
    keys = [public_id(room, entry) for entry in entries]
    merged = do(room, ANN, merge_by_hand, keys[0], keys[1])
    split, apart = do(room, ANN, split_conversation, keys[0], [entries[1]])
    with pytest.raises(CannotUndo, match="split off since"):
        do(room, ANN, undo_operation, merged)
    room.record(mail(5, 4, 1))
    assert same(room, [entries[0], entries[3]]) == [0, 0]
    do(room, ANN, merge_by_hand, split, keys[0])
    with pytest.raises(CannotUndo, match=f"merged into {keys[0]} since"):
        do(room, ANN, undo_operation, apart)


def test_mail_joins_what_a_person_merged_and_not_what_he_split(room: MailRoom) -> None:
    entries = room.record(mail(1), mail(2, 1), mail(3))
    keys = [public_id(room, entry) for entry in entries]
    do(room, ANN, split_conversation, keys[0], [entries[1]])
    [bridge] = room.record(mail(4, 1, 2, 3))
    assert same(room, [*entries, bridge]) == [0, 1, 1, 1] or same(room, [*entries, bridge]) == [0, 1, 2, 2]
    assert same(room, entries[:2]) == [0, 1]
    operation = do(room, ANN, merge_by_hand, keys[0], public_id(room, entries[1]))
    with room.looking() as look:
        assert look.count(ConversationApart) == 0
    do(room, ANN, undo_operation, operation)
    with room.looking() as look:
        assert look.count(ConversationApart) >= 1


def test_a_stranger_who_was_split_off_is_no_participant_any_more(room: MailRoom) -> None:
    entries = room.record(mail(1, cc=("spy@rival.example",)), mail(2, 1, sender="spy@rival.example"), answer(3, 1))
    other = room.record(mail(4, 1, sender="x@rival.example"))
    assert same(room, [*entries, *other]) == [0] * 4
    do(room, ANN, split_conversation, public_id(room, entries[0]), [entries[1], other[0]])
    with room.looking() as look:
        split = look.conversation(entries[1])
        assert split.customer_id is None
        assert look.message(other[0]).scope_id == split.scope_id != look.conversation(entries[0]).scope_id
        mine = select(ConversationParticipant.address_key).where(
            ConversationParticipant.conversation_id == look.conversation(entries[0]).id
        )
        assert set(look.session.scalars(mine)) == {"buyer@acme.example", "spy@rival.example"}
    rows_of(room)


def test_who_may_not_is_refused(room: MailRoom) -> None:
    entries = room.record(mail(1), mail(2))
    keys = [public_id(room, entry) for entry in entries]
    before = rows_of(room)
    for what, args in (
        (merge_by_hand, (keys[0], keys[1])),
        (split_conversation, (keys[0], [entries[0]])),
        (undo_operation, (keys[0],)),
        (undo_operation, ("\0",)),
    ):
        with pytest.raises(NotFound):
            do(room, BOB, what, *args)
    with pytest.raises(InvalidValue, match="one conversation already"):
        do(room, ANN, merge_by_hand, keys[0], keys[0])
    with pytest.raises(InvalidValue, match="has no other mails"):
        do(room, ANN, split_conversation, keys[0], [entries[0]])
    for wrong in ([entries[1]], [], ["\0"], ["x"] * 2000):
        with pytest.raises(InvalidValue):
            do(room, ANN, split_conversation, keys[0], wrong)
    operation = do(room, ANN, merge_by_hand, *keys)
    with pytest.raises((NotFound, NotAllowed)):
        do(room, BOB, undo_operation, operation)
    do(room, ANN, undo_operation, operation)
    assert rows_of(room) == before

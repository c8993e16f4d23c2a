# SPDX-License-Identifier: GPL-3.0-or-later
"""Searching what was recorded: fields, pages, rank, rights, hidden fields, and an index that keeps in step."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from mailroom import ANN, BOB, EVE, Mail, MailRoom, reply
from record_servers import RecordServer
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm_sync.corrections import correct_mail
from crm_sync.followups.notes import add_note, delete_note
from crm_sync.models.customers import Customer
from crm_sync.models.mail import Arrival, Message
from crm_sync.models.people import Person
from crm_sync.rights import Entity, Viewer, fetch_viewer, root_viewer
from crm_sync.search.answers import Answer
from crm_sync.search.index_rows import IndexName, clear_index
from crm_sync.search.query_language import QuestionError
from crm_sync.search.rebuilding import check_index, rebuild_index
from crm_sync.search.searching import search
from crm_sync.search.suggestions import suggest
from tradepost.cli import root

STEEL = Mail(
    subject="不锈钢合页 AB-1234/5",
    text="我们需要最新报价。",
    sender='"Li Wei" <li@steel.example>',
    message_id="<1@steel.example>",
    attachment=b"%PDF",
    owner=ANN,
    missing=(),
)
HINGE = Mail(
    subject="Steel hinge",
    text="Please quote the steel hinge in grey.",
    sender="mo@hinge.example",
    message_id="<1@hinge.example>",
    owner=BOB,
    category="order",
    missing=(),
)
QUESTION = Mail(
    subject="A question",
    text="What is the price of a hinge?",
    sender="kim@other.example",
    message_id="<1@other.example>",
    owner=BOB,
    missing=(),
)
ANSWER = reply(
    ANN, "li@steel.example", references=("<1@steel.example>",), subject="Re: 不锈钢合页", text="USD 5 per piece."
)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, server: RecordServer) -> Iterator[MailRoom]:
    """A room with four letters, of two owners."""
    made = MailRoom(tmp_path_factory.mktemp("search"), server)
    made.record(STEEL, HINGE, QUESTION)
    made.record(ANSWER)
    yield made
    made.close()


def viewer_of(session: Session, email: str) -> Viewer:
    found = fetch_viewer(session, session.scalars(select(Person.id).where(Person.email == email)).one())
    assert found is not None
    return found


def ask(room: MailRoom, text: str, email: str = EVE, **how: object) -> Answer:
    with room.database.reading() as session:
        return search(session, viewer_of(session, email), text, **how)  # type: ignore[arg-type]


def subjects(answer: Answer) -> list[str]:
    return [hit.title.text for hit in answer.hits]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("不锈", [ANSWER, STEEL]),
        ("合页", [ANSWER, STEEL]),
        ("页", [ANSWER, STEEL]),
        ("报价", [STEEL]),
        ("AB-1234", [STEEL]),
        ("1234/5", [STEEL]),
        ('"steel hinge"', [HINGE]),
        ("hinge steel", [HINGE]),
        ('"hinge steel"', []),
        ("hin*", [QUESTION, HINGE]),
        ("hinge -steel", [QUESTION]),
        ("price OR grey", [QUESTION, HINGE]),
        ("from:li", [STEEL]),
        ("发件人：“Li Wei”", [STEEL]),
        ("to:li@steel.example", [ANSWER]),
        ("from:steel.example", [STEEL]),
        ("subject:steel", [HINGE]),
        ("has:attachment", [STEEL]),
        ("file:offer", [STEEL]),
        ("category:order", [HINGE]),
        ("customer:steel", [ANSWER, STEEL]),
        ("-customer:steel hinge", [QUESTION, HINGE]),
        (f"owner:{BOB}", [QUESTION, HINGE]),
        ("status:open hinge", [QUESTION, HINGE]),
        ("lang:en -hinge -合页", []),
        ("on:2026-03-02 steel", [ANSWER, HINGE, STEEL]),
        ("before:2026-03-02 steel", []),
        ("after:2026-03-03 steel", []),
        ("in:note steel", []),
    ],
)
def test_what_is_found(room: MailRoom, text: str, found: list[Mail]) -> None:
    answer = ask(room, text)
    assert subjects(answer) == [mail.subject for mail in found]
    assert (answer.total, answer.is_more, answer.next) == (len(found), False, None)


def test_by_rank_the_same_is_found(room: MailRoom) -> None:
    for text in ("不锈", "from:li", "-customer:steel hinge", "price OR grey", "nowhere"):
        assert sorted(subjects(ask(room, text, sort="rank"))) == sorted(subjects(ask(room, text)))


def test_the_best_stands_before_the_newest(room: MailRoom) -> None:
    assert subjects(ask(room, "hinge")) == ["A question", "Steel hinge"]
    assert subjects(ask(room, "hinge", sort="rank")) == ["Steel hinge", "A question"]


def test_what_was_found_is_marked_where_it_stands(room: MailRoom) -> None:
    (hit,) = ask(room, "锈钢").hits[1:]
    assert [hit.title.text[start:end] for start, end in hit.title.marks] == ["锈钢"]
    assert (hit.kind, hit.from_name, hit.files) == ("mail", "Li Wei", ("offer.pdf",))
    (hit,) = ask(room, "grey").hits
    assert [hit.excerpt.text[start:end] for start, end in hit.excerpt.marks] == ["grey"]


def test_customers_that_the_words_name_stand_beside(room: MailRoom) -> None:
    assert [hit.title.text for hit in ask(room, "steel.example").customers] == ["steel.example"]
    answer = ask(room, "in:customer li@steel.example")
    assert [(hit.kind, hit.title.text) for hit in answer.hits] == [("customer", "steel.example")]
    assert ask(room, "from:li").customers == ()


@pytest.mark.parametrize("sort", ["date", "rank"])
def test_pages_show_each_letter_once(room: MailRoom, sort: str) -> None:
    seen: list[str] = []
    before = None
    for _ in range(4):
        answer = ask(room, "example", sort=sort, limit=1, before=before)
        seen += subjects(answer)
        before = answer.next
    assert before is None
    assert sorted(seen) == sorted(subjects(ask(room, "example")))
    assert len(seen) == 4
    assert sort == "rank" or seen == subjects(ask(room, "example"))


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, server: RecordServer) -> Iterator[MailRoom]:
    """A room with 40 letters: every third is Ann's, every seventh holds a seldom word."""
    made = MailRoom(tmp_path_factory.mktemp("busy"), server)
    made.record(
        *(
            Mail(
                subject=f"Letter {number}",
                text="About hinges, seldom." if number % 7 == 0 else "About hinges.",
                sender=f"buyer@b{number}.example",
                message_id=f"<1@b{number}.example>",
                owner=ANN if number % 3 == 0 else BOB,
                missing=(),
            )
            for number in range(40)
        )
    )
    yield made
    made.close()


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param({}, id="as they are"),
        pytest.param({"_LOOKED_AT": 3, "_FEW_ANSWERS": 2}, id="gathered"),
        pytest.param({"_LOOKED_AT": 3, "_FEW_ANSWERS": 2, "_FEW": 5, "_FIRST_STEP": 2}, id="by time"),
        pytest.param({"_LOOKED_AT": 3, "_FEW_ANSWERS": 2, "_FEW": 0, "_FIRST_STEP": 1, "_COUNTING": 1}, id="hardly counted"),
        pytest.param({"_LOOKED_AT": 3, "_FEW_ANSWERS": 2, "_FEW": 5, "_LONG_WALK": 1}, id="all that answer"),
        pytest.param({"_LOOKED_AT": 3, "_FEW_ANSWERS": 2, "_FEW": 5, "_FIRST_STEP": 2, "_MOST_ANSWERS": 0, "_MOST_ASKED": 4}, id="given up"),
    ],
)  # fmt: skip
def test_every_way_to_the_letters_finds_the_same(
    busy: MailRoom, monkeypatch: pytest.MonkeyPatch, sizes: dict[str, int]
) -> None:
    for name, size in sizes.items():
        monkeypatch.setattr(f"crm_sync.search.mail_hunt.{name}", size)
    for email, is_his in (
        (EVE, lambda _: True),
        (ANN, lambda number: number % 3 == 0),
        (BOB, lambda number: number % 3),
    ):
        for word, answers in (("hinges", lambda _: True), ("seldom", lambda number: number % 7 == 0)):
            wanted = {f"Letter {number}" for number in range(40) if is_his(number) and answers(number)}
            seen: list[str] = []
            answer = ask(busy, word, email, limit=4)
            seen += subjects(answer)
            for _ in range(40):
                if answer.next is None:
                    break
                answer = ask(busy, word, email, limit=4, before=answer.next)
                seen += subjects(answer)
            assert answer.next is None
            assert (sorted(seen), set(seen)) == (sorted(wanted), wanted)


def test_a_rep_finds_what_is_his_and_counts_no_more(room: MailRoom) -> None:
    answer = ask(room, "example", ANN)
    assert (subjects(answer), answer.total) == (["Re: 不锈钢合页", "不锈钢合页 AB-1234/5"], 2)
    assert subjects(ask(room, "hinge", ANN)) == []
    assert ask(room, "customer:hinge", ANN).hits == ()
    assert ask(room, "hinge.example", ANN).customers == ()
    assert subjects(ask(room, "owner:me", BOB)) == ["A question", "Steel hinge"]


def test_who_may_see_nothing_finds_nothing(room: MailRoom) -> None:
    with room.database.reading() as session:
        nobody = replace(viewer_of(session, ANN), rights={})
        assert search(session, nobody, "steel") == Answer(())
        assert [one.kind for one in suggest(session, nobody, "steel")] == []


def test_a_hidden_field_is_neither_asked_for_nor_found_by(room: MailRoom) -> None:
    with room.database.reading() as session:
        eve = viewer_of(session, EVE)
        blind = replace(eve, hidden=frozenset({(Entity.MESSAGE, "category"), (Entity.CUSTOMER, "contacts")}))
        with pytest.raises(QuestionError, match="category: is hidden from the role administrator"):
            search(session, blind, "category:order")
        assert {hit.category for hit in search(session, blind, "hinge").hits} == {None}
        assert len(search(session, eve, "in:customer li@steel.example").hits) == 1
        assert search(session, blind, "in:customer li@steel.example").hits == ()
        textless = replace(eve, hidden=frozenset({(Entity.MESSAGE, "new_text")}))
        answer = search(session, textless, "grey OR subject:steel")
        assert [hit.title.text for hit in answer.hits] == ["Steel hinge"]
        assert [hit.excerpt.text for hit in answer.hits] == [""]
        assert search(session, textless, "grey").hits == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing is asked for"),
        ('- "..." ***', "nothing is asked for"),
        ("colour:red", "there is no field 'colour'"),
        ("status:angry", "there is open, "),
        ("owner:nobody@own.example", "is no registered person"),
        ("customer:a OR b", "OR can't join"),
        ("in:note from:ann", "only mail has"),
    ],
)
def test_what_can_not_be_meant_is_said(room: MailRoom, text: str, said: str) -> None:
    with pytest.raises(QuestionError, match=said):
        ask(room, text)


@pytest.mark.parametrize(
    "before", ["", "x", "1.mail", "1.mail.x", "1.drawer.1", "-1.mail.-5", "9" * 30 + ".mail.1", "rank.1"]
)
def test_a_made_up_place_is_refused(room: MailRoom, before: str) -> None:
    with pytest.raises(QuestionError, match="no place to go on from"):
        ask(room, "steel", before=before)


def test_suggestions_begin_so(room: MailRoom) -> None:
    with room.database.reading() as session:
        viewer = root_viewer()
        assert [one.label for one in suggest(session, viewer, "ste")] == ["steel.example"]
        assert [(one.kind, one.id) for one in suggest(session, viewer, "bo")] == [("person", BOB)]
        assert suggest(session, viewer, "-") == ()
        assert suggest(session, viewer_of(session, BOB), "ste") == ()


def test_the_index_follows_corrections_notes_and_names(room: MailRoom) -> None:
    with room.database.writing() as session:
        entry_id = session.scalars(select(Arrival.entry_id).join(Message).where(Message.subject == "A question")).one()
        correct_mail(session, viewer_of(session, EVE), entry_id, {"category": "sample"}, "cause", room.now())
        customer = session.scalars(select(Customer).where(Customer.name == "hinge.example")).one()
        note = add_note(session, viewer_of(session, BOB), f"customer:{customer.public_id}", "Prefers brass", room.now())
    assert subjects(ask(room, "category:sample")) == ["A question"]
    (hit,) = ask(room, "brass", BOB).hits
    assert (hit.kind, hit.id, hit.customer and hit.customer.name) == ("note", note.id, "hinge.example")
    assert [one.id for one in ask(room, "brass customer:hinge", BOB, sort="rank").hits] == [note.id]
    assert ask(room, "brass", ANN).hits == ()
    with room.database.writing() as session:
        delete_note(session, viewer_of(session, BOB), note.id, room.now())
    assert ask(room, "brass", BOB).hits == ()


def test_what_postfix_refused_is_not_found(room: MailRoom) -> None:
    with room.database.writing() as session:
        session.execute(update(Arrival).values(acceptance="refused").where(Arrival.envelope_sender == HINGE.sender))
        assert [hit.title.text for hit in search(session, root_viewer(), "grey").hits] == []
        session.rollback()


def test_a_lost_index_is_noticed_and_made_anew(room: MailRoom) -> None:
    with room.database.reading() as session:
        before = check_index(session)
    assert before.is_complete
    with room.database.writing() as session:
        clear_index(session.connection(), IndexName.MAIL)
    assert ask(room, "steel").hits == ()
    with room.database.reading() as session:
        state = check_index(session)
    assert (state.missing, state.superfluous) == (4, 0)
    assert sum(rebuild_index(room.database)) == 4
    assert len(ask(room, "steel").hits) == 3
    assert sum(rebuild_index(room.database)) == 0
    assert sum(rebuild_index(room.database, anew=True)) >= 4
    with room.database.reading() as session:
        assert check_index(session) == before


def test_the_command_finds_pages_and_checks(room: MailRoom, tmp_path: Path) -> None:
    config = tmp_path / "tradepost.toml"
    config.write_text(f'[host]\ninstance = "mx"\n[paths]\nstate = "{tmp_path}"\n[database]\nurl = "{room.url}"\n')

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(root, ["--config", str(config), "search", *arguments])
        return result.exit_code, result.stdout + (result.stderr if result.exit_code else "")

    status, said = run("hinge", "--as", EVE, "--json")
    answer = json.loads(said)
    assert (status, [hit["title"]["text"] for hit in answer["hits"]]) == (0, ["A question", "Steel hinge"])
    status, said = run("hinge", "-steel")
    assert status == 0
    assert "of a [hinge]?" in said
    assert "1 found" in said
    assert run("find", "check")[1].startswith("nothing found")
    assert run("suggest", "ste")[1].count("steel.example") >= 1
    assert run("check") == (0, "4 letters, 3 other records: all are in the index\n")
    assert run("rebuild", "--all") == (0, "indexed: 7\n")
    status, said = run("colour:red")
    assert status == 1
    assert "there is no field 'colour'" in said

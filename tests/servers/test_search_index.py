# SPDX-License-Identifier: GPL-3.0-or-later
"""The index against a plain reading of the texts: FTS5 and tsvector find the same letters, for any text and any question."""

from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_servers import RecordServer, nothing

from crm_sync.database import Database, open_database
from crm_sync.rights import root_viewer
from crm_sync.search.documents import MailText, mail_row
from crm_sync.search.index_questions import answering, answering_among
from crm_sync.search.index_rows import IndexName, clear_index, delete_index_rows, insert_index_rows, replace_index_rows
from crm_sync.search.meaning import mail_expression
from crm_sync.search.query_language import Question, QuestionError, Term, parse_question
from crm_sync.search.tokens import tokenize, tokenize_question

PIECES = (
    "steel", "hinge", "steels", "AB-12", "AB-12/5", "12", "5", "ann@a.example", "a.example", "不", "不锈", "不锈钢", "钢合页", "钢",
    "กรุง", "กรุงเทพ", "견적서", "हिन्दी", "Größe", "e\u0301", "'", '"', "*", "-", ":", "(", "&", "|", "!", "\\", " ", "\n", ",",
    "\0", "\ud800", "\ue001steel", "\ue000",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(max_size=12)
MAILS = st.builds(
    MailText,
    subject=TEXTS,
    sender=st.tuples(TEXTS, TEXTS),
    recipients=st.lists(st.tuples(TEXTS, TEXTS), max_size=2),
    new_text=TEXTS,
    rest=TEXTS,
    files=st.lists(TEXTS, max_size=2),
    category=st.sampled_from([None, "inquiry", "order", "询价"]),
    language=st.sampled_from([None, "en", "zh-CN"]),
    priority=st.sampled_from([None, "high"]),
)
WORDS = st.sampled_from([piece for piece in PIECES if not set(piece) & set('"\n ,\0')]) | st.text(
    alphabet="ab不锈钢12", min_size=1, max_size=4
)
TERMS = st.one_of(
    WORDS,
    st.lists(WORDS, min_size=2, max_size=3).map(lambda words: f'"{" ".join(words)}"'),
    WORDS.map(lambda word: f"{word}*"),
    st.tuples(st.sampled_from(["subject:", "from:", "to:", "file:"]), WORDS).map("".join),
    st.sampled_from(["has:attachment", "category:inquiry", "category:询价", "lang:zh-cn", "priority:high"]),
)


def can_be_asked(text: str) -> bool:
    """Is it a question?  A sign that stands for a word by chance may join what is looked for to what is not."""
    try:
        parse_question(text)
    except QuestionError:
        return False
    return True


QUESTIONS = (
    st.lists(
        st.one_of(TERMS, TERMS.map(lambda term: f"-{term}"), st.tuples(TERMS, TERMS).map(" OR ".join)),
        min_size=1,
        max_size=3,
    )
    .map(" ".join)
    .filter(can_be_asked)
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, server: RecordServer) -> Iterator[Database]:
    """An empty database for all examples; each is rolled back."""
    url = server.new(tmp_path_factory.mktemp("index"), nothing)
    with closing(open_database(url)) as opened:
        yield opened
    server.drop(url)


def stands(term: Term, tokens: Sequence[str]) -> bool:
    asked = tokenize_question(term.text)
    wanted, is_prefix = list(asked.tokens), asked.is_prefix or term.is_prefix
    for start in range(len(tokens) - len(wanted) + 1):
        row = tokens[start : start + len(wanted)]
        if row[:-1] == wanted[:-1] and (row[-1].startswith(wanted[-1]) if is_prefix else row[-1] == wanted[-1]):
            return True
    return False


def reads(mail: MailText, term: Term) -> bool:
    """Is the term true of a letter, by its texts?"""
    labels = {"category": mail.category, "lang": mail.language, "priority": mail.priority}
    if term.field in labels:
        return tokenize(labels[term.field] or "") == tokenize(term.text)
    if term.field == "has":
        return bool(mail.files)
    fields = {
        "subject": mail.subject,
        "from": " ".join(mail.sender),
        "to": "\n".join(" ".join(person) for person in mail.recipients),
        "file": "\n".join(mail.files),
    }
    texts = [fields[term.field]] if term.field else [*fields.values(), mail.new_text, mail.rest]
    return any(stands(term, tokenize(text)) for text in texts)


def means_something(term: Term) -> bool:
    return term.field in ("has", "category", "lang", "priority") or bool(tokenize_question(term.text).tokens)


def answers(mail: MailText, question: Question) -> bool:
    for clause in question.clauses:
        terms = [term for term in clause.terms if means_something(term)]
        if terms and any(reads(mail, term) for term in terms) == clause.is_negative:
            return False
    return True


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mails=st.lists(MAILS, min_size=1, max_size=5), text=QUESTIONS)
def test_the_index_finds_what_a_reader_finds(database: Database, mails: list[MailText], text: str) -> None:
    question = parse_question(text)
    expression = mail_expression(question, root_viewer())
    wanted = {key for key, mail in enumerate(mails, 1) if answers(mail, question)}
    if expression is None:
        assert wanted == set(range(1, len(mails) + 1))
        return
    with database.writing() as session:
        connection = session.connection()
        insert_index_rows(connection, IndexName.MAIL, {key: mail_row(mail) for key, mail in enumerate(mails, 1)})
        assert set(answering(session, IndexName.MAIL, expression, 10)) == wanted
        assert answering_among(session, IndexName.MAIL, expression, range(1, 10)) == wanted
        assert answering_among(session, IndexName.MAIL, expression, [1, 10**6]) == wanted & {1}
        session.rollback()


def test_rows_are_replaced_and_taken_out(database: Database) -> None:
    def found(word: str) -> list[int]:
        expression = mail_expression(parse_question(word), root_viewer())
        assert expression is not None
        return sorted(answering(session, IndexName.RECORDS, expression, 10))

    with database.writing() as session:
        connection = session.connection()
        insert_index_rows(connection, IndexName.RECORDS, {1: "old words", 2: "old"})
        replace_index_rows(connection, IndexName.RECORDS, {1: "new words", 3: "new"})
        assert (found("old"), found("new"), found("words")) == ([2], [1, 3], [1])
        delete_index_rows(connection, IndexName.RECORDS, [1, 2, 99])
        assert (found("old"), found("new"), found("words")) == ([], [3], [])
        clear_index(connection, IndexName.RECORDS)
        assert found("new") == []
        session.rollback()

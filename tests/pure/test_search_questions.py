# SPDX-License-Identifier: GPL-3.0-or-later
"""The query language: what is meant, what is refused in one line, and that no text breaks it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sync.search.query_language import (
    FIELDS,
    LONGEST_QUESTION,
    Clause,
    Question,
    QuestionError,
    Term,
    parse_question,
)


def clauses(*terms: Term) -> Question:
    return Question(tuple(Clause((term,)) for term in terms))


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("steel hinge", clauses(Term("steel"), Term("hinge"))),
        ('"steel hinge" 5', clauses(Term("steel hinge"), Term("5"))),
        ("“steel hinge”", clauses(Term("steel hinge"))),
        ("「不锈钢」　合页", clauses(Term("不锈钢"), Term("合页"))),
        ('"no end', clauses(Term("no end"))),
        ("-spam", Question((Clause((Term("spam"),), is_negative=True),))),
        ("a OR b c", Question((Clause((Term("a"), Term("b"))), Clause((Term("c"),))))),
        ("OR a OR", clauses(Term("a"))),
        ("from:ann@a.example", clauses(Term("ann@a.example", "from"))),
        ("From: ann", clauses(Term("ann", "from"))),
        ("发件人：张", clauses(Term("张", "from"))),
        ("客户：“钢铁”", clauses(Term("钢铁", "customer"))),
        ('subject:"steel hinge"', clauses(Term("steel hinge", "subject"))),
        ("has:附件", clauses(Term("attachment", "has"))),
        ("LANG:ZH", clauses(Term("zh", "lang"))),
        ("hing*", clauses(Term("hing", is_prefix=True))),
        ("http://a.example 10:30 Re: x", clauses(Term("http://a.example"), Term("10:30"), Term("Re:"), Term("x"))),
        ("in:mail in:note", Question(kinds=frozenset({"mail", "note"}))),
        ("", Question()),
    ],
)
def test_what_is_meant(text: str, question: Question) -> None:
    assert parse_question(text) == question


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("after:2026", datetime(2026, 1, 1, tzinfo=UTC), None),
        ("after:2026-03", datetime(2026, 3, 1, tzinfo=UTC), None),
        ("before:2026-03-02", None, datetime(2026, 3, 2, tzinfo=UTC)),
        ("on:2026-03-02", datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)),
        ("on:2026-12", datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("早于：2026/03", None, datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_times(text: str, since: datetime | None, until: datetime | None) -> None:
    assert parse_question(text) == Question(since=since, until=until)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour:red", "there is no field 'colour'; there are: subject: from:"),
        ("after:2026-13", "after:2026-13 is no date; write after:2026, after:2026-03 or after:2026-03-02"),
        ("on:yesterday", "is no date"),
        ("on:9999", "is no date"),
        ("on:0000", "is no date"),
        ("in:drawer", "in:drawer means nothing; there is in:mail, in:customer, in:note"),
        ("has:teeth", "there is has:attachment"),
        ("-before:2026", "stands alone"),
        ("a OR -b", "OR joins what is looked for"),
        ("x" * (LONGEST_QUESTION + 1), "may have 2,000 signs"),
        ("x " * 41, "may have 40 words"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(QuestionError, match=said) as caught:
        parse_question(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["-", "---", '"""', "* ^ NEAR(a b) {x} : y", "\0", ":", "::", "''", "|", '-""', "%", "\\", "\ud800"]
)
def test_only_syntax_is_a_question_too(text: str) -> None:
    parse_question(text)


@given(st.text(max_size=80) | st.text(alphabet='ab :"-|OR*()\0“”：', max_size=80))
def test_anything_is_understood_or_refused_in_one_line(text: str) -> None:
    try:
        question, said = parse_question(text), ""
    except QuestionError as refused:
        question, said = Question(), str(refused)
    assert "\n" not in said
    assert all(term.field in ("", *FIELDS) for clause in question.clauses for term in clause.terms)


def test_a_megabyte_is_refused_at_once() -> None:
    with pytest.raises(QuestionError, match="1,000,000"):
        parse_question("from:" * 200_000)

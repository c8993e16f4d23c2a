# SPDX-License-Identifier: GPL-3.0-or-later
"""The search tokenizer: the same words however they are written, every script, no text too hostile."""

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sync.search.documents import MailText, mail_row
from crm_sync.search.folding import fold, fold_with_places
from crm_sync.search.tokens import LONGEST_TOKEN, Asked, place_tokens, tokenize, tokenize_question


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        pytest.param("AB-1234/5", ["ab", "1234", "5"], id="code"),
        pytest.param("ann+eu@mail.acme.example", ["ann", "eu", "mail", "acme", "example"], id="address"),
        pytest.param("GRÖSSE Größe", ["grosse", "grosse"], id="case and accents"),
        pytest.param("e\u0301te\u0301 été", ["ete", "ete"], id="composed or not"),
        pytest.param("ＦＯＢ ﬁne ①", ["fob", "fine", "1"], id="wide and joined letters"),
        pytest.param("so\u00adft zero\u200bwidth", ["soft", "zerowidth"], id="invisible signs"),
        pytest.param("٥٠٠ pcs", ["500", "pcs"], id="digits of others"),
        pytest.param("ёлка Ёлка", ["елка", "елка"], id="russian"),
        pytest.param("العَرَبِيَّة", ["العربية"], id="arabic vowels"),
        pytest.param("हिन्दी मूल्य", ["हिन्दी", "मूल्य"], id="marks that are letters"),
        pytest.param("不锈钢", ["不锈", "锈钢", "钢"], id="chinese"),
        pytest.param("不锈\r\n钢", ["不锈", "锈钢", "钢"], id="chinese broken at the end of a line"),
        pytest.param("M8螺丝2个", ["m8", "螺丝", "丝", "2", "个"], id="mixed"),
        pytest.param("が か\u3099 ｶﾞ", ["が", "が", "ガ"], id="japanese marks"),
        pytest.param("견적서", ["견적", "적서", "서"], id="korean"),
        pytest.param("กรุงเทพ", ["กรุ", "รุง", "งเ", "เท", "ทพ", "พ"], id="thai with its vowels"),
        pytest.param("'; DROP TABLE \"*^(){}:&|!<->", ["drop", "table"], id="syntax"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_tokens(text: str, tokens: list[str]) -> None:
    assert tokenize(text) == tokens


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("价格", Asked(("价格",))),
        ("不锈钢", Asked(("不锈", "锈钢"))),
        ("钢", Asked(("钢",), is_prefix=True)),
        ("钢 hinge", Asked(("钢", "hinge"))),
        ("hinge 钢", Asked(("hinge", "钢"), is_prefix=True)),
        ("steel hinge", Asked(("steel", "hinge"))),
        ("...", Asked(())),
    ],
)
def test_a_question_may_end_within_a_run(text: str, asked: Asked) -> None:
    assert tokenize_question(text) == asked


@given(st.text(max_size=60))
def test_places_are_those_of_the_tokens(text: str) -> None:
    placed = list(place_tokens(text))
    assert [one.token for one in placed] == tokenize(text)
    folded, starts, ends = fold_with_places(text)
    assert folded == fold(text)
    assert len(folded) == len(starts) == len(ends)
    assert all(0 <= one.start < one.end <= len(text) for one in placed)


@given(st.text(max_size=60))
def test_tokens_hold_nothing_that_an_index_takes_for_syntax(text: str) -> None:
    for token in tokenize(text):
        assert 0 < len(token) <= LONGEST_TOKEN
        assert not set(token) & set(" '\"\\()*:&|!<>^-+{}\0")
        assert not any("\ue000" <= sign <= "\uf8ff" for sign in token)


@given(st.text(alphabet="不锈钢ab1 ก\u0e38", max_size=20), st.integers(0, 20), st.integers(1, 20))
def test_whatever_is_cut_out_of_unspaced_text_is_found_there(text: str, start: int, length: int) -> None:
    run = "".join(sign for sign in text if sign in "不锈钢")
    part = run[start : start + length]
    asked = tokenize_question(part)
    stands = tokenize(run)
    if part:
        rows = [stands[place : place + len(asked.tokens)] for place in range(len(stands))]
        assert any(
            tuple(row[:-1]) == asked.tokens[:-1]
            and row[-1:]
            and (row[-1].startswith(asked.tokens[-1]) if asked.is_prefix else row[-1] == asked.tokens[-1])
            for row in rows
        )


@pytest.mark.parametrize(
    "piece",
    ["a", "a\u0301", "\u0e38\u0e48", "钢", "\u1100", "\u0939\u094d", "\n钢", "\ufdfa", "a ", "\ud800"],
    ids=ascii,
)
def test_a_hostile_letter_costs_little_and_stays_below_what_postgresql_takes(piece: str) -> None:
    text = piece * 500_000
    began = time.process_time()
    row = mail_row(MailText(text, (text, text), [(text, text)] * 1000, text, text, [text] * 1000, text, text, "high"))
    assert time.process_time() - began < 3
    tokens = row.split(" ")
    assert len(tokens) < 16_383
    assert Counter(tokens).most_common(1)[0][1] <= 255


def test_a_row_of_a_letter_marks_its_fields() -> None:
    mail = MailText(
        "Re: offer",
        ("Ann", "ann@a.example"),
        [("", "bob@b.example")],
        "body",
        "quoted",
        ["x.pdf"],
        "order",
        "zh-CN",
        None,
    )
    tokens = mail_row(mail).split(" ")
    assert tokens.count("offer") == tokens.count("\ue001offer") == 1
    assert {"\ue002ann", "\ue003bob", "\ue004pdf", "\ue010order", "\ue011zh\ue0fecn", "\ue013attachment"} <= set(tokens)
    assert {"body", "quoted", "pdf", "bob", "ann"} <= set(tokens)

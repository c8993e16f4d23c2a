# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped models: made from the shipped letters, the same every time, and spaCy reads them too."""

import importlib
import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

from classifiers.linear_model import Models, code_of, load_models
from classifiers.training.encoder import DIRECTIONS
from classifiers.training.pipeline import READ, ReadText, as_input
from classifiers.training.train import Space, Task, add_pipe, fit_offsets, lessons_of, read_tasks, version_of
from tradepost.verdict import CATEGORIES, Priority


@pytest.fixture(scope="module")
def tasks() -> tuple[Task, Task]:
    return read_tasks()


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


def test_the_models_were_made_from_these_letters(tasks: tuple[Task, Task], models: Models) -> None:
    assert models.version == version_of(tasks), "letters, words or features changed: run make model"


def test_every_label_has_letters_in_many_languages(tasks: tuple[Task, Task]) -> None:
    category, priority = tasks
    for label in CATEGORIES:
        assert len({row.language for row in category.rows if row.label == label}) >= 10
    assert {row.label for row in priority.rows} == {*Priority}
    assert len({row.id for row in category.rows}) == len(category.rows)


def test_spacy_says_what_the_milter_says(tasks: tuple[Task, Task]) -> None:
    """Of words alone: what their meaning adds is the product of a word's place, which only training knows, and these weights."""
    importlib.import_module("classifiers.training.pipeline")  # names the architecture to spaCy
    folder = files("classifiers") / "model"
    nlp = spacy.load(str(folder))
    temperatures = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["temperatures"]
    loaded = load_models()
    category, priority = replace(loaded._category, meanings=None), replace(loaded._priority, meanings=None)
    models = Models(category, priority, loaded.version)
    pipes: list[Any] = [nlp.get_pipe(task.name) for task in tasks]
    for row in tasks[0].rows[::40]:
        doc = Doc(nlp.vocab, words=["letter"])
        doc.user_data[READ] = ReadText.of(row.features)
        found = models.weigh(row.features)
        for pipe, task, opinion in zip(pipes, tasks, (models.category(found), models.priority(found)), strict=True):
            layer = pipe.model.get_ref("output_layer")
            scores = layer.predict(as_input([doc.user_data[READ]]))[0] / temperatures[task.name]
            odds = np.exp(scores - scores.max())
            assert np.allclose([opinion.of(label) for label in pipe.labels], odds / odds.sum(), atol=1e-4)
            pipe(doc)
            assert max(task.labels, key=doc.cats.__getitem__) == opinion.label


def test_the_same_letters_make_the_same_weights(tasks: tuple[Task, Task]) -> None:
    few = replace(tasks[0], rows=tasks[0].rows[::40])
    weights = []
    for _ in range(2):
        nlp = spacy.blank("xx")
        add_pipe(nlp, few, lessons_of(nlp, few, lambda counts: np.full(DIRECTIONS, len(counts), dtype="float32")))
        weights.append(nlp.get_pipe(few.name).model.get_ref("output_layer").get_param("W"))  # type: ignore[attr-defined]

    assert np.array_equal(weights[0], weights[1])
    assert np.any(weights[0])


def test_a_meaning_weighs_what_its_place_weighs() -> None:
    models = load_models()
    model, meanings = models._category, models._category.meanings
    assert meanings is not None
    assert len(meanings.keys) > 50_000
    assert np.all(meanings.keys[:-1] < meanings.keys[1:])
    assert float(np.abs(meanings.of(["invoice", "рахунок", "請求"])).max()) > 0.0
    assert model.rows(["invoice"], [code_of("invoice")[0]], np.ones(1, dtype="float32")).shape == (1, len(model.labels))


def test_a_letter_held_out_lies_where_the_words_of_others_lie() -> None:
    space = Space(["kiln", "loom"], np.eye(2, DIRECTIONS, dtype="float32"))
    text = {"kiln": 1, "loom": 4, "<ask>": 1}

    assert space.place(text)[:3].tolist() == [1.0, 2.0, 0.0]
    assert space.place(text, frozenset(["loom"]))[:3].tolist() == [0.0, 2.0, 0.0]
    assert not space.place(text, frozenset()).any()


def test_offsets_give_each_label_as_often_as_letters_bear_it() -> None:
    truth = np.array([0] * 300 + [1] * 100 + [2] * 100)
    scores = np.random.default_rng(4).normal(size=(500, 3)).astype("float32")
    scores[np.arange(500), truth] += 1.5
    scores[:, 1] += 2.0  # found much too often

    odds = np.exp((scores + fit_offsets(scores, truth, 1.3)) / 1.3)
    shares = (odds / odds.sum(axis=1, keepdims=True)).mean(axis=0)

    assert np.allclose(shares, [0.6, 0.2, 0.2], atol=1e-3)

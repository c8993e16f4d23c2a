# SPDX-License-Identifier: GPL-3.0-or-later
"""A model learned on the site reaches mail at arrival without a restart, and one that is spoilt costs nothing."""

import json
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifiers.features import count_features
from classifiers.linear_model import code_of, feature_scheme
from classifiers.site_folder import SiteFolder
from classifiers.site_model import SiteModel
from postfix.sandbox.processes import wait_until
from postfix.sandbox.sending import Stranger
from postfix.sandbox.service_stack import ServiceStack

SALES = "sales@brightway.example"
BUYER = Stranger("203.0.113.9", "mail.buyer.example")
SUBJECT, TEXT = "konsi 7", "Konsi week 31: taken out of your stock here 40 hinges, left 12."
PATIENCE_SECONDS = 30


def category_of_a_mail(stack: ServiceStack) -> str:
    content = f"From: hall@warehouse.example\nTo: {SALES}\nSubject: {SUBJECT}\n\n{TEXT}\n".encode()
    with stack.postfix.arriving(stranger=BUYER) as session:
        queue_id = session.send("hall@warehouse.example", (SALES,), content)
    return stack.postfix.delivered(queue_id)[0].marks()["x-tradepost-category"][0]


def wait_for_category(stack: ServiceStack, wanted: str) -> None:
    """Every child must have it: five mails in a row."""
    deadline, in_a_row = time.monotonic() + PATIENCE_SECONDS, 0
    while in_a_row < 5:
        assert time.monotonic() < deadline, f"no {wanted} after {PATIENCE_SECONDS} s"
        in_a_row = in_a_row + 1 if category_of_a_mail(stack) == wanted else 0


def health(stack: ServiceStack) -> dict[str, Any]:
    with urllib.request.urlopen(f"{stack.metrics_url}/healthz", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def children_of(stack: ServiceStack) -> str:
    pid = stack.part("milter").pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


def model_that_says(label: str) -> SiteModel:
    """Return one in which every word of the mail speaks for a label."""
    codes = np.unique(np.array([code_of(feature)[0] for feature in count_features(SUBJECT, TEXT)], dtype="uint64"))
    return SiteModel(
        number=1,
        base="",
        scheme=feature_scheme(),
        made_at=datetime.now(UTC),
        corrections=20,
        lessons="",
        labels=(f"category:{label}",),
        codes=codes,
        weights=np.full((len(codes), 1), 30.0, dtype="float32"),
        biases=np.zeros(1, dtype="float32"),
    )


@pytest.mark.timeout(120)
def test_milters_take_up_what_was_learned_and_let_go_of_what_is_spoilt(make_stack: Callable[..., ServiceStack]) -> None:
    stack = make_stack(parts=("sync", "milter", "metrics"))
    before, children = category_of_a_mail(stack), children_of(stack)
    learned = "support" if before != "support" else "sample"
    folder = SiteFolder(stack.settings.model_dir)

    with folder.learning():
        folder.store(model_that_says(learned))
    wait_for_category(stack, learned)
    assert health(stack)["model"] == {"number": 1, "is_refused": False}

    (folder.path / "draft").write_bytes(b"spoilt")
    (folder.path / "draft").rename(folder.path / "000001.model")
    wait_for_category(stack, before)
    judged = health(stack)
    assert judged["model"]["is_refused"]
    assert any("the site's model can't be used" in reason for reason in judged["reasons"])

    with folder.learning():
        folder.put_in_force(None)
    wait_until("the refusal to be forgotten", lambda: not health(stack)["model"]["is_refused"], PATIENCE_SECONDS, 0.1)
    assert children_of(stack) == children, "no child was started anew"

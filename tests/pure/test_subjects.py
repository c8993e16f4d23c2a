# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before a subject that is answered or passed on."""

import pytest

from classifiers.subjects import end_of_prefixes, has_reply_prefix


@pytest.mark.parametrize(
    ("subject", "proper"),
    [
        ("Re: pumps", "pumps"),
        ("RE[2]: Fwd: AW: pumps", "pumps"),
        ("回复：转发: 水泵", "水泵"),
        ("Ynt: Odp: Отв: pumps", "pumps"),
        ("I: R: pompe", "pompe"),
        ("Review: pumps", "Review: pumps"),
        ("pumps: re", "pumps: re"),
        ("", ""),
    ],
)
def test_prefixes_are_passed_over(subject: str, proper: str) -> None:
    assert subject[end_of_prefixes(subject) :].lstrip() == proper
    assert has_reply_prefix(subject) is (subject != proper)


def test_a_subject_of_prefixes_alone_ends() -> None:
    assert end_of_prefixes("Re: " * 9_000) <= 40

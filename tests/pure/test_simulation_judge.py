# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of the simulation is not to be had: neither one record for all mails nor one for each does well."""

from itertools import islice

import pytest

from bench.simulation.judge import Found, judge
from bench.simulation.mails import Mail
from bench.simulation.stories import happen
from bench.simulation.truth import Truth
from bench.simulation.world import make_world
from tradepost.mime_reading import parse_message

MAILS = 800


@pytest.fixture(scope="module")
def happened() -> tuple[Truth, list[Mail]]:
    world = make_world(5, 150)
    truth, mails = Truth(world), []
    for mail in happen(world, 5, MAILS):
        truth.add(mail)
        mails.append(mail)
    return truth, mails


def records(customers: dict[int, int], conversations: dict[int, int]) -> Found:
    """Return records in which every customer is a lead."""
    keys = set(customers.values()) - {0}
    return Found(customers, conversations, dict.fromkeys(keys, "lead"), dict.fromkeys(keys, "?"))


def as_it_is(truth: Truth, mails: list[Mail]) -> tuple[dict[int, int], dict[int, int]]:
    """Return the truth as records: nobody who is no buyer has one."""
    kinds = {mail.parties[0]: truth.kind(mail.parties[0]) for mail in mails}
    customers = {
        mail.number: mail.parties[0] if kinds[mail.parties[0]] in ("customer", "agent") else 0 for mail in mails
    }
    return customers, {mail.number: mail.thread for mail in mails}


def test_the_truth_has_no_fault(happened: tuple[Truth, list[Mail]]) -> None:
    truth, mails = happened

    found = judge(truth, records(*as_it_is(truth, mails)))

    assert (found.mails, found.lost, found.wrong, found.missed, found.not_knowable) == (MAILS, 0, 0, 0, 0)


def test_one_record_for_all_is_wrong(happened: tuple[Truth, list[Mail]]) -> None:
    truth, mails = happened
    customers, threads = as_it_is(truth, mails)

    found = judge(truth, records(dict.fromkeys(customers, 1), threads))
    assert found.wrong > 0.9 * MAILS
    found = judge(truth, records(customers, dict.fromkeys(threads, 1)))
    assert found.wrong + found.not_knowable > 0.9 * MAILS


def test_one_record_for_each_is_missed(happened: tuple[Truth, list[Mail]]) -> None:
    truth, mails = happened
    customers, threads = as_it_is(truth, mails)

    found = judge(truth, records({number: number + 1 for number in customers}, threads))
    assert found.wrong + found.missed > 0.5 * MAILS
    found = judge(truth, records(customers, {number: number + 1 for number in threads}))
    assert found.wrong == 0
    assert found.missed > 0.5 * MAILS
    found = judge(truth, records(dict.fromkeys(customers, 0), threads))
    assert found.missed > 0.6 * MAILS


def test_a_mail_on_anothers_record_or_in_another_thread_is_wrong(happened: tuple[Truth, list[Mail]]) -> None:
    truth, mails = happened
    customers, threads = as_it_is(truth, mails)
    by_customer = [mail for mail in mails if customers[mail.number] and len(mail.parties) == 1]
    moved = by_customer[10]
    other = next(mail for mail in by_customer if mail.parties[0] != moved.parties[0])

    found = judge(truth, records(customers | {moved.number: other.parties[0]}, threads))
    assert (found.wrong + found.not_knowable, found.missed) == (1, 0)
    found = judge(truth, records(customers, threads | {moved.number: other.thread}))
    assert found.wrong + found.missed + found.not_knowable >= 1


def test_the_same_seed_is_the_same_mail(happened: tuple[Truth, list[Mail]]) -> None:
    _, mails = happened

    again = [mail.raw() for mail in islice(happen(make_world(5, 150), 5, MAILS), 100)]

    assert again == [mail.raw() for mail in mails[:100]]
    assert [parse_message(raw).message_id for raw in again] == [mail.message_id for mail in mails[:100]]

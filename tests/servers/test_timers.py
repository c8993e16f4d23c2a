# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done later is done once, by the database's clock, whoever dies over it."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from record_servers import PostgreSQLServer, nothing
from sqlalchemy import update

from crm_sync.database import Database, open_database
from crm_sync.models.timers import TimerRow
from crm_sync.timers import claim_due, database_now, finish, is_our_turn, schedule

MINUTE = timedelta(minutes=1)


def put(database: Database, kind: str, ref: str, late: timedelta) -> None:
    with database.writing() as session:
        schedule(session, kind, ref, database_now(session) - late)


def refs(database: Database, *kinds: str) -> list[str]:
    with database.writing() as session:
        return [timer.ref for timer in claim_due(session, kinds)]


def test_the_databases_clock_goes_right(database: Database) -> None:
    with database.reading() as session:
        assert abs(database_now(session) - datetime.now(UTC)) < timedelta(seconds=5)


def test_due_is_what_the_time_has_come_for_longest_due_first(database: Database) -> None:
    put(database, "reclaim", "a", MINUTE)
    put(database, "reclaim", "b", 2 * MINUTE)
    put(database, "reclaim", "c", -MINUTE)
    put(database, "other", "d", MINUTE)
    assert refs(database, "reclaim") == ["b", "a"]
    assert refs(database, "reclaim", "other") == ["b", "a", "d"]


def test_scheduled_again_it_moves_and_never_doubles(database: Database) -> None:
    put(database, "reclaim", "a", MINUTE)
    put(database, "reclaim", "a", -MINUTE)
    assert refs(database, "reclaim") == []
    put(database, "reclaim", "a", MINUTE)
    assert refs(database, "reclaim") == ["a"]


def test_finished_it_is_done_until_it_is_scheduled_anew(database: Database) -> None:
    put(database, "reclaim", "a", MINUTE)
    with database.writing() as session:
        [timer] = claim_due(session, ["reclaim"])
        finish(session, timer)
    assert refs(database, "reclaim") == []
    put(database, "reclaim", "a", MINUTE)
    assert refs(database, "reclaim") == ["a"]


def test_who_dies_over_it_leaves_it_due(database: Database) -> None:
    put(database, "reclaim", "a", MINUTE)
    with database.writing() as session:
        [timer] = claim_due(session, ["reclaim"])
        finish(session, timer)
        session.rollback()
    assert refs(database, "reclaim") == ["a"]


def test_a_periodic_job_has_one_turn_a_period(database: Database) -> None:
    def turn() -> bool:
        with database.writing() as session:
            return is_our_turn(session, "prune", MINUTE)

    assert [turn(), turn()] == [False, False]
    with database.writing() as session:
        session.execute(update(TimerRow).values(due_at=database_now(session) - MINUTE))
    assert [turn(), turn()] == [True, False]


def test_two_at_a_time_share_what_is_due(tmp_path: Path, postgresql: PostgreSQLServer) -> None:
    url = postgresql.new(tmp_path, nothing)
    with closing(open_database(url)) as database:
        for ref in "abcd":
            put(database, "reclaim", ref, MINUTE)
        with database.writing() as one, database.writing() as other:
            first = [timer.ref for timer in claim_due(one, ["reclaim"], limit=2)]
            second = [timer.ref for timer in claim_due(other, ["reclaim"])]
            assert (first, second) == (["a", "b"], ["c", "d"])
            assert not is_our_turn(other, "prune", MINUTE)
    postgresql.drop(url)

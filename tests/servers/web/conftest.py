# SPDX-License-Identifier: GPL-3.0-or-later
"""A company in a real SQLite file, letters as rows, and browsers of its people."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

import pytest
from flask import Flask
from flask.testing import FlaskClient
from web_company import WELL, Clock, Company, SignIn, form_key

from admin_web.app import create_app
from admin_web.browser_sessions import make_signin_token
from crm_sync.database import Database, open_database
from crm_sync.models.people import Person, Pool, PoolAddress, PoolMember
from crm_sync.models.rules import RuleRow
from crm_sync.schema import upgrade_schema
from tradepost.health import Readings
from tradepost.settings import DatabaseSettings, HostSettings, PathSettings, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose folders are the test's own."""
    paths = PathSettings(state=tmp_path / "state", runtime=tmp_path / "run")
    for folder in (paths.state, paths.runtime):
        folder.mkdir(mode=0o700)
    return Settings(host=HostSettings(instance="mx.brightway.example"), paths=paths, database=DatabaseSettings(url=""))


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database file, to be copied: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "tradepost.sqlite"
    opened = open_database(f"sqlite:///{path}", create=True)
    upgrade_schema(opened)
    opened.close()
    return path


@pytest.fixture
def database(settings: Settings, migrated: Path) -> Iterator[Database]:
    """A migrated, empty database."""
    copyfile(migrated, settings.paths.state / "tradepost.sqlite")
    opened = open_database(settings.database_url)
    yield opened
    opened.close()


@pytest.fixture
def company(database: Database) -> Company:
    """Chen administers, Ma manages, Li Na and Zhang Wei sell; Zhao may see nothing of theirs.  The pool is Li Na's."""
    made = Company(database)
    with database.writing() as session:
        for name, role in (
            ("chen", "administrator"),
            ("ma", "manager"),
            ("li.na", "rep"),
            ("zhang.wei", "rep"),
            ("zhao", "rep"),
        ):
            person = Person(email=f"{name}@brightway.example", name=name.title().replace(".", " "), role=role)
            session.add(person)
            session.flush()
            made.people[name] = person.id
        pool = Pool(name="sales")
        session.add(pool)
        session.flush()
        made.pool_id = pool.id
        session.add(PoolAddress(address_key="sales@brightway.example", pool_id=pool.id))
        session.add(PoolMember(pool_id=pool.id, person_id=made.people["li.na"]))
        session.add(RuleRow(id="r7", position=1, name="Mexico is Li Na's", condition={}, effects=[]))
    return made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def readings() -> list[Readings]:
    """What the page reads of the other parts: the last of the list."""
    return [WELL]


@pytest.fixture
def app(settings: Settings, database: Database, clock: Clock, readings: list[Readings]) -> Flask:
    """The web room on the test's database, clock and readings."""
    return create_app(settings, database, clock=clock, read=lambda: readings[-1])


@pytest.fixture
def sign_in(app: Flask, company: Company, clock: Clock) -> SignIn:
    """Sign a person in by a link, as a browser does, and return the browser."""

    def browser_of(name: str) -> FlaskClient:
        with company.database.writing() as session:
            token = make_signin_token(session, f"{name}@brightway.example", 30, clock())
        browser = app.test_client()
        page = browser.get("/sign-in", query_string={"token": token})
        answer = browser.post("/sign-in", data={"token": token, "csrf_token": form_key(page.text)})
        assert answer.status_code == 303, answer.text
        return browser

    return browser_of

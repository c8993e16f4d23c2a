# SPDX-License-Identifier: GPL-3.0-or-later
"""A private Postfix for the tests of this ring, alone and with everything of ours beside it."""

import signal
from collections.abc import Callable, Iterator

import pytest

from postfix.sandbox.company import COMPANY_FILE, RULES_FILE, read_company
from postfix.sandbox.private_postfix import PrivatePostfix
from postfix.sandbox.service_stack import ServiceStack, Tables

MAILBOXES = ("sales@brightway.example", "info@brightway.example", "li.na@brightway.example", "@catch.example")
PASSWORDS = {"li.na": "sesame"}

StackMaker = Callable[..., ServiceStack]


@pytest.fixture(scope="session", autouse=True)
def _hears_ctrl_c() -> None:
    """A shell lets what it starts in the background ignore SIGINT, and so would every program that a test interrupts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def postfix() -> Iterator[PrivatePostfix]:
    """A Postfix without any milter, shared by the tests of one file."""
    with PrivatePostfix(MAILBOXES, hostname="mx.brightway.example", passwords=PASSWORDS, milters=()) as private:
        yield private


def run_stack(
    *,
    milters: tuple[str, ...] = ("tradepost",),
    parameters: dict[str, str] | None = None,
    parts: tuple[str, ...] = ("sync", "milter"),
    settings: Tables | None = None,
    mailboxes: tuple[str, ...] = (),
    environment: dict[str, str] | None = None,
) -> Iterator[ServiceStack]:
    """Run a Postfix and our services for the company of the demo, its people signing in with "sesame"."""
    company = read_company()
    private = PrivatePostfix(
        (*company.mailboxes, *mailboxes),
        hostname=f"mx.{company.domains[0]}",
        passwords=dict.fromkeys(company.logins.values(), "sesame"),
        milters=milters,
        parameters=parameters,
    )
    with (
        private,
        ServiceStack(
            private, company=COMPANY_FILE, rules=RULES_FILE, parts=parts, settings=settings, environment=environment
        ) as stack,
    ):
        yield stack


@pytest.fixture(scope="module")
def stack() -> Iterator[ServiceStack]:
    """Postfix, milter and worker, shared by the tests of one file.  `stack.postfix` sends and finds mail."""
    yield from run_stack()


@pytest.fixture
def make_stack() -> Iterator[StackMaker]:
    """A maker of stacks of one's own: the arguments of `run_stack`; each is stopped at the end of the test."""
    running: list[Iterator[ServiceStack]] = []

    def make(**wishes: object) -> ServiceStack:
        source = run_stack(**wishes)  # type: ignore[arg-type]
        running.append(source)
        return next(source)

    yield make
    for source in reversed(running):
        next(source, None)

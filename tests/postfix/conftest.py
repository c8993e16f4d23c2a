# SPDX-License-Identifier: GPL-3.0-or-later
"""A private Postfix for the tests of this ring."""

from collections.abc import Iterator

import pytest

from postfix.sandbox.private_postfix import PrivatePostfix

MAILBOXES = ("sales@brightway.example", "info@brightway.example", "li.na@brightway.example", "@catch.example")
PASSWORDS = {"li.na": "sesame"}


@pytest.fixture(scope="module")
def postfix() -> Iterator[PrivatePostfix]:
    """A Postfix without any milter, shared by the tests of one file."""
    with PrivatePostfix(MAILBOXES, hostname="mx.brightway.example", passwords=PASSWORDS, milters=()) as private:
        yield private

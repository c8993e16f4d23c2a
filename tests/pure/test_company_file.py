# SPDX-License-Identifier: GPL-3.0-or-later
"""A company file is strict, and each mistake is told by its place."""

import tomllib
from pathlib import Path

import pytest

from crm_sync.company_file import CompanyFileError, parse_company, read_toml

GOOD = """
[company]
name = "Own"
domains = ["own.example"]
[[person]]
email = "ann@own.example"
languages = ["en"]
[[pool]]
name = "sales"
addresses = ["sales@own.example"]
members = ["ann@own.example"]
[[customer]]
name = "Acme"
domains = ["acme.example"]
contacts = [{ name = "Bo", email = "bo@acme.example" }]
"""


def test_a_good_file_is_read() -> None:
    file = parse_company(tomllib.loads(GOOD), "company.toml")
    assert file.person[0].languages == ("en",)
    assert file.customer[0].contacts[0].email == "bo@acme.example"
    assert file.pool[0].delivery == "copy"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "Own"', 'name = "Own"\ncolour = "red"', "[company]: has unknown field `colour`"),
        ("[[person]]", "[[persons]]", "there is no table `persons`; tables are: company, team"),
        ('languages = ["en"]', 'languages = "en"', "[[person]] number 1 languages: Expected `array`, got `str`"),
        ("[[person]]", "[[role]]\nname = 'Boss'\n[[person]]", "[[role]] number 1 name: Expected `str` matching regex"),
        (
            "[[person]]",
            "[[role]]\nname = 'boss'\nrights = { customer = { see = 'most' } }\n[[person]]",
            "Invalid enum value 'most'",
        ),
        ('email = "ann@own.example"', 'name = "Ann"', "[[person]] number 1: misses required field `email`"),
        ('email = "ann@own.example"', 'email = "ann"', "person ann: 'ann' is no e-mail address"),
        ('members = ["ann@own.example"]', 'members = ["<ann@own.example>"]', "pool sales: '<ann@own.example>' is no"),
        ('"bo@acme.example"', '"bo acme"', "customer Acme: 'bo acme' is no e-mail address"),
        ('domains = ["acme.example"]', 'domains = ["@acme.example"]', "customer Acme: '@acme.example' is no domain"),
        ('addresses = ["sales@own.example"]', 'delivery = "mailbox"', "[[pool]] number 1: misses required field"),
    ],
)
def test_a_mistake_is_told_by_its_place(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(CompanyFileError) as caught:
        parse_company(tomllib.loads(GOOD.replace(old, new)), "company.toml")
    assert str(caught.value).startswith("company.toml: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a = ", "is no TOML"), (b"\xff = 1", "is no UTF-8 text"), (None, "can't be read: No such file")],
)
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "company.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CompanyFileError, match=said):
        read_toml(path)

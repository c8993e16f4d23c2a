# SPDX-License-Identifier: GPL-3.0-or-later
"""Names as keys: what is one name meets, what is not does not, whatever is in the text."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sync.duplicates.name_keys import (
    LONGEST_KEY,
    CompanyKeys,
    company_keys,
    every_spelling,
    fold,
    is_common,
    person_key,
)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("ACME Trading Co., Ltd.", "Acme Trading", "plain"),
        ("Acme Trading Co.,Ltd", "ACME TRADING CO LTD", "plain"),
        ("Müller & Söhne GmbH & Co. KG", "MÜLLER UND SÖHNE", "core"),
        ("Comercial López S.A. de C.V.", "Comercial Lopez", "plain"),
        ("Nordvik A/S", "NORDVIK", "plain"),
        ("M/s Rawen Overseas", "RAWEN OVERSEAS", "plain"),
        ("Lavia Comercial SLU", "Lavia Comercial", "plain"),
        ("Jasna Gora sp. z o.o.", "Jasna Góra", "plain"),
        ("Yıldız Dış Tic. Ltd. Şti.", "YILDIZ", "plain"),
        ("PT. Maju Sentosa", "Maju Sentosa Tbk", "plain"),
        ("ООО «Северный Ветер»", "Северный ветер", "plain"),
        ("Ελληνική Γραμμή Α.Ε.", "ΕΛΛΗΝΙΚΗ ΓΡΑΜΜΗ", "plain"),
        ("شركة الواحة", "الواحه", "plain"),
        ("株式会社ハルカ", "ハルカ", "plain"),
        ("하늘전자 주식회사", "(주)하늘전자", "plain"),
        ("深圳華瑞有限公司", "深圳华瑞", "plain"),
        ("深圳市华瑞电子科技有限公司", "Shenzhen Huarui Electronic Technology Co., Ltd.", "core"),
        ("深圳华瑞", "Shenzhen Huarui", "joined"),
        ("重庆长风进出口有限公司", "Chongqing Changfeng Import & Export Co., Ltd.", "core"),
        ("Huarui Technology (HK) Limited", "Shenzhen Huarui", "brand"),
        ("Ａｃｍｅ　Ｌｔｄ", "Acme Ltd", "plain"),
    ],
)  # fmt: skip
def test_two_ways_of_writing_one_name_meet(one: str, other: str, kind: str) -> None:
    found = getattr(company_keys(one), kind)
    assert found != ""
    assert found == getattr(company_keys(other), kind)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme Trading", "Acne Trading"),
        ("Nordvik Shipping UK", "Nordvik Shipping AT"),
        ("深圳华瑞", "深圳华锐达"),
        ("Apex Lights", "Apex Lamps"),
    ],
)
def test_two_names_do_not_meet(one: str, other: str) -> None:
    assert company_keys(one).plain != company_keys(other).plain
    assert company_keys(one).core != company_keys(other).core


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "Email",
        "公司",
        "Trading Co., Ltd.",
        "宁波进出口有限公司",
        "12345",
        "\0",
        "info",
        "China Import Export Group",
    ],
)
def test_what_names_nobody_is_common(name: str) -> None:
    assert is_common(name)
    assert company_keys(name).brand == ""


def test_an_umlaut_is_spelled_in_two_ways() -> None:
    def joined(name: str) -> set[str]:
        return {keys.joined for keys in every_spelling(name)}

    assert joined("Müller") & joined("Mueller") == {"mueller"}
    assert joined("Müller") & joined("Muller") == {"muller"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("John Smith", "SMITH, John"),
        ("Dr. José García", "Jose Garcia"),
        ("张伟", "Wei Zhang"),
        ("陳小明", "Xiaoming Chen"),
        ("欧阳小明", "Ouyang Xiaoming"),
    ],
)
def test_a_person_is_known_in_any_order_of_his_names(one: str, other: str) -> None:
    assert person_key(one) == person_key(other) != ""


@pytest.mark.parametrize("name", ["", "John", "Sales", "info@acme.example", "张", "Mr. Lee", "J. B."])
def test_half_a_name_is_nobodys(name: str) -> None:
    assert person_key(name) == ""


@given(st.text(max_size=400))
def test_any_text_has_keys_of_bounded_length(text: str) -> None:
    keys = company_keys(text)
    assert all(len(one) <= LONGEST_KEY for one in (keys.plain, keys.joined, keys.core, keys.brand, person_key(text)))
    assert "\0" not in fold(text)
    assert company_keys(text) == keys


@pytest.mark.parametrize(
    "text", ["x" * 1_000_000, "a." * 500_000, "公司" * 500_000, "\u202eabc\u202c", "\udcff\udcff", "́" * 1_000_000]
)
def test_hostile_text_is_taken(text: str) -> None:
    assert isinstance(company_keys(text), CompanyKeys)
    assert person_key(text) == person_key(text[:300])
    assert fold("\u202eabc") == "abc"


def test_what_chinese_needs_is_loaded_by_the_first_chinese_name() -> None:
    code = (
        "import sys; from crm_sync.duplicates.name_keys import company_keys as k; k('Acme Ltd');"
        "assert not {'pypinyin', 'opencc'} & set(sys.modules); k('华瑞');"
        "assert {'pypinyin', 'opencc'} <= set(sys.modules); import os; assert 'PYPINYIN_NO_PHRASES' not in os.environ"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

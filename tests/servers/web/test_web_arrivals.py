# SPDX-License-Identifier: GPL-3.0-or-later
"""The live page and the page of one mail."""


def test_the_page_shows_a_mail_with_its_marks(company, sign_in):
    entry = company.add_letter(owner="li.na")
    page = sign_in("chen").get("/").text
    assert "Price of 500 wrenches" in page
    print(page)
    one = sign_in("chen").get(f"/mails/{entry}")
    print(one.text)
    assert one.status_code == 200

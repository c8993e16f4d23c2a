# SPDX-License-Identifier: GPL-3.0-or-later
"""Signs of fraud: what warns, what only weighs, and honest mail that must not be shouted at."""

import pytest

from classifiers.automatic import read_automation
from classifiers.fraud import Fraud, read_fraud
from tradepost.mime_reading import parse_message
from tradepost.suspicion import ALARMING, WEIGHTS, add_signs, is_alarming, weigh_signs
from tradepost.verdict import Labels


def _read(text: str, *fields: str, sender: str = "Ann Lee <ann@buyer.example>", subject: str = "Your mail") -> Fraud:
    lines = (f"From: {sender}", "To: Sales <sales@brightpump-works.cn>", f"Subject: {subject}", *fields)
    message = parse_message(("\r\n".join(lines) + "\r\n\r\n" + text).encode())
    automation = read_automation(message, message.text)
    return read_fraud(message, is_relay=automation.is_relay, is_list=automation.is_list)


def _attached(name: str) -> str:
    return f'Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="{name}"'


@pytest.mark.parametrize(
    ("sign", "sender", "fields", "text"),
    [
        ("looks-like-us", "Cindy <cindy@brightpump-works.co>", (), "Hello"),
        ("own-name-outside", "Brightpump Works Finance <x@mailbox-77.example>", (), "Hello"),
        ("own-name-outside", "Zhao <zhao.brightpump.works@gmail.com>", (), "Hello"),
        ("wears-a-brand", "DHL <info@dhl-parcel-desk.example>", (), "Hello"),
        ("wears-a-brand", "Team <info@micros0ft-login.example>", (), "Hello"),
        ("name-shows-other-address", '"boss@brightpump-works.cn" <x@evil.example>', (), "Hello"),
        ("answers-go-to-free-mail", "Ann <ann@buyer.example>", ("Reply-To: ann.buyer@gmail.com",), "Hello"),
        ("answers-go-elsewhere", "Ann <ann@buyer.example>", ("Reply-To: ann@elsewhere.test",), "Hello"),
        ("throwaway-domain", "Ann <ann@buyer.icu>", (), "Hello"),
        ("throwaway-link", "Ann <ann@buyer.example>", (), "See http://files.buyer.xyz/doc"),
        ("risky-attachment", "Ann <ann@buyer.example>", (_attached("invoice.html"),), "Hello"),
        ("hides-file-type", "Ann <ann@buyer.example>", (_attached("invoice.pdf.exe"),), "Hello"),
        ("packed-attachment", "Ann <ann@buyer.example>", (_attached("drawings.7z"),), "Hello"),
        ("asks-for-secret", "Desk <a@b.example>", (), "Please log in with your e-mail password to read the document."),
        ("asks-for-secret", "管理 <a@b.example>", (), "请登录并输入邮箱密码以继续使用。"),
        ("asks-for-secret", "Служба <a@b.example>", (), "Введите пароль, чтобы сохранить ящик."),
        ("untraceable-payment", "Boss <a@b.example>", (), "Buy eight gift cards and send me the codes."),
        ("promises-a-fortune", "Lawyer <a@b.example>", (), "You are the next of kin of my late client."),
    ],
)
def test_a_sign_is_named(sign: str, sender: str, fields: tuple[str, ...], text: str) -> None:
    assert sign in _read(text, *fields, sender=sender).signs


@pytest.mark.parametrize(
    "text",
    [
        "Please note our new bank account for this payment.",
        "Bitte überweisen Sie auf unsere neue Bankverbindung.",
        "Le agradeceremos use nuestra nueva cuenta bancaria.",
        "Favor usar os novos dados bancários.",
        "Veuillez noter nos nouvelles coordonnées bancaires.",
        "Vi preghiamo di usare il nuovo IBAN.",
        "Gelieve ons nieuw rekeningnummer te gebruiken.",
        "Prosimy o wpłatę na nowy numer konta.",
        "Yeni banka hesabımıza ödeyiniz.",
        "Просим оплатить на новые реквизиты.",
        "请付到我们的新账户。",
        "請匯至新帳戶。",
        "振込先変更のお知らせです。",
        "계좌 변경 안내드립니다.",
        "Xin lưu ý số tài khoản mới của chúng tôi.",
        "Mohon transfer ke rekening baru kami.",
        "กรุณาโอนเข้าบัญชีใหม่",
        "نرجو التحويل إلى الحساب الجديد.",
        "لطفاً به حساب جدید واریز کنید.",
        "कृपया नया खाता प्रयोग करें।",
        "Our bank details have been updated, use the attached ones for invoice 4471.",
        "Kindly remit the balance to our new account at another bank.",
        "我司银行账户已变更，请将货款汇至以下账户。",
        "Les informamos que nuestra cuenta bancaria ha cambiado.",
        "Nossa conta bancária mudou, favor transferir para a conta anexa.",
        "Notre compte bancaire a changé, merci de virer sur le compte ci-joint.",
        "Banka hesabımız değişti, ödemeyi ekteki hesaba yapınız.",
        "لقد تغير حسابنا البنكي، يرجى التحويل إلى الحساب المرفق.",
    ],
)
def test_a_changed_bank_account_warns_in_every_language(text: str) -> None:
    fraud = _read(text)

    assert "bank-account-changed" in fraud.signs
    assert fraud.score >= ALARMING


@pytest.mark.parametrize(
    ("sender", "fields", "text"),
    [
        ("Bob <bob.stone@gmail.com>", ("Reply-To: bob@stone-farms.example",), "Please quote 40 pumps, CIF Apapa."),
        ("Bob <bob@stone.example>", ("Reply-To: bob@mail.stone.example",), "Please quote 40 pumps."),
        ("Bob <bob@stone.example>", ("Reply-To: purchasing@stone-holding.example.net",), "Please quote 40 pumps."),
        ("Shop <bob@pumps.shop>", (), "We sell garden pumps online and want 40 of yours."),
        ("Bob <bob@stone.example>", (_attached("PO 4711.pdf"),), "Our order is attached."),
        ("Bob <bob@stone.example>", (_attached("drawings.rar"),), "Drawings are packed, password 4711."),
        ("Bob <bob@stone.example>", (), "Can we pay in USDT? Our bank is slow."),
        ("Bob <bob@stone.example>", (), "Please keep this confidential until the fair. We need 400 pcs."),
        ("Bank <lc@bank.example>", (), "The beneficiary shall present documents within 21 days."),
        ("Bob <bob@stone.example>", (), "Please don't call before nine, I am on the road. Send the bank account details with the PI."),
        ("Bob <bob@stone.example>", (), "Has your bank account changed? Your PI shows another account than last time."),
        ("Bob <bob@stone.example>", (), "Bitte legen Sie für unsere Filiale ein neues Konto im Kundenportal an."),
        ("Bob <bob@stone-farms.de>", ("Cc: amy@stone-farms.com",), "Please quote 40 pumps for our sister company too."),
        ("Bob <bob@pumps.xyz>", (), "Our shop is https://pumps.xyz and needs 40 of yours."),
        ("DHL <noreply@dhl.com>", (), "Your shipment is out for delivery."),
        ("Maersk <ops@lns.maersk.com>", (), "Arrival notice of MSKU 771."),
        ("Ann <ann@brightpump-works.cn>", (), "Hello"),
        ("Leads <noreply@made-in-china.com>", ("Reply-To: bob@gmail.com",), "You have a new inquiry from a buyer."),
    ],
)  # fmt: skip
def test_honest_mail_warns_nobody(sender: str, fields: tuple[str, ...], text: str) -> None:
    assert _read(text, *fields, sender=sender).score < ALARMING


def test_weak_signs_add_up() -> None:
    fraud = _read(
        "Pay the registration fee by Western Union today. Do not call, I am in a meeting.", sender="A <a@tender.icu>"
    )

    assert {"asks-for-fee", "untraceable-payment", "asks-for-secrecy", "throwaway-domain"} <= set(fraud.signs)
    assert fraud.score > 0.8


_HTML = "Content-Type: text/html"


@pytest.mark.parametrize(
    ("html", "hidden"),
    [
        ('<a href="https://evil.test/x">www.bank.example</a>', True),
        ("<a class=b href=https://evil.test/x>https://bank.example/login</a>", True),
        ('<a href="https://login.bank.example/x">bank.example</a>', False),
        ('<a href="https://evil.test/x">Open the catalogue</a>', False),
        ('<a href="https://eur01.safelinks.protection.outlook.com/?url=x">www.bank.example</a>', False),
        ("<a href='http://[bad'>www.bank.example</a>", False),
    ],
)
def test_a_link_that_shows_another_address(html: str, hidden: bool) -> None:
    assert ("link-hides-target" in _read(html, _HTML).signs) is hidden


def test_a_newsletter_counts_its_links() -> None:
    html = '<a href="https://count.test/x">www.fair.example</a>'

    assert "link-hides-target" not in _read(html, _HTML, "List-Unsubscribe: <https://fair.example/u>").signs


def test_scores_stay_between_nothing_and_certainty() -> None:
    assert weigh_signs(()) == 0.0
    assert weigh_signs(("bank-account-changed",)) == weigh_signs(("bank-account-changed", "bank-account-changed"))
    assert 0.99 < weigh_signs(WEIGHTS) <= 1.0
    assert 0.0 < weigh_signs(("named-by-a-later-version",)) < ALARMING


def test_signs_are_added_to_labels_the_heaviest_first() -> None:
    labels = add_signs(Labels(warnings=("throwaway-domain",), warning_score=0.35), ("looks-like-customer",))

    assert labels.warnings == ("looks-like-customer", "throwaway-domain")
    assert labels.warning_score == weigh_signs(labels.warnings)
    assert add_signs(labels, ("throwaway-domain",)) is labels


def test_who_is_warned() -> None:
    assert not is_alarming(Labels())
    assert not is_alarming(Labels(warnings=("throwaway-domain",), warning_score=0.35))
    assert is_alarming(Labels(warnings=("bank-account-changed",), warning_score=0.5))
    assert is_alarming(Labels(warnings=("of-an-older-version",)))


def test_a_bait_raises_the_odds_of_spam_with_its_weight() -> None:
    assert Fraud().odds == 1.0
    assert Fraud(("x",), 0.5).odds == 4.0
    assert Fraud(("x",), 1.0 - 1e-9).odds == 60.0


def test_nothing_that_is_attached_or_linked_costs_long() -> None:
    html = '<a href="http://a.b">x' * 3000 + "<a " * 9000
    assert _read(html, _HTML).score <= 1.0
    assert _read("http://" * 20_000).score <= 1.0
    assert _read("http://[" * 5_000).score <= 1.0

# SPDX-License-Identifier: GPL-3.0-or-later
"""New words against quotes, signatures, disclaimers and frames (trap 42: no line makes it slow)."""

from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers import splitting
from classifiers.signatures import is_closing, is_sent_from
from classifiers.splitting import Kind, split_text

QUOTES = {
    "gmail en": "On Tue, 4 Nov 2025 at 10:12, Amy Wang <amy@exporter.example> wrote:\n> old words",
    "gmail wrapped": "On Tue, 4 Nov 2025 at 10:12, Amy Wang via a very long list name\n<amy@exporter.example> wrote:\n> old words",
    "gmail wrapped address": "Op di 4 nov. 2025 om 10:12 schreef Amy Wang <\namy@exporter.example>:\n> old words",
    "gmail wrapped end": "tir. 4. nov. 2025 kl. 10:12 skrev Amy Wang <amy@exporter.example\n>:\nold words",
    "gmail de": "Am Di., 4. Nov. 2025 um 10:12 Uhr schrieb Amy Wang <amy@exporter.example>:\n> old words",
    "gmail es": "El mar, 4 nov 2025 a las 10:12, Amy Wang (<amy@exporter.example>) escribió:\n> old words",
    "gmail fr": "Le mar. 4 nov. 2025 à 10:12, Amy Wang <amy@exporter.example> a écrit :\n> old words",
    "gmail pt": "Em ter., 4 de nov. de 2025 às 10:12, Amy Wang <amy@exporter.example> escreveu:\n> old words",
    "gmail it": "Il giorno mar 4 nov 2025 alle ore 10:12 Amy Wang <amy@exporter.example> ha scritto:\n> old words",
    "gmail nl": "Op di 4 nov 2025 om 10:12 schreef Amy Wang <amy@exporter.example>:\n> old words",
    "gmail pl": "wt., 4 lis 2025 o 10:12 Amy Wang <amy@exporter.example> napisał(a):\n> old words",
    "gmail tr": "Amy Wang <amy@exporter.example>, 4 Kas 2025 Sal, 10:12 tarihinde şunu yazdı:\n> old words",
    "gmail ru": "вт, 4 нояб. 2025 г. в 10:12, Amy Wang <amy@exporter.example>:\n> old words",
    "gmail zh": "Amy Wang <amy@exporter.example> 于2025年11月4日周二 10:12写道：\n> old words",
    "gmail ja": "2025年11月4日(火) 10:12 Amy Wang <amy@exporter.example>:\n> old words",
    "gmail ko": "2025년 11월 4일 (화) 오전 10:12, Amy Wang <amy@exporter.example>님이 작성:\n> old words",
    "gmail vi": "Vào Th 3, 4 thg 11, 2025 vào lúc 10:12 Amy Wang <amy@exporter.example> đã viết:\n> old words",
    "gmail id": "Pada tanggal Sel, 4 Nov 2025 pukul 10.12 Amy Wang <amy@exporter.example> menulis:\n> old words",
    "gmail ar": "في الثلاثاء، 4 نوفمبر 2025 في 10:12 كتب Amy Wang <amy@exporter.example>:\n> old words",
    "no marks below": "On Tue, 4 Nov 2025 at 10:12, Amy Wang <amy@exporter.example> wrote:\n\nold words\nmore of them",
    "outlook en": "-----Original Message-----\nFrom: Amy Wang\nSent: Tuesday\nTo: Ann\nSubject: offer\n\nold words",
    "outlook border": "________________________________\nFrom: Amy Wang <amy@exporter.example>\nSent: 4 November 2025 10:12\nTo: Ann\n\nold words",
    "outlook de": "Von: Amy Wang <amy@exporter.example>\nGesendet: Dienstag, 4. November 2025 10:12\nAn: Ann\nBetreff: Angebot\n\nold words",
    "outlook fr": "De : Amy Wang <amy@exporter.example>\nEnvoyé : mardi 4 novembre 2025 10:12\nÀ : Ann\n\nold words",
    "outlook es": "De: Amy Wang\nEnviado el: martes, 4 de noviembre de 2025\nPara: Ann\nAsunto: oferta\n\nold words",
    "outlook ru": "От: Amy Wang\nОтправлено: 4 ноября 2025\nКому: Ann\nТема: цены\n\nold words",
    "outlook zh": "发件人: Amy Wang\n发送时间: 2025年11月4日\n收件人: Ann\n主题: 报价\n\nold words",
    "outlook ja": "差出人: Amy Wang\n送信日時: 2025年11月4日\n宛先: Ann\n件名: 見積\n\nold words",
    "outlook ko": "보낸 사람: Amy Wang\n보낸 날짜: 2025년\n받는 사람: Ann\n제목: 견적\n\nold words",
    "outlook tr": "Kimden: Amy Wang\nGönderildi: Salı\nKonu: fiyat\nKime: Ann\n\nold words",
    "outlook el": "Από: Amy Wang\nΣτάλθηκε: Δευτέρα, 4 Νοεμβρίου 2025\nΠρος: Ann\nΘέμα: προσφορά\n\nold words",
    "outlook fi": "Lähettäjä: Amy Wang <amy@exporter.example>\nLähetetty: tiistai 4. marraskuuta 2025 10.12\nVastaanottaja: Ann\n\nold words",
    "outlook pt-BR": "De: Amy Wang\nEnviada em: terça-feira, 4 de novembro de 2025 10:12\nPara: Ann\n\nold words",
    "outlook sr": "Od: Zhao\nPoslato: utorak, 4. novembar 2025. 10:05\nZa: Ann\nTema: ponuda\n\nold words",
    "labels of no list": "Nou: Amy Wang <amy@exporter.example>\nPost: 4 Nov 2025\nBy: Ann\n\nold words",
    "bold labels": "*From:* Amy Wang <amy@exporter.example>\n*Sent:* Tuesday\n*To:* Ann\n\nold words",
    "qq": "------------------ 原始邮件 ------------------\n发件人: \"Amy\" <amy@exporter.example>;\n\nold words",
    "qq en": "------------------ Original ------------------\nFrom: \"Amy\" <amy@exporter.example>;\nDate: Tue\n\nold words",
    "163": "在 2025-11-04 10:12:03，\"Amy Wang\" <amy@exporter.example> 写道：\n>old words",
    "foxmail": "发件人： Amy Wang\n发送时间： 2025-11-04 10:12\n收件人： Ann\n主题： 报价\nold words",
    "yahoo": "    On Tuesday, November 4, 2025 at 10:12:00 AM GMT+8, Amy Wang <amy@exporter.example> wrote:  \n \n old words",
    "apple": "> On 4 Nov 2025, at 10:12, Amy Wang <amy@exporter.example> wrote:\n> \n> old words",
}  # fmt: skip


@pytest.mark.parametrize("name", QUOTES)
def test_the_letter_answered_is_no_new_text(name: str) -> None:
    split = split_text(f"Hello Amy,\nthe price is too high for us.\n\n{QUOTES[name]}")

    assert split.new_text == "Hello Amy,\nthe price is too high for us."
    assert "old words" in split.rest


def test_nothing_is_deleted() -> None:
    text = f"New.\n\n{QUOTES['outlook de']}\n-- \nsig"
    assert "\n".join(line for _, line in split_text(text).lines) == text


def test_answers_inside_a_quote_are_new() -> None:
    split = split_text(
        "On 4 Nov 2025, Amy <amy@x.example> wrote:\n> how many?\n\n3,000 pieces\n\n> which colour?\n\nred please"
    )

    assert split.new_text.split() == ["3,000", "pieces", "red", "please"]


@pytest.mark.parametrize(
    "separator",
    ["---------- Forwarded message ---------", "Begin forwarded message:", "-----Weitergeleitete Nachricht-----", "---------- 转发的邮件 ----------"],
)  # fmt: skip
def test_a_forwarded_letter_is_marked_as_such(separator: str) -> None:
    split = split_text(
        f"Please look.\n\n{separator}\nFrom: Bob <bob@buyer.example>\nDate: Tue\nSubject: x\n\nWe need pumps."
    )

    assert split.new_text == "Please look."
    assert "We need pumps." in split.passed_on


def test_a_sentence_that_begins_like_a_header_is_no_quote() -> None:
    text = "From: our side everything is ready.\nWe wait for your answer.\nDate of loading is Friday."
    assert split_text(text).new_text == text


def test_a_human_wrote_about_writing() -> None:
    text = "Your colleague wrote: the price is 5 USD.\nIs that still true?"
    assert split_text(text).new_text == text


@pytest.mark.parametrize(
    ("signature", "text"),
    [
        ("Best regards,\nAnn Lee\nBuyer\nAcme Ltd.\n+44 20 7946 0018", "Please quote."),
        ("Ann Lee | Purchasing | Acme GmbH\nTel. +49 30 1234567", "Please quote."),
        ("--\nAnn\nAcme", "Please quote."),
        ("此致\n敬礼\n王伟\n宁波某某进出口有限公司\n电话：0574-87654321", "请报价。"),
        ("С уважением,\nИванов Иван\nООО «Ромашка»\n+7 495 123-45-67", "Просим прислать цену."),
        ("Saludos cordiales\nAna Pérez\nCompras\nFerretería Sol S.A. de C.V.", "Favor de cotizar."),
        ("김민수 과장\n주식회사 한빛\n02-1234-5678", "견적 부탁드립니다."),
    ],
)
def test_a_contact_block_is_the_signature(signature: str, text: str) -> None:
    split = split_text(f"{text}\n\n{signature}")

    assert split.new_text == text
    assert split.signature == signature


@pytest.mark.parametrize(
    ("writer", "signature"),
    [
        ("", "Ann Lee\nAcme Tools, Leeds\n031 702 6638\n\nThis email is confidential."),
        ("", "Ann Lee\nAcme Tools Ltd\n\nNo longer interested? Reply STOP."),
        ("", "هاني واصف\nشركة النيل، القاهرة\n٠١٠٠ ٢٧٤ ٥٥ ٣٩"),
        ("", "С уважением, Айгерим\nмагазин «Балапан», пр. Мира 51\nWhatsApp 8 701 418 77 02"),
        ("", "Е. В. Штольц\nпомощник директора, «Станко»\n+7 3812 90-12-77"),
        ("", "Acme Tools 0933-728-105"),
        ("", "Olga Zimina, accountant"),
        ("Xoán Freire", "Xoán Freire\nConservas Freire, Vilanova"),
        ("Ann Lee", "Ann Lee\nclaims desk\n\nWe trade under our usual rules."),
        ("길태양", "길태양\n뮤직박스 음악학원 (대구 수성구)"),
    ],
)
def test_a_block_is_known_by_small_print_numbers_or_its_writer(writer: str, signature: str) -> None:
    split = split_text(f"Please quote 300 pumps by Friday.\n\n{signature}", writer=writer)

    assert split.new_text == "Please quote 300 pumps by Friday."
    assert split.rest.replace("\n", "") == signature.replace("\n", "")


@pytest.mark.parametrize(
    ("writer", "ending"),
    [
        ("Ann Lee", "Ann Lee"),  # nothing but the name
        ("Ann Lee", "Ann Lee\n\nPS: the red ones only."),
        ("Ann Lee", "I told Ann Lee of it and she agrees with all that you wrote to us."),
        ("", "Please keep this confidential."),
        ("", "Call me at 010-3092-8841, I will be at the desk and can tell you more."),
        ("", "사진으로 보내셔도 됩니다. 010-3092-8841"),
        ("", "Bank: Example Bank\nSWIFT: EXMPGB2L"),
        ("", "- red 4.2 USD/m\n- blue 5.5 USD/m"),
        ("", "Noted with thanks. Please proceed as is."),
        ("", "拒絕函可以用我附件的樣子，公司簽章就可以。"),
    ],
)  # fmt: skip
def test_what_only_looks_signed_stays_with_the_letter(writer: str, ending: str) -> None:
    text = f"We had a look at your pumps yesterday.\n\n{ending}"

    assert split_text(text, writer=writer).new_text == text


def test_a_robot_signs_with_a_formula_only() -> None:
    listed = "Your document has arrived.\n\nStatus: green\nAcme Customs Ltd\n+49 30 1234567"

    assert split_text(listed).signature != ""
    assert split_text(listed, is_robot=True).signature == ""
    assert split_text("It arrived.\n\nKind regards,\nAcme Customs Ltd\n+49 30 1234567", is_robot=True).signature != ""


def test_some_sign_below_what_they_answer() -> None:
    split = split_text(
        "Yes.\n\n---------- Forwarded message ---------\nFrom: Bob <bob@x.example>\n\nold words\nAnn Lee\nAcme Ltd",
        writer="Ann Lee",
    )

    assert (split.new_text, split.signature) == ("Yes.", "Ann Lee\nAcme Ltd")


def test_a_block_below_an_answered_quote_is_signed() -> None:
    split = split_text("> how many?\n300 pumps, red.\n> when?\nDr Ann Lee\nTel. (229) 01 21 30 44 57")

    assert (split.new_text, split.signature) == ("300 pumps, red.", "Dr Ann Lee\nTel. (229) 01 21 30 44 57")


def test_a_letter_is_not_all_frame() -> None:
    assert split_text("Do you unsubscribe people by hand?").new_text == "Do you unsubscribe people by hand?"


@pytest.mark.parametrize(
    "text", ["Please quote 300 pumps.\n\nAnn", "Need price for 300 pumps, thanks!\nBob", "请报价，谢谢\n小王"]
)
def test_a_bare_first_name_stays_with_the_letter(text: str) -> None:
    split = split_text(text)

    assert split.new_text == text
    assert split.signature == ""


@pytest.mark.parametrize(
    "line",
    ["Sent from my iPhone", "Von meinem iPhone gesendet", "Enviado desde mi iPhone", "Envoyé de mon iPhone", "发自我的iPhone", "iPhoneから送信",
     "나의 iPhone에서 보냄", "Отправлено с iPhone", "Get Outlook for Android", "Sent from TypeApp", "iPhone'umdan gönderildi", "أرسلت من الـ iPhone"],
)  # fmt: skip
def test_a_telephone_does_not_write(line: str) -> None:
    split = split_text(f"Please quote.\n\n{line}")

    assert is_sent_from(line)
    assert split.new_text == "Please quote."


def test_disclaimers_and_frames_are_no_words_of_the_sender() -> None:
    split = split_text(
        "CAUTION: This email originated from outside.\n\nPlease quote 300 pumps.\n\n"
        "This e-mail and any attachments are confidential.\nIf you got it by mistake, delete it."
    )

    assert split.new_text == "Please quote 300 pumps."
    assert split.of(Kind.DISCLAIMER).startswith("CAUTION")
    assert "Unsubscribe" not in split_text("See our pumps.\n\nUnsubscribe here").new_text


def test_a_form_carries_the_words_behind_its_label() -> None:
    split = split_text(
        "You have a new inquiry\nName: Bob\nEmail: bob@x.example\nMessage:\nI need 300 pumps.\nReply now", is_relay=True
    )

    assert split.new_text == "I need 300 pumps."


@pytest.mark.parametrize(
    "line",
    [
        "Best regards,",
        "MfG",
        "此致",
        "С уважением,",
        "Saludos!",
        "Met vriendelijke groet,",
        "よろしくお願いいたします。",
    ],
)
def test_closing_formulas(line: str) -> None:
    assert is_closing(line)


@pytest.mark.parametrize(
    "text",
    [
        "On " + "a " * 20_000,
        "On " + "a " * 9_990 + "wrote:",
        ("On 4 Nov 2025 <a@b> wrote\n" * 800)[:20_000],
        "From: " * 3_300,
        "From:\n" * 3_300,
        "> " * 10_000,
        ">" * 20_000,
        "-" * 20_000,
        "\n" * 20_000,
        "1" * 20_000,
        "+1 " * 6_600,
        "a@" * 10_000,
        "-- \n" * 5_000,
        "Best regards\n" * 1_500,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_no_text_makes_it_slow(text: str) -> None:
    started = perf_counter()
    split_text(text)
    split_text(text, is_relay=True)

    assert perf_counter() - started < 1.0  # a library took 20 s for the first of these


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.lists(
        st.sampled_from(["Hello", "", "> old", "-- ", "On 1.1.2025 Ann <a@b.c> wrote:", "From: a", "Sent: b", "Best regards", "Ann Lee",
                         "+49 30 1234567", "Acme GmbH", "Sent from my iPhone", "unsubscribe", "-----Original Message-----", "写道：", "\u200b"]),
        max_size=14,
    ),
    st.booleans(),
)  # fmt: skip
def test_every_line_is_marked_once(lines: list[str], is_relay: bool) -> None:
    split = split_text("\n".join(lines), is_relay=is_relay)

    expected = "\n".join(lines).replace("\u200b", "").split("\n")
    if is_relay:  # platforms set the buyer's words as a quote
        expected = [line.removeprefix("> ") for line in expected]
    assert [line for _, line in split.lines] == expected


def test_one_pass_knows_which_frames_occur() -> None:
    patterns = {
        "separator": splitting._SEPARATOR,
        "header-block": splitting._HEADER_BLOCK,
        "attribution": splitting._ATTRIBUTION,
        "dated": splitting._DATED,
        "disclaimer": splitting._DISCLAIMER,
        "frame": splitting._FRAME,
    }
    texts = [f"Hello,\n{quote}" for quote in QUOTES.values()]
    texts += ["2025年3月 Ann <a@b.example>:\nhi", "This e-mail and any attachments are confidential.", "Hello"]

    for text in texts:
        assert splitting._OCCURS.found(text) == {name for name, pattern in patterns.items() if pattern.search(text)}


def test_thousands_of_blank_lines_are_cut_to_a_gap() -> None:
    split = split_text("How much for 300 pumps?" + "\n \n" * 5_000 + "Best regards,\nAnn Lee\nTel. +49 30 1234567")
    assert len(split.lines) < 30
    assert split.new_text == "How much for 300 pumps?"
    assert split.signature == "Best regards,\nAnn Lee\nTel. +49 30 1234567"

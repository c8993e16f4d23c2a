# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of a letter, of a phone-typed line, and of nothing at all."""

import pytest

from classifiers.language import LanguageReader


@pytest.fixture(scope="module")
def reader() -> LanguageReader:
    return LanguageReader()


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Dear Sir, please send us your best price for 300 pcs of EG-T118 and the lead time."),
        ("en", "pls send price asap"),
        ("de", "Guten Tag, bitte senden Sie uns ein Angebot für 300 Stück."),
        ("fr", "Bonjour, pourriez-vous nous envoyer un devis pour 300 pièces ?"),
        ("es", "Buenos días, necesito cotización para 300 piezas puesto en Manzanillo."),
        ("pt", "Bom dia, vocês conseguem enviar a cotação de 300 peças?"),
        ("it", "Buongiorno, vorremmo un preventivo per 300 pezzi con consegna a Genova."),
        ("nl", "Hallo, kunnen jullie ons een offerte sturen voor 300 stuks?"),
        ("pl", "Dzień dobry, proszę o wycenę 300 sztuk z dostawą do Gdyni."),
        ("tr", "Merhaba, 300 adet için fiyat teklifi rica ederiz."),
        ("vi", "Chào bạn, vui lòng báo giá cho 300 chiếc, giao tại Hải Phòng."),
        ("id", "Selamat pagi pak, mohon penawaran harga untuk 300 buah, kirim ke Surabaya."),
        ("ru", "Добрый день, просим выслать цену на 300 штук."),
        ("uk", "Добрий день, надішліть, будь ласка, ціни на 300 штук."),
        ("kk", "Сәлеметсіз бе, 300 дана үшін баға ұсынысын жіберуіңізді сұраймыз."),
        ("ru", "ТОО «Жарық» просит прислать прайс на светильники и срок поставки в Караганду."),
        ("zh", "请报一下 EG-T118 三百个的价格，谢谢"),
        ("zh", "請報價三百個，並告知交期，謝謝。"),
        ("ja", "EG-T118を300個お見積りください。よろしくお願いいたします。"),
        ("ja", "見積依頼の件、よろしくお願いします"),
        ("ko", "EG-T118 300개 견적 부탁드립니다."),
        ("ar", "السلام عليكم، نرجو إرسال عرض سعر لعدد ٣٠٠ قطعة."),
        ("fa", "سلام، لطفاً قیمت ۳۰۰ عدد را اعلام کنید."),
        ("fa", "لطفا قيمت پمپ و گارانتي را اعلام كنيد"),
        ("th", "ขอใบเสนอราคา EG-T118 จำนวน 300 ชิ้น"),
        ("hi", "नमस्ते, कृपया 300 पीस का रेट भेजें।"),
        ("el", "Καλημέρα, παρακαλώ στείλτε μας προσφορά."),
        ("hi", "Cindy ji, rate wahi rakho jo pehle tha, maal kab bhejoge? 400 pcs chahiye."),
        ("hi", "sir price kya hai aur kitne din mein aa jayega please batao"),
        ("en", "Namaste Cindy ji, please send the price list for 400 pcs by Friday."),
        ("fi", "Hei, voisitteko lähettää tarjouksen 300 kappaleesta?"),
        ("bg", "Здравейте, моля да се изпрати оферта за 300 броя, благодаря."),
        ("ms", "Salam encik, sila hantar sebut harga, skru tak cukup dan kami nak tahu bila boleh sampai."),
        ("id", "Pak, barangnya udah dikirim belum? Kok lama banget sih, tolong dicek dong."),
        ("es", "¿Podéis enviarme els preus? No, perdón: los precios, y que sea hoy por favor."),
        ("he", "שלום, נא לשלוח הצעת מחיר"),
    ],
)
def test_languages_of_trade(reader: LanguageReader, language: str, text: str) -> None:
    assert reader.read(text) == language


@pytest.mark.parametrize(
    "text", ["", "   ", "12345", "PO 4471-A", "https://x.example/abc", "!!!", "EG-T118 300 USD 4.50"]
)
def test_nothing_is_guessed_from_nothing(reader: LanguageReader, text: str) -> None:
    assert reader.read(text) is None


def test_the_subject_helps_a_short_letter(reader: LanguageReader) -> None:
    assert reader.read("OK.", "Bestätigung der Bestellung und die Rechnung für den Auftrag") == "de"


def test_a_subject_weighs_less_than_many_words(reader: LanguageReader) -> None:
    words = "Could you please send the new price list and tell us when the goods will be ready?"

    assert reader.read(words, "AW: Bestätigung der Bestellung und die Rechnung für den Auftrag") == "en"

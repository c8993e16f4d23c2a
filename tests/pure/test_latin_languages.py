# SPDX-License-Identifier: GPL-3.0-or-later
"""The cut and mapped model of languages says what the whole one says."""

import pytest
from py3langid.langid import LanguageIdentifier

from classifiers.latin_languages import LatinLanguages

TEXTS = [
    "please send us your best price for the pumps",
    "wir bitten um ein angebot über fünfhundert stück",
    "necesitamos una cotización para este pedido",
    "nous souhaitons recevoir vos tarifs dès que possible",
    "prosimy o ofertę na żółte łożyska",
    "chúng tôi cần báo giá cho đơn hàng này",
    "siparişimiz için fiyat teklifi rica ederiz",
    "gostaríamos de receber a sua cotação",
    "mohon kirimkan penawaran harga terbaik",
    "vi vill gärna ha ert bästa pris på pumpar",
    "ok",
    "e\u0301te\u0301 c\u0327a",
]


@pytest.fixture(scope="module")
def whole() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file("data/model.npz.xz", norm_probs=True)
    identifier.set_languages(list(LatinLanguages().languages))
    return identifier


@pytest.mark.parametrize("text", TEXTS)
def test_says_the_same(text: str, whole: LanguageIdentifier) -> None:
    language, confidence = whole.classify(text)
    assert LatinLanguages().read(text) == (language, float(confidence))


def test_other_letters_and_none_say_little() -> None:
    for text in ("", "价格", "привет"):
        assert LatinLanguages().read(text)[1] < 0.5

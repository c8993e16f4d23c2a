# SPDX-License-Identifier: GPL-3.0-or-later
"""Chinese in simplified characters and in Latin letters.  What that needs is loaded with the first Chinese name.

opencc takes 5 MB.  pypinyin takes 12 MB without its 47,000 phrases and 56 MB with them: characters that read otherwise in
names are listed in `name_words.READINGS` instead.
"""

import os
import re
import threading
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from crm_sync.duplicates.name_words import READINGS

HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_WITHOUT_PHRASES = "PYPINYIN_NO_PHRASES"
_loading = threading.Lock()


def has_han(text: str) -> bool:
    """Does it hold a Chinese character?"""
    return HAN.search(text) is not None


@lru_cache(maxsize=4096)
def to_simplified(text: str) -> str:
    """Return the text in simplified characters (OpenCC's t2s)."""
    return _converter()(text.encode("utf-8", "replace").decode()) if has_han(text) else text


@lru_cache(maxsize=4096)
def to_pinyin(text: str) -> str:
    """Return the text with its Chinese characters as pinyin syllables without tones, each a word."""
    return (
        " ".join(word for run in re.split(r"\s+", text) for word in _pinyin()(run)).strip() if has_han(text) else text
    )


@cache
def _converter() -> Callable[[str], str]:
    import opencc

    return opencc.OpenCC("t2s").convert


@cache
def _pinyin() -> Callable[[str], list[str]]:
    with _loading:
        before = os.environ.get(_WITHOUT_PHRASES)
        os.environ[_WITHOUT_PHRASES] = "1"  # it is asked while the module is loaded, and by nobody later
        try:
            import pypinyin
        finally:
            if before is None:
                del os.environ[_WITHOUT_PHRASES]
            else:
                os.environ[_WITHOUT_PHRASES] = before
    known: dict[str, Any] = {word: [[one] for one in said.split()] for word, said in READINGS.items()}
    pypinyin.load_phrases_dict(known)
    return pypinyin.lazy_pinyin

# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw mails to read: files below a folder, and single mails that cost a careless reader seconds."""

from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path

_ATTACK_CHARS = 40_000


def raw_mails(folder: Path) -> list[Path]:
    """Return every mail below a folder, sorted."""
    return sorted(folder.rglob("*.eml"))


def attacks() -> Mapping[str, bytes]:
    """Return mails of one line or one pattern that make backtracking readers slow, by name."""
    texts = {
        "on-wrote": "On " + "a " * (_ATTACK_CHARS // 2),
        "quote-marks": "> " * (_ATTACK_CHARS // 2),
        "from-lines": "From: a\n" * 3_000,
        "nested-wrote": "\n".join(f"{'> ' * level}On Mon, Ann wrote:" for level in range(200)),
        "one-word": "a" * _ATTACK_CHARS,
        "digits": "+1 " + "1-" * (_ATTACK_CHARS // 2),
        "numbers": "12,5 x " * (_ATTACK_CHARS // 7),
        "one-han-run": "请问价格" * (_ATTACK_CHARS // 4),
        "no-spaces-thai": "สวัสดีครับ" * (_ATTACK_CHARS // 10),
        "at-signs": "a@" * (_ATTACK_CHARS // 2),
        "blank-lines": f"a{chr(10) * _ATTACK_CHARS}b",
        "underscores": "_" * _ATTACK_CHARS,
        "combining-marks": "e\u0301" * (_ATTACK_CHARS // 2),
        "capitals": "URGENT!!! " * (_ATTACK_CHARS // 10),
    }
    return {name: _mail(text) for name, text in texts.items()}


def _mail(text: str) -> bytes:
    mail = EmailMessage()
    mail["From"] = "Ann Lee <ann@buyer.example>"
    mail["To"] = "sales@exporter.example"
    mail["Subject"] = text[:500].replace("\n", " ")
    mail.set_content(text, cte="base64")  # long lines arrive as they are
    return mail.as_bytes()

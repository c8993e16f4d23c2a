# SPDX-License-Identifier: GPL-3.0-or-later
"""Letters as mail programs write them, each another one: text and HTML in four languages, then styles, then attachments."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SALES = "sales@brightway.example"
# Above this the rest of a letter is an attachment; below it, styles in its HTML.
_LETTER_OCTETS = 20_000
_WORDS_OCTETS = 1_500
_ANSWERS = 0.6
_STYLE = (
    "p.MsoNormal, li.MsoNormal, div.MsoNormal { margin: 0cm; font-size: 11.0pt; font-family: Calibri, sans-serif; }\r\n"
)
_BASE64 = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3\r\n"
_GOODS = ("cordless drills 18 V", "LED panels 60x60", "hinges 35 mm", "solar pumps", "brake pads", "office chairs")
# Subject and sentences of one language; the braces are filled anew in every letter.
_LANGUAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Inquiry {n} for {goods}",
        (
            "we are looking for {goods}, {pcs} pcs, delivery CIF Hamburg before the end of January.",
            "Please quote your best price and tell us about certificates and packing of item {n}.",
            "Our order PO-{n} of last month has still not been shipped; when does the vessel leave?",
            "The samples of {goods} arrived, and {pcs} of them work as they should.",
            "We paid the invoice {n} by bank transfer and send you the copy of the slip.",
            "Could you send a catalogue for {goods} with all the sizes that you have in stock?",
        ),
    ),
    (
        "Anfrage {n}: {goods}",
        (
            "wir suchen {goods}, Menge {pcs} Stück, Lieferung frei Haus bis Ende Januar.",
            "Bitte nennen Sie uns Ihren besten Preis und die Lieferzeit für Artikel {n}.",
            "Unsere Bestellung {n} vom letzten Monat ist noch nicht eingetroffen.",
            "Die Muster der {goods} sind angekommen, {pcs} davon funktionieren einwandfrei.",
            "Den Rechnungsbetrag {n} haben wir heute überwiesen.",
            "Gibt es für {goods} einen Katalog mit allen Größen, die Sie am Lager haben?",
        ),
    ),
    (
        "Consulta {n}: {goods}",
        (
            "buscamos {goods}, {pcs} piezas, entrega CIF Veracruz antes de fin de enero.",
            "Por favor envíenos su mejor precio y los certificados del artículo {n}.",
            "Nuestro pedido {n} del mes pasado todavía no ha salido del puerto.",
            "Las muestras de {goods} llegaron bien y {pcs} de ellas funcionan.",
            "Ya pagamos la factura {n} por transferencia bancaria.",
            "¿Tienen un catálogo de {goods} con todas las medidas disponibles?",
        ),
    ),
    (
        "询价 {n} {goods}",
        (
            "我们需要采购 {goods}，数量 {pcs} 件，一月底之前交货。",
            "请报最优惠的价格，并说明货号 {n} 的认证和包装情况。",
            "上个月的订单 {n} 还没有发货，请告诉我们船期。",
            "{goods} 的样品已经收到，其中 {pcs} 件工作正常。",
            "发票 {n} 的货款今天已经电汇，水单请见附件。",
            "请寄一份 {goods} 的产品目录，包括所有现货规格。",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Letter:
    """Envelope and content, with CRLF and ready for DATA (no line begins with a dot)."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


def make_letters(
    count: int, *, octets: int = 5_000, seed: int = 1, answers: Sequence[tuple[str, str]] = ()
) -> Iterator[Letter]:
    """Yield letters of about that size, always the same for one seed.

    One buyer writes four times in the mean, each time but the first as an answer to what he wrote before.  Half of the
    letters are English, the rest German, Spanish and Chinese.  Where there are `answers` to give, (who writes, Message-ID
    of what he answers), six letters of ten are such.
    """
    chance = random.Random(f"{seed} {octets}")
    written: dict[int, int] = {}
    for number in range(count):
        if answers and chance.random() < _ANSWERS:
            address, answered = chance.choice(answers)
            ids = [answered, f"<{number}.{seed}.{octets}@{address.rpartition('@')[2]}>"]
            yield Letter(address, (SALES,), _compose(chance, address, ids, octets, number))
            continue
        buyer = chance.randrange(max(1, count // 4))
        before = written.get(buyer, 0)
        written[buyer] = before + 1
        domain = f"buyer{seed}-{buyer}.example"
        ids = [f"<{n}.{octets}@{domain}>" for n in range(max(0, before - 4), before + 1)]
        yield Letter(f"ann@{domain}", (SALES,), _compose(chance, f"ann@{domain}", ids, octets, number))


def _compose(chance: random.Random, sender: str, ids: list[str], octets: int, number: int) -> bytes:
    subject, sentences = _LANGUAGES[max(0, chance.randrange(6) - 2)]
    # A model name that no other letter has, as real ones hold words that nobody has seen before.
    goods = f"{chance.choice(_GOODS)} {''.join(chance.choices('bdfgklmnprstaeiou', k=6)).title()}"
    *references, own = ids
    lines = ["Dear sales team,"]
    while len("".join(lines).encode()) < min(_WORDS_OCTETS, octets // 4):
        filled = chance.choice(sentences).format(
            n=chance.randrange(10_000, 99_999), pcs=chance.randrange(1, 5000), goods=goods
        )
        lines.append(filled)
    head = [
        f"From: Ann Smith <{sender}>",
        f"To: {SALES}",
        f"Subject: {'Re: ' if references else ''}{subject.format(n=number, goods=goods)}",
        f"Message-ID: {own}",
        f"Date: Mon, 16 Nov 2026 {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02} +0100",
        *([f"In-Reply-To: {references[-1]}", f"References: {' '.join(references)}"] if references else []),
        "MIME-Version: 1.0",
    ]
    text = "\r\n\r\n".join(lines)
    html = "".join(f'<p class="MsoNormal" style="margin:0 0 8pt 0"><span>{line}</span></p>\r\n' for line in lines)
    written = len(text.encode()) + len(html.encode()) + sum(map(len, head)) + 400
    styles = _STYLE * (max(0, min(octets, _LETTER_OCTETS) - written) // len(_STYLE))
    letter = (
        "--a\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        f"{text}\r\n--a\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        f"<html><head><style>\r\n{styles}</style></head><body>{html}</body></html>\r\n--a--\r\n"
    )
    if octets <= _LETTER_OCTETS:
        head.append("Content-Type: multipart/alternative; boundary=a")
        return "\r\n".join((*head, "", letter)).encode()
    rest = (_BASE64 * ((octets - _LETTER_OCTETS) // len(_BASE64) + 1))[: octets - _LETTER_OCTETS]
    head.append("Content-Type: multipart/mixed; boundary=b")
    return "\r\n".join(
        (
            *head,
            "",
            f"--b\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n{letter}",
            '--b\r\nContent-Type: application/pdf; name="PO.pdf"\r\nContent-Transfer-Encoding: base64',
            f'Content-Disposition: attachment; filename="PO.pdf"\r\n\r\n{rest}\r\n--b--\r\n',
        )
    ).encode()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Terms of a sale: Incoterm and place, when the goods are needed, how they are paid."""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice

from classifiers.tables import any_of, linear, read_table

_TABLE = read_table("terms")
_MONTH_OF = {word: int(number) for number, words in _TABLE["months"].items() for word in words}
_MONTH = any_of(_MONTH_OF)

# Those of 1936 to 2020 that are still written.
INCOTERMS = ("EXW", "FCA", "FAS", "FOB", "CFR", "CNF", "C&F", "CIF", "CPT", "CIP", "DAP", "DPU", "DAT", "DDP", "DDU")
_INCOTERM = linear(
    rf"(?:^|[^A-Za-z])({any_of(INCOTERMS)}|exw|fob|cif|ddp|cfr|dap|Fob|Cif|Ddp)"
    r"(?:$|[^A-Za-z])"
)
_SAME_TERM = {"CNF": "CFR", "C&F": "CFR"}
# "16 CFR 1610" is American law, "CIF: B12345678" a Spanish tax number.
_OTHER_MEANING = re.compile(
    r"[ ]?税|[ ]?[.:]?[ ]?[A-Z]-?\d{7,8}|[ ](?:part[ ])?\d{3,4}\b(?![ ]?(?:usd|eur|pcs|/))|[（(]CTN", re.IGNORECASE
)
_IN_WORDS = linear(
    r"(?i)(delivered duty paid|\bduty paid\b|verzollt[^.\n]{0,20}(?:frei|franko)[ ]|(?:frei|franko)[ ][^.\n]{0,30}verzollt|rendu droits acquittés|"
    r"完税后交货|完稅後交貨|с растаможкой до)"
)
_MAX_TERMS = 6
_NEAR = 40
_PLACE = re.compile(
    r"[ ,:–-]{0,3}(?:port[ ]of[ ]|puerto[ ]de[ ]|porto[ ]de[ ]|port[ ]de[ ]|порт[ ]|п\.[ ]?)?"
    r"((?:[A-ZÀ-ÖØ-ÞА-ЯЁĐŞÇİÖÜ][\w'’.-]{1,20}(?:[ ][A-ZÀ-ÖØ-ÞА-ЯЁĐŞÇİÖÜ][\w'’-]{1,20}){0,2})|[\u3040-\u9fff]{2,6}|[가-힣]{2,6}|[\u0e00-\u0e7f]{3,14}|[\u0621-\u06d3]{3,14}(?:[ ][\u0621-\u06d3]{3,10})?)"
)
_NO_PLACE = re.compile(
    r"(?i)^(?:incoterms?|usd|eur|price|preis|precio|prix|the|and|or|please|terms?|is|in|us|rmb|cny|at|by|价|价格|單價|条件|で|です|조건|ราคา)\b|^[A-Z]{3}$"
)

_PAYMENT = linear(
    r"(?i)(?:^|[^\pL])("
    r"(?:\d{1,3}[ ]?%[^\n.;]{0,24})?(?:t/?t|telegraphic transfer)(?:[ ]?(?:in advance|before shipment|against[^\n,.;]{1,24}|at sight|\d{1,3}[ ]?%?[ ]?[/-][ ]?\d{1,3}[ ]?%?|\(?\d{1,3}[ ]?%[^\n.;]{0,40}))?"
    r"|\d{1,3}[ ]?[/-][ ]?\d{1,3}[ ]?(?:t/?t)"
    r"|(?:irrevocable |confirmed |unwiderrufliches |usance |deferred )?(?:l/c|lc|letter of credit|akkreditiv|carta de crédito|crédit documentaire|аккредитив|akreditif)(?:[ ](?:at sight|a la vista|à vue|auf sicht|\d{1,3}[ ]days?(?:[ ][^\n,.;]{1,24})?|usance|irrevocable|irrevocable a la vista))?"
    r"|(?-i:D/?[PA]|d/[pa])(?:[ ](?:at sight|\d{1,3}[ ]days?(?:[ ][^\n,.;]{1,20})?))?"
    r"|(?:o/?a|open account)(?:[ ]\d{1,3}(?:[ ]days?(?:[ ][^\n,.;]{1,20})?)?)"
    r"|cash against documents|(?-i:CAD)|prepayment|payment in advance|vorkasse|(?:net|netto)[ ]\d{1,3}(?:[ ]?(?:days|tage|dagen|dni|gün|jours|días|dias|giorni))?"
    r"|\d{1,3}[ ]?%[ ](?:deposit|advance|in advance|down ?payment|anzahlung|vorkasse|anticipo|de anticipo|adelanto|adiantado|de sinal|d'acompte|acompte|acconto|vooraf|aanbetaling|zaliczki?|peşin|предоплат\pL*|аванс\pL*|di muka|dp|đặt cọc|cọc)[^\n.;]{0,50}"
    r"|\d{1,3}[ ]?(?:days|tage|dagen|dni|gün|jours|días|dias|giorni)[ ](?:net|netto|after b/l|from b/l|date of b/l|fecha b/l|fin de mois|vadeli?|vade)"
    r")(?:$|[^\pL\d])|"
    r"(即期信用证|即期信用狀|见票即付|見票即付|(?:前|后|後|发货前|發貨前)?T/?T[ ]?\d{1,3}[ ]?[/％%][^\n，。]{0,16}|(?:预付|預付|定金|订金|訂金)[ ]?\d{1,3}[ ]?[%％][^\n。；]{0,24}|\d{1,3}[ ]?[%％][ ]?(?:定金|订金|訂金|预付|預付|前金|선금|선급금)[^\n。；]{0,24}|月结[ ]?\d{0,3}天?|月結[ ]?\d{0,3}天?|款到发货|先款后货|信用证|信用狀|一覧払い?信用状|선불|월말 ?결제|มัดจำ[ ]?\d{1,3}[ ]?%[^\n]{0,24})"
)

_NUMERIC = r"(?P<y>20\d\d)[-./年 ]{1,2}(?P<m>\d{1,2})[-./月 ]{1,2}(?P<d>\d{1,2})日?|(?P<d2>\d{1,2})[./-](?P<m2>\d{1,2})(?:[./-](?P<y2>(?:20)?\d\d))?(?!\d)|(?P<m3>\d{1,2})[ ]?[月월][ ]?(?P<d3>\d{1,2})[ ]?[日号號일]"
_WORDED = rf"(?P<d4>\d{{1,2}})(?:st|nd|rd|th|er|º|\.)?[ ]?(?:de[ ]|of[ ]|d[’'])?(?P<n4>{_MONTH})\b(?:[ ,]*(?:de[ ])?(?P<y4>20\d\d))?|(?P<n5>{_MONTH})\b\.?[ ](?P<d5>\d{{1,2}})(?:st|nd|rd|th)?(?:,?[ ](?P<y5>20\d\d))?|(?P<d6>\d{{1,2}})[ ]?(?P<n6>{_MONTH})(?![^\W\d_])"
_ENDING = rf"(?:{any_of(_TABLE['ends']['words'])})[ ](?:de[ ]|of[ ])?(?P<n7>{_MONTH})(?![^\W\d_])|(?P<m8>\d{{1,2}})月底|(?P<m9>\d{{1,2}})월[ ]?말|(?P<m10>\d{{1,2}})月末"
_DATE = re.compile(rf"(?<![\d/.-])(?:{_NUMERIC}|{_WORDED}|{_ENDING})", re.IGNORECASE)
# Where a date may be, without the names of its parts and what must not stand around it: twenty times as fast.
_DATE_LIKE = linear(
    rf"(?i)20\d\d[-./年 ]{{1,2}}\d{{1,2}}[-./月 ]|\d{{1,2}}[./-]\d|\d{{1,2}}[ ]?[月월]|"
    rf"\d{{1,2}}(?:st|nd|rd|th|er|º|\.)?[ ]?(?:de[ ]|of[ ]|d[’'])?(?:{_MONTH})|(?:^|[^\pL])(?:{_MONTH})\.?[ ]\d|"
    rf"(?:{any_of(_TABLE['ends']['words'])})[ ](?:de[ ]|of[ ])?(?:{_MONTH})"
)
_BEFORE_DATE = linear(
    rf"(?i)(?:(?:^|[^\pL])(?:{any_of(word for word in _TABLE['needed']['before'] if ord(word[0]) < 0x0E00)})|"
    rf"(?:{any_of(word for word in _TABLE['needed']['before'] if ord(word[0]) >= 0x0E00)}))[ ]?(?:the[ ]|el[ ]|día[ ]|le[ ]|il[ ]|dem[ ]|zum[ ]|on[ ]|am[ ]|ngày[ ]|tanggal[ ]|tgl[ ]|วันที่[ ]?)?$"
)
_BEHIND_DATE = linear(rf"^[ ]?(?:{any_of(_TABLE['needed']['behind'])})")
_MAX_DATES = 12
_TEXT_CHARS = 6_000
_OLDEST = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Term:
    """A term as it is written or meant, and where it stands."""

    value: str
    start: int
    end: int


def find_incoterm(text: str) -> Term | None:
    """Return the Incoterm that a letter states, by the name of 2020 where that is another spelling.

    None where it names two at once ("quote FOB and CIF"), or where the letters mean a law or a tax number.
    """
    found: list[Term] = []
    for match in islice(_INCOTERM.finditer(text), _MAX_TERMS):
        name = match.group(1).upper()
        if _OTHER_MEANING.match(text, match.end(1)):
            continue
        found.append(Term(_SAME_TERM.get(name, name), match.start(1), match.end(1)))
    if len(found) > 1 and found[0].value != found[1].value and found[1].start - found[0].end < _NEAR:
        return None
    if found:
        return found[0]
    words = _IN_WORDS.search(text)
    if words is None:
        return None
    return Term("DDP", words.start(), words.end())


def find_place(text: str, incoterm: Term) -> Term | None:
    """Return the place right behind an Incoterm ("FOB Ningbo", "CIF порт Новороссийск")."""
    match = _PLACE.match(text, incoterm.end)
    if match is None:
        return None
    words = match[1].split(" ")
    kept = next((index for index, word in enumerate(words) if _NO_PLACE.search(word)), len(words))
    kept = next((index + 1 for index, word in enumerate(words[:kept]) if word[-1] == "." and len(word) > 3), kept)
    place = " ".join(words[:kept]).rstrip(".-")
    return Term(place, match.start(1), match.start(1) + len(place)) if place else None


def find_payment_term(text: str) -> Term | None:
    """Return the first term of payment, as written."""
    match = _PAYMENT.search(text[:_TEXT_CHARS])
    if match is None:
        return None
    group = 1 if match.start(1) >= 0 else 2
    value = match.group(group).strip(" ,;:")
    return Term(value, match.start(group), match.start(group) + len(value))


def find_needed_by(text: str, written: date | None) -> Term | None:
    """Return the first date by which something must be there, in ISO form; years are counted from `written`.

    Without that date only dates that name their year are read.
    """
    for place in islice(_DATE_LIKE.finditer(text[:_TEXT_CHARS]), _MAX_DATES):
        match = _DATE.match(text, place.start()) or _DATE.match(text, place.start() + 1)
        if match is None:
            continue
        before = text[max(match.start() - 24, 0) : match.start()]
        behind = text[match.end() : match.end() + 16]
        if _BEFORE_DATE.search(before) is None and _BEHIND_DATE.search(behind) is None:
            continue
        day = _day(match, written)
        if day is not None:
            return Term(day.isoformat(), match.start(), match.end())
    return None


def _day(match: re.Match[str], written: date | None) -> date | None:
    found = {name: value for name, value in match.groupdict().items() if value}
    parts = {name[0]: value for name, value in found.items()}
    month = _MONTH_OF[parts["n"].lower()] if "n" in parts else int(parts["m"])
    day = int(parts["d"]) if "d" in parts else 0
    if month > 12 and day and day <= 12:
        month, day = day, month  # 04/15
    if not 1 <= month <= 12:
        return None
    year = int(parts["y"]) if "y" in parts else 0
    if 0 < year < 100:
        year += 2_000
    if not year:
        if written is None:
            return None
        year = written.year
        if _date(year, month, day) is not None and (_date(year, month, day) or written) < written - _OLDEST:
            year += 1
    return _date(year, month, day)


def _date(year: int, month: int, day: int) -> date | None:
    """Return the day; the month's last for 0, None when there is no such day."""
    last = calendar.monthrange(year, month)[1]
    return date(year, month, day or last) if 0 <= day <= last else None

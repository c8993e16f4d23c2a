# SPDX-License-Identifier: GPL-3.0-or-later
"""What we sell: products in a tree of categories, with the words by which an inquiry is seen to be about them."""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from crm_sync.admission import InvalidValue, NotAllowed, NotFound, Outdated, checked_names, require_company
from crm_sync.models.pipeline import Product, ProductCategory, ProductWord
from crm_sync.pipeline.amounts import checked_amount, checked_currency
from crm_sync.rights import Action, Entity, Viewer
from crm_sync.setup_events import note_setup, tell_policy
from tradepost.product_words import LONGEST_WORD, word_key

PRICE_FLOOR: Final = "price_floor"
LONGEST_PAGE: Final = 500
_MOST_PRODUCTS: Final = 20_000
_MOST_CATEGORIES: Final = 2_000
_MOST_WORDS: Final = 50
_DEEPEST: Final = 8
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,39}")


@dataclass(frozen=True, slots=True)
class CategoryView:
    """A branch of the tree; `path` are the codes from the root to it."""

    code: str
    path: tuple[str, ...]
    name_en: str
    name_zh: str
    words: tuple[str, ...]
    is_retired: bool


@dataclass(frozen=True, slots=True)
class ProductView:
    """A product.  `price_floor` is None also for whom it is hidden from."""

    code: str
    category: str
    name_en: str
    name_zh: str
    unit: str
    price: Decimal | None
    price_floor: Decimal | None
    currency: str
    words: tuple[str, ...]
    is_retired: bool
    version: int


@dataclass(frozen=True, slots=True)
class ProductEntry:
    """What is to be said of a product or a category; None leaves a field as it is, "" empties it.  Amounts are text."""

    name_en: str | None = None
    name_zh: str | None = None
    category: str | None = None  # of a category: its parent
    unit: str | None = None
    price: str | None = None
    price_floor: str | None = None
    currency: str | None = None
    words: Sequence[str] | None = None
    is_retired: bool | None = None


def fetch_categories(session: Session, viewer: Viewer, *, with_retired: bool = False) -> list[CategoryView]:
    """Return the tree, parents before children.  Raises NotAllowed."""
    require_company(viewer, Action.SEE)
    rows = {row.id: row for row in session.scalars(select(ProductCategory))}
    words = _words(session, ProductWord.category_id, rows)
    views = [
        CategoryView(row.code, _path(rows, row), row.name_en, row.name_zh, words[row.id], row.retired_at is not None)
        for row in rows.values()
        if with_retired or row.retired_at is None
    ]
    return sorted(views, key=lambda view: view.path)


def save_category(session: Session, viewer: Viewer, code: str, entry: ProductEntry, now: datetime) -> CategoryView:
    """Make a category or change it.  Raises InvalidValue, NotFound, NotAllowed."""
    require_company(viewer, Action.EDIT)
    _check_code(code)
    names = checked_names(entry.name_en, entry.name_zh, 200)
    row = session.scalars(select(ProductCategory).where(ProductCategory.code == code)).one_or_none()
    if row is None:
        _check_room(session, ProductCategory, _MOST_CATEGORIES)
        row = ProductCategory(code=code, name_en=names.get("name_en", code))
        session.add(row)
    _set(row, names)
    if entry.category is not None:
        row.parent_id = find_category(session, entry.category).id if entry.category else None
    session.flush()
    rows = {one.id: one for one in session.scalars(select(ProductCategory))}
    if len(_path(rows, row)) > _DEEPEST:
        raise InvalidValue(f"category {code!r}: below {entry.category!r} it would stand in itself, or too deep")
    _finish(session, viewer, f"category:{code}", row, entry, names, now)
    words = _words(session, ProductWord.category_id, [row.id])
    return CategoryView(row.code, _path(rows, row), row.name_en, row.name_zh, words[row.id], row.retired_at is not None)


def list_products(
    session: Session,
    viewer: Viewer,
    *,
    category: str | None = None,
    after: str | None = None,
    limit: int = 50,
    with_retired: bool = False,
) -> list[ProductView]:
    """Return products by code, those of a category and of all below it; `after` is the code a page ended with.

    Raises NotFound, NotAllowed.
    """
    require_company(viewer, Action.SEE)
    wanted = select(Product).order_by(Product.code).limit(max(1, min(limit, LONGEST_PAGE)))
    if category is not None:
        wanted = wanted.where(Product.category_id.in_(branch_of(session, category)))
    if after is not None:
        wanted = wanted.where(Product.code > after)
    if not with_retired:
        wanted = wanted.where(Product.retired_at.is_(None))
    return _views(session, viewer, session.scalars(wanted).all())


def fetch_product(session: Session, viewer: Viewer, code: str) -> ProductView:
    """Return one product.  Raises NotFound, NotAllowed."""
    require_company(viewer, Action.SEE)
    return _views(session, viewer, [find_product(session, code)])[0]


def save_product(
    session: Session, viewer: Viewer, code: str, entry: ProductEntry, now: datetime, *, version: int | None = None
) -> ProductView:
    """Make a product or change it; `version`: only if it is still that one.

    Raises InvalidValue, NotFound, NotAllowed, Outdated.
    """
    require_company(viewer, Action.EDIT)
    if entry.price_floor is not None and viewer.hides(Entity.COMPANY, PRICE_FLOOR):
        raise NotAllowed(f"product {code[:80]!r}: {viewer.actor} does not see the price floor")
    _check_code(code)
    names = checked_names(entry.name_en, entry.name_zh, 200)
    row = session.scalars(select(Product).where(Product.code == code).with_for_update()).one_or_none()
    if version is not None and (row is None or row.version != version):
        raise Outdated(f"product {code!r}: somebody changed it meanwhile; look at it again")
    if row is None:
        _check_room(session, Product, _MOST_PRODUCTS)
        row = Product(code=code, name_en=names.get("name_en", code), version=0)
        session.add(row)
    _set(row, names | _columns(session, entry))
    row.version += 1
    session.flush()
    _finish(session, viewer, f"product:{code}", row, entry, names, now)
    return _views(session, viewer, [row])[0]


def find_product(session: Session, code: str) -> Product:
    """Return a product by code.  Raises NotFound."""
    found = session.scalars(select(Product).where(Product.code == code)).one_or_none() if code.isprintable() else None
    if found is None:
        raise NotFound(f"product {code[:80]!r}: there is none; 'tradepost product list' names them")
    return found


def branch_of(session: Session, code: str) -> set[int]:
    """Return the keys of a category and of all below it.  There are few: they are read whole.  Raises NotFound."""
    found = {find_category(session, code).id}
    parents = dict(session.execute(select(ProductCategory.id, ProductCategory.parent_id)).all())
    while more := {key for key, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _columns(session: Session, entry: ProductEntry) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if entry.category is not None:
        columns["category_id"] = find_category(session, entry.category).id if entry.category else None
    if entry.unit is not None:
        if len(entry.unit) > 20 or not entry.unit.isprintable():
            raise InvalidValue(f"unit {entry.unit[:40]!r}: is at most 20 printable characters")
        columns["unit"] = entry.unit.strip()
    for name, said in (("price", entry.price), (PRICE_FLOOR, entry.price_floor)):
        if said is not None:
            columns[name] = checked_amount(name.replace("_", " "), said) if said else None
    if entry.currency is not None:
        columns["currency"] = checked_currency(entry.currency) if entry.currency else None
    return columns


def _set(row: Product | ProductCategory, columns: dict[str, Any]) -> None:
    for name, value in columns.items():
        setattr(row, name, value)


def _finish(
    session: Session,
    viewer: Viewer,
    subject: str,
    row: Product | ProductCategory,
    entry: ProductEntry,
    names: dict[str, str],
    now: datetime,
) -> None:
    if entry.is_retired is not None:
        row.retired_at = (row.retired_at or now) if entry.is_retired else None
    if entry.words is not None:
        _set_words(session, row, entry.words)
    # No price in the event: a floor would be read there by whom it is hidden from.
    note_setup(session, viewer, subject, "product-saved", now, **names)
    tell_policy(session)


def _set_words(session: Session, row: Product | ProductCategory, words: Sequence[str]) -> None:
    is_product = isinstance(row, Product)
    column = ProductWord.product_id if is_product else ProductWord.category_id
    keys: dict[str, str] = {}
    for word in words:
        key = word_key(word)
        if not key or key.count(" ") >= LONGEST_WORD or len(key) > 200 or len(word) > 200 or not word.isprintable():
            raise InvalidValue(f"word {word[:40]!r}: is 1 to {LONGEST_WORD} words or characters that can be compared")
        keys.setdefault(key, word)
    if len(keys) > _MOST_WORDS:
        raise InvalidValue(f"{row.code}: takes {_MOST_WORDS} words at most")
    session.execute(delete(ProductWord).where(column == row.id))
    taken = session.scalars(select(ProductWord).where(ProductWord.word_key.in_(list(keys)))).first()
    if taken is not None:
        raise InvalidValue(f"word {taken.word!r}: stands for another product or category already")
    session.add_all(ProductWord(word_key=key, word=word, **{column.key: row.id}) for key, word in keys.items())
    session.flush()


def _views(session: Session, viewer: Viewer, rows: Sequence[Product]) -> list[ProductView]:
    codes = dict(session.execute(select(ProductCategory.id, ProductCategory.code)).all())
    words = _words(session, ProductWord.product_id, [row.id for row in rows])
    hides_floor = viewer.hides(Entity.COMPANY, PRICE_FLOOR)
    return [
        ProductView(
            row.code,
            codes.get(row.category_id, "") if row.category_id is not None else "",
            row.name_en,
            row.name_zh,
            row.unit,
            row.price,
            None if hides_floor else row.price_floor,
            row.currency or "",
            words[row.id],
            row.retired_at is not None,
            row.version,
        )
        for row in rows
    ]


def _words(session: Session, column: Any, keys: Collection[int]) -> defaultdict[int, tuple[str, ...]]:
    found: defaultdict[int, tuple[str, ...]] = defaultdict(tuple)
    rows = session.execute(select(column, ProductWord.word).where(column.in_(keys)).order_by(ProductWord.word))
    for key, word in rows:
        found[key] += (word,)
    return found


def _path(rows: dict[int, ProductCategory], row: ProductCategory) -> tuple[str, ...]:
    path = [row.code]
    parent = row.parent_id
    while parent is not None and len(path) <= _DEEPEST:
        path.append(rows[parent].code)
        parent = rows[parent].parent_id
    return tuple(reversed(path))


def find_category(session: Session, code: str) -> ProductCategory:
    """Return a category by code.  Raises NotFound."""
    wanted = select(ProductCategory).where(ProductCategory.code == code)
    found = session.scalars(wanted).one_or_none() if code.isprintable() else None
    if found is None:
        raise NotFound(f"category {code[:40]!r}: there is none; 'tradepost product categories' names them")
    return found


def _check_code(code: str) -> None:
    if not _CODE.fullmatch(code):
        raise InvalidValue(f"code {code[:60]!r}: is 1 to 40 letters, digits and . _ / + -")


def _check_room(session: Session, model: type[Product] | type[ProductCategory], most: int) -> None:
    if session.scalars(select(func.count()).select_from(model)).one() >= most:
        raise InvalidValue(f"there are {most:,} already, and no room for more")

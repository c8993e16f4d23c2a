# SPDX-License-Identifier: GPL-3.0-or-later
"""Which fields a merged record keeps: the survivor's own, and of the other what it lacks or what somebody chose.  Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

# Fields that go together: a stage without the time it was reached says nothing.
CUSTOMER_FIELDS: Sequence[tuple[str, ...]] = (
    ("name", "name_key"),
    ("country",),
    ("grade", "grade_by", "grade_points"),
    ("stage_id", "stage_at"),
    ("industry",),
    ("size",),
    ("website",),
    ("address",),
    ("phone",),
    ("profile",),
    ("star",),
)
# What a merge leaves as it is at the survivor.
CUSTOMER_KEPT = frozenset(
    {
        "id", "public_id", "scope_id", "kind", "kind_reason", "completeness", "source", "origins", "created_at", "merged_into",
        "version", "owner_since", "home_pool_id", "reclaim_days", "reclaim_at",
    }
)  # fmt: skip
CONTACT_FIELDS: Sequence[tuple[str, ...]] = (("name", "name_key"), ("title",), ("decision_role",), ("social",))
CONTACT_KEPT = frozenset({"id", "customer_id", "created_at", "origins", "merged_into", "version"})


def chosen_values(
    survivor: object, loser: object, fields: Sequence[tuple[str, ...]], take: Collection[str]
) -> dict[str, Any]:
    """Return what the survivor gets of the other: field -> value, for those that differ.

    A group of fields comes whole, for its first: where the survivor's is empty and the other's is not, or it is in `take`.
    """
    values: dict[str, Any] = {}
    for group in fields:
        mine, others = getattr(survivor, group[0]), getattr(loser, group[0])
        if not others or (mine and group[0] not in take):
            continue
        for name in group:
            if getattr(survivor, name) != getattr(loser, name):
                values[name] = getattr(loser, name)
    return values


def merged_origins(mine: Mapping[str, str], others: Mapping[str, str], taken: Collection[str]) -> dict[str, str]:
    """Return where each field comes from after the merge."""
    return dict(mine) | {name: others[name] for name in taken if name in others}

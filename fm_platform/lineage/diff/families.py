"""Adjusted p-values that moved because another member of their multiplicity family did.

Belongs here: finding families and their moved members. Does not belong here: adjusting anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from fm_platform.lineage.diff.conclusions import ADJUSTED, RAW_P
from fm_platform.lineage.diff.rows import Changed
from fm_platform.warehouse.frames import frame_of
from fm_platform.warehouse.names import identifier

_GROUPS = ("family", "contrast")


@dataclass(frozen=True)
class MovedFamily:
    """A family in which p-values moved.

    Attributes:
        group: Its column and name.
        members: Key, old and new p-value of each member that moved.
        adjusted: The adjusted columns that changed.
        rows: Numbers of the changed rows whose adjusted value has another member that moved.
        alone: Those of them in which nothing but adjusted values changed: the family is reason enough.
    """

    group: Mapping[str, Any]
    members: Sequence[Mapping[str, Any]]
    adjusted: tuple[str, ...]
    rows: Sequence[int]
    alone: Sequence[int]


def moved_families(connection: duckdb.DuckDBPyConnection, changed: Changed) -> Iterator[MovedFamily]:
    """The families of one table in which p-values moved; none for tables that repeat another's."""
    group = next((name for name in _GROUPS if name in changed.shared), None)
    raw = next((name for name in RAW_P if name in changed.shared), None)
    adjusted = tuple(name for name in ADJUSTED if name in changed.columns)
    if group is None or raw is None or not adjusted or changed.table.startswith("report."):
        return
    by, p = identifier(group), identifier(raw)
    key = ", ".join(
        f"coalesce(old.{identifier(k)}, new.{identifier(k)}) AS {identifier(f'fm_key_{k}')}"
        for k in changed.key
    )
    values = ", ".join(f"new.{identifier(a)}, old.{identifier(a)}" for a in adjusted)
    rows = frame_of(
        connection.sql(
            f"SELECT n, coalesce(new.{by}, old.{by}) AS fm_group, old.{p} AS fm_old, new.{p} AS fm_new, "
            f"old.{p} IS DISTINCT FROM new.{p} AS fm_moved, list_has_any(changed, {list(adjusted)}) AS fm_adjusted, "
            f"{key}, status = 'changed' AND list_has_all({list(adjusted)}, changed) AS fm_alone "
            f"FROM {changed.rows} WHERE fm_group IS NOT NULL AND coalesce({values}) IS NOT NULL ORDER BY n"
        )
    )
    for (name,), family in rows.group_by("fm_group", maintain_order=True):
        moved = family.filter(family["fm_moved"])
        if moved.is_empty():
            continue
        own = moved["n"][0] if moved.height == 1 else None
        reached = family.filter(family["fm_adjusted"] & (family["n"].ne_missing(own)))
        members = [
            {"key": {k: row[f"fm_key_{k}"] for k in changed.key}, "old": row["fm_old"], "new": row["fm_new"]}
            for row in moved.iter_rows(named=True)
        ]
        if reached.height:
            alone = reached.filter(reached["fm_alone"])["n"].to_list()
            yield MovedFamily({group: name}, members, adjusted, reached["n"].to_list(), alone)

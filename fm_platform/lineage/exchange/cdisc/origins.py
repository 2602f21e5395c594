"""Where an analysis variable comes from, in the terms of Define-XML, read off the recorded column lineage.

Belongs here: telling copied from derived and assigned, and the words of a derivation. Does not belong here: XML.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from fm_platform.lineage.exchange.inventory import ColumnFacts, Inventory
from fm_platform.warehouse.records import ColumnInput

OriginType = Literal["Assigned", "Derived", "Predecessor", "Not Available"]


@dataclass(frozen=True)
class Origin:
    """An origin.

    Attributes:
        type: ``Predecessor`` for a copy of another table's column, ``Assigned`` for what study.yaml or the model itself
            says, ``Derived`` for the rest, ``Not Available`` for what the study does not have.
        words: From what, or how.
    """

    type: OriginType
    words: str


def origin_of(inventory: Inventory, table: str, column: str) -> Origin:
    """The origin of a published column."""
    facts = _facts(inventory, ColumnInput(table, column))
    if facts is None or not facts.of_kind("DIRECT"):
        return Origin("Assigned", "Written by the model of the table")
    ends = sorted(set(_ends(inventory, ColumnInput(table, column))))
    derived = [end for end in ends if end.table.startswith("marts.")]
    if derived:
        return Origin("Derived", " ".join(_derivation(inventory, end) for end in derived))
    named = ", ".join(f"{end.table}.{end.column}" for end in ends)
    if all(end.table.startswith("study.") for end in ends):
        return Origin("Assigned", f"study.yaml, by {named}")
    if not any(found.of_kind("DIRECT") for end in ends if (found := _facts(inventory, end))):
        return Origin("Not Available", "study.yaml declares no such column")
    delivered = delivered_columns(inventory, table, column)
    return Origin("Predecessor", f"{named}; delivered as {', '.join(delivered)}" if delivered else named)


def delivered_columns(inventory: Inventory, table: str, column: str) -> list[str]:
    """The delivered columns that the values of a column are read from, as ``source.column``."""
    seen: set[tuple[str, str]] = set()
    waiting = [(table, column)]
    while waiting:
        place = waiting.pop()
        if place in seen or place[0].startswith("quarantine."):
            continue
        seen.add(place)
        facts = _facts(inventory, ColumnInput(*place))
        waiting += [(entry.table, entry.column) for entry in (facts.of_kind("DIRECT") if facts else ())]
    return sorted(f"{name.removeprefix('raw.')}.{own}" for name, own in seen if name.startswith("raw."))


def _facts(inventory: Inventory, place: ColumnInput) -> ColumnFacts | None:
    table = inventory.tables.get(place.table)
    return table.column(place.column) if table else None


def _ends(inventory: Inventory, place: ColumnInput) -> Iterator[ColumnInput]:
    """Where copying from table to table begins: a column outside of the marts, or one that is not a copy."""
    facts = _facts(inventory, place)
    inputs = facts.of_kind("DIRECT") if facts else []
    copied = bool(inputs) and all(entry.transformation == "IDENTITY" for entry in inputs)
    if not place.table.startswith("marts.") or not copied:
        yield ColumnInput(place.table, place.column)
        return
    for entry in inputs:
        yield from _ends(inventory, entry)


def _derivation(inventory: Inventory, end: ColumnInput) -> str:
    facts = _facts(inventory, end)
    if facts is None:
        return ""
    model = inventory.tables[end.table]
    computed = ", ".join(_names(facts.of_kind("DIRECT")))
    decided = ", ".join(_names(facts.of_kind("INDIRECT")))
    parts = [
        facts.description,
        f"Computed in {end.table} from {computed}." if computed else f"Made in {end.table}.",
        f"Which rows take part is decided by {decided}." if decided else "",
        f"Code version {model.code_version}.",
    ]
    return " ".join(part for part in parts if part)


def _names(inputs: list[ColumnInput]) -> list[str]:
    return list(dict.fromkeys(f"{entry.table}.{entry.column}" for entry in inputs))

"""The tests that a p-value was adjusted over.

Belongs here: finding them in the table itself. Does not belong here: adjusting; genes, whose family is said as a rank
(``gene``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fm_platform.warehouse.names import identifier, quoted_table
from fm_platform.warehouse.reader import Published

_FAMILY, _P = "family", "p_value"
_ADJUSTED = {"p_holm": _P, "p_bh": _P, "holm_floor": "p_floor"}
"""Adjusted columns, and what they are adjusted from."""


@dataclass(frozen=True)
class FamilyMember:
    """A test of a multiplicity family.

    Attributes:
        key: The test's row.
        column: ``p_value``, or ``p_floor`` where the floor is adjusted.
        value: What was adjusted.
    """

    key: Mapping[str, Any]
    column: str
    value: float


def family_of(
    published: Published, table: str, key: Sequence[str], row: Mapping[str, Any], column: str | None
) -> list[FamilyMember]:
    """The tests of the family, smallest p first, the explained one among them; none where nothing is adjusted.

    Args:
        published: The open published warehouse.
        table: The explained table.
        key: Its key.
        row: The explained row.
        column: The explained column.
    """
    given = _ADJUSTED.get(column or "")
    if given is None or row.get(column or "") is None or not {_FAMILY, given} <= set(row):
        return []
    whole = "AND stratum IS NULL" if "stratum" in row else ""
    listed = ", ".join(identifier(name) for name in key)
    found = published.recall(
        f"SELECT {listed}, {given} AS fm_given FROM {quoted_table(table)} "
        f"WHERE {_FAMILY} = ? AND {given} IS NOT NULL {whole} ORDER BY fm_given, {listed}",
        [row[_FAMILY]],
    )
    return [
        FamilyMember({name: one[name] for name in key}, given, float(one["fm_given"]))
        for one in found.to_dicts()
    ]

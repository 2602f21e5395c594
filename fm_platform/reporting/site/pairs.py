"""Scores that stand in two columns: a whole number and what it is divided by.

Belongs here: recognising such pairs, so that a page tells of one value rather than of two. Does not belong here: pages
or drawings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fm_platform.warehouse.records import ColumnInput

NUMERATOR, DENOMINATOR = "_exact", "_scale"


def denominator_of(column: str, others: Iterable[str]) -> str | None:
    """The column that divides a column, if it is among others.

    >>> denominator_of("base_exact", ["base_scale", "post_scale"]), denominator_of("n", ["base_scale"])
    ('base_scale', None)
    """
    wanted = column.removesuffix(NUMERATOR) + DENOMINATOR
    return wanted if column.endswith(NUMERATOR) and wanted in others else None


def together(columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Columns in their order, each denominator moved to its numerator.

    >>> together(["n", "base_exact", "base_scale"])
    [('n',), ('base_exact', 'base_scale')]
    """
    known = set(columns)
    divisors = {name: other for name in columns if (other := denominator_of(name, known))}
    paired = set(divisors.values())
    return [(name, divisors[name]) if name in divisors else (name,) for name in columns if name not in paired]


def fractions(entries: Sequence[ColumnInput]) -> list[tuple[ColumnInput, ColumnInput | None]]:
    """Inputs in their order, each with its denominator where that is an input of the same table and kind."""
    by_place = {(entry.table, entry.kind, entry.transformation, entry.column): entry for entry in entries}
    divisors = {}
    for entry in entries:
        if entry.column.endswith(NUMERATOR):
            other = entry.column.removesuffix(NUMERATOR) + DENOMINATOR
            divisors[entry] = by_place.get((entry.table, entry.kind, entry.transformation, other))
    paired = {other for other in divisors.values() if other is not None}
    return [(entry, divisors.get(entry)) for entry in entries if entry not in paired]

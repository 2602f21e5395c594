"""Whether an export tells more together with what left before: k-anonymity over several exports.

Belongs here: the three comparisons, on frames and on what is known of earlier exports. Does not belong here: reading
the ledger or tables, single exports (``departures``).

1. A variable that an earlier export suppressed shows again, in any table of counts.
2. Quasi-identifiers that left in several exports are joined by person, each in the finest bands in which it ever left.
3. A count that left from another publication differs by fewer than k: the difference counts the people in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from fm_platform.privacy.departures import COUNTS, SMALLEST_CLASS, Leaving, people_of
from fm_platform.privacy.k_anonymity import BANDINGS, Banding, banded, equivalence_classes

Width = int | None
"""The width of a band; None for as recorded."""
_AS_RECORDED = BANDINGS[0]


@dataclass(frozen=True)
class Departed:
    """What one earlier export told.

    Attributes:
        publication: Number of the publication that it was made from.
        k: The smallest class that it was held to.
        columns: Table with a row a person to its quasi-identifiers and the width of their bands.
        counted: Quasi-identifiers that its tables of counts told of.
        suppressed: Variables that were left out of them.
        revealed: Variables that somebody let out again, with a reason.
    """

    publication: int
    k: int
    columns: Mapping[str, Mapping[str, Width]] = field(default_factory=dict)
    counted: frozenset[str] = frozenset()
    suppressed: frozenset[str] = frozenset()
    revealed: frozenset[str] = frozenset()


def hidden_variables(earlier: Iterable[Departed]) -> frozenset[str]:
    """Variables that an export suppressed and none let out with a reason since; exports in order."""
    hidden: frozenset[str] = frozenset()
    for departed in earlier:
        hidden = (hidden - departed.revealed) | departed.suppressed
    return hidden


def counted_variables(leaving: Leaving) -> frozenset[str]:
    """The variables by which a table counts people; none for other tables."""
    count = COUNTS.get(leaving.table)
    if count is None or "variable" not in leaving.frame.columns:
        return frozenset()
    return frozenset(leaving.frame.filter(count.is_not_null())["variable"].unique().to_list())


# -- people -----------------------------------------------------------------------------------------------------------


def widths_of(leaving: Leaving, banding: Banding) -> dict[str, Width]:
    """A table's quasi-identifiers with the width in which they leave; numbers that are left out are not there."""
    if leaving.person is None:
        return {}
    found: dict[str, Width] = {}
    for name in leaving.quasi_identifiers:
        numeric = leaving.frame[name].dtype.is_numeric()
        if not (numeric and banding.width == 0):
            found[name] = banding.width if numeric else None
    return found


def finest(columns: Iterable[Mapping[str, Width]]) -> dict[str, Width]:
    """The finest width of each quasi-identifier, by its name in small letters; narrower bands lie inside wider ones."""
    found: dict[str, Width] = {}
    for widths in columns:
        for column, width in widths.items():
            name = column.lower()
            found[name] = min((found.get(name, width), width), key=lambda w: 0 if w is None else w)
    return found


def tells_more(new: Iterable[Mapping[str, Width]], earlier: Iterable[Departed]) -> bool:
    """Whether an export shows a quasi-identifier that never left so finely, while others left before it."""
    before = finest(widths for departed in earlier for widths in departed.columns.values())
    return bool(before) and finest([before, *new]) != before


def smallest_class(
    tables: Sequence[Leaving], widths: Mapping[str, Width]
) -> tuple[int | None, tuple[str, ...]]:
    """The smallest class of people over all tables joined by person, and the quasi-identifiers that make it.

    Args:
        tables: Tables that leave or left, with their numbers as recorded.
        widths: The finest width of each quasi-identifier, by its name in small letters.
    """
    known = []
    for table in tables:
        kept = tuple(name for name in table.quasi_identifiers if name.lower() in widths)
        values = [
            banded(table.frame[name].alias(name.lower()), Banding("", widths[name.lower()])).alias(name)
            for name in kept
        ]
        known.append(replace(table, frame=table.frame.with_columns(values), quasi_identifiers=kept))
    people = people_of(known)
    names = tuple(name for name in people.columns if name != "_person")
    found = equivalence_classes(people, names, SMALLEST_CLASS).filter(pl.col("banding") == _AS_RECORDED.name)
    return min(found["n"].to_list(), default=None), tuple(sorted(names))


# -- publications -----------------------------------------------------------------------------------------------------


def few_in_between(
    now: Leaving, then: Leaving, key: Sequence[str], variables: Iterable[str], k: int
) -> tuple[str, ...]:
    """The variables by which two publications of a table of counts differ by at least one, but under k people.

    Args:
        now: The table as it is to leave.
        then: The table as another publication has it.
        key: The columns that name a row in both.
        variables: Those that left then and leave now.
        k: The smallest acceptable group.
    """
    sides = [_counts(side, key, variables) for side in (now, then)]
    both = sides[0].join(sides[1], on="_cell", how="full", suffix="_then")
    change = (pl.col("_count").fill_null(0) - pl.col("_count_then").fill_null(0)).abs()
    few = both.filter(change.is_between(1, max(k, SMALLEST_CLASS) - 1))
    named = few.select(pl.coalesce("variable", "variable_then").alias("variable"))
    return tuple(named["variable"].unique().sort().to_list())


def _counts(leaving: Leaving, key: Sequence[str], variables: Iterable[str]) -> pl.DataFrame:
    """The people behind each row of some variables; a row is named by its key."""
    named = [name for name in key if name in leaving.frame.columns]
    return leaving.frame.select(
        "variable",
        _cell=pl.struct(pl.col(named).cast(pl.String)).struct.json_encode(),
        _count=COUNTS[leaving.table].cast(pl.Float64),
    ).filter(pl.col("variable").is_in(list(variables)), pl.col("_count").is_not_null())

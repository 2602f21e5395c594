"""Two states of one table: which rows came, went or changed, and in which cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class TableChanges:
    """How a table differs.

    Attributes:
        gone: Keys of rows that are no longer there.
        new: Keys of rows that were not there.
        cells: (key, column, before, after) of every changed cell of the other rows.
    """

    table: str
    gone: tuple[tuple[Any, ...], ...]
    new: tuple[tuple[Any, ...], ...]
    cells: tuple[tuple[tuple[Any, ...], str, Any, Any], ...]

    @property
    def any(self) -> bool:
        """Whether anything differs."""
        return bool(self.gone or self.new or self.cells)

    @property
    def keys(self) -> set[tuple[Any, ...]]:
        """Keys of all rows that came, went or changed."""
        return {*self.gone, *self.new, *(cell[0] for cell in self.cells)}


def table_changes(
    table: str, key: Sequence[str], before: pl.DataFrame | None, after: pl.DataFrame | None
) -> TableChanges:
    """Compare two states of a table by key; columns that begin with ``_`` count only as keys.

    Args:
        table: Its name.
        key: Columns that are unique together in either state.
        before: The earlier state, or None where there was none.
        after: The later state, or None where there is none.
    """
    earlier, later = _rows(before, key), _rows(after, key)
    cells = []
    for row_key in earlier.keys() & later.keys():
        one, other = earlier[row_key], later[row_key]
        cells += [
            (row_key, column, one.get(column), other.get(column))
            for column in {**one, **other}
            if not same(one.get(column), other.get(column))
        ]
    return TableChanges(
        table,
        _sorted(earlier.keys() - later.keys()),
        _sorted(later.keys() - earlier.keys()),
        tuple(sorted(cells, key=lambda cell: (_order(cell[0]), cell[1]))),
    )


def same(one: Any, other: Any) -> bool:
    """Equality in which NaN equals NaN and null equals null."""
    return bool(one == other) or (one != one and other != other)


def _rows(frame: pl.DataFrame | None, key: Sequence[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    if frame is None:
        return {}
    own = [name for name in frame.columns if not name.startswith("_") and name not in key]
    keys = frame.select(key).rows()
    return {
        row_key: dict(zip(own, values, strict=True))
        for row_key, values in zip(keys, frame.select(own).rows() if own else [()] * len(keys), strict=True)
    }


def _sorted(keys: set[tuple[Any, ...]]) -> tuple[tuple[Any, ...], ...]:
    return tuple(sorted(keys, key=_order))


def _order(key: tuple[Any, ...]) -> tuple[tuple[bool, str], ...]:
    return tuple((value is not None, str(value)) for value in key)

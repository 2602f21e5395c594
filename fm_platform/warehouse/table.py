"""A table said once: name, key, and for each column type, sentence and inputs; everything else about it follows.

Belongs here: the form of a declaration, and what can be read off it alone: the frame's schema, a row's blanks, column
lineage. Does not belong here: any particular table (it stands beside the computation that fills it), or storing one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import polars as pl

from fm_platform.warehouse.records import Column, ColumnInput, ColumnLineage

Inputs = tuple[ColumnInput, ...]

_TYPES: Mapping[str, pl.DataType] = {
    "VARCHAR": pl.String(),
    "INTEGER": pl.Int32(),
    "BIGINT": pl.Int64(),
    "DOUBLE": pl.Float64(),
    "BOOLEAN": pl.Boolean(),
}


@dataclass(frozen=True)
class Table:
    """A table that a computation fills.

    Attributes:
        name: ``schema.table``.
        description: What a row is, in a sentence.
        key: Columns that are unique together.
        reads: The tables that it is made from, in the order in which the computation takes them.
        columns: Its columns, in order.
    """

    name: str
    description: str
    key: tuple[str, ...]
    reads: tuple[str, ...]
    columns: tuple[Column, ...]

    @cached_property
    def schema(self) -> dict[str, pl.DataType]:
        """Column names and types, in order."""
        return {column.name: _TYPES[column.type] for column in self.columns}

    @cached_property
    def lineage(self) -> ColumnLineage:
        """The inputs of every column."""
        return {column.name: column.inputs for column in self.columns}

    def row(self, **values: Any) -> dict[str, Any]:
        """A row: null in every column that is not given.

        Raises:
            KeyError: The table has no such column.
        """
        unknown = sorted(set(values) - set(self.schema))
        if unknown:
            raise KeyError(f"{self.name} has no column {', '.join(unknown)}")
        return {**dict.fromkeys(self.schema), **values}

    def frame(self, rows: Sequence[Mapping[str, Any]] = ()) -> pl.DataFrame:
        """The rows as a frame with exactly the declared columns.

        Args:
            rows: Every column of every row.

        Raises:
            KeyError: A row has other columns than the declared ones.
        """
        for row in rows:
            if row.keys() != self.schema.keys():
                odd = sorted(row.keys() ^ self.schema.keys())
                raise KeyError(f"{self.name}: a row is not as declared in {', '.join(odd)}")
        return pl.DataFrame(rows, schema=self.schema)

    def repeated(self, names: str, *, printed: bool = False) -> tuple[Column, ...]:
        """Columns that another table repeats from this one, as they are.

        Args:
            names: Separated by blanks.
            printed: Whether all others that are declared ``printed`` follow.
        """
        known = {column.name: column for column in self.columns}
        more = (column.name for column in self.columns if printed and column.printed)
        return tuple(
            replace(known[name], inputs=direct(self.name, name, how="IDENTITY"), constant="")
            for name in dict.fromkeys((*names.split(), *more))
        )

    def resting_on(self, inputs: Inputs, *names: str) -> Table:
        """The same table, some columns of which rest on further inputs."""
        return replace(
            self,
            columns=tuple(
                replace(column, inputs=(*column.inputs, *inputs)) if column.name in names else column
                for column in self.columns
            ),
        )


def direct(table: str, *columns: str, how: str = "TRANSFORMATION") -> Inputs:
    """DIRECT inputs: what a value is computed from."""
    return tuple(ColumnInput(table, column, "DIRECT", how) for column in columns)


def indirect(table: str, *columns: str, how: str = "FILTER") -> Inputs:
    """INDIRECT inputs: what decides which rows take part."""
    return tuple(ColumnInput(table, column, "INDIRECT", how) for column in columns)


def text(name: str, description: str, *inputs: Inputs, **more: Any) -> Column:
    """A column of texts; ``more`` are attributes of :class:`Column`."""
    return _column("VARCHAR", name, description, inputs, more)


def flag(name: str, description: str, *inputs: Inputs, **more: Any) -> Column:
    """A column of true and false."""
    return _column("BOOLEAN", name, description, inputs, more)


def count(name: str, description: str, *inputs: Inputs, **more: Any) -> Column:
    """A column of whole numbers."""
    return _column("BIGINT", name, description, inputs, {"written": "count", **more})


def number(name: str, description: str, *inputs: Inputs, **more: Any) -> Column:
    """A column of numbers."""
    return _column("DOUBLE", name, description, inputs, more)


def points(name: str, description: str, *inputs: Inputs, **more: Any) -> Column:
    """A column of numbers in the unit of an outcome's scale."""
    return _column("DOUBLE", name, description, inputs, {"written": "0.1", **more})


def probability(name: str, description: str, *inputs: Inputs, **more: Any) -> Column:
    """A column of p-values and the like."""
    return _column("DOUBLE", name, description, inputs, {"written": "p", **more})


def share(name: str, description: str, *inputs: Inputs, **more: Any) -> Column:
    """A column of shares between 0 and 1, printed in percent."""
    return _column("DOUBLE", name, description, inputs, {"written": "percent", **more})


def _column(
    kind: str, name: str, description: str, inputs: Sequence[Inputs], more: Mapping[str, Any]
) -> Column:
    flat = tuple(entry for group in inputs for entry in group)
    return Column(name, description, **{"type": kind, "inputs": flat, **more})

"""Small answers of DuckDB as Python values.

Belongs here: rows that are looked at one by one. Does not belong here: tables that are computed with (``frames``),
running statements (``reader``).

Importing Polars takes longer than answering most questions about a publication does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import duckdb

from fm_platform.warehouse.names import identifier


@dataclass(frozen=True)
class Answer:
    """The rows of a query, under the words that a frame has for them."""

    columns: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, relation: duckdb.DuckDBPyRelation) -> Self:
        """The rows of a relation."""
        told = with_spans_as_texts(relation)
        return cls(tuple(told.columns), tuple(told.fetchall()))

    @property
    def height(self) -> int:
        """How many rows there are."""
        return len(self.values)

    def is_empty(self) -> bool:
        """Whether there is no row."""
        return not self.values

    def item(self) -> Any:
        """The only value of the only row."""
        ((value,),) = self.values
        return value

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows."""
        return list(self.values)

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.values]

    def first(self) -> dict[str, Any]:
        """The first row by column."""
        return dict(zip(self.columns, self.values[0], strict=True))

    def __getitem__(self, column: str) -> list[Any]:
        """A column."""
        at = self.columns.index(column)
        return [row[at] for row in self.values]


def with_spans_as_texts(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """A relation whose intervals, for which Python and Polars have no type that holds them, are texts."""
    spans = [
        name for name, kind in zip(relation.columns, relation.types, strict=True) if str(kind) == "INTERVAL"
    ]
    if not spans:
        return relation
    texts = ", ".join(f"CAST({identifier(name)} AS VARCHAR) AS {identifier(name)}" for name in spans)
    return relation.project(f"* REPLACE ({texts})")

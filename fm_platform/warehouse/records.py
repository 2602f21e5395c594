"""The shapes that travel between rooms and into the ledger: columns, column lineage, check outcomes.

Belongs here: small frozen value types with a JSON form. Does not belong here: anything that opens DuckDB or decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from fm_platform.warehouse.names import identifier

LineageKind = Literal["DIRECT", "INDIRECT"]
ROWS_BITS = 40
ROW_MASK = (1 << ROWS_BITS) - 1
"""A mark of a SQL model's link is the place of an input cell, times 2^40, plus the ``rowid`` of a row."""
ROWS, DECIDES, CELL = "_rows", "_decides", "~"
"""The hidden outputs of a SQL model's link; a cell's name follows the last."""
ROW, ARM = "_row", "_arm"
"""Its columns with one row of an input, numbered, and with the number of the arm of a union."""


@dataclass(frozen=True, order=True)
class ColumnInput:
    """One input column of one output column.

    DIRECT inputs are what a value is computed from; INDIRECT ones decide which rows take part (filters, join keys,
    groupings). ``transformation`` is a short word for the how: ``IDENTITY``, ``TRANSFORMATION``, ``AGGREGATION``,
    ``FILTER``, ``JOIN``, ``GROUP_BY``, ``SORT``, ``WINDOW``, ``CONDITIONAL``.
    """

    table: str
    column: str
    kind: LineageKind = "DIRECT"
    transformation: str = "TRANSFORMATION"

    def as_json(self) -> dict[str, str]:
        """The ledger's form."""
        return {
            "table": self.table,
            "column": self.column,
            "kind": self.kind,
            "transformation": self.transformation,
        }


ColumnLineage = Mapping[str, tuple[ColumnInput, ...]]
"""Output column name to its inputs. A column without inputs must be declared constant (:class:`Column`)."""


@dataclass(frozen=True)
class Marks:
    """Where a SQL model's link has the marks of its hidden outputs.

    Attributes:
        lists: Those that are columns of marks (BIGINT[]); None for all.
        ones: For each arm (column ``_arm``; a single arm is not numbered), hidden output to the marks that are not in
            its list: the place of a cell, and the number of the column ``_row0``, ``_row1``, ... with its row.
    """

    lists: tuple[str, ...] | None = None
    ones: tuple[Mapping[str, tuple[tuple[int, int], ...]], ...] = ({},)

    @property
    def rows(self) -> int:
        """How many columns with a row there are."""
        return max((row + 1 for arm in self.ones for marks in arm.values() for _, row in marks), default=0)

    def collects(self, hidden: str) -> bool:
        """Whether a hidden output has a list."""
        return self.lists is None or hidden in self.lists

    def sql(self, hidden: str) -> str:
        """All marks of a hidden output as one list, over the link's query (q)."""
        listed = f"q.{identifier(hidden)}" if self.collects(hidden) else ""
        arms = [
            ", ".join(f"{(place << ROWS_BITS)} + q.{ROW}{row}" for place, row in arm.get(hidden, ()))
            for arm in self.ones
        ]
        if len(set(arms)) == 1:
            single = f"[{arms[0]}]" if arms[0] else ""
        else:
            cases = " ".join(f"WHEN {number} THEN [{marks}]" for number, marks in enumerate(arms) if marks)
            single = f"CASE q.{ARM} {cases} END"
        both = [part for part in (single, listed) if part]
        return f"list_concat({', '.join(both)})" if len(both) > 1 else (both or ["NULL::BIGINT[]"])[0]

    def as_json(self) -> str:
        """The published form."""
        return json.dumps({"lists": self.lists, "ones": self.ones}, separators=(",", ":"))

    @classmethod
    def of_json(cls, text: str | None) -> Self:
        """Of the published form; without one, all are lists."""
        if text is None:
            return cls()
        held = json.loads(text)
        ones = tuple(
            {name: tuple((p, r) for p, r in marks) for name, marks in arm.items()} for arm in held["ones"]
        )
        return cls(None if held["lists"] is None else tuple(held["lists"]), ones)


@dataclass(frozen=True)
class Link:
    """Which rows of its inputs stand behind a table's rows, as a query that is run when somebody asks.

    Attributes:
        sql: A SELECT over tables named ``"schema"."table"``. Of a SQL model: the key and marks
            (``sql.links``). Of a table that Python computes: the key, and ``_row``, the ``rowid`` of one input row.
            Empty: every row of the input stands behind every row of the table.
        input: The input; empty for a SQL model, whose marks name it.
        role: Its role; empty where the column lineage says it (a DIRECT input gives the value or is a member of what is
            collected, an INDIRECT one decides).
        columns: The columns of the table that it speaks of; empty for all that have the input in their lineage.
        cells: Of a SQL model: what its marks name, table and column ("" is the row as a whole).
        chooses: An expression over the key that gives the input column that the row is about; empty: all of them.
        marks: Of a SQL model: where its marks stand.
    """

    sql: str
    input: str = ""
    role: str = ""
    columns: tuple[str, ...] = ()
    cells: tuple[tuple[str, str], ...] = ()
    chooses: str = ""
    marks: Marks | None = None


@dataclass(frozen=True)
class Column:
    """A column of a declared table: its name, what it means, and what follows from that.

    Attributes:
        name: Its name.
        description: What it means, in a sentence.
        type: DuckDB type; empty: as found.
        tags: What privacy rules know it as.
        constant: Why its values may come from no input: they are written in code, or in a file of the platform. Empty:
            they must come from one.
        inputs: The columns that its values come from, and those that decide which rows take part.
        written: How a number of it is printed (``reporting.recomputation.numbers.PRECISIONS``); empty: as it is kept.
        printed: Whether the report's table of the same rows repeats it.
    """

    name: str
    description: str
    type: str = ""
    tags: tuple[str, ...] = ()
    constant: str = ""
    inputs: tuple[ColumnInput, ...] = ()
    written: str = ""
    printed: bool = False


@dataclass(frozen=True)
class CheckOutcome:
    """The verdict of one check on one table.

    Attributes:
        name: Stable slug, unique within the table (letters, digits, underscore).
        passed: The verdict.
        blocking: Whether a failure stops everything downstream.
        severity: ``ERROR`` or ``WARN``.
        description: What is checked, one sentence.
        metadata: Counts and column names; never patient values.
        told: Said to whoever runs it, and kept in no record: it may name subjects.
    """

    name: str
    passed: bool
    blocking: bool = False
    severity: Literal["ERROR", "WARN"] = "WARN"
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    told: str = ""


@dataclass(frozen=True)
class CheckDeclaration:
    """A check that a table will report, known before anything runs."""

    name: str
    blocking: bool
    description: str

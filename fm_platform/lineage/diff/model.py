"""What a comparison of two snapshots says: conclusions that moved, reasons, tables, rows, cells.

Belongs here: frozen shapes. Does not belong here: finding any of it (``comparison`` and the modules beside it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fm_platform.lineage.snapshots import Snapshot

ReasonKind = Literal["source", "gate", "study", "code", "library", "family", "decision", "unexplained"]
Status = Literal["changed", "added", "removed"]


@dataclass(frozen=True)
class Reason:
    """Why something changed.

    Attributes:
        id: What rows and cells call it.
        kind: source: a delivered row; gate: a row or cell set aside, or no longer; study: a key of study.yaml; code:
            files of the asset's code version; library: a version; family: another member of a multiplicity family;
            decision: one that somebody took; unexplained: nothing that the ledger records differs.
        text: One line for people.
        facts: The same for programs.
        table: Where it acts first.
        columns: The columns of that table that it acts on; empty for all.
    """

    id: int
    kind: ReasonKind
    text: str
    facts: Mapping[str, Any]
    table: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """One changed value."""

    column: str
    old: Any
    new: Any
    reasons: tuple[int, ...] = ()


@dataclass(frozen=True)
class Row:
    """One changed row. Added and removed rows have all their cells."""

    key: Mapping[str, Any]
    status: Status
    cells: tuple[Cell, ...]
    reasons: tuple[int, ...]


@dataclass(frozen=True)
class Table:
    """One table whose values differ.

    Attributes:
        status: added or removed for a table that only one snapshot has.
        counts: Rows changed, added and removed.
        rows: The changed rows, as many as were asked for.
        columns: Columns that only one snapshot has.
        reasons: Of all changed rows together.
    """

    table: str
    status: Status
    counts: Mapping[str, int]
    rows: Sequence[Row] = ()
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reasons: tuple[int, ...] = ()


@dataclass(frozen=True)
class Conclusion:
    """Something that one would say otherwise now.

    Attributes:
        table: The table of results that holds it, whose values these are.
        text: What moved, in words.
        also_in: Other tables that hold the same claim.
    """

    table: str
    key: Mapping[str, Any]
    column: str
    old: Any
    new: Any
    text: str
    reasons: tuple[int, ...]
    also_in: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diff:
    """The whole comparison: what moved first, then why, then where."""

    a: Snapshot
    b: Snapshot
    synthetic: bool
    conclusions: Sequence[Conclusion]
    reasons: Sequence[Reason]
    tables: Sequence[Table]

"""The types of the catalog: an asset, what its builder is given, and what it hands back.

Belongs here: frozen shapes. Does not belong here: any particular asset, or running one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from fm_platform.catalog.memory import Memory
from fm_platform.instruments.model import Instrument
from fm_platform.lineage.graph import Node
from fm_platform.lineage.history import History
from fm_platform.sources.store import StoredFile
from fm_platform.study.model import Study
from fm_platform.warehouse.database import Remembered, Warehouse
from fm_platform.warehouse.ledger import RecordKind
from fm_platform.warehouse.names import identifier, quoted_table
from fm_platform.warehouse.records import (
    CheckDeclaration,
    CheckOutcome,
    Column,
    ColumnLineage,
    Link,
)
from fm_platform.warehouse.table import Table

if TYPE_CHECKING:  # what makes a table is told by its builder, and few builders read SQL
    from fm_platform.sql.model import SqlModel

Checks = Callable[[], Sequence[CheckOutcome]]


@dataclass(frozen=True)
class Delivered:
    """A delivered file as kept: its path below the study folder and its stored form."""

    source: str
    path: str
    stored: StoredFile


@dataclass(frozen=True)
class Step:
    """What a builder is given. ``memory`` lasts as long as the run."""

    study: Study
    instruments: tuple[Instrument, ...]
    warehouse: Warehouse
    history: History
    blocked: Mapping[str, str]
    progress: Callable[[str], None]
    keep: Callable[[str, Path], Delivered]
    memory: Memory = field(default_factory=Memory)

    def read(self, table: str) -> pl.DataFrame:
        """An input table."""
        return self.warehouse.read(table)

    def read_if_any(self, table: str) -> pl.DataFrame | None:
        """An input table, or None when a blocked half never made it."""
        return self.warehouse.read(table) if self.warehouse.exists(table) else None


@dataclass(frozen=True)
class Built:
    """What a builder hands back.

    Attributes:
        rows: A frame, or a SELECT over the attached work database.
        lineage: Column lineage where it is known only now (SQL models).
        links: The link where it is known only now (SQL models).
        checks: Run on the written table within its transaction.
        records: Ledger records that belong before the materialization.
        delivered: The files that were read.
        source_rows: Where raw rows came from: source, _row_id, file_sha256, path, line.
        files: For file assets: path relative to the home to content.
        metadata: Facts for the user interface; never patient values.
    """

    rows: pl.DataFrame | str | None = None
    lineage: ColumnLineage | None = None
    links: Sequence[Link] = ()
    checks: Checks = tuple
    records: Sequence[tuple[RecordKind, Mapping[str, Any]]] = ()
    delivered: Sequence[Delivered] = ()
    source_rows: pl.DataFrame | None = None
    files: Mapping[str, bytes] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RowsOf:
    """Which rows of an input stand behind a row of a table that Python computes.

    Attributes:
        input: The input.
        on: A condition over the row ``o`` of the table and the row ``i`` of the input; empty: every row of the input
            stands behind every row of the table.
        through: Further tables of FROM that the condition reads (``, "study"."visits" AS v``).
        role: The input's role where the column lineage does not say it: ``imputed from``, ``family``, ``design``.
        columns: The columns of the table that it speaks of; empty for all that have the input in their lineage.
        chooses: An expression over the table's key that gives the input column that a row is about.
    """

    input: str
    on: str = ""
    through: str = ""
    role: str = ""
    columns: tuple[str, ...] = ()
    chooses: str = ""

    def link(self, table: str, key: Sequence[str]) -> Link:
        """The link of a table with this key."""
        if not self.on:
            return Link("", self.input, self.role, self.columns, chooses=self.chooses)
        listed = ", ".join(f"o.{identifier(name)}" for name in key)
        sql = (
            f'SELECT DISTINCT {listed}, i.rowid AS "_row" FROM {quoted_table(table)} AS o, '
            f"{quoted_table(self.input)} AS i{self.through} WHERE {self.on}"
        )
        return Link(sql, self.input, self.role, self.columns, chooses=self.chooses)


@dataclass(frozen=True, kw_only=True)
class Asset(Node):
    """A node of the graph with all that is needed to show and to make it.

    ``remembered`` names what the table remembers of earlier deliveries, which its value digest leaves out.
    """

    description: str
    group: str
    kinds: tuple[str, ...]
    key: tuple[str, ...]
    columns: tuple[Column, ...] = ()
    lineage: ColumnLineage = field(default_factory=dict)
    rows: tuple[RowsOf, ...] = ()
    checks: tuple[CheckDeclaration, ...] = ()
    build: Callable[[Step], Built]
    model: SqlModel | None = None
    remembered: Remembered | None = None


def declared(table: Table, **attributes: Any) -> Asset:
    """The asset of a declared table; ``attributes`` are those that the declaration does not say."""
    return Asset(
        table=table.name,
        description=table.description,
        key=table.key,
        inputs=table.reads,
        columns=table.columns,
        lineage=table.lineage,
        **attributes,
    )


def columns(**descriptions: str) -> tuple[Column, ...]:
    """Columns with their meaning, in order."""
    return tuple(Column(name, text) for name, text in descriptions.items())


def constants(described: tuple[Column, ...], **sources: str) -> tuple[Column, ...]:
    """The same columns, some declared constant, with where their values come from instead of an input."""
    return tuple(replace(column, constant=sources.get(column.name, "")) for column in described)

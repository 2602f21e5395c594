"""``fm diff``: what changed between two snapshots, row by row and cell by cell, and why.

Belongs here: the order of a comparison, tables upstream first, and which reasons a cell keeps. Does not belong here:
SQL (``rows``), reading records (``records``), words (``reasons``).

A cell keeps those of its row's reasons that lead to it through columns that changed, by the column lineage that the
ledger records; an adjusted p-value also has the other members of its family whose p-values moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import duckdb

from fm_platform.errors import InputError
from fm_platform.lineage.diff import rows as diff_rows
from fm_platform.lineage.diff.conclusions import CONTRASTS, RESULTS, each_once, genes_moved_by_alpha
from fm_platform.lineage.diff.families import moved_families
from fm_platform.lineage.diff.links import RowPairs
from fm_platform.lineage.diff.listing import conclusions_of, rows_of
from fm_platform.lineage.diff.model import Cell, Conclusion, Diff, Row, Status, Table
from fm_platform.lineage.diff.reach import Reach
from fm_platform.lineage.diff.reasons import Reasons
from fm_platform.lineage.diff.records import Records, read_records
from fm_platform.lineage.diff.rows import Changed
from fm_platform.lineage.diff.sources import ROW_ID, SourceChange, changed_sources
from fm_platform.lineage.snapshots import Snapshot
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.snapshot import open_snapshots


def diff(home: Home, a: Snapshot, b: Snapshot, *, limit: int | None = None, only: str | None = None) -> Diff:
    """Compare two snapshots of a home.

    Args:
        home: The home.
        a: The one that is called old.
        b: The one that is called new.
        limit: The most rows that are listed of each table (default: all). Counts and conclusions are whole.
        only: List the rows of this table alone.

    Raises:
        InputError: Neither snapshot has a table of the name asked for.
        EnvironmentFailure: A snapshot cannot be opened.
    """
    if a.number == b.number:
        return Diff(a, b, False, (), (), ())
    with open_snapshots(a=home.path / a.file, b=home.path / b.file) as connection:
        records = read_records(connection)
        if only is not None and only not in records.tables:
            raise InputError(
                f"no table {only!r} in these snapshots", mend=f"there are: {', '.join(records.tables)}"
            )
        return _Comparison(connection, records, limit, only, Reach(records), RowPairs(connection)).result(
            a, b
        )


@dataclass
class _Comparison:
    """The state of one comparison."""

    connection: duckdb.DuckDBPyConnection
    records: Records
    limit: int | None
    only: str | None
    reach: Reach
    pairs: RowPairs
    reasons: Reasons = field(default_factory=Reasons)
    compared: dict[str, Changed] = field(default_factory=dict)
    sources: dict[str, list[tuple[int, SourceChange]]] = field(default_factory=dict)
    whole: list[Table] = field(default_factory=list)

    def result(self, a: Snapshot, b: Snapshot) -> Diff:
        self._sources()
        for index, table in enumerate(self.records.tables):
            if self.records.changed(table) and table not in self.sources:
                self._compare(table, index)
        conclusions = self._conclusions()
        tables = [
            *self._source_tables(),
            *(self._table(changed) for changed in self.compared.values()),
            *self.whole,
        ]
        found = self.connection.sql("SELECT data_origin FROM b.audit.publication").fetchone()
        return Diff(
            a,
            b,
            found is not None and found[0] == "synthetic",
            conclusions,
            self.reasons.known,
            [table for table in tables if sum(table.counts.values()) or table.columns],
        )

    # -- delivered rows -------------------------------------------------------------------------------------------

    def _sources(self) -> None:
        self.connection.execute("CREATE TEMP TABLE fm_events (source VARCHAR, id VARCHAR, reason INTEGER)")
        for change in changed_sources(self.connection, self.records):
            number = self.reasons.source(change)
            self.reach.begin(number, change.table, change.columns)
            gate = f"quarantine.{change.table.split('.', 1)[1]}"
            if change.text and self.records.changed(gate):
                self.reach.begin(number, gate)
            entry = self.sources.setdefault(change.table, [])
            if not change.text:
                entry.append((number, change))
            for row_id in change.ids:
                self.connection.execute(
                    "INSERT INTO fm_events VALUES (?, ?, ?)", [change.table, row_id, number]
                )
            if change.many and not change.text:
                self._many(change.table, number)

    def _many(self, table: str, number: int) -> None:
        for one, other in (("a", "b"), ("b", "a")):
            if table in self.records.made[one]:
                missing = (
                    f"ANTI JOIN {other}.{table} USING ({ROW_ID})" if table in self.records.made[other] else ""
                )
                self.connection.execute(
                    f"INSERT INTO fm_events SELECT ?, {ROW_ID}, ? FROM {one}.{table} {missing}",
                    [table, number],
                )

    def _source_tables(self) -> list[Table]:
        tables = []
        for table, changes in self.sources.items():
            counts: dict[str, int] = {}
            rows: list[Row] = []
            for number, change in changes:
                status = cast("Status", change.change)
                counts[status] = counts.get(status, 0) + (change.many or 1)
                if not change.many and self._listed(table, len(rows)):
                    place = change.places[1] or change.places[0] or ("", 0, "")
                    cells = tuple(Cell(column, old, new, (number,)) for column, old, new in change.cells)
                    rows.append(Row({"file": place[0], "line": place[1]}, status, cells, (number,)))
            tables.append(
                Table(table, "changed", counts, rows, reasons=tuple(number for number, _ in changes))
            )
        return tables

    # -- tables -----------------------------------------------------------------------------------------------------

    def _compare(self, table: str, index: int) -> None:
        records = self.records
        sides = [side for side in ("a", "b") if table in records.made[side]]
        if len(sides) == 1:
            status: Status = "added" if sides == ["b"] else "removed"
            self.whole.append(Table(table, status, {status: int(records.of(table).body["rows"])}))
            return
        changed = diff_rows.compare(self.connection, table, records.of(table).key, index)
        self.compared[table] = changed
        self.reach.extend(changed)
        relevant = self.reach.relevant(changed)
        local = self.reasons.local(records, table)
        for number in local:
            self.reach.begin(number, table, sorted(changed.columns))
        diff_rows.give_all(self.connection, changed, local)
        made = records.of(table)
        named = {entry[0] for entries in made.lineage.values() for entry in entries} or set(made.inputs)
        inputs = [n for n in made.inputs if n in named and (n in self.compared or n in self.sources)]
        self.pairs.make(table, changed.key, changed.rows, changed.pairs)
        for name in inputs:
            upstream = self.compared.get(name)
            diff_rows.inherit(self.connection, records, self.pairs, changed, upstream, name, relevant)
        families = self._families(changed)
        if diff_rows.without_reason(self.connection, changed):
            diff_rows.give_rest(self.connection, changed, self._rest(table, inputs, relevant))
        for number, rows in families:
            diff_rows.give(self.connection, changed, rows, number)

    def _rest(self, table: str, inputs: Sequence[str], relevant: Sequence[int]) -> set[int]:
        """What is left to explain rows that nothing has reached."""
        known = {number for name in inputs for number in self._reasons_of(name)}
        found = known & set(relevant) or known
        if not found:
            number = self.reasons.unexplained(table)
            self.reach.begin(number, table)
            found = {number}
        return found

    def _reasons_of(self, table: str) -> list[int]:
        if table in self.sources:
            return [number for number, _ in self.sources[table]]
        return diff_rows.reasons_of(self.connection, self.compared[table])

    def _families(self, changed: Changed) -> list[tuple[int, list[int]]]:
        """Rows whose adjusted p-value has other members in its family whose own p-value moved.

        Rows in which nothing else changed have their reason at once; the rest is for later.
        """
        later = []
        for family in moved_families(self.connection, changed):
            number = self.reasons.family(changed.table, family.group, family.members, family.adjusted)
            self.reach.begin(number, changed.table, family.adjusted)
            diff_rows.give(self.connection, changed, family.alone, number)
            later.append((number, sorted(set(family.rows) - set(family.alone))))
        return later

    # -- the result -------------------------------------------------------------------------------------------------

    def _conclusions(self) -> list[Conclusion]:
        both = all({CONTRASTS, RESULTS} <= set(self.records.made[side]) for side in ("a", "b"))
        found = [
            entry
            for changed in self.compared.values()
            for entry in conclusions_of(self.connection, changed, both, self.reach.kept)
        ]
        return each_once([*found, *(self._moved_by_alpha() if both else ())])

    def _moved_by_alpha(self) -> Iterator[Conclusion]:
        if "alpha" in getattr(self.compared.get(CONTRASTS), "columns", ()):
            why = tuple(self._reasons_of(CONTRASTS))
            for contrast, gene, padj, text in genes_moved_by_alpha(self.connection):
                key = {"contrast": contrast, "gene_id": gene}
                yield Conclusion(RESULTS, key, "padj", padj, padj, text, why)

    def _listed(self, table: str, so_far: int) -> bool:
        return (self.only is None or self.only == table) and (self.limit is None or so_far < self.limit)

    def _table(self, changed: Changed) -> Table:
        rows = (
            rows_of(self.connection, changed, self.limit, self.reach.kept)
            if self._listed(changed.table, 0)
            else []
        )
        reasons = tuple(diff_rows.reasons_of(self.connection, changed))
        return Table(changed.table, "changed", dict(changed.counts), rows, dict(changed.only), reasons)

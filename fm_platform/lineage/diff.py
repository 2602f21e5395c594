"""``fm diff``: what changed between two snapshots, row by row and cell by cell, and why.

Belongs here: the order of a comparison, tables upstream first, and which reasons a cell keeps. Does not belong here:
SQL (``diff_rows``), reading records (``diff_records``), words (``diff_reasons``).

A cell keeps those of its row's reasons that lead to it through columns that changed, by the column lineage that the
ledger records; an adjusted p-value also has the other members of its family whose p-values moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import duckdb

from fm_platform.errors import InputError
from fm_platform.lineage import diff_conclusions, diff_rows
from fm_platform.lineage.diff_conclusions import ADJUSTED, RAW_P
from fm_platform.lineage.diff_model import Cell, Conclusion, Diff, Row, Status, Table
from fm_platform.lineage.diff_reasons import Reasons
from fm_platform.lineage.diff_records import Records, read_records
from fm_platform.lineage.diff_rows import Changed
from fm_platform.lineage.diff_sources import ROW_ID, SourceChange, changed_sources
from fm_platform.lineage.snapshots import Snapshot
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.names import identifier
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
        return _Comparison(connection, records, limit, only).result(a, b)


@dataclass
class _Comparison:
    """The state of one comparison."""

    connection: duckdb.DuckDBPyConnection
    records: Records
    limit: int | None
    only: str | None
    reasons: Reasons = field(default_factory=Reasons)
    compared: dict[str, Changed] = field(default_factory=dict)
    sources: dict[str, list[tuple[int, SourceChange]]] = field(default_factory=dict)
    whole: list[Table] = field(default_factory=list)

    def result(self, a: Snapshot, b: Snapshot) -> Diff:
        self._sources()
        for index, table in enumerate(self.records.tables):
            if self.records.changed(table) and table not in self.sources:
                self._compare(table, index)
        self._reach = {number: self._reached(number) for number in self.reasons.roots}
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
        changed = diff_rows.compare(self.connection, records, table, index)
        self.compared[table] = changed
        diff_rows.give_all(self.connection, changed, self.reasons.local(records, table))
        inputs = [name for name in records.of(table).inputs if name in self.compared or name in self.sources]
        for name in inputs:
            diff_rows.inherit(self.connection, records.of(table), changed, self.compared.get(name), name)
        self._families(changed)
        if diff_rows.without_reason(self.connection, changed):
            rest = {number for name in inputs for number in self._reasons_of(name)}
            diff_rows.give_rest(self.connection, changed, rest or {self.reasons.unexplained(table)})

    def _reasons_of(self, table: str) -> list[int]:
        if table in self.sources:
            return [number for number, _ in self.sources[table]]
        return diff_rows.reasons_of(self.connection, self.compared[table])

    def _families(self, changed: Changed) -> None:
        """Rows whose adjusted p-value has other members in its family whose own p-value moved."""
        group = next((name for name in ("family", "contrast") if name in changed.shared), None)
        raw = next((name for name in RAW_P if name in changed.shared), None)
        adjusted = tuple(name for name in ADJUSTED if name in changed.columns)
        if group is None or raw is None or not adjusted or changed.table.startswith("report."):
            return
        by, p = identifier(group), identifier(raw)
        changed_adjusted = f"list_has_any(changed, {list(adjusted)})"
        key = ", ".join(
            f"coalesce(old.{identifier(k)}, new.{identifier(k)}) AS {identifier(k)}" for k in changed.key
        )
        members = self.connection.sql(
            f"SELECT n, coalesce(new.{by}, old.{by}) AS fm_group, old.{p} AS fm_old, new.{p} AS fm_new, {key} "
            f"FROM {changed.rows} WHERE old.{p} IS DISTINCT FROM new.{p} AND fm_group IS NOT NULL "
            f"AND coalesce({' , '.join(f'new.{identifier(a)}, old.{identifier(a)}' for a in adjusted)}) IS NOT NULL "
            "ORDER BY n"
        ).pl()
        for name in members["fm_group"].unique(maintain_order=True).to_list():
            moved = members.filter(members["fm_group"] == name)
            listed = [
                {"key": {k: row[k] for k in changed.key}, "old": row["fm_old"], "new": row["fm_new"]}
                for row in moved.to_dicts()
            ]
            number = self.reasons.family(changed.table, {group: name}, listed, adjusted)
            alone = f"AND n <> {int(moved['n'][0])}" if moved.height == 1 else ""
            self.connection.execute(
                f"INSERT INTO {changed.why} SELECT n, {number} FROM {changed.rows} "
                f"WHERE coalesce(new.{by}, old.{by}) = ? AND {changed_adjusted} {alone}",
                [name],
            )

    # -- what a reason leads to -----------------------------------------------------------------------------------

    def _reached(self, number: int) -> set[tuple[str, str]]:
        """Every changed column that a reason leads to, by column lineage."""
        reached: set[tuple[str, str]] = set()
        for table, columns in self.reasons.roots[number]:
            own = self.compared[table].columns if table in self.compared else self._columns(table)
            reached |= {(table, column) for column in columns or own}
            if table in self.sources:
                reached.add((table, ROW_ID))
                quarantine = f"quarantine.{table.split('.', 1)[1]}"
                if quarantine in self.compared and any(
                    r.id == number and r.kind == "gate" for r in self.reasons.known
                ):
                    reached |= {(quarantine, column) for column in self._columns(quarantine)}
        for table, changed in self.compared.items():
            for column, inputs in self.records.of(table).lineage.items():
                if column in changed.columns and any((entry[0], entry[1]) in reached for entry in inputs):
                    reached.add((table, column))
        return reached

    def _columns(self, table: str) -> list[str]:
        return [name for name, _ in self.records.of(table).body["columns"]]

    def _kept(self, table: str, column: str, reasons: Sequence[int]) -> tuple[int, ...]:
        return tuple(number for number in reasons if (table, column) in self._reach[number]) or tuple(reasons)

    # -- the result -------------------------------------------------------------------------------------------------

    def _conclusions(self) -> list[Conclusion]:
        found = []
        both = all("expression.contrasts" in self.records.made[side] for side in ("a", "b"))
        for table in diff_conclusions.in_order(list(self.compared)):
            changed = self.compared[table]
            moved = diff_conclusions.moved(self.connection, changed, both)
            rows = (
                {row["n"]: row for row in self._fetch(changed, [entry.n for entry in moved])} if moved else {}
            )
            for entry in moved:
                row = rows[entry.n]
                reasons = self._kept(table, entry.column, row["reasons"])
                old, new = ((row[side] or {}).get(entry.column) for side in ("old", "new"))
                found.append(
                    Conclusion(table, _key(changed, row), entry.column, old, new, entry.text, reasons)
                )
        return found

    def _listed(self, table: str, so_far: int) -> bool:
        return (self.only is None or self.only == table) and (self.limit is None or so_far < self.limit)

    def _table(self, changed: Changed) -> Table:
        rows = (
            [self._row(changed, row) for row in self._fetch(changed)]
            if self._listed(changed.table, 0)
            else []
        )
        reasons = tuple(diff_rows.reasons_of(self.connection, changed))
        return Table(changed.table, "changed", dict(changed.counts), rows, dict(changed.only), reasons)

    def _fetch(self, changed: Changed, chosen: Sequence[int] | None = None) -> list[dict[str, Any]]:
        limit = f"LIMIT {int(self.limit)}" if self.limit is not None and chosen is None else ""
        among = f"WHERE n IN (SELECT unnest({[int(n) for n in chosen]}))" if chosen is not None else ""
        return (
            self.connection.sql(
                "SELECT n, status, changed, old, new, coalesce(reasons, []) AS reasons FROM "
                f"(SELECT * FROM {changed.rows} {among} ORDER BY n {limit}) LEFT JOIN "
                f"(SELECT n, list_sort(list_distinct(list(reason))) AS reasons FROM {changed.why} GROUP BY n) "
                "USING (n) ORDER BY n"
            )
            .pl()
            .to_dicts()
        )

    def _row(self, changed: Changed, row: Mapping[str, Any]) -> Row:
        shown = (
            row["changed"]
            if row["status"] == "changed"
            else [c for c in changed.shared if not c.startswith("_")]
        )
        cells = tuple(
            Cell(
                column,
                row["old"][column] if row["status"] != "added" else None,
                row["new"][column] if row["status"] != "removed" else None,
                self._kept(changed.table, column, row["reasons"]),
            )
            for column in shown
            if column not in changed.key
        )
        reasons = tuple(sorted({number for cell in cells for number in cell.reasons} or set(row["reasons"])))
        return Row(_key(changed, row), row["status"], cells, reasons)


def _key(changed: Changed, row: Mapping[str, Any]) -> dict[str, Any]:
    side = row["old"] if row["status"] == "removed" else row["new"]
    return {name: side[name] for name in changed.key}

"""A trial: everything that rests on delivered rows made again without them, and compared with what is published.

Belongs here: which assets are made, in what order, and what came out otherwise. Does not belong here: the changed
delivered tables (``imagined``), what links say (``lineage.impact``), printing.

Links say what can change; a trial says what does. It is made in memory on copies, and nothing is written. An asset is
made when one of its inputs came out otherwise, so that it ends where values stay equal, and its table is compared cell
by cell by key. Not made are assets that read delivered files, that write files, and tables that remember earlier
deliveries: what they would say next depends on what was there before. Checks are not asked, so a refresh may be
blocked where a trial is not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from fm_platform.catalog.asset import Asset, Step
from fm_platform.catalog.graph import Catalog
from fm_platform.catalog.remaking import build_quietly, scratch_step
from fm_platform.catalog.trial.imagined import with_values, without_rows
from fm_platform.errors import FmError, InputError
from fm_platform.lineage.diff.conclusions import CONTRASTS, each_once
from fm_platform.lineage.diff.listing import conclusions_of, rows_of
from fm_platform.lineage.diff.model import Conclusion, Row
from fm_platform.lineage.diff.rows import Changed, compare
from fm_platform.lineage.history import History, fold
from fm_platform.lineage.impact.origin import Origin
from fm_platform.lineage.impact.reached import NUMERIC, REPORT
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.scratch import Scratch, open_scratch

WRITES_FILES = ("files.", "publish.")
SIDES = ("source", "fm")
CONTRAST = "contrast"


@dataclass(frozen=True)
class TriedTable:
    """One table that comes out otherwise.

    Attributes:
        changed: Rows of an old key with another value.
        removed: Rows that go.
        added: Rows that come.
        cells: Other values in the changed rows.
        numbers: Numeric ones among them.
        rows: The first of all these rows, in key order.
    """

    table: str
    changed: int
    removed: int
    added: int
    cells: int
    numbers: int
    rows: Sequence[Row]


@dataclass(frozen=True)
class Trial:
    """What a delivery without the rows, or with the corrected one, would change.

    Attributes:
        values: The corrected cells; empty where the rows are absent.
        conclusions: What one would say otherwise.
        tables: What comes out otherwise, upstream first.
        made: The tables that were made again.
        equal: Those of them that came out as they are published.
        refused: Tables that cannot be made then, and why.
        left_out: What rests on changed tables and was not made.
    """

    values: Mapping[str, str]
    conclusions: Sequence[Conclusion]
    tables: Sequence[TriedTable]
    made: Sequence[str]
    equal: Sequence[str]
    refused: Mapping[str, str]
    left_out: Sequence[str]

    @property
    def report_numbers(self) -> int:
        """Numeric cells of report tables that are others."""
        return sum(table.numbers for table in self.tables if table.table.startswith(REPORT))


def try_out(
    catalog: Catalog,
    home: Home,
    origin: Origin,
    *,
    values: Mapping[str, str] | None = None,
    reached: Collection[str] | None = None,
    limit: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Trial:
    """Make everything again that rests on delivered rows, as if they were absent or corrected.

    Args:
        catalog: The study.
        home: Its home; the published tables are read, nothing is written.
        origin: The delivered rows, with the samples that vanish with them.
        values: Column as delivered to another text, for rows of one line; without it the rows are absent.
        reached: The tables that links reach from the rows; a contrast without any of the samples is not fitted again.
        limit: The most rows that are listed of each table (default: all).
        progress: Told of each asset that is made.

    Raises:
        InputError: Nothing is published, a table was published with other code or another study.yaml, or the line has
            no such column.
    """
    with open_scratch(home) as scratch:
        scratch.show_published()
        raw = with_values(scratch, origin, values) if values else without_rows(scratch, origin)
        bench = _Bench(catalog, scratch, fold(scratch.records()), progress)
        bench.require_as_published(raw)
        for table, rows in raw.items():
            bench.put(table, catalog.assets[table].key, rows)
        bench.run(None if values else reached)
        return Trial(
            values or {},
            bench.conclusions(),
            [bench.listed(changed, limit) for changed in bench.changed.values()],
            bench.made,
            [table for table in bench.made if table not in bench.changed],
            bench.refused,
            bench.left_out,
        )


@dataclass
class _Bench:
    """The state of one trial."""

    catalog: Catalog
    scratch: Scratch
    history: History
    progress: Callable[[str], None]
    changed: dict[str, Changed] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def put(self, table: str, key: tuple[str, ...], rows: pl.DataFrame | str) -> None:
        """Put a table in its place, and remember it where it is another than the published one."""
        self.scratch.make(table, rows)
        number = len(self.changed)
        found = compare(self.scratch.connection, table, key, number, SIDES)
        if found.counts:
            self.changed[table] = found

    def run(self, reached: Collection[str] | None) -> None:
        """Make what rests on changed tables, upstream first."""
        step = scratch_step(self.catalog, self.scratch, self.history)
        for asset in self.catalog.in_order():
            inputs = set(asset.inputs)
            if inputs.isdisjoint({*self.changed, *self.refused, *self.left_out}):
                continue
            if reached is not None and CONTRAST in asset.key and asset.table not in reached:
                continue
            if not self._is_made(asset):
                if asset.table not in self.changed:
                    self.left_out.append(asset.table)
            elif without := next((table for table in asset.inputs if table in self.refused), None):
                self.refused[asset.table] = f"rests on {without}"
            elif not inputs.isdisjoint(self.changed):
                self._make(asset, step)

    def _is_made(self, asset: Asset) -> bool:
        return not (
            asset.source_files
            or asset.remembered
            or asset.table.startswith(WRITES_FILES)
            or not self.scratch.has(asset.table)
        )

    def _make(self, asset: Asset, step: Step) -> None:
        self.progress(f"making {asset.table} again")
        self.made.append(asset.table)
        try:
            built = build_quietly(asset, step)
            assert built.rows is not None
            self.put(asset.table, asset.key, built.rows)
        except FmError as error:
            self.refused[asset.table] = error.message

    def require_as_published(self, delivered: Iterable[str]) -> None:
        """Refuse where what rests on delivered tables was made with other code, study.yaml or inputs.

        It would differ for reasons of its own.
        """
        downstream = set(delivered)
        for asset in self.catalog.in_order():
            if downstream.isdisjoint(asset.inputs) or not self._is_made(asset):
                continue
            downstream.add(asset.table)
            if not self._is_current(asset):
                raise InputError(
                    f"{asset.table} is published with other code, study.yaml or inputs than there are now",
                    mend="run `fm refresh`, then ask again (`fm status` says what is stale)",
                )

    def _is_current(self, asset: Asset) -> bool:
        materialized = self.history.materialized
        parts = materialized[asset.table].body["parts"]
        inputs = {table: materialized[table].value_digest for table in asset.inputs if table in materialized}
        return bool(
            parts["code"] == asset.code_version
            and parts["study"] == self.catalog.study_digests[asset.study_keys]
            and all(parts["inputs"].get(table) == digest for table, digest in inputs.items())
        )

    # -- what came out --------------------------------------------------------------------------------------------

    def conclusions(self) -> list[Conclusion]:
        """What one would say otherwise, primary results first."""
        both = self.scratch.has(CONTRASTS)
        return each_once(
            entry
            for changed in self.changed.values()
            for entry in conclusions_of(self.scratch.connection, changed, both, _no_reasons)
        )

    def listed(self, changed: Changed, limit: int | None) -> TriedTable:
        """A changed table with its first rows."""
        connection = self.scratch.connection
        schema = self.scratch.schema(changed.table)
        numeric = [name for name, kind in schema.items() if kind.startswith(NUMERIC)]
        found = connection.sql(
            "SELECT coalesce(sum(len(changed)), 0)::BIGINT, "
            f"coalesce(sum(len(list_intersect(changed, {numeric}::VARCHAR[]))), 0)::BIGINT "
            f"FROM {changed.rows} WHERE status = 'changed'"
        ).fetchone()
        assert found is not None
        return TriedTable(
            table=changed.table,
            changed=changed.counts.get("changed", 0),
            removed=changed.counts.get("removed", 0),
            added=changed.counts.get("added", 0),
            cells=found[0],
            numbers=found[1],
            rows=rows_of(connection, changed, limit, _no_reasons),
        )


def _no_reasons(_table: str, _column: str, _reasons: Iterable[int]) -> tuple[int, ...]:
    """The reason is the trial itself."""
    return ()

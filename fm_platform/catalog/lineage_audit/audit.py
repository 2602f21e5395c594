"""The audit of a study's declared lineage, within a budget of seconds.

Belongs here: which assets are audited, in what order, and the summary. Does not belong here: a trial (``bench``) or its
meaning (``columns``).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from fm_platform.catalog.asset import Asset
from fm_platform.catalog.graph import Catalog
from fm_platform.catalog.lineage_audit.bench import Bench, set_up
from fm_platform.catalog.lineage_audit.columns import ColumnJudge, Undeclared, Unseen
from fm_platform.lineage.history import fold
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.scratch import Scratch, open_scratch

NOT_AUDITED = ("raw.", "study.", "files.", "publish.")


@dataclass(frozen=True)
class Effort:
    """How much is tried.

    Attributes:
        seconds: All trials end after this time; None: when all are done.
        rows: Single rows changed, of each input column.
        genes: Genes that are drawn where an asset over all of them is slow.
        seed: Equal seeds draw equal rows and genes.
    """

    seconds: float | None = None
    rows: int = 2
    genes: int = 150
    seed: int = 1


@dataclass(frozen=True)
class AuditedTable:
    """What the audit did with one asset.

    Attributes:
        table: Its table.
        columns: Input columns changed, of how many.
        of: How many there are.
        trials: How often it was made.
        refused: How often it refused the change with an error.
        cut_to: How many genes it was made from; None: all.
        unsteady: Columns that are not the same when it is made twice, and were left out.
    """

    table: str
    columns: int
    of: int
    trials: int
    refused: int
    cut_to: int | None
    unsteady: tuple[str, ...]


@dataclass(frozen=True)
class LineageAudit:
    """What the audit found."""

    tables: tuple[AuditedTable, ...]
    undeclared: tuple[Undeclared, ...]
    unseen: tuple[Unseen, ...]
    not_audited: tuple[str, ...]
    seconds: float
    seed: int

    @property
    def complete(self) -> bool:
        """Whether every input column was changed."""
        return all(table.columns == table.of for table in self.tables)


def audit_lineage(
    catalog: Catalog,
    home: Home,
    effort: Effort,
    *,
    tables: Collection[str] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> LineageAudit:
    """Change every input column of every asset and compare what depends on it with what is declared.

    Assets that read delivered files are left out, as are those that write files. With a budget, each asset gets an
    equal share of the time that is left; the order of assets and of input columns is drawn.

    Args:
        catalog: The study.
        home: Its home; the published tables are read, nothing is written.
        effort: How much is tried.
        tables: The assets to audit (default: all).
        progress: Told of each asset.

    Raises:
        InputError: Nothing is published yet.
    """
    began = time.monotonic()
    chosen = [asset for asset in catalog.in_order() if tables is None or asset.table in tables]
    audited: list[AuditedTable] = []
    undeclared: list[Undeclared] = []
    unseen: list[Unseen] = []
    with open_scratch(home) as scratch:
        history = fold(scratch.records())
        wanted = [asset for asset in chosen if _is_audited(asset, scratch)]
        order = list(wanted)
        if effort.seconds is not None:
            random.Random(effort.seed).shuffle(order)
        for number, asset in enumerate(order):
            share = None
            if effort.seconds is not None:
                share = (effort.seconds - (time.monotonic() - began)) / (len(order) - number)
            bench = set_up(catalog, asset, scratch, history, effort.genes, f"{effort.seed} {asset.table}")
            done, judge = _audit(bench, catalog, effort, share)
            bench.close()
            audited.append(done)
            undeclared += judge.undeclared
            unseen += judge.unseen
            progress(
                f"[{number + 1:>3}/{len(order)}] {done.table}: {done.columns} of {done.of} input columns, "
                f"{done.trials} trials, {len(judge.undeclared)} undeclared effects"
            )
    names = {asset.table for asset in wanted}
    left = tuple(asset.table for asset in chosen if asset.table not in names)
    seconds = time.monotonic() - began
    return LineageAudit(
        tuple(sorted(audited, key=lambda table: table.table)),
        tuple(sorted(undeclared)),
        tuple(sorted(unseen)),
        left,
        seconds,
        effort.seed,
    )


def _is_audited(asset: Asset, scratch: Scratch) -> bool:
    return not (asset.table.startswith(NOT_AUDITED) or asset.source_files) and scratch.has(asset.table)


def _audit(
    bench: Bench, catalog: Catalog, effort: Effort, share: float | None
) -> tuple[AuditedTable, ColumnJudge]:
    """The trials of one asset, as far as its share of the time goes."""
    asset = bench.asset
    until = None if share is None else time.monotonic() + share
    seed = f"{effort.seed} {asset.table}"
    judge = ColumnJudge(asset.table, asset.key, bench.lineage, asset.columns)
    subjects = [(table, column) for table in bench.inputs for column in (*bench.columns_of(table), None)]
    random.Random(seed).shuffle(subjects)
    count = refused = 0
    changed: set[tuple[str, str]] = set()
    for table, column in subjects:
        if until is not None and time.monotonic() > until:
            break
        own = f"{seed} {table}"
        trials = (
            bench.row_trials(table, effort.rows, own)
            if column is None
            else bench.column_trials(table, column, effort.rows, own)
        )
        for trial in trials:
            count += 1
            refused += trial.effect is None
            judge.see(trial, catalog.assets[table].key, bench.unsteady)
        if column is not None:
            changed.add((table, column))
    of = sum(column is not None for _, column in subjects)
    unsteady = tuple(sorted(bench.unsteady))
    return AuditedTable(asset.table, len(changed), of, count, refused, bench.cut_to, unsteady), judge

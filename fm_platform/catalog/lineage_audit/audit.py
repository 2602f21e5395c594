"""The audit of a study's declared lineage: of every input column, or of a sample of them.

Belongs here: which assets and columns are audited, and the summary. Does not belong here: a trial (``bench``) or its
meaning (``columns``).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import chain

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
        sample: Input columns changed, of each asset; None: all.
        rows: Single rows changed, of each input column.
        genes: Genes that an asset is made from where its inputs hold more.
        seed: Equal seeds draw equal columns, rows and genes.
    """

    sample: int | None = None
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

    Assets that read delivered files are left out, as are those that write files.

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
        for number, asset in enumerate(wanted):
            bench = set_up(catalog, asset, scratch, history, effort.genes, f"{effort.seed} {asset.table}")
            done, judge = _audit(bench, catalog, effort)
            bench.close()
            audited.append(done)
            undeclared += judge.undeclared
            unseen += judge.unseen
            progress(
                f"[{number + 1:>3}/{len(wanted)}] {done.table}: {done.columns} of {done.of} input columns, "
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


def _audit(bench: Bench, catalog: Catalog, effort: Effort) -> tuple[AuditedTable, ColumnJudge]:
    """The trials of one asset: of the input columns drawn, and of rows of the tables that hold them."""
    asset = bench.asset
    seed = f"{effort.seed} {asset.table}"
    judge = ColumnJudge(asset.table, asset.key, bench.lineage, asset.columns)
    columns = [(table, column) for table in bench.inputs for column in bench.columns_of(table)]
    drawn = _drawn(columns, effort.sample, seed)
    count = refused = 0
    for table in dict.fromkeys(table for table, _ in drawn):
        own, key = f"{seed} {table}", catalog.assets[table].key
        trials = [
            bench.column_trials(table, column, effort.rows, own) for other, column in drawn if other == table
        ]
        for trial in chain(*trials, bench.row_trials(table, effort.rows, own)):
            count += 1
            refused += trial.effect is None
            judge.see(trial, key, bench.unsteady)
    unsteady = tuple(sorted(bench.unsteady))
    done = AuditedTable(asset.table, len(drawn), len(columns), count, refused, bench.cut_to, unsteady)
    return done, judge


def _drawn(columns: Sequence[tuple[str, str]], sample: int | None, seed: str) -> Sequence[tuple[str, str]]:
    """So many of the input columns, drawn; all of them where there are no more, or no sample is asked for."""
    if sample is None or len(columns) <= sample:
        return columns
    return random.Random(seed).sample(columns, sample)

"""The audit of a study's declared lineage: of every input column, or of a sample of them.

Belongs here: which assets and input columns are audited, and the summary. Does not belong here: a trial (``bench``)
or its meaning (``columns``).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fm_platform.catalog.asset import Asset
from fm_platform.catalog.graph import Catalog
from fm_platform.catalog.lineage_audit.bench import Bench, Trial, set_up
from fm_platform.catalog.lineage_audit.columns import ColumnJudge, Undeclared, Unseen
from fm_platform.lineage.history import fold
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.scratch import Scratch, open_scratch

InputColumn = tuple[str, str]
"""An input's table, and a column of it."""

NOT_AUDITED = ("raw.", "study.", "files.", "publish.")


@dataclass(frozen=True)
class Effort:
    """How much is tried.

    Attributes:
        sample: Input columns changed, of those of all assets; None: all.
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
        of = {asset.table: _input_columns(asset, scratch) for asset in wanted}
        drawn = _drawn(of, effort)
        audited += [_untried(asset, of) for asset in wanted if not drawn[asset.table]]
        tried = [asset for asset in wanted if drawn[asset.table]]
        for number, asset in enumerate(tried):
            bench = set_up(catalog, asset, scratch, history, effort.genes, f"{effort.seed} {asset.table}")
            done, judge = _audit(bench, catalog, effort, drawn[asset.table], len(of[asset.table]))
            bench.close()
            audited.append(done)
            undeclared += judge.undeclared
            unseen += judge.unseen
            progress(
                f"[{number + 1:>3}/{len(tried)}] {done.table}: {done.columns} of {done.of} input columns, "
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


def _untried(asset: Asset, of: Mapping[str, Sequence[InputColumn]]) -> AuditedTable:
    return AuditedTable(asset.table, 0, len(of[asset.table]), 0, 0, None, ())


def _input_columns(asset: Asset, scratch: Scratch) -> list[InputColumn]:
    return [
        (table, column)
        for table in asset.inputs
        if scratch.has(table)
        for column in scratch.columns_published(table)
        if column[0] != "_"
    ]


def _drawn(of: Mapping[str, Sequence[InputColumn]], effort: Effort) -> dict[str, list[InputColumn]]:
    """The input columns to change, by asset: all of them, or a sample over all assets."""
    every = [(table, column) for table, columns in of.items() for column in columns]
    if effort.sample is not None and effort.sample < len(every):
        every = random.Random(effort.seed).sample(every, effort.sample)
    return {table: [column for other, column in every if other == table] for table in of}


def _trials(bench: Bench, effort: Effort, drawn: Sequence[InputColumn]) -> Iterator[Trial]:
    """Each of the input columns changed, and rows taken away from the tables that hold them."""
    seed = f"{effort.seed} {bench.asset.table}"
    for table in dict.fromkeys(table for table, _ in drawn):
        for other, column in drawn:
            if other == table:
                yield from bench.column_trials(table, column, effort.rows, f"{seed} {table}")
        yield from bench.row_trials(table, effort.rows, f"{seed} {table}")


def _audit(
    bench: Bench, catalog: Catalog, effort: Effort, drawn: Sequence[InputColumn], of: int
) -> tuple[AuditedTable, ColumnJudge]:
    """The trials of one asset and what they say."""
    asset = bench.asset
    judge = ColumnJudge(asset.table, asset.key, bench.lineage, asset.columns)
    count = refused = 0
    for trial in _trials(bench, effort, drawn):
        count += 1
        refused += trial.effect is None
        judge.see(trial, catalog.assets[trial.table].key, bench.unsteady)
    unsteady = tuple(sorted(bench.unsteady))
    return AuditedTable(asset.table, len(drawn), of, count, refused, bench.cut_to, unsteady), judge

"""One asset made again and again on a scratch database, with one input changed each time.

Belongs here: setting up its inputs, computing it, and the trials: what was changed and what came out. Does not belong
here: what a trial says about declared lineage (``columns``).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step
from fm_platform.catalog.graph import Catalog
from fm_platform.catalog.lineage_audit.comparison import Difference, difference, own_columns
from fm_platform.catalog.lineage_audit.perturbation import Change, changes_of_column, changes_of_rows
from fm_platform.catalog.remaking import build_quietly, scratch_step
from fm_platform.lineage.history import History
from fm_platform.warehouse.records import ColumnLineage
from fm_platform.warehouse.scratch import Scratch

GENE = "gene_id"


@dataclass(frozen=True, eq=False)
class Trial:
    """What became of an asset when one input was changed.

    Attributes:
        table: The input.
        change: What was changed in it, with the changed rows' places.
        before: The input's rows as they were.
        effect: How the asset's table differs; None where the change was refused with an error.
    """

    table: str
    change: Change
    before: pl.DataFrame
    effect: Difference | None


class Bench:
    """An asset with unchanged copies of its inputs, ready for trials. Made by :func:`set_up`."""

    def __init__(
        self,
        asset: Asset,
        keys: dict[str, tuple[str, ...]],
        step: Step,
        scratch: Scratch,
        inputs: dict[str, pl.DataFrame],
    ) -> None:
        self.asset = asset
        self.inputs = inputs
        self.cut_to: int | None = None
        self._keys = keys
        self._step = step
        self._scratch = scratch
        for table, rows in inputs.items():
            scratch.put(table, rows)
        self._built = self._build()
        self.unchanged = self._rows(self._built)
        again = difference(self.unchanged, self._rows(self._build()), asset.key)
        self.unsteady = again.at_keys | again.in_all

    @property
    def lineage(self) -> ColumnLineage:
        """The column lineage that the ledger would record."""
        return self._built.lineage if self._built.lineage is not None else self.asset.lineage

    def columns_of(self, table: str) -> list[str]:
        """The columns of an input, but for the platform's own."""
        return [name for name in self.inputs[table].columns if name[0] != "_"]

    def column_trials(self, table: str, column: str, samples: int, seed: str) -> Iterator[Trial]:
        """Trials of one column of an input; each computes the asset once."""
        key = self._keys[table]
        yield from self._trials(table, changes_of_column(self.inputs[table], key, column, samples, seed))

    def row_trials(self, table: str, samples: int, seed: str) -> Iterator[Trial]:
        """Trials that take rows of an input away."""
        yield from self._trials(table, changes_of_rows(self.inputs[table], samples, seed))

    def _trials(self, table: str, changes: Iterator[Change]) -> Iterator[Trial]:
        before = self.inputs[table]
        try:
            for change in changes:
                self._scratch.put(table, change.rows)
                yield Trial(table, change, before, self._effect())
        finally:
            self._scratch.put(table, before)

    def _effect(self) -> Difference | None:
        try:
            built = self._built if self.asset.model is not None else self._build()
            after = self._rows(built)
        except Exception:  # noqa: BLE001 - an asset may refuse what no gate has seen in any way it likes
            return None
        return difference(self.unchanged, after, self.asset.key)

    def _build(self) -> Built:
        return build_quietly(self.asset, self._step)

    def _rows(self, built: Built) -> pl.DataFrame:
        assert built.rows is not None
        rows = built.rows if isinstance(built.rows, pl.DataFrame) else self._scratch.query(built.rows)
        found = own_columns(rows)
        if hasattr(self, "unchanged"):
            found = found.cast(self.unchanged.schema, strict=False)
        return found

    def close(self) -> None:
        """Take the inputs away again."""
        for table in self.inputs:
            self._scratch.drop(table)


def set_up(
    catalog: Catalog, asset: Asset, scratch: Scratch, history: History, genes: int, seed: str
) -> Bench:
    """A bench for an asset.

    Where its inputs hold more than ``genes`` genes, so many of them are drawn, the same in every input, and the asset
    is made from these.

    Raises:
        FmError: The asset cannot be made from the published tables.
    """
    step = scratch_step(catalog, scratch, history)
    inputs = {table: scratch.published(table) for table in asset.inputs if scratch.has(table)}
    keys = {table: catalog.assets[table].key for table in inputs}
    drawn = _drawn(inputs, genes, seed)
    if drawn is None:
        return Bench(asset, keys, step, scratch, inputs)
    fewer = {
        table: rows.filter(pl.col(GENE).is_in(drawn)) if GENE in rows.columns else rows
        for table, rows in inputs.items()
    }
    bench = Bench(asset, keys, step, scratch, fewer)
    bench.cut_to = len(drawn)
    return bench


def _drawn(inputs: dict[str, pl.DataFrame], genes: int, seed: str) -> list[str] | None:
    """Some of the genes that every input with genes has; None where there are no more than that."""
    held = [set(rows[GENE].to_list()) for rows in inputs.values() if GENE in rows.columns]
    common = sorted(set.intersection(*held)) if held else []
    chance = random.Random(seed)
    return chance.sample(common, genes) if len(common) > genes else None

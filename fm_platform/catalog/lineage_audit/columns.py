"""What trials say about declared column lineage.

Belongs here: which effects have no declared path, and which declared paths never had an effect. Does not belong here:
making trials (``bench``), or links between rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from fm_platform.catalog.lineage_audit.bench import Trial
from fm_platform.warehouse.records import Column, ColumnLineage

ROWS = "(rows)"
"""Stands for an input column where rows were taken away: any column of the table may speak for them."""


@dataclass(frozen=True, order=True)
class Undeclared:
    """An effect without a declared path.

    Attributes:
        table: The asset's table.
        column: Its column.
        input_table: The input that was changed.
        input_column: Its column, or ``ROWS``.
        how: What was done to it.
        example: A row that changed, where one has the same key as before.
    """

    table: str
    column: str
    input_table: str
    input_column: str
    how: str
    example: str


@dataclass(frozen=True, order=True)
class Unseen:
    """A declared path without an effect in any trial."""

    table: str
    column: str
    input_table: str
    input_column: str
    kind: str
    trials: int


class ColumnJudge:
    """Gathers what trials of one asset show of its column lineage."""

    def __init__(
        self, table: str, key: Sequence[str], lineage: ColumnLineage, columns: Sequence[Column]
    ) -> None:
        self._table = table
        constant = {column.name for column in columns if column.constant}
        self._constant = {name for name, inputs in lineage.items() if not inputs and name in constant}
        self._declared = {
            name: {(entry.table, entry.column): entry.kind for entry in inputs}
            for name, inputs in lineage.items()
            if name[0] != "_"
        }
        self._key_inputs = {
            (entry.table, entry.column)
            for name in key
            for entry in lineage.get(name, ())
            if entry.kind == "DIRECT"
        }
        self._shown: set[tuple[str, str, str]] = set()
        self._trials: dict[tuple[str, str], int] = defaultdict(int)
        self._undeclared: dict[tuple[str, str, str], Undeclared] = {}

    def see(self, trial: Trial, input_key: Sequence[str], unsteady: frozenset[str]) -> None:
        """Take one trial into account.

        A column is affected where its values, all rows together, are others: what selecting it alone would show. A
        value that is another in a row of the same key counts as well, unless the changed column is one that the key
        is read from: then rows have changed their names.
        """
        if trial.effect is None:
            return
        column = trial.change.column
        changed = [column] if column is not None else [name for name in input_key if name[0] != "_"]
        for name in changed:
            self._trials[trial.table, name] += 1
        seen = (trial.effect.at_keys | trial.effect.in_all) - unsteady
        self._shown |= {(name, trial.table, own) for name in seen for own in changed}
        renamed = column is not None and (trial.table, column) in self._key_inputs
        certain = trial.effect.in_all | (frozenset() if renamed else trial.effect.at_keys)
        for name in sorted(certain - unsteady):
            if name in self._constant and (renamed or name not in trial.effect.at_keys):
                continue
            if not self._is_declared(name, trial.table, column):
                found = (name, trial.table, column or ROWS)
                example = trial.effect.examples.get(name, "")
                self._undeclared.setdefault(found, Undeclared(self._table, *found, trial.change.how, example))

    def _is_declared(self, name: str, table: str, column: str | None) -> bool:
        declared = self._declared.get(name, {})
        if column is None:
            return any(entry[0] == table for entry in declared)
        return (table, column) in declared

    @property
    def undeclared(self) -> list[Undeclared]:
        """Effects without a declared path."""
        return sorted(self._undeclared.values())

    @property
    def unseen(self) -> list[Unseen]:
        """Declared paths without an effect, of the inputs that any trial changed."""
        return sorted(
            Unseen(self._table, name, table, column, kind, self._trials[table, column])
            for name, inputs in self._declared.items()
            for (table, column), kind in inputs.items()
            if self._trials[table, column] and (name, table, column) not in self._shown
        )

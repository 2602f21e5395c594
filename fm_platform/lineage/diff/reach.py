"""Which changed columns a reason leads to, by the column lineage that the ledger records.

Belongs here: following columns, tables upstream first. Does not belong here: rows (``rows``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fm_platform.lineage.diff.records import Records
from fm_platform.lineage.diff.rows import Changed

ROW_ID = "_row_id"


class Reach:
    """For each reason, the (table, column) pairs it leads to through columns that changed."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._reached: dict[int, set[tuple[str, str]]] = {}

    def begin(self, number: int, table: str, columns: Sequence[str] = ()) -> None:
        """A reason acts on these columns of a table first (default: all of them)."""
        names = columns or [name for name, _ in self._records.of(table).body["columns"]]
        self._reached.setdefault(number, set()).update((table, name) for name in (*names, ROW_ID))

    def extend(self, changed: Changed) -> None:
        """Follow every reason into one more table whose inputs were followed before.

        A table that records no column lineage takes everything that its inputs were reached by.
        """
        made = self._records.of(changed.table)
        lineage: Mapping[str, Sequence[Sequence[str]]] = made.lineage
        for reached in self._reached.values():
            if lineage:
                found = {
                    column
                    for column, inputs in lineage.items()
                    if column in changed.columns and any((entry[0], entry[1]) in reached for entry in inputs)
                }
            else:
                found = set(changed.columns) if {table for table, _ in reached} & set(made.inputs) else set()
            reached.update((changed.table, column) for column in found)

    def relevant(self, changed: Changed) -> list[int]:
        """The reasons that lead to any changed column of a table."""
        columns = {(changed.table, column) for column in changed.columns}
        return sorted(number for number, reached in self._reached.items() if reached & columns)

    def kept(self, table: str, column: str, reasons: Sequence[int]) -> tuple[int, ...]:
        """Those of a row's reasons that lead to one of its cells; all of them where none is known to."""
        found = tuple(number for number in reasons if (table, column) in self._reached[number])
        return found or tuple(reasons)

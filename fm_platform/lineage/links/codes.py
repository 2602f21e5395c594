"""Tables and sets of columns as numbers, for the temporary tables in which links are followed.

Belongs here: numbering, and reading numbers back. Does not belong here: following (``behind``).

A set of columns of one table is a number of bits for each *part* of 62 columns; the column '' is the row as a whole.
Most tables need one part, so a row with all its cells is one entry, and uniting sets is ``bit_or``.
"""

from __future__ import annotations

from collections.abc import Iterable

PART = 62
"""Columns of a part: bits of a positive BIGINT."""
WHOLE_ROW = 1
"""The bit of the column '', in part 0."""


class Codes:
    """Numbers of tables and columns, given as they are met."""

    def __init__(self) -> None:
        self._columns: dict[str, dict[str, int]] = {}
        self._numbers: dict[str, int] = {}

    def table(self, table: str) -> int:
        """The number of a table."""
        return self._numbers.setdefault(table, len(self._numbers))

    def column(self, table: str, column: str) -> tuple[int, int]:
        """Part and bit of a column; part 0 and bit 1 for ''."""
        columns = self._columns.setdefault(table, {"": 0})
        place = columns.setdefault(column, len(columns))
        return place // PART, 1 << place % PART

    def united(self, table: str, columns: Iterable[str]) -> dict[int, int]:
        """Part to the bits of some columns."""
        found: dict[int, int] = {}
        for part, bit in (self.column(table, column) for column in columns):
            found[part] = found.get(part, 0) | bit
        return found

    def names(self, table: str, bits: Iterable[tuple[int, int]]) -> list[str]:
        """The columns in sets given as part and bits, by name.

        >>> codes = Codes()
        >>> codes.column("t", ""), codes.column("t", "b"), codes.column("t", "a")
        ((0, 1), (0, 2), (0, 4))
        >>> codes.names("t", [(0, 6)])
        ['a', 'b']
        """
        held = dict(bits)
        return sorted(
            name
            for name, place in self._columns.get(table, {}).items()
            if held.get(place // PART, 0) >> place % PART & 1
        )

    def known(self) -> dict[int, str]:
        """Number to table."""
        return {number: table for table, number in self._numbers.items()}

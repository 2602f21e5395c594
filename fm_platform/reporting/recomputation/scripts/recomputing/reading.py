"""The folder's CSV files as lists of rows, and keys as text.

Belongs here: reading. Does not belong here: computing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Found = dict[str, Any]
"""Recomputed numbers by their id."""


class Folder:
    """The input files; one that is not there is empty."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, list[Row]] = {}

    def rows(self, name: str) -> list[Row]:
        """Rows of ``inputs/<name>.csv``; an empty field is None."""
        if name not in self._known:
            file = self.path / "inputs" / f"{name}.csv"
            self._known[name] = read_csv(file) if file.is_file() else []
        return self._known[name]

    def parameter(self, name: str) -> Any:
        """A value of ``inputs/parameters.csv``, or None."""
        return next((row["value"] for row in self.rows("parameters") if row["name"] == name), None)


def read_csv(path: Path) -> list[Row]:
    """Rows of a file; an empty field is None."""
    with path.open(encoding="utf-8", newline="") as handle:
        return [{name: text or None for name, text in row.items()} for row in csv.DictReader(handle)]


def put(found: Found, table: str, key: Mapping[str, Any], columns: Mapping[str, Any]) -> None:
    """Add the numbers of one row."""
    text = ";".join(f"{name}={'' if value is None else value}" for name, value in key.items())
    for column, value in columns.items():
        found[f"{table}[{text}].{column}"] = float(value) if isinstance(value, Fraction) else value


def distinct(values: Iterable[Any]) -> list[Any]:
    """Values without repetition, in the order of their first occurrence, none of them None."""
    return list(dict.fromkeys(value for value in values if value is not None))

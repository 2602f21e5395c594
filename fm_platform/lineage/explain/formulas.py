"""How columns are computed, in words and symbols.

Belongs here: looking formulas up in ``formulas.json``. Does not belong here: the methods (``statistics``,
``expression``), what a row says about itself (``explanation``).

The file gives formulas by table, whatever its schema, and column: a report table repeats those of the result table that
it prints. d_i is the later value minus baseline of subject i, n the number of complete pairs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_REPEATS = {"top_genes": "de_results", "responder_rates": "responders"}
_ARD = "stats.ard"
_MARTS = {"marts.symptom_change": "symptom_change_rows"}


def formula_of(table: str, column: str | None, row: Mapping[str, Any] | None = None) -> str | None:
    """The formula of a column; None where there is none beyond the column's meaning.

    Args:
        table: ``schema.table``; report tables have the formulas of the table that they print.
        column: The column; None for a whole row.
        row: The row; that of the analysis results data says which column of which table it repeats.
    """
    if table == _ARD and row is not None and column in (None, "stat_value", "stat_text"):
        table, column = row["source_table"], row["stat_name"]
    if column is None:
        return None
    name = _MARTS.get(table, table.split(".")[1])
    if name.startswith("fit_"):
        name = "de_results"
    return _formulas().get(_REPEATS.get(name, name), {}).get(column)


@cache
def _formulas() -> dict[str, dict[str, str]]:
    path = Path(__file__).with_name("formulas.json")
    found: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return found

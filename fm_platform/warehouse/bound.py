"""SELECTs with bound values.

Belongs here: binding. Does not belong here: what is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fm_platform.warehouse.names import literal

if TYPE_CHECKING:
    import duckdb
    import polars as pl

Bindable = str | int | float | bool | None | Sequence[str]
_NAME = "fm_bound"


def select_bound(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Bindable]
) -> pl.DataFrame:
    """The rows of a SELECT with ``?`` in it, through PREPARE and EXECUTE.

    Parameters handed to DuckDB's Python client make it import pandas, a second that a command would spend before it
    answers.

    Raises:
        duckdb.Error: What the statement does wrong.
    """
    connection.execute(f"PREPARE {_NAME} AS {sql}")
    try:
        return connection.execute(f"EXECUTE {_NAME}({', '.join(_value(value) for value in parameters)})").pl()
    finally:
        connection.execute(f"DEALLOCATE {_NAME}")


def _value(value: Bindable) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, Sequence):
        return f"[{', '.join(literal(text) for text in value)}]::VARCHAR[]"
    return str(value)

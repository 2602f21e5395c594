"""Connections to DuckDB that give right answers.

Belongs here: what every connection of the platform has in common, and which optimizers are off because they are known
to change results. Does not belong here: what is attached, or what may be read.
"""

from __future__ import annotations

import duckdb

from fm_platform.warehouse.names import literal

FAULTY_OPTIMIZERS = ("common_subplan", "top_n_window_elimination", "window_self_join")
"""Optimizers of DuckDB 1.5.5 that turn valid statements into wrong rows.

``common_subplan`` takes two parts of a UNION ALL for one (duckdb#24624, #25819). ``top_n_window_elimination`` loses
values and rows of ``QUALIFY row_number() ... <= n`` where the order holds nulls, the input is empty or a join repeats a
row (duckdb#23588, #23675, #23677, #24363). ``window_self_join`` joins partitions that a parameter or a repeated key
made unequal (duckdb#24780). Each fault is a case of ``test_warehouse_connection.py``, which says when one can go.
"""


def connect(database: str = ":memory:") -> duckdb.DuckDBPyConnection:
    """Open DuckDB with the faulty optimizers off. An optimizer that this DuckDB does not have is passed over.

    Raises:
        duckdb.Error: The file cannot be opened.
    """
    connection = duckdb.connect(database)
    names = ", ".join(literal(name) for name in FAULTY_OPTIMIZERS)
    present = connection.sql(
        f"SELECT name FROM duckdb_optimizers() WHERE name IN ({names}) ORDER BY 1"
    ).fetchall()
    connection.execute(f"SET disabled_optimizers = {literal(','.join(name for (name,) in present))}")
    return connection

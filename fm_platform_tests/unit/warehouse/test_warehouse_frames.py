"""Rows of DuckDB as a frame: what its own conversion by pyarrow gives, and intervals."""

from __future__ import annotations

import duckdb
import polars as pl

from fm_platform.warehouse.frames import frame_of

EVERY_TYPE = """
SELECT i::INTEGER AS a, 'x' || i AS b, [i, NULL] AS l, {'a': i, 'b': 'y'} AS s, NULL AS n, 1.5::DECIMAL(10, 3) AS d,
    i = 1 AS t, DATE '2024-02-29' + i::INTEGER AS dd, TIMESTAMP '2024-01-01 00:00:01.5' AS ts, i::HUGEINT AS h,
    'a'::ENUM ('a', 'b') AS e, TIME '01:02:03' AS tm, i::UBIGINT AS ub, [{'a': i}] AS ll, MAP {'a': i} AS m,
    'nan'::DOUBLE AS x, i::BLOB AS bl
FROM (VALUES ('1'), ('2'), (NULL)) AS v(i)
"""


def test_rows_and_types_are_those_of_duckdbs_own_conversion():
    relation = duckdb.connect().sql(EVERY_TYPE)
    found, expected = frame_of(relation), relation.pl()
    assert found.schema == expected.schema
    assert found.equals(expected)


def test_no_rows_keep_their_types():
    assert frame_of(duckdb.connect().sql("SELECT 1::BIGINT AS n, 'x' AS t WHERE false")).schema == pl.Schema(
        {"n": pl.Int64, "t": pl.String}
    )


def test_intervals_are_texts():
    relation = duckdb.connect().sql('SELECT 1 AS a, INTERVAL 36 HOUR AS "how long", 2 AS b')
    assert frame_of(relation).rows() == [(1, "36:00:00", 2)]

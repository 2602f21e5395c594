from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from fm_platform.errors import InputError
from fm_platform.expression.counts import (
    COUNTS_LONG_SQL,
    NOT_COUNTED,
    count_ids,
    counts_array,
    expression_counts,
    raw_count_columns,
    raw_counts,
)
from fm_platform.sources.counts.reading import CountMatrix, read_counts


def _matrix(folder: Path, name: str, text: str) -> CountMatrix:
    path = folder / name
    path.write_text(text)
    return read_counts(path, name=name)


@pytest.fixture
def one(tmp_path: Path) -> CountMatrix:
    return _matrix(tmp_path, "one.csv", "gene_id,symbol,b,a\ng2,S2,5,6\ng1,S1,1,2\n")


def test_raw_counts_keep_the_files_rows_and_column_order(one: CountMatrix) -> None:
    frame = raw_counts([one])
    assert frame.columns == ["_row_id", "sheet", "gene_id", "symbol", "counts", "lengths"]
    assert frame.schema["counts"] == pl.List(pl.Int64)
    assert frame.select("sheet", "gene_id", "counts").rows() == [
        ("one.csv", "g2", [5, 6]),
        ("one.csv", "g1", [1, 2]),
    ]
    assert frame["_row_id"].to_list() == list(one.row_ids)


def test_count_columns_list_every_column_of_the_file(one: CountMatrix) -> None:
    frame = raw_count_columns([one])
    assert frame.select("sheet", "position", "column", "kind", "count_id").rows() == [
        ("one.csv", 0, "gene_id", "gene_id", None),
        ("one.csv", 1, "symbol", "annotation", None),
        ("one.csv", 2, "b", "count", "b"),
        ("one.csv", 3, "a", "count", "a"),
    ]
    assert count_ids(frame.reverse()) == ("b", "a")


def test_one_file_is_sorted_by_gene_and_round_trips_to_an_array(one: CountMatrix) -> None:
    frame = expression_counts(raw_counts([one]), raw_count_columns([one]))
    genes, array = counts_array(frame.reverse())
    assert genes == ("g1", "g2")
    assert array.tolist() == [[1, 2], [5, 6]]
    assert array.dtype == np.int64


def test_row_order_of_the_tables_does_not_matter(tmp_path: Path, one: CountMatrix) -> None:
    two = _matrix(tmp_path, "two.csv", "gene_id,c,a\ng1,7,2\ng2,8,6\n")
    raw, columns = raw_counts([one, two]), raw_count_columns([one, two])
    expected = expression_counts(raw, columns)
    assert expression_counts(raw.reverse(), columns.reverse()).equals(expected)
    assert count_ids(columns) == ("b", "a", "c")
    assert expected["counts"].to_list() == [[1, 2, 7], [5, 6, 8]]


def test_a_gene_that_a_file_lacks_is_unknown_there_not_zero(tmp_path: Path, one: CountMatrix) -> None:
    two = _matrix(tmp_path, "two.csv", "gene_id,c\ng1,7\ng3,9\n")
    frame = expression_counts(raw_counts([one, two]), raw_count_columns([one, two]))
    assert frame["counts"].to_list() == [[1, 2, 7], [5, 6, None], [None, None, 9]]
    assert counts_array(frame)[1][1].tolist() == [5, 6, NOT_COUNTED]


def test_a_shared_sample_with_other_counts_is_refused(tmp_path: Path, one: CountMatrix) -> None:
    two = _matrix(tmp_path, "two.csv", "gene_id,a\ng1,2\ng2,600\n")
    with pytest.raises(InputError, match=r"two\.csv: gene g2, sample a: 600 here, 6 in another file"):
        expression_counts(raw_counts([one, two]), raw_count_columns([one, two]))


def test_the_long_view_gives_one_row_per_gene_and_sample(one: CountMatrix) -> None:
    counts = expression_counts(raw_counts([one]), raw_count_columns([one]))
    samples = pl.DataFrame({"sample_id": ["S_a", "S_b", "S_x"], "position": [2, 1, None]})
    with duckdb.connect() as connection:
        connection.execute("create schema expression")
        connection.execute("create table expression.counts as select * from counts")
        connection.execute("create table expression.samples as select * from samples")
        assert counts.height == samples.height - 1
        rows = connection.execute(f"select * from ({COUNTS_LONG_SQL}) order by all").fetchall()
    assert rows == [("g1", "S_a", 2), ("g1", "S_b", 1), ("g2", "S_a", 6), ("g2", "S_b", 5)]

"""Delivered tables without some rows, or with a corrected cell, look as the next delivery would."""

from __future__ import annotations

import polars as pl

from fm_platform.catalog.trial.imagined import without_samples

COUNTS = pl.DataFrame(
    {
        "_row_id": ["1", "2", "3"],
        "sheet": ["a.csv", "a.csv", "b.csv"],
        "gene_id": ["G1", "G2", "G1"],
        "counts": [[10, 11, 12], [20, 21, 22], [30]],
        "lengths": [None, [1.0, 2.0, 3.0], None],
    },
    schema_overrides={"lengths": pl.List(pl.Float64)},
)
COLUMNS = pl.DataFrame(
    {
        "sheet": ["a.csv"] * 4 + ["b.csv"] * 2,
        "position": [0, 1, 2, 3, 0, 1],
        "kind": ["gene_id", "count", "count", "count", "gene_id", "count"],
        "count_id": [None, "S1", "S2", "S3", None, "S4"],
    },
    schema_overrides={"position": pl.Int32},
)


def test_a_sample_goes_from_the_lists_and_later_columns_move_up():
    counts, columns = without_samples(COUNTS, COLUMNS, ["S2"])
    assert counts["counts"].to_list() == [[10, 12], [20, 22], [30]]
    assert counts["lengths"].to_list() == [None, [1.0, 3.0], None]
    assert columns.filter(sheet="a.csv").select("position", "count_id").rows() == [
        (0, None), (1, "S1"), (2, "S3")
    ]  # fmt: skip
    assert columns.schema == COLUMNS.schema


def test_a_file_of_no_other_sample_goes():
    counts, columns = without_samples(COUNTS, COLUMNS, ["S4", "S1"])
    assert counts["counts"].to_list() == [[11, 12], [21, 22]]
    assert columns["sheet"].unique().to_list() == ["a.csv"]

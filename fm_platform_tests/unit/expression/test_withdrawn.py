"""Samples of withdrawn subjects lose their place, with a reason; what was taken before a stop stays."""

from __future__ import annotations

import datetime

import polars as pl
import pytest

from fm_platform.expression.designs.withdrawn import withdrawn_samples, without_withdrawn

SAMPLES = pl.DataFrame(
    {
        "sample_id": ["a0", "a1", "b0", "c0"],
        "position": pl.Series([1, 2, 3, 4], dtype=pl.Int32),
        "subject_id": ["A", "A", "B", None],
        "visit_id": ["v0", "v1", "v0", "v0"],
        "reason": pl.Series([None] * 4, dtype=pl.String),
    }
)
VISITS = pl.DataFrame(
    {
        "subject_id": ["A", "A"],
        "visit_id": ["v0", "v1"],
        "visit_date": [datetime.date(2024, 1, 1), datetime.date(2024, 3, 1)],
    }
)


def listed(scope: str, day: str = "2024-02-01", subject: str = "A") -> pl.DataFrame:
    return pl.DataFrame({"subject": [subject], "date": [day], "scope": [scope]})


@pytest.mark.parametrize(
    ("withdrawals", "visits", "out"),
    [
        (listed("exclude"), VISITS, ["a0", "a1"]),
        (listed("erase"), None, ["a0", "a1"]),
        (listed("stop"), VISITS, ["a1"]),
        (listed("stop", "2024-03-01"), VISITS, []),
        (listed("stop"), None, ["a0", "a1"]),
        (listed("exclude", subject="Z"), VISITS, []),
    ],
)
def test_samples_of_withdrawn_subjects_have_no_position(
    withdrawals: pl.DataFrame, visits: pl.DataFrame | None, out: list[str]
):
    found = without_withdrawn(SAMPLES, withdrawals, visits)
    assert found.columns == SAMPLES.columns
    assert found.filter(pl.col("position").is_null())["sample_id"].to_list() == out
    assert found.filter(withdrawn_samples(found))["sample_id"].to_list() == out
    assert found.drop_nulls("position")["position"].is_sorted()

from __future__ import annotations

from typing import Any

import pytest

from fm_platform.errors import InputError
from fm_platform.expression.designs.samples import NO_COUNTS, resolve_samples
from fm_platform.study.expression import SamplesSource

SOURCE = SamplesSource(path="samples.csv", id="sample", count_id="column", subject="patient", visit="visit")
COLUMNS = {
    "sample": ["A", "B", "C"],
    "column": ["m2", "", "m1"],
    "patient": ["p1", "p2", "p1"],
    "visit": ["0", "0", "12"],
    "group": ["fm", "hc", "fm"],
}


def test_samples_follow_the_matrix_and_one_without_counts_is_kept_with_its_reason(raw_sheet: Any) -> None:
    frame = resolve_samples(raw_sheet(COLUMNS), SOURCE, ["m1", "m2"]).frame
    assert frame.select("sample_id", "count_id", "position", "reason").rows() == [
        ("C", "m1", 1, None),
        ("A", "m2", 2, None),
        ("B", None, None, NO_COUNTS),
    ]


def test_every_column_of_the_sheet_is_kept_as_text_with_its_row(raw_sheet: Any) -> None:
    frame = resolve_samples(raw_sheet(COLUMNS), SOURCE, ["m1", "m2"]).frame
    assert frame["group"].to_list() == ["fm", "fm", "hc"]
    assert frame["visit"].to_list() == ["12", "0", "0"]
    assert frame["subject_id"].to_list() == ["p1", "p1", "p2"]


def test_visits_are_translated_and_unplanned_ones_are_null(raw_sheet: Any) -> None:
    visits = {"0": "baseline"}
    frame = resolve_samples(raw_sheet(COLUMNS), SOURCE, ["m1", "m2"], visit_of=visits.get).frame
    assert frame["visit_id"].to_list() == [None, "baseline", "baseline"]


def test_a_sheet_column_that_clashes_with_a_platform_column_is_renamed(raw_sheet: Any) -> None:
    sheet = raw_sheet({"id": ["a", "b"], "Position": ["left", "right"], "sample_id": ["a", "b"]})
    frame = resolve_samples(sheet, SamplesSource(path="s.csv", id="id"), ["a", "b"]).frame
    assert frame["sheet_Position"].to_list() == ["left", "right"]
    assert "sheet_sample_id" not in frame.columns


def test_ids_are_reconciled_only_on_request(raw_sheet: Any) -> None:
    sheet = raw_sheet({"id": ["a_R1", "b_R1"]})
    source = SamplesSource(path="s.csv", id="id")
    with pytest.raises(InputError, match="Only in the count matrix: b, a"):
        resolve_samples(sheet, source, ["b", "a"])
    resolved = resolve_samples(sheet, source, ["b", "a"], reconcile="affix")
    assert resolved.frame.select("sample_id", "count_id").rows() == [("b_R1", "b"), ("a_R1", "a")]
    assert "_R1" in resolved.mapping.rule


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": ["a", "a"]}, "sample ids appear more than once: a"),
        ({"id": ["a", ""]}, "no id in row 2"),
        ({"name": ["a", "b"]}, "no column 'id'"),
    ],
)
def test_a_sheet_without_usable_ids_is_refused(
    raw_sheet: Any, columns: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        resolve_samples(raw_sheet(columns), SamplesSource(path="s.csv", id="id"), ["a", "b"])

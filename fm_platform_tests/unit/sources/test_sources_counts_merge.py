"""Several files of counts: shared samples must agree, and a count that is unknown is never made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from fm_platform.errors import InputError
from fm_platform.sources.counts import CountMatrix, read_counts
from fm_platform.sources.counts_merge import merge_counts


def matrix(folder: Path, name: str, text: str) -> CountMatrix:
    (folder / name).write_text(text)
    return read_counts(folder / name, name=name)


def test_one_file_is_returned_as_it_is(tmp_path):
    only = matrix(tmp_path, "a.csv", "g,x,y\nG2,1,2\nG1,3,4\n")
    merged = merge_counts([only])
    assert merged.gene_ids == ("G2", "G1")
    assert merged.count_ids == ("x", "y")
    assert merged.counts.tolist() == [[1, 2], [3, 4]]
    assert merged.row_ids == tuple((row_id,) for row_id in only.row_ids)
    assert merged.dropped.height == 0


def test_files_with_a_shared_sample_are_joined_by_gene_and_name(tmp_path):
    first = matrix(tmp_path, "a.csv", "g,x,shared\nG1,1,2\nG2,3,4\n")
    second = matrix(tmp_path, "b.csv", "g,shared,z\nG2,4,6\nG1,2,5\n")
    merged = merge_counts([first, second])
    assert merged.gene_ids == ("G1", "G2")
    assert merged.count_ids == ("x", "shared", "z")
    assert merged.counts.tolist() == [[1, 2, 5], [3, 4, 6]]
    assert merged.row_ids == ((first.row_ids[0], second.row_ids[1]), (first.row_ids[1], second.row_ids[0]))
    assert [file.name for file in merged.files] == ["a.csv", "b.csv"]


def test_a_disagreement_names_gene_sample_files_and_values(tmp_path):
    first = matrix(tmp_path, "a.csv", "g,x,shared\nG1,1,2\nG2,3,4\nG3,0,0\n")
    second = matrix(tmp_path, "b.csv", "g,shared\nG3,9\nG2,40\nG1,2\n")
    with pytest.raises(InputError) as caught:
        merge_counts([first, second])
    assert str(caught.value).startswith(
        "b.csv:2: gene G3, sample shared: 9 here, 0 in a.csv line 4 (and 1 more cells differ)"
    )
    assert caught.value.mend


def test_the_file_that_disagrees_is_named_among_three(tmp_path):
    files = [
        matrix(tmp_path, "a.csv", "g,x\nG1,1\n"),
        matrix(tmp_path, "b.csv", "g,y\nG1,2\n"),
        matrix(tmp_path, "c.csv", "g,x,y\nG1,1,3\n"),
    ]
    with pytest.raises(InputError, match=r"c.csv:2: gene G1, sample y: 3 here, 2 in b.csv line 2\. Mend"):
        merge_counts(files)


def test_a_gene_unknown_for_some_sample_is_dropped_with_its_reason_and_rows(tmp_path):
    first = matrix(tmp_path, "a.csv", "g,x\nG1,1\nG2,2\n")
    second = matrix(tmp_path, "b.csv", "g,y\nG1,3\nG3,4\n")
    merged = merge_counts([first, second])
    assert merged.gene_ids == ("G1",)
    assert merged.counts.tolist() == [[1, 3]]
    assert merged.dropped.rows() == [
        ("G2", "not in b.csv, so its count is unknown for some samples", [first.row_ids[1]]),
        ("G3", "not in a.csv, so its count is unknown for some samples", [second.row_ids[1]]),
    ]


def test_a_gene_missing_where_all_samples_are_covered_elsewhere_is_kept(tmp_path):
    whole = matrix(tmp_path, "a.csv", "g,x,y\nG1,1,2\nG2,3,4\n")
    part = matrix(tmp_path, "b.csv", "g,y\nG1,2\n")
    merged = merge_counts([part, whole])
    assert merged.gene_ids == ("G1", "G2")
    assert merged.count_ids == ("y", "x")
    assert merged.counts.tolist() == [[2, 1], [4, 3]]
    assert merged.row_ids[1] == (whole.row_ids[1],)


def test_a_gene_counted_as_zero_still_has_to_agree(tmp_path):
    first = matrix(tmp_path, "a.csv", "g,x\nG1,0\n")
    second = matrix(tmp_path, "b.csv", "g,x\nG1,5\n")
    with pytest.raises(InputError, match=r"5 here, 0 in a\.csv"):
        merge_counts([first, second])


def test_files_without_a_common_gene_are_refused(shared_data):
    folder = shared_data / "GSE229750_partial"
    names = ("GSE229750_FM_HC.head.csv", "GSE229750_FM_TCZ.head.csv")
    with pytest.raises(InputError, match="no gene has a count for every sample"):
        merge_counts([read_counts(folder / name, name=name) for name in names])

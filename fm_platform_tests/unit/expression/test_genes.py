from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from fm_platform.errors import InputError
from fm_platform.expression.counts import expression_counts, raw_count_columns, raw_counts
from fm_platform.expression.genes import expression_genes, input_notes
from fm_platform.expression.lengths import lengths_array
from fm_platform.sources.counts.matrix import CountMatrix
from fm_platform.sources.counts.reading import read_counts
from fm_platform.sources.gene_annotation import read_genes


def _matrix(folder: Path, name: str, text: str, lengths: str | None = None) -> CountMatrix:
    path = folder / name
    path.write_text(text)
    if lengths is None:
        return read_counts(path, name=name)
    beside = folder / f"lengths_{name}"
    beside.write_text(lengths)
    return read_counts(path, name=name, format="nf-core", lengths=beside)


def _tables(*matrices: CountMatrix) -> tuple[pl.DataFrame, pl.DataFrame]:
    raw = raw_counts(matrices)
    return expression_counts(raw, raw_count_columns(matrices)), raw


def test_symbols_come_from_the_annotation_before_the_count_file(tmp_path: Path) -> None:
    counts, raw = _tables(
        _matrix(tmp_path, "c.csv", "id,symbol,a\nG1.2,own1,1\nG2,own2,2\nG3,1-Mar,3\nG4,,4\n")
    )
    table = tmp_path / "g.csv"
    table.write_text("gene_id,symbol\nG1.7,TP53\nG2,\nG4.1,X\nG4.2,Y\n")
    found = expression_genes(counts, raw, read_genes(table, name="g.csv").frame)
    assert found.select("gene_id", "symbol", "symbol_source", "match").rows() == [
        ("G1.2", "TP53", "annotation", "without version"),
        ("G2", "own2", "counts", "exact"),
        ("G3", "1-Mar", "counts", None),
        ("G4", None, None, None),
    ]
    assert found["damage"].to_list() == [None, None, "MARCHF1 (MARCH1) or MTARC1 (MARC1)", None]


def test_without_annotation_the_count_files_symbols_are_kept(tmp_path: Path) -> None:
    counts, raw = _tables(_matrix(tmp_path, "c.csv", "id,gene_name,a\nG1,A,1\nG2,,2\n"))
    assert expression_genes(counts, raw, None)["symbol"].to_list() == ["A", None]


def test_lengths_reach_the_engines_array_in_gene_and_sample_order(tmp_path: Path) -> None:
    counts, _ = _tables(
        _matrix(tmp_path, "c.tsv", "id\tb\ta\nG2\t1\t2\nG1\t3\t4\n", "id\ta\tb\nG1\t5\t6\nG2\t7\t8\n")
    )
    lengths = lengths_array(counts.reverse())
    assert lengths is not None
    assert lengths.tolist() == [[6, 5], [8, 7]]


def test_lengths_of_some_samples_only_are_refused(tmp_path: Path) -> None:
    with_lengths = _matrix(tmp_path, "a.tsv", "id\ta\nG1\t3\n", "id\ta\nG1\t5\n")
    counts, _ = _tables(with_lengths, _matrix(tmp_path, "b.csv", "id,b\nG1,7\n"))
    with pytest.raises(InputError, match="position 2 have no transcript lengths"):
        lengths_array(counts)


def test_a_gene_that_one_file_lacks_has_no_length_there(tmp_path: Path) -> None:
    first = _matrix(tmp_path, "a.tsv", "id\ta\nG1\t3\nG2\t4\n", "id\ta\nG1\t5\nG2\t6\n")
    second = _matrix(tmp_path, "b.tsv", "id\tb\nG1\t3\n", "id\tb\nG1\t7\n")
    lengths = lengths_array(_tables(first, second)[0])
    assert lengths is not None
    np.testing.assert_array_equal(lengths, [[5, 7], [6, np.nan]])


def test_readers_remarks_become_rows(tmp_path: Path) -> None:
    found = input_notes([_matrix(tmp_path, "c.csv", "id,a\nG1,1\n__no_feature,9\n1-Sep,2\n")])
    assert found.select("sheet", "position", "kind", "item", "line").rows() == [
        ("c.csv", 0, "set_aside", "__no_feature", 3),
        ("c.csv", 1, "damaged_id", "1-Sep", 4),
    ]

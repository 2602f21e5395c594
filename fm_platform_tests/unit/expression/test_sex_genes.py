"""Sexes by marker genes, on the airway counts and on small matrices."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from fm_platform.expression.quality.sex_genes import sex_gene_table, sex_of


def table(
    matrix: dict[str, list[int]], recorded: dict[str, str | None], symbols: bool = True
) -> pl.DataFrame:
    """Genes with a count in each of the samples S1, S2, ..."""
    names = [f"S{position}" for position in range(1, len(next(iter(matrix.values()))) + 1)]
    counts = pl.DataFrame(
        {"gene_id": list(matrix), "counts": list(matrix.values())},
        schema={"gene_id": pl.String, "counts": pl.List(pl.Int64)},
    )
    genes = pl.DataFrame(
        {"gene_id": list(matrix), "symbol": list(matrix) if symbols else [None] * len(matrix)},
        schema={"gene_id": pl.String, "symbol": pl.String},
    )
    samples = pl.DataFrame(
        {
            "sample_id": names,
            "subject_id": names,
            "position": range(1, len(names) + 1),
            "_row_ids": [[f"row {name}"] for name in names],
        }
    )
    return sex_gene_table(counts, genes, samples, recorded)


def test_airway_s_donors_are_told_apart(shared_data: Path) -> None:
    counts = pl.read_csv(shared_data / "airway/airway_rawcounts.csv")
    cells = pl.read_csv(shared_data / "airway/airway_metadata.csv")
    matrix = {gene: list(values) for gene, *values in counts.iter_rows()}
    found = table(matrix, {}, symbols=False)
    donor_of = dict(zip(cells["id"], cells["celltype"], strict=True))
    by_donor: dict[str, set[str]] = {}
    for sample, sex in zip(counts.columns[1:], found["expressed_sex"], strict=True):
        by_donor.setdefault(donor_of[sample], set()).add(sex)
    assert by_donor == {"N61311": {"male"}, "N052611": {"male"}, "N080611": {"male"}, "N061011": {"female"}}
    assert found["markers"][0].to_list() == ["DDX3Y", "EIF1AY", "KDM5D", "RPS4Y1", "XIST"]


def test_a_swap_disagrees_and_what_is_unclear_is_left_open() -> None:
    found = table(
        {
            "XIST": [500, 0, 400, 0, 300],
            "RPS4Y1": [0, 90, 390, 0, 1],
            "KDM5D": [1, 60, 0, 0, 0],
            "ACTB": [1_000_000] * 5,
        },
        {"S1": "F", "S2": "female", "S3": "m", "S4": "m", "S5": "3"},
    )
    assert found["expressed_sex"].to_list() == ["female", "male", None, None, "female"]
    assert found["agrees"].to_list() == [True, False, None, None, None]
    assert found["note"].to_list() == [
        None,
        None,
        "markers of both are expressed",
        "no marker gene is expressed",
        "recorded as '3'",
    ]
    assert found["male_per_million"][1] == pytest.approx(1e6 * 150 / 1_000_150)


def test_a_matrix_without_markers_says_so() -> None:
    found = table({"FBgn0000008": [9, 8], "FBgn0000014": [1, 2]}, {})
    assert found["note"].to_list() == ["the matrix lacks marker genes; no sex recorded"] * 2
    assert found["female_per_million"].null_count() == 2


@pytest.mark.parametrize(
    ("text", "sex"), [("Female", "female"), (" w ", "female"), ("M", "male"), ("1", None), (None, None)]
)
def test_words_for_sexes(text: str | None, sex: str | None) -> None:
    assert sex_of(text) == sex

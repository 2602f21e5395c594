"""What is no count is refused or labelled, and the message says what was seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fm_platform.errors import InputError
from fm_platform.sources.counts.matrix import CountMatrix
from fm_platform.sources.counts.reading import read_counts
from fm_platform.sources.gene_symbols import damage


def read(
    folder: Path, values: np.ndarray, *, text: str = "{}", extra: str = "", accept: tuple[str, ...] = ()
) -> CountMatrix:
    header = ",".join(["gene", *(f"s{i}" for i in range(values.shape[1]))])
    rows = [",".join([f"g{i}", *(text.format(v) for v in row)]) for i, row in enumerate(values.tolist())]
    path = folder / "c.csv"
    path.write_text("\n".join([header, *rows]) + "\n" + extra)
    return read_counts(path, name="c.csv", accept=accept)


def refusal(folder: Path, values: np.ndarray) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, values)
    return str(caught.value)


@pytest.fixture
def library() -> np.ndarray:
    generator = np.random.default_rng(3)
    mean = np.exp(generator.normal(5, 2, 1500))[:, None] * np.array([1.0, 1.3, 0.8, 1.1])
    return generator.poisson(mean)


def test_plain_counts_are_not_remarked_on(tmp_path, library):
    assert read(tmp_path, library).notes == ()


def test_log_values_are_named_without_negative_numbers(tmp_path, library):
    assert "look like logarithms (log2, VST, rlog)" in refusal(tmp_path, np.log2(library + 1.5))


def test_values_scaled_to_equal_totals_are_named(tmp_path, library):
    scaled = library / library.sum(axis=0) * 2e6
    assert "every column adds up to about 2e+06" in refusal(tmp_path, scaled)


def test_estimated_counts_are_told_from_tpm_and_the_way_in_is_named(tmp_path, library):
    message = refusal(tmp_path, library * 7.31 + 0.25)
    assert "estimated counts (RSEM, salmon, kallisto)" in message
    assert "tx2gene" in message


@pytest.mark.parametrize(
    ("factors", "named"),
    [([5000, 5000, 5000, 5000], "s0, s1, s2, s3"), ([1, 5000, 1, 5000], "s1, s3"), ([1, 1, 5000, 1], "s2")],
)
def test_base_coverage_is_named_by_sample(tmp_path, library, factors, named):
    values = library * np.array(factors)
    message = refusal(tmp_path, values)
    assert f"sums of base coverage (as in recount), not counts: {named}." in message
    assert "--accept base-coverage" in message
    found = read(tmp_path, values, accept=("base-coverage",))
    assert (found.counts == values).all()
    assert [(note.kind, note.text.endswith(f"{named}; accepted as counts")) for note in found.notes] == [
        ("unit", True)
    ]


def test_reads_times_their_length_are_named_by_sample(tmp_path, library):
    message = refusal(tmp_path, library * np.array([1, 100, 75, 1]))
    assert "in 2 of 4 samples every count is a multiple of one number" in message
    assert "not counts: s1, s2." in message
    assert read(tmp_path, library * np.array([1, 2, 3, 1])).notes == ()


def test_one_gene_of_very_many_reads_does_not_make_a_matrix_coverage(tmp_path, library):
    library[7] = 3_000_000_000
    library[7, 2] += 1
    found = read(tmp_path, library)
    assert (found.counts == library).all()
    assert [note.text for note in found.notes] == [
        "gene g7 has up to 3,000,000,001 reads (in s2), more than one library has; it was read as it is"
    ]


def test_an_acceptance_lets_in_nothing_that_cannot_be_counts(tmp_path, library):
    with pytest.raises(InputError, match="look like logarithms"):
        read(tmp_path, np.log2(library + 1.5), accept=("base-coverage",))


def test_row_totals_beside_samples_are_named_by_column(tmp_path, library):
    with pytest.raises(InputError, match="holds row totals") as caught:
        read(tmp_path, np.column_stack([library, library.sum(axis=1)]))
    assert caught.value.column == "s4"


def test_whole_numbers_with_decimals_are_read_and_labelled(tmp_path, library):
    found = read(tmp_path, library, text="{}.0")
    assert (found.counts == library).all()
    assert [note.kind for note in found.notes] == ["unit"]
    assert "written with decimals" in found.notes[0].text


def test_libraries_of_one_size_are_labelled(tmp_path):
    values = np.random.default_rng(1).multinomial(200_000, np.full(1200, 1 / 1200), size=4).T
    assert "scaled or thinned to one size" in read(tmp_path, values).notes[0].text


def test_rounded_logarithms_are_labelled(tmp_path, library):
    logs = np.rint(np.log2(library + 1)).astype(int)
    assert "rounded logarithms" in read(tmp_path, logs).notes[0].text


@pytest.mark.parametrize(
    "row",
    [
        "__no_feature",
        "N_ambiguous",
        "Unassigned_NoFeatures",
        "Total",
        "*",
        "total_reads",
        "lib.size",
        "unmapped",
    ],
)
def test_summary_rows_of_a_matrix_are_set_aside_with_a_reason(tmp_path, row):
    found = read(tmp_path, np.array([[1, 2], [3, 4]]), extra=f"{row},90,91\n")
    assert found.gene_ids == ("g0", "g1")
    assert [(note.kind, note.item, note.line) for note in found.notes] == [("set_aside", row, 4)]


def test_length_columns_are_no_samples(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("gene,width,s1\ng1,900,4\ng2,80,5\n")
    found = read_counts(path, name="c.csv")
    assert found.count_ids == ("s1",)
    assert found.columns.filter(kind="annotation")["reason"].to_list() == [
        "lengths of genes, not counts of a sample"
    ]


# -- symbols that a spreadsheet changed -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "was"),
    [
        ("1-Mar", "MARCHF1 (MARCH1) or MTARC1 (MARC1)"),
        ("Mar-01", "MARCHF1 (MARCH1) or MTARC1 (MARC1)"),
        ("2-Sep", "SEPTIN2 (SEPT2)"),
        ("2006-09-02", "SEPTIN2 (SEPT2)"),
        ("1-Dec", "DELEC1 (DEC1)"),
        ("2.31E+13", "a clone id such as 2310009E13"),
        ("MARCHF1", None),
        ("HLA-A", None),
        ("7-Sept-like", None),
    ],
)
def test_damaged_symbols_are_named(text, was):
    assert damage(text) == was


def test_a_damaged_id_is_noted_with_its_line(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("gene,s1\nACTB,4\n2-Sep,5\n")
    (note,) = read_counts(path, name="c.csv").notes
    assert (note.kind, note.item, note.line) == ("damaged_id", "2-Sep", 3)


def test_two_symbols_that_became_one_date_are_explained(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("gene,s1\n1-Mar,4\n1-Mar,5\n")
    with pytest.raises(InputError, match="MTARC1"):
        read_counts(path, name="c.csv")

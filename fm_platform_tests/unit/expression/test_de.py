from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fm_platform.errors import EnvironmentFailure, InputError
from fm_platform.expression.de import run_de
from fm_platform.expression.de_request import Compared
from fm_platform.sources.counts.matrix import CountOptions

GROUPS = ["a", "b", "a", "b", "a", "b"]


@pytest.fixture
def files(tmp_path: Path, simulate: Any) -> tuple[Path, Path]:
    counts, sheet = tmp_path / "counts.csv", tmp_path / "samples.csv"
    values = simulate(GROUPS, up_in="b", genes=150)
    values[3] = 0
    rows = [",".join(["gene", *(f"s{i}" for i in range(1, 7))])]
    rows += [",".join([f"g{149 - i}", *map(str, line)]) for i, line in enumerate(values.tolist())]
    counts.write_text("\n".join(rows) + "\n")
    lines = [
        f"{batch},s{i + 1},{group},{i}" for i, (batch, group) in enumerate(zip("xyyxxy", GROUPS, strict=True))
    ]
    sheet.write_text("batch,name,group,age\n" + "\n".join(lines) + "\n")
    return counts, sheet


def test_pasilla_agrees_with_deseq2_of_r(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "pasilla"
    counts, sheet = folder / "pasilla_gene_counts.tsv", folder / "pasilla_sample_annotation.csv"
    out = tmp_path / "de.csv"
    design, contrast = "~ type + condition", "condition,treated,untreated"
    with pytest.raises(InputError) as caught:
        run_de(counts, sheet, design, contrast, out=out)
    assert "treated1fb, treated2fb, treated3fb, untreated1fb" in str(caught.value)
    assert "untreated1, untreated2, untreated3, untreated4, treated1" in str(caught.value)
    assert not out.exists()

    summary = run_de(counts, sheet, design, contrast, out=out, reconcile="affix")
    assert ("treated1fb", "treated1") in summary.id_mapping
    assert summary.columns == ("Intercept", "type[T.single-read]", "condition[T.treated]")
    ours = pl.read_csv(out)
    r = pl.read_csv(folder / "oracle_R_DESeq2_1.38.3" / "results.csv.gz", null_values="NA").rename(
        {"": "gene_id"}
    )
    assert ours["gene_id"].to_list() == r["gene_id"].to_list()
    both = ours.join(r, on="gene_id", suffix="_r")
    expressed = both.filter(pl.col("baseMean_r") > 0)
    relative = (expressed["baseMean"] / expressed["baseMean_r"] - 1).abs().max()
    assert isinstance(relative, float)
    assert relative < 1e-9
    assert both.filter((pl.col("baseMean_r") == 0) & (pl.col("baseMean") != 0)).height == 0
    called = set(both.filter(pl.col("padj") < 0.1)["gene_id"])
    called_by_r = set(both.filter(pl.col("padj_r") < 0.1)["gene_id"])
    assert len(called & called_by_r) / len(called | called_by_r) >= 0.9
    assert summary.n_up + summary.n_down == len(called)


def test_the_csv_has_deseq2_columns_in_matrix_order_with_gaps_empty(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "de.csv"
    told: list[str] = []
    summary = run_de(
        *files, "~ batch + group", "group,b,a", out=out, alpha=0.05, shrink="apeglm", progress=told.append
    )
    with out.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0]) == [
        "gene_id",
        "baseMean",
        "log2FoldChange",
        "lfcSE",
        "stat",
        "pvalue",
        "padj",
        "log2FoldChange_shrunk",
    ]
    assert [row["gene_id"] for row in rows] == [f"g{149 - i}" for i in range(150)]
    assert (rows[3]["baseMean"], rows[3]["pvalue"], rows[3]["padj"]) == ("0", "", "")
    assert all(math.isfinite(float(text)) for text in rows[0].values() if not text.startswith("g"))
    assert summary.n_genes == 150
    assert summary.na_reasons["all_zero"] == 1
    assert summary.id_column == "name"
    assert summary.id_rule == "exact"
    assert list(summary.size_factors) == [f"s{i}" for i in range(1, 7)]
    assert summary.as_json()["alpha"] == 0.05
    assert "size factors" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counts.csv", "de.csv", "samples.csv"]


def test_a_second_run_writes_the_same_bytes(files: tuple[Path, Path], tmp_path: Path) -> None:
    written = []
    for name in ("one.csv", "two.csv"):
        run_de(*files, "~ group", "group,b,a", out=tmp_path / name)
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]


def test_covariates_and_subsets_are_honoured(files: tuple[Path, Path], tmp_path: Path) -> None:
    summary = run_de(
        *files,
        "~ age + group",
        "group,b,a",
        out=tmp_path / "de.csv",
        covariates=["age"],
        subset={"age": ["0", "1", "2", "3", "4"]},
    )
    assert summary.n_samples == 5
    assert "age" in summary.columns
    assert summary.status == "exploratory"
    assert summary.reason == "2 residual degrees of freedom"


@pytest.mark.parametrize(
    ("design", "contrast", "message"),
    [
        ("~ group", "group,b", "is not VARIABLE,LEVEL,REFERENCE"),
        ("~ batch", "group,b,a", "variable 'group' is not in the design"),
        ("~ group", "group,a,a", "level and reference are the same"),
        ("group", "group,b,a", "begins with ~"),
        ("~ group", "group,c,a", "no sample has group = 'c'"),
    ],
)
def test_a_wrong_contrast_is_refused_before_anything_is_written(
    files: tuple[Path, Path], tmp_path: Path, design: str, contrast: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run_de(*files, design, contrast, out=tmp_path / "de.csv")
    assert not (tmp_path / "de.csv").exists()


def test_a_place_that_cannot_be_written_is_known_before_the_fit(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentFailure, match="there is no folder"):
        run_de(*files, "~ group", "group,b,a", out=tmp_path / "missing" / "de.csv")


def test_a_likelihood_ratio_test_needs_a_smaller_design(files: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "de.csv"
    wald = run_de(*files, "~ batch + group", "group,b,a", out=out)
    by_ratio = run_de(*files, "~ batch + group", "group,b,a", out=tmp_path / "lrt.csv", lrt="~ batch")
    assert wald.engine == by_ratio.engine
    assert wald.engine.startswith("fm-deseq r_compat")
    ratio = pl.read_csv(tmp_path / "lrt.csv")
    assert ratio["stat"].min() > -1e-6  # type: ignore[operator]
    assert ratio["log2FoldChange"].to_list() == pl.read_csv(out)["log2FoldChange"].to_list()
    for reduced in ("~ batch + group", "~ batch:group"):
        with pytest.raises(InputError, match="is not a part of"):
            run_de(*files, "~ batch + group", "group,b,a", out=out, lrt=reduced)


def test_a_threshold_makes_the_claim_harder(files: tuple[Path, Path], tmp_path: Path) -> None:
    plain = run_de(*files, "~ group", "group,b,a", out=tmp_path / "a.csv")
    above = run_de(*files, "~ group", "group,b,a", out=tmp_path / "b.csv", lfc_threshold=1.0, mode="exact")
    assert above.n_up < plain.n_up
    assert "exact" in above.engine
    with pytest.raises(InputError, match="lessAbs needs"):
        run_de(*files, "~ group", "group,b,a", out=tmp_path / "c.csv", alternative="lessAbs")


def test_samples_in_rows_give_the_same_result_and_the_readers_remarks(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    counts, sheet = files
    with counts.open(newline="") as handle:
        turned = list(zip(*csv.reader(handle), strict=True))
    other = tmp_path / "turned.csv"
    other.write_text("\n".join(",".join(row) for row in turned) + "\n")
    question = ("~ group", "group,b,a")
    run_de(counts, sheet, *question, out=tmp_path / "one.csv", sample_id="name")
    summary = run_de(other, sheet, *question, out=tmp_path / "two.csv", sample_id="name", format="transposed")
    assert (tmp_path / "one.csv").read_text() == (tmp_path / "two.csv").read_text()
    assert "samples are in rows and named by 'gene'" in summary.notes


def test_an_unknown_format_lists_those_there_are(files: tuple[Path, Path], tmp_path: Path) -> None:
    counts, sheet = files
    with pytest.raises(InputError, match="'cram' is unknown") as caught:
        run_de(counts, sheet, "~ group", "group,b,a", out=tmp_path / "o.csv", format="cram")
    assert "kallisto" in str(caught.value.mend)


def test_details_say_why_a_value_is_empty_in_the_order_of_the_matrix(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    out, details = tmp_path / "de.csv", tmp_path / "details.csv"
    summary = run_de(*files, "~ batch + group", "group,b,a", out=out, details=details)
    results, said = pl.read_csv(out), pl.read_csv(details)
    assert said["gene_id"].equals(results["gene_id"])
    assert said.filter(gene_id="g146").select("na_reason", "dispersion").row(0) == ("all_zero", None)
    gap = results["padj"].is_null()
    assert said.filter(gap)["na_reason"].null_count() == 0
    assert dict(said["na_reason"].drop_nulls().value_counts().iter_rows()) == summary.na_reasons
    with pytest.raises(InputError, match="name the same file"):
        run_de(*files, "~ group", "group,b,a", out=out, details=out)


def test_a_subset_that_names_what_no_sample_has_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no sample has name = 's11'") as caught:
        run_de(*files, "~ group", "group,b,a", out=tmp_path / "de.csv", subset={"name": ["s1", "s2", "s11"]})
    assert "did you mean 's1'" in str(caught.value.mend)
    assert not (tmp_path / "de.csv").exists()


def test_two_libraries_are_described_and_not_tested(files: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "de.csv"
    summary = run_de(*files, "~ group", "group,b,a", out=out, subset={"name": ["s1", "s2"]})
    assert (summary.status, summary.n_tested, summary.engine) == ("descriptive", 0, "description 1.0")
    written = pl.read_csv(out)
    assert written["pvalue"].null_count() == written.height
    assert written["log2FoldChange"].null_count() < written.height


def test_tpm_is_refused_whatever_the_sheet_looks_like(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "peac_ra"
    with pytest.raises(InputError, match="look like TPM"):
        run_de(folder / "tpm.csv", folder / "metadata.csv", "~ a", "a,b,c", out=tmp_path / "de.csv")


def test_rounded_scaled_counts_are_tested_with_a_note(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "airway"
    summary = run_de(
        folder / "airway_scaledcounts.csv",
        folder / "airway_metadata.csv",
        "~ dex",
        "dex,treated,control",
        out=tmp_path / "de.csv",
    )
    assert summary.n_genes == 38694
    assert any("prefer the raw counts" in note for note in summary.notes)


def test_samples_in_rows_are_tested_when_their_names_are_said(shared_data: Path, tmp_path: Path) -> None:
    counts = shared_data / "tb_suscept" / "subread-counts-per-sample.txt"
    rows = [line.split("\t", 3)[:3] for line in counts.read_text().splitlines()[1:]]
    sheet = tmp_path / "samples.csv"
    lines = ["id,status,treatment", *(f"{donor}-{state},{status},{state}" for donor, status, state in rows)]
    sheet.write_text("\n".join(lines) + "\n")
    summary = run_de(
        counts,
        sheet,
        "~ treatment",
        "treatment,infected,none",
        out=tmp_path / "de.csv",
        options=CountOptions(sample_id=("individual", "treatment")),
        subset={"status": ["contact"]},
    )
    assert (summary.n_genes, summary.n_samples) == (19797, sum(row[1] == "contact" for row in rows))
    assert summary.n_up > 100


def test_a_coefficient_and_the_vector_of_it_give_the_results_of_the_level_pair(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    kinds = (
        "group,b,a",
        Compared(coefficient="group[T.b]"),
        Compared(vector="group_b_vs_a=1, batch_y_vs_x=0"),
    )
    made = []
    for index, kind in enumerate(kinds):
        summary = run_de(*files, "~ batch + group", kind, out=tmp_path / f"{index}.csv")
        made.append((tmp_path / f"{index}.csv").read_text())
    assert made[0] == made[1] == made[2]
    assert (summary.contrast, summary.n_level) == ("1 group_b_vs_a + 0 batch_y_vs_x", None)


def test_size_factors_come_from_control_genes_or_a_column(files: tuple[Path, Path], tmp_path: Path) -> None:
    control = tmp_path / "control.txt"
    control.write_text("g1*\n\ng20\n")
    out = tmp_path / "de.csv"
    plain = run_de(*files, "~ group", "group,b,a", out=out)
    few = run_de(*files, "~ group", "group,b,a", out=out, control_genes=control)
    assert plain.size_factors != few.size_factors
    sheet = files[1]
    lines = sheet.read_text().splitlines()
    given = [
        lines[0] + ",sf",
        *(f"{line},{few.size_factors[f's{i + 1}']!r}" for i, line in enumerate(lines[1:])),
    ]
    sheet.write_text("\n".join(given) + "\n")
    text = out.read_text()
    run_de(*files, "~ group", "group,b,a", out=out, size_factors="sf")
    assert out.read_text() == text


@pytest.mark.parametrize(
    ("compared", "said"),
    [
        (Compared(), "nothing says what to compare"),
        (Compared(pair="group,b,a", vector="group[T.b]=1"), "--contrast and --vector exclude each other"),
        (Compared(vector="group[T.b]"), "is not COLUMN=WEIGHT"),
        (Compared(vector="group[T.b]=1,group[T.b]=2"), "names group[T.b] twice"),
        (Compared(vector="group[T.b]=0"), "every weight of the vector is 0"),
        (Compared(coefficient="group"), "columns are: Intercept, group[T.b]"),
    ],
)
def test_what_is_compared_must_be_said_once_and_rightly(
    files: tuple[Path, Path], tmp_path: Path, compared: Compared, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        run_de(*files, "~ group", compared, out=tmp_path / "de.csv")
    assert said in str(caught.value)
    assert not (tmp_path / "de.csv").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lrt": "~ batch", "lfc_threshold": 1.0}, "no fold change to bound"),
        ({"alternative": "lessAbs"}, "lessAbs needs a positive lfc_threshold"),
        ({"reference_levels": {"sex": "m"}}, "variable 'sex' is not in the design"),
        ({"size_factors": "depth"}, "no column 'depth'"),
        ({"size_factors": "age", "control_genes": Path("x")}, "control genes have nothing to do"),
        ({"control_genes": Path("nowhere.txt")}, "nowhere.txt: cannot be read"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(
    files: tuple[Path, Path], tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        run_de(*files, "~ batch + group", "group,b,a", out=tmp_path / "de.csv", **settings)
    assert said in str(caught.value)

"""The bundled studies: the demo is reproducible and has the published marginals; both fit their files."""

from __future__ import annotations

import csv
import runpy
import subprocess
import sys
from datetime import date
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fm_platform.expression.counts import count_ids, expression_counts, raw_count_columns, raw_counts
from fm_platform.sources.counts.reading import read_counts
from fm_platform.sources.delimited import read_text_table, require_columns
from fm_platform.study.loading import load_study

DATA = Path(__file__).resolve().parents[3] / "data"
DEMO = DATA / "demo"
MADE = (
    "clinical/participants.csv",
    "clinical/visits.csv",
    "rnaseq/counts.csv",
    "rnaseq/samples.csv",
    "rnaseq/simulated_truth.csv",
)
REGIONS = (
    ("shoulder_girdle_l", "upper_arm_l", "lower_arm_l"),
    ("shoulder_girdle_r", "upper_arm_r", "lower_arm_r"),
    ("hip_l", "upper_leg_l", "lower_leg_l"),
    ("hip_r", "upper_leg_r", "lower_leg_r"),
    ("neck", "upper_back", "lower_back"),
)
AREAS = (*(area for region in REGIONS for area in region), "jaw_l", "jaw_r", "chest", "abdomen")
SYMPTOMS = ("fatigue", "unrefreshed", "cognitive", "headache", "abdominal_cramps", "depression")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def visits() -> dict[tuple[str, str], dict[str, str]]:
    return {(row["subject_id"], row["visit"]): row for row in rows(DEMO / "clinical" / "visits.csv")}


@pytest.fixture(scope="module")
def subjects() -> list[str]:
    return [row["subject_id"] for row in rows(DEMO / "clinical" / "participants.csv")]


def fiqr(row: dict[str, str]) -> Fraction:
    items = [int(row[f"fiqr_q{number}"]) for number in range(1, 22)]
    return Fraction(sum(items[:9]), 3) + sum(items[9:11]) + Fraction(sum(items[11:]), 2)


def wpi(row: dict[str, str]) -> int:
    return sum(int(row[area]) for area in AREAS)


def sss(row: dict[str, str]) -> int:
    return sum(int(row[item]) for item in SYMPTOMS)


def pain_responders(visits, subjects, visit: str, percent: int) -> int:
    pain = {s: (int(visits[s, "baseline"]["fiqr_q12"]), int(visits[s, visit]["fiqr_q12"])) for s in subjects}
    return sum(100 * (before - after) >= percent * before for before, after in pain.values())


# -- the demo's files ------------------------------------------------------------------------------------


def test_the_script_reproduces_the_committed_files_byte_for_byte(tmp_path):
    script = [sys.executable, str(DATA / "make_demo.py"), "--out", str(tmp_path / "study")]
    subprocess.run(script, check=True, capture_output=True)
    made = {str(p.relative_to(tmp_path / "study")) for p in (tmp_path / "study").rglob("*") if p.is_file()}
    assert made == {*MADE, "study.yaml", "README.md"}
    for name in sorted(made):
        assert (tmp_path / "study" / name).read_bytes() == (DEMO / name).read_bytes(), name


def test_a_smaller_study_has_the_same_shape(tmp_path):
    runpy.run_path(str(DATA / "make_demo.py"))["make"](tmp_path, 300)
    study = load_study(tmp_path)
    assert read_counts(tmp_path / study.expression.counts.path[0], name="c").counts.shape == (300, 12)
    assert (tmp_path / MADE[1]).read_bytes() == (DEMO / MADE[1]).read_bytes()


@pytest.mark.parametrize("name", [*MADE, "study.yaml", "README.md"])
def test_every_file_says_synthetic(name):
    assert "synthetic" in (DEMO / name).read_text()


@pytest.mark.parametrize("name", [name for name in MADE if name != "rnaseq/counts.csv"])
def test_every_clinical_and_sample_row_says_synthetic(name):
    assert {row["data_origin"] for row in rows(DEMO / name)} == {"synthetic"}


def test_the_study_describes_its_files():
    study = load_study(DEMO)
    assert study.study.synthetic
    tables = {
        name: read_text_table(name, DEMO / source.path, name=source.path)
        for name, source in study.clinical.items()
    }
    for name, source in study.clinical.items():
        require_columns(tables[name], [column for names in source.columns.values() for column in names])
    require_columns(tables["visits"], [f"fiqr_q{n}" for n in range(1, 22)])
    require_columns(tables["visits"], ["fiqr_tot", *AREAS, *SYMPTOMS, "duration_3_months"])
    assert set(tables["visits"].frame["visit"]) == {visit.id for visit in study.visits}

    sheet = study.expression.samples
    samples = read_text_table("samples", DEMO / sheet.path, name=sheet.path)
    require_columns(samples, [sheet.id, sheet.count_id, sheet.subject, sheet.visit, "group", "week"])
    counts = study.expression.counts
    matrix = read_counts(DEMO / counts.path[0], name=counts.path[0], gene_id=counts.gene_id)
    assert matrix.count_ids == tuple(samples.frame[sheet.count_id])


# -- the demo's patients ---------------------------------------------------------------------------------


def test_six_patients_of_whom_two_are_primary_have_three_complete_visits(visits, subjects):
    types = [row["fm_type"] for row in rows(DEMO / "clinical" / "participants.csv")]
    assert sorted(types) == ["primary"] * 2 + ["secondary"] * 4
    assert sorted(visits) == sorted((s, v) for s in subjects for v in ("baseline", "week_4", "week_12"))
    assert all(cell != "" for row in visits.values() for cell in row.values())


def test_pain_responders_are_the_published_ones(visits, subjects):
    assert pain_responders(visits, subjects, "week_4", 30) == 4
    assert pain_responders(visits, subjects, "week_12", 30) == 3


def test_one_patient_responds_by_exactly_thirty_percent(visits, subjects):
    change = [
        Fraction(int(visits[s, "week_4"]["fiqr_q12"]), int(visits[s, "baseline"]["fiqr_q12"]))
        for s in subjects
    ]
    assert Fraction(7, 10) in change


@pytest.mark.parametrize("visit", ["week_4", "week_12"])
def test_fiqr_and_fibromyalgianess_fall(visits, subjects, visit):
    for subject in subjects:
        before, after = visits[subject, "baseline"], visits[subject, visit]
        assert fiqr(after) < fiqr(before)
        assert wpi(after) + sss(after) < wpi(before) + sss(before)


def test_recorded_totals_are_the_recomputed_ones(visits):
    assert all(abs(Fraction(row["fiqr_tot"]) - fiqr(row)) <= Fraction(1, 100) for row in visits.values())


def test_answers_are_in_range_and_not_straight_lined(visits):
    for row in visits.values():
        items = [int(row[f"fiqr_q{number}"]) for number in range(1, 22)]
        assert set(items) <= set(range(11))
        assert len(set(items)) > 1
        assert {int(row[area]) for area in AREAS} == {0, 1}
        assert {int(row[item]) for item in SYMPTOMS[:3]} <= {0, 1, 2, 3}
        assert {int(row[item]) for item in SYMPTOMS[3:]} <= {0, 1}


def test_every_patient_meets_the_2016_criteria_at_baseline(visits, subjects):
    for subject in subjects:
        row = visits[subject, "baseline"]
        regions = sum(any(row[area] == "1" for area in region) for region in REGIONS)
        assert wpi(row) >= 7
        assert sss(row) >= 5
        assert regions >= 4
        assert row["duration_3_months"] == "1"


def test_diagnoses_fit_the_fm_type():
    for row in rows(DEMO / "clinical" / "participants.csv"):
        assert (row["concomitant_dx"] == "none") == (row["fm_type"] == "primary")


def test_visits_are_in_order_and_in_their_windows(visits, subjects):
    study = load_study(DEMO)
    for subject in subjects:
        first = date.fromisoformat(visits[subject, "baseline"]["visit_date"])
        for visit in study.visits[1:]:
            low, high = visit.window
            day = (date.fromisoformat(visits[subject, visit.id]["visit_date"]) - first).days + 1
            assert low <= day <= high


# -- the demo's counts -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def matrix():
    return read_counts(DEMO / "rnaseq" / "counts.csv", name="counts.csv")


def test_samples_have_the_layout_of_the_real_study():
    found = [(row["subject"], row["group"], row["week"]) for row in rows(DEMO / "rnaseq" / "samples.csv")]
    at_start = [group for _, group, week in found if week == "0"]
    assert (at_start.count("fibromyalgia"), at_start.count("healthy")) == (5, 5)
    primary = {
        row["subject_id"]
        for row in rows(DEMO / "clinical" / "participants.csv")
        if row["fm_type"] == "primary"
    }
    assert {subject for subject, _, week in found if week == "12"} == primary


def test_counts_look_like_sequencing(matrix):
    assert matrix.counts.shape == (20_000, 12)
    assert all(gene.startswith("SYNG") for gene in matrix.gene_ids)
    library = matrix.counts.sum(axis=0)
    assert library.min() > 10e6
    assert library.max() < 40e6
    silent = (matrix.counts.sum(axis=1) == 0).mean()
    assert 0.01 < silent < 0.2


def test_dispersion_falls_with_the_mean_to_a_level_above_poisson(matrix):
    healthy = matrix.counts[:, 5:10] / matrix.counts[:, 5:10].sum(axis=0) * 20e6
    mean, variance = healthy.mean(axis=1), healthy.var(axis=1, ddof=1)
    dispersion = (variance - mean) / np.maximum(mean, 1e-9) ** 2
    low, high = (mean > 5) & (mean < 20), mean > 1000
    assert np.median(dispersion[low]) > 2 * np.median(dispersion[high]) > 0.04


def test_the_effects_put_in_are_found_back_in_the_counts(matrix):
    truth = rows(DEMO / "rnaseq" / "simulated_truth.csv")
    assert len(truth) == 150
    scaled = matrix.counts / matrix.counts.sum(axis=0) * 1e6
    row_of = {gene: row for row, gene in enumerate(matrix.gene_ids)}
    seen = np.array([scaled[row_of[entry["synthetic_gene_id"]]] for entry in truth])
    observed = np.log2(seen[:, :5].mean(axis=1) / seen[:, 5:10].mean(axis=1))
    assert np.corrcoef(observed, [float(entry["log2_fm_vs_healthy"]) for entry in truth])[0, 1] > 0.9


# -- the real study --------------------------------------------------------------------------------------


def test_gse229750_names_its_two_files_and_labels_inferred_links():
    study = load_study(DATA / "gse229750")
    assert not study.study.synthetic
    readme = (DATA / "gse229750" / "README.md").read_text()
    assert all(path in readme for path in study.expression.counts.path)
    sheet = read_text_table("samples", DATA / "gse229750" / "samples.csv", name="samples.csv")
    require_columns(sheet, [study.expression.samples.id, "count_id", "subject", "group", "week"])
    assert all(basis.startswith("inferred") for basis in sheet.frame["count_id_basis"])


def test_gse229750_samples_are_those_of_the_real_headers(shared_data):
    sheet = rows(DATA / "gse229750" / "samples.csv")
    folder = shared_data / "GSE229750_partial"
    week_0 = read_counts(folder / "GSE229750_FM_HC.head.csv", name="hc").count_ids
    paired = read_counts(folder / "GSE229750_FM_TCZ.head.csv", name="tcz").count_ids
    assert {row["count_id"] for row in sheet} == {*week_0, *paired}
    assert {row["count_id"] for row in sheet if row["week"] == "0"} == set(week_0)
    facts = {row["gsm"]: row for row in rows(folder / "samples.csv")}
    for row in sheet:
        fact = facts[row["gsm"]]
        assert all(row[key] == fact[key] for key in ("title", "subject", "group", "week", "treatment"))
        if fact["count_id"]:
            assert fact["count_id"].split(" ")[0] == row["count_id"]


def test_sheets_in_the_real_layout_merge_as_workbooks(shared_data, tmp_path, write_xlsx):
    folder = shared_data / "GSE229750_partial"
    with (folder / "GSE229750_FM_HC.head.csv").open(newline="") as handle:
        week_0 = list(csv.reader(handle))
    shared_genes = [[row[0], "", "", None, row[4], 50, row[6], 60, 1.5, 2.5, 3.5, 4.5] for row in week_0[1:]]
    with (folder / "GSE229750_FM_TCZ.head.csv").open(newline="") as handle:
        header = next(csv.reader(handle))[:12]
    numbers = [[*row[:4], *(int(cell) for cell in row[4:14]), *row[14:]] for row in week_0[1:]]
    first = write_xlsx(tmp_path / "GSE229750_FM_HC.xlsx", {"FM_HC": [week_0[0], *numbers]})
    second = write_xlsx(tmp_path / "GSE229750_FM_TCZ.xlsx", {"FM_TCZ": [header, *shared_genes]})
    matrices = [read_counts(path, name=path.name, gene_id="Geneid") for path in (first, second)]
    columns = raw_count_columns(matrices)
    assert set(count_ids(columns)) == {row["count_id"] for row in rows(DATA / "gse229750" / "samples.csv")}
    merged = expression_counts(raw_counts(matrices), columns)
    assert merged["gene_id"].to_list() == ["ENSG00000106537", "ENSG00000124102", "ENSG00000171860"]
    assert merged["counts"].list.drop_nulls().list.len().to_list() == [12, 12, 12]

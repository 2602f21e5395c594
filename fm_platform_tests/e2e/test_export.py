"""``fm export tables``: what leaves the home, and what does not."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from fm_platform_tests.e2e.conftest import Outcome, Workspace, run_fm

KEY = "a key of the tests, long enough"


@pytest.fixture
def export(exporting: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Export from a refreshed home, with quasi-identifiers declared since."""
    monkeypatch.delenv("FM_PSEUDONYM_KEY", raising=False)
    study = tmp_path / "study"
    shutil.copytree(exporting.study, study)

    def run(*arguments: str, privacy: str = "privacy: {quasi_identifiers: [age, sex]}") -> Outcome:
        text = (exporting.study / "study.yaml").read_text(encoding="utf-8")
        (study / "study.yaml").write_text(f"{text}\n{privacy}\n", encoding="utf-8")
        place = ("--study", str(study), "--home", str(exporting.home), "-o", str(tmp_path / "out"))
        return run_fm("export", "tables", *arguments, *place)

    run.out = tmp_path / "out"
    return run


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_the_report_s_tables_leave_without_row_ids(export):
    outcome = export("--json", privacy="")
    assert outcome.code == 0, outcome.err
    names = {table["table"] for table in json.loads(outcome.out)["tables"]}
    assert {"report.symptom_change", "report.characteristics", "report.top_genes"} <= names
    assert "report.data_queries" not in names
    rows = read(export.out / "report.symptom_change.csv")
    assert rows
    assert {row["data_origin"] for row in rows} == {"synthetic"}
    assert not any(name.startswith("_") for name in rows[0])


def test_subjects_need_a_key_and_then_have_pseudonyms(export, monkeypatch):
    without = export("marts.symptom_scores")
    assert without.code == 2
    assert "FM_PSEUDONYM_KEY" in without.err
    assert not export.out.exists()
    monkeypatch.setenv("FM_PSEUDONYM_KEY", KEY)
    outcome = export("marts.symptom_scores", "--format", "parquet")
    assert outcome.code == 0, outcome.err
    written = export.out / "marts.symptom_scores.parquet"
    subjects = pl.read_parquet(written)["subject_id"].unique().to_list()
    assert subjects
    assert all(subject.startswith("P-") for subject in subjects)
    assert b"SYN0" not in written.read_bytes()


def test_few_people_alike_block_the_export_until_the_column_is_left_out(export, monkeypatch):
    monkeypatch.setenv("FM_PSEUDONYM_KEY", KEY)
    refused = export("marts.adsl", "marts.adqs")
    assert refused.code == 1
    assert "share age, sex with fewer than 2 others" in refused.err
    assert not export.out.exists()
    assert export("marts.adsl", "--without", "AGE", "--without", "SEX").code == 0
    assert {"AGE", "SEX"}.isdisjoint(read(export.out / "marts.adsl.csv")[0])


def test_a_table_of_people_does_not_leave_before_quasi_identifiers_are_declared(export, monkeypatch):
    monkeypatch.setenv("FM_PSEUDONYM_KEY", KEY)
    outcome = export("marts.adsl", privacy="")
    assert outcome.code == 2
    assert "quasi_identifiers" in outcome.err


def test_counts_of_few_people_block_until_they_are_suppressed(export):
    refused = export("report.characteristics")
    assert (refused.code, "--suppress" in refused.err) == (1, True)
    assert export("report.characteristics", "--suppress").code == 0
    left = {row["variable"] for row in read(export.out / "report.characteristics.csv")}
    assert "n" in left
    assert not {"age", "sex"} & left


@pytest.mark.parametrize("table", ["raw.visits", "quarantine.visits", "report.data_queries", "audit.ledger"])
def test_delivered_rows_stay_in_the_home(export, table):
    outcome = export(table)
    assert outcome.code == 2
    assert "does not leave the home" in outcome.err


def test_an_unknown_table_is_refused_with_those_there_are(export):
    outcome = export("report.nothing")
    assert (outcome.code, "report.symptom_change" in outcome.err) == (2, True)


def test_data_docs_are_one_page_without_any_request(exporting: Workspace, tmp_path: Path):
    path = tmp_path / "docs" / "data.html"
    outcome = exporting.fm("export", "data-docs", "-o", str(path), "--json")
    assert outcome.code == 0, outcome.err
    found = {entry["source"]: entry for entry in json.loads(outcome.out)["sources"]}
    assert set(found) == {"participants", "visits"}
    assert found["visits"]["failed_checks"] == []
    page = path.read_text(encoding="utf-8")
    assert "SYNTHETIC DATA" in page
    assert "gx_agrees" in page
    assert "21 of 21 checks passed" in page
    assert "Unexpected, of 18 rows" in page
    assert "Ledger head of that publication" in page
    assert re.search(r"<title>SYNTHETIC DATA: .+ - data docs</title>", page)
    assert page.count("ExpectColumnValuesToBeInSet") > 20
    assert "<script" not in page
    assert "SYN01" not in page
    assert not re.search(r'(?:src|href)="(?!#|data:)', page.replace("https://doi.org/10.3390", "#"))

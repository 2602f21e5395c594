"""The folder of `fm export recomputation`: its scripts run without the platform, agree, and name a fault."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fm_platform_tests.e2e.conftest import Outcome, Workspace, copy_to_export_from, run_fm

KEY = "a key of tests, long enough"
DE = {"report.top_genes", "expression.contrasts", "page.gaps"}
_WITHOUT_PLATFORM = (
    "import runpy, sys; sys.modules['fm_platform'] = None; "
    "runpy.run_path(sys.argv.pop(1), run_name='__main__')"
)


def recompute_py(folder: Path, *arguments: str) -> Outcome:
    """recompute.py where fm_platform cannot be imported."""
    command = [sys.executable, "-I", "-c", _WITHOUT_PLATFORM, str(folder / "recompute.py"), *arguments]
    return _run(command, folder)


def recompute_r(folder: Path, *arguments: str) -> Outcome:
    """recompute.R; skips where R or DESeq2 is missing."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("Rscript is not installed")
    there = subprocess.run([rscript, "-e", "library(DESeq2)"], capture_output=True, check=False)
    if there.returncode:
        pytest.skip("R has no DESeq2 (Debian: r-bioc-deseq2)")
    return _run([rscript, str(folder / "recompute.R"), *arguments], folder)


def _run(command: list[str], folder: Path) -> Outcome:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    made = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return Outcome(made.returncode, made.stdout, made.stderr)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def verdicts(folder: Path, tables: set[str] | None = None) -> dict[str, list[str]]:
    """Verdict to the ids that have it in result.csv."""
    found: dict[str, list[str]] = {}
    for row in rows(folder / "result.csv"):
        if tables is None or row["table"] in tables:
            found.setdefault(row["equal"], []).append(row["id"])
    return found


def changed(folder: Path, number: str, **values: str) -> None:
    """Alter a number in published.csv."""
    published = rows(folder / "published.csv")
    (one,) = [row for row in published if row["id"] == number]
    one |= values
    with (folder / "published.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(one), lineterminator="\n")
        writer.writeheader()
        writer.writerows(published)


@pytest.fixture(scope="module")
def place(refreshed: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A home to export from."""
    return copy_to_export_from(refreshed, tmp_path_factory.mktemp("recomputed"))


@pytest.fixture(scope="module")
def exported(place: Workspace) -> Path:
    """The folder as it left. Tests copy it."""
    out = place.home.parent / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FM_PSEUDONYM_KEY", KEY)
        made = place.fm("export", "recomputation", "-o", str(out), "--reason", "double programming")
    assert made.code == 0, made.err
    return out


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "folder"))


def test_every_table_of_results_is_recomputed_or_named_with_a_reason(place: Workspace, exported: Path):
    tables = place.fm(
        "query",
        "SELECT table_name AS t FROM audit.tables WHERE regexp_matches(table_name, '^(report|stats)\\.')",
        "--json",
    )
    recomputed = {row["table"] for row in rows(exported / "published.csv")}
    readme = (exported / "README.md").read_text(encoding="utf-8")
    for table in [row["t"] for row in json.loads(tables.out)]:
        assert table in recomputed or f"`{table}`" in readme
    assert "no script for it yet" not in readme


def test_python_recomputes_every_number_where_the_platform_is_not(folder: Path):
    made = recompute_py(folder, "--without-refits")
    assert made.code == 0, made.out[-3000:] + made.err[-3000:]
    tables = {row["table"] for row in rows(folder / "published.csv")}
    clinical = verdicts(folder, tables - DE)
    assert set(clinical) == {"yes"}
    assert len(clinical["yes"]) > 10_000
    expression = verdicts(folder, DE)
    assert set(expression) <= {"yes", "near", "skipped"}
    assert {number.rpartition(".")[2] for number in expression["skipped"]} == {"n_refits", "n_stable"}


def test_r_recomputes_every_number_differential_expression_included(folder: Path):
    made = recompute_r(folder)
    assert made.code == 0, made.out[-3000:] + made.err[-3000:]
    found = verdicts(folder)
    assert set(found) == {"yes", "skipped"}
    assert all(
        number.startswith("stats.planning") and number.endswith(".power") for number in found["skipped"]
    )
    assert set(verdicts(folder, DE)) == {"yes"}


def test_a_fault_in_a_published_number_is_named(folder: Path):
    printed = "report.symptom_change[outcome=pain;visit=week_12;stratum=].p_text"
    kept = "stats.sensitivity[outcome=fiqr_total;visit=week_4;stratum=;analysis=locf].hl_estimate"
    exact = "report.responders[responder=pain30;visit=week_4;stratum=].ci_low"
    changed(folder, printed, printed="0.033 (floor 0.031)", value="0.033 (floor 0.031)")
    changed(folder, kept, printed="-17.26", value="-17.26")
    changed(folder, exact, value="0.24")
    made = recompute_py(folder, "--without-de")
    assert made.code == 1
    named = {line.split()[1].rstrip(":") for line in made.out.splitlines() if line.startswith("DIFFERENT")}
    assert named == {printed, kept, exact}
    assert set(verdicts(folder)["NO"]) == named


def test_a_wrong_answer_changes_what_is_recomputed(folder: Path):
    answers = folder / "inputs" / "answers.csv"
    text = answers.read_text(encoding="utf-8").splitlines()
    at = next(place for place, line in enumerate(text) if line.split(",")[3] == "fiqr_12_pain")
    cells = text[at].split(",")
    cells[4] = "0" if cells[4] != "0" else "9"
    text[at] = ",".join(cells)
    answers.write_text("\n".join(text) + "\n", encoding="utf-8")
    made = recompute_py(folder, "--without-de")
    assert made.code == 1
    assert any("outcome=pain" in number for number in verdicts(folder)["NO"])


@pytest.mark.parametrize(
    ("table", "where", "column", "needs"),
    [
        (
            "report.symptom_change",
            {"outcome": "pain", "visit": "week_4", "stratum": "primary"},
            "hl_estimate",
            {"subjects": 2, "visits": 2, "items": {"fiqr_12_pain"}},
        ),
        (
            "stats.symptom_change",
            {"outcome": "fibromyalgianess", "visit": "week_4", "stratum": ""},
            "p_holm",
            {"subjects": 6, "visits": 3, "items": None},
        ),
    ],
)
def test_one_number_leaves_with_what_it_needs_and_no_more(
    place: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table, where, column, needs
):
    monkeypatch.setenv("FM_PSEUDONYM_KEY", KEY)
    out = tmp_path / "one"
    picked = [part for name, value in where.items() for part in ("--where", f"{name}={value}")]
    made = place.fm(
        "explain", table, *picked, "--column", column, "--recompute", str(out), "--reason", "asked"
    )
    assert made.code == 0, made.err
    (number,) = rows(out / "published.csv")
    assert number["id"].endswith(f"].{column}")
    answers = rows(out / "inputs" / "answers.csv")
    assert len({row["subject_id"] for row in answers}) == needs["subjects"]
    assert len({row["visit_id"] for row in answers}) == needs["visits"]
    if needs["items"] is not None:
        assert {row["item"] for row in answers} == needs["items"]
    assert not (out / "inputs" / "counts.csv").exists()
    run = recompute_py(out)
    assert run.code == 0, run.out + run.err
    assert verdicts(out) == {"yes": [number["id"]]}


def test_a_number_that_is_not_recomputed_is_refused_with_the_reason(place: Workspace, tmp_path: Path):
    refused = place.fm(
        *("explain", "report.symptom_change", "--where", "outcome=pain", "--where", "visit=week_4"),
        *(
            "--where",
            "stratum=",
            "--column",
            "position",
            "--recompute",
            str(tmp_path / "one"),
            "--reason",
            "asked",
        ),
    )
    assert refused.code == 2
    assert "place on the page" in refused.err


def test_subjects_and_samples_leave_under_other_names(exported: Path):
    for path in exported.rglob("*.csv"):
        assert "SYN0" not in path.read_text(encoding="utf-8"), path.name
    people = rows(exported / "inputs" / "participants.csv")
    assert all(row["subject_id"].startswith("P-") for row in people)


def test_the_ledger_says_that_rows_left_and_why(place: Workspace, exported: Path):
    record = json.loads(place.fm("exports", "--json").out)[0]
    assert (record["form"], record["holds"], record["reason"]) == (
        "recomputation",
        "row-level data",
        "double programming",
    )
    assert {file["path"] for file in record["files"]} >= {
        "published.csv",
        "recompute.R",
        "inputs/answers.csv",
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "--reason"), (("--reason", "why"), "FM_PSEUDONYM_KEY")],
)
def test_rows_do_not_leave_without_a_reason_or_under_their_own_names(
    place: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
):
    monkeypatch.delenv("FM_PSEUDONYM_KEY", raising=False)
    out = tmp_path / "out"
    refused = run_fm(
        *("export", "recomputation", "-o", str(out), *arguments),
        *("--study", str(place.study), "--home", str(place.home)),
    )
    assert refused.code == 2
    assert said in refused.err
    assert not out.exists()

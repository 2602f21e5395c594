"""Two real data sets, each described by a study.yaml alone, refreshed in homes side by side."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from statistics import median

import pytest

from fm_platform_tests.e2e.conftest import Workspace, copy_to_export_from
from fm_platform_tests.e2e.soak import effort
from fm_platform_tests.e2e.test_recomputation import recompute_r, verdicts

CDYSTONIA = """\
study: {id: cdystonia, title: Botulinum toxin type B in cervical dystonia}
clinical:
  visits:
    path: cdystonia.csv
    grain: visit
    columns: {subject: [site, id], visit: week, arm: treat, site: site, age: age, sex: sex}
visits:
  - {id: week_0, label: Baseline, day: 1, baseline: true, values: ["0"]}
  - {id: week_2, label: Week 2, day: 15, values: ["2"]}
  - {id: week_4, label: Week 4, day: 29, values: ["4"]}
  - {id: week_8, label: Week 8, day: 57, values: ["8"]}
  - {id: week_12, label: Week 12, day: 85, values: ["12"]}
  - {id: week_16, label: Week 16, day: 113, values: ["16"]}
strata: arm
outcomes:
  - {id: twstrs, label: TWSTRS total, column: visits.twstrs, range: [0, 87], better: lower, family: primary}
responders:
  - {id: twstrs30, outcome: twstrs, reduction: 0.30}
"""

TB = """\
study: {id: tb-suscept, title: Dendritic cells of 25 donors before and after infection}
expression:
  counts: {path: counts.txt}
  samples: {path: experiment-info.txt, id: id, subject: individual}
contrasts:
  - id: infection
    design: "~ individual + treatment"
    variable: treatment
    level: infect
    reference: noninf
    subset: {individual: [s01, s02, s03, r01]}
"""


@pytest.fixture(scope="module")
def cdystonia(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    base = tmp_path_factory.mktemp("cdystonia")
    workspace = Workspace(base / "study", base / "home")
    workspace.study.mkdir()
    shutil.copy(shared_data / "medicaldata" / "cdystonia.csv", workspace.study)
    (workspace.study / "study.yaml").write_text(CDYSTONIA, encoding="utf-8")
    outcome = workspace.fm("refresh")
    assert outcome.code == 0, outcome.err
    return workspace


def delivered(workspace: Workspace) -> dict[tuple[str, str], dict[str, int]]:
    """TWSTRS by subject (site, id) and week, read without the platform."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    with (workspace.study / "cdystonia.csv").open(newline="") as handle:
        for row in csv.DictReader(handle):
            found.setdefault((row["site"], row["id"]), {})[row["week"]] = int(row["twstrs"])
    return found


def query(workspace: Workspace, sql: str) -> list[dict]:
    outcome = workspace.fm("query", sql, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_subjects_are_site_and_id_and_none_is_set_aside(cdystonia):
    assert query(cdystonia, "SELECT count(*) AS n FROM marts.participants") == [{"n": 109}]
    assert query(cdystonia, "SELECT count(*) AS n FROM quarantine.visits") == [{"n": 0}]
    assert len(delivered(cdystonia)) == 109


def test_missing_visits_are_counted_and_medians_are_those_of_the_file(cdystonia):
    subjects = delivered(cdystonia)
    for week in ("2", "4", "8", "12", "16"):
        pairs = [visits for visits in subjects.values() if "0" in visits and week in visits]
        expected = {
            "n": len(pairs),
            "n_missing": 109 - len(pairs),
            "median_change": float(median(visits[week] - visits["0"] for visits in pairs)),
        }
        found = query(
            cdystonia,
            "SELECT n, n_missing, median_change FROM stats.symptom_change "
            f"WHERE visit = 'week_{week}' AND stratum IS NULL",
        )
        assert found == [expected]


def test_responders_are_counted_by_arm(cdystonia):
    subjects = delivered(cdystonia)
    pairs = [visits for visits in subjects.values() if "0" in visits and "4" in visits]
    expected = sum(10 * (visits["0"] - visits["4"]) >= 3 * visits["0"] for visits in pairs)
    found = query(
        cdystonia,
        "SELECT stratum, responders FROM stats.responders WHERE visit = 'week_4' ORDER BY stratum NULLS FIRST",
    )
    assert found[0] == {"stratum": None, "responders": expected}
    assert sum(row["responders"] for row in found[1:]) == expected


def test_a_clinical_only_study_reports_without_expression(cdystonia):
    report = (cdystonia.home / "reports" / "report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC" not in report.upper()
    assert "volcano" not in report.lower()


@pytest.fixture(scope="module")
def tb(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    base = tmp_path_factory.mktemp("tb")
    workspace = Workspace(base / "study", base / "home")
    workspace.study.mkdir()
    for name in ("counts.txt", "experiment-info.txt"):
        shutil.copy(shared_data / "tb_suscept" / name, workspace.study)
    (workspace.study / "study.yaml").write_text(TB, encoding="utf-8")
    outcome = workspace.fm("refresh")
    assert outcome.code == 0, outcome.err
    return workspace


def test_an_expression_only_study_runs_beside_it(cdystonia, tb):
    workspace = tb
    [contrast] = query(workspace, "SELECT * FROM expression.contrasts")
    assert (contrast["n_samples"], contrast["n_level"], contrast["n_reference"]) == (8, 4, 4)
    assert contrast["residual_df"] == 3
    assert contrast["n_genes"] == 11336
    assert contrast["n_significant"] > 1000
    assert query(workspace, "SELECT count(*) AS n FROM expression.counts_long") == [{"n": 11336 * 50}]
    assert workspace.fm("query", "SELECT * FROM marts.participants").code == 2
    assert query(cdystonia, "SELECT study_id FROM audit.publication") == [{"study_id": "cdystonia"}]
    assert workspace.fm("verify").code == 0


def test_r_recomputes_the_clinical_trial_without_the_platform(cdystonia, tmp_path):
    folder = exported(cdystonia, tmp_path)
    made = recompute_r(folder, "--without-de")
    assert made.code == 0, made.out[-3000:] + made.err[-3000:]
    found = verdicts(folder)
    assert set(found) == {"yes", "skipped"}
    assert len(found["yes"]) > 8000


def test_deseq2_recomputes_the_expression_study_without_the_platform(tb, tmp_path):
    folder = exported(tb, tmp_path)
    made = recompute_r(folder, "--without-refits")
    assert made.code == 0, made.out[-3000:] + made.err[-3000:]
    found = verdicts(folder)
    assert {number.rpartition(".")[2] for number in found["skipped"]} == {"n_refits", "n_stable"}
    assert len(found["yes"]) == 149


def exported(workspace: Workspace, tmp_path: Path) -> Path:
    """The recomputation of a study whose ids are public."""
    copy = copy_to_export_from(workspace, tmp_path)
    out = tmp_path / "recomputed"
    made = copy.fm("export", "recomputation", "-o", str(out), "--with-subject-ids", "--reason", "public data")
    assert made.code == 0, made.err
    return out


@pytest.mark.soak
def test_no_effect_is_undeclared_in_trial_data(cdystonia):
    outcome = cdystonia.fm("audit", "lineage", *effort(sample=10))
    assert outcome.code == 0, outcome.out


@pytest.mark.soak
def test_no_effect_is_undeclared_in_measured_counts(tb):
    outcome = tb.fm("audit", "lineage", *effort(sample=10))
    assert outcome.code == 0, outcome.out

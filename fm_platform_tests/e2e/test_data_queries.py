"""Deliveries over time: what the site is asked, answers and asks again, and rows that went missing."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from fm_platform_tests.e2e.conftest import Workspace, clinical_half

VISITS = "clinical/visits.csv"


def queries(workspace: Workspace, *options: str) -> list[dict]:
    outcome = workspace.fm("queries", "--json", *options)
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def set_cell(workspace: Workspace, subject: str, visit: str, column: str, value: str) -> None:
    def change(text: str) -> str:
        rows = list(csv.DictReader(io.StringIO(text)))
        next(r for r in rows if (r["subject_id"], r["visit"]) == (subject, visit))[column] = value
        return written(rows)

    workspace.edit(VISITS, change)


def written(rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def without(workspace: Workspace, subject: str, visit: str | None = None) -> None:
    def change(text: str) -> str:
        rows = csv.DictReader(io.StringIO(text))
        return written([r for r in rows if r["subject_id"] != subject or visit not in (None, r["visit"])])

    workspace.edit(VISITS, change)


@pytest.fixture(scope="module")
def delivered(small_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The study's clinical half after its first refresh. Tests must not change it."""
    folder = tmp_path_factory.mktemp("delivered")
    first = Workspace(folder / "study", folder / "home")
    shutil.copytree(small_study, first.study)
    first.edit("study.yaml", clinical_half)
    assert first.fm("refresh").code == 0
    return first


@pytest.fixture
def study(delivered: Workspace, tmp_path: Path) -> Workspace:
    """A copy that a test may change."""
    shutil.copytree(delivered.study.parent, tmp_path, dirs_exist_ok=True)
    return Workspace(tmp_path / "study", tmp_path / "home")


def test_a_query_is_resolved_by_a_corrected_delivery_and_reopened_with_the_same_id(study: Workspace) -> None:
    before = {query["query_id"] for query in queries(study)}
    set_cell(study, "SYN01", "week_4", "fiqr_q1", "60")
    assert study.fm("refresh").code == 0
    (raised,) = queries(study, "--rule", "FM001")
    assert (raised["subject"], raised["event"], raised["item"], raised["value"]) == (
        "SYN01",
        "week_4",
        "fiqr_q1",
        "60",
    )
    assert (raised["state"], raised["age_days"]) == ("open", 0)
    assert raised["lines"] == f"{VISITS}:3"
    assert raised["query_id"] not in before

    set_cell(study, "SYN01", "week_4", "fiqr_q1", "6")
    computed = json.loads(study.fm("refresh", "--json").out)["computed"]
    assert "raw.participants" not in computed
    assert not queries(study, "--rule", "FM001")
    (resolved,) = queries(study, "--rule", "FM001", "--all")
    assert (resolved["query_id"], resolved["state"]) == (raised["query_id"], "resolved")

    set_cell(study, "SYN01", "week_4", "fiqr_q1", "61")
    assert study.fm("refresh").code == 0
    (reopened,) = queries(study, "--rule", "fm001")
    assert (reopened["query_id"], reopened["state"], reopened["times_reopened"]) == (
        raised["query_id"],
        "reopened",
        1,
    )
    site = (study.home / "reports" / "data_queries.csv").read_text()
    assert raised["query_id"] in site
    assert raised["query_id"] in study.fm("queries", "--csv").out


def test_a_changed_value_is_asked_about_with_old_and_new(study: Workspace) -> None:
    set_cell(study, "SYN02", "week_12", "fatigue", "3")
    assert study.fm("refresh").code == 0
    (changed,) = queries(study, "--rule", "FM017")
    assert (changed["subject"], changed["event"], changed["item"]) == ("SYN02", "week_12", "fatigue")
    assert (changed["value"], changed["expected"]) == ("3", "2")

    set_cell(study, "SYN02", "week_12", "fatigue", "2")
    assert study.fm("refresh").code == 0
    assert not queries(study, "--rule", "FM017")
    (resolved,) = queries(study, "--rule", "FM017", "--all")
    assert (resolved["query_id"], resolved["state"]) == (changed["query_id"], "resolved")


@pytest.mark.parametrize("visit", [None, "week_12"])
def test_a_lost_subject_or_visit_blocks_until_it_is_accepted(study: Workspace, visit: str | None) -> None:
    rows = (study.study / "clinical/visits.csv").read_text(encoding="utf-8").splitlines()
    stood = [
        f"clinical/visits.csv:{line}"
        for line, row in enumerate(rows, start=1)
        if "SYN03" in row and (visit is None or visit in row)
    ]
    without(study, "SYN03", visit)
    blocked = study.fm("refresh")
    assert blocked.code == 1
    assert "fm021_nothing_lost" in blocked.err
    assert f"Absent: SYN03{f' at {visit}' if visit else ''} ({stood[0]}" in blocked.err
    (lost,) = queries(study, "--rule", "FM021")
    assert lost["lines"] == " ".join(stood)
    named = "SELECT count(*) AS n FROM audit.ledger WHERE kind = 'check' AND body LIKE '%SYN03%'"
    assert json.loads(study.fm("query", named, "--json").out) == [{"n": 0}]
    assert (lost["subject"], lost["event"], lost["state"]) == ("SYN03", visit, "open")
    # The next delivery lacks it, too: still blocked.
    set_cell(study, "SYN01", "week_4", "fatigue", "3")
    assert study.fm("refresh").code == 1

    refused = study.fm(
        "accept", "--rule", "FM021", "--source", "visits", "--subject", "SYN99", "--reason", "x"
    )
    assert refused.code == 2
    assert "SYN99 is not missing" in refused.err
    named = ["--visit", visit] if visit else []
    accepted = study.fm(
        "accept",
        "--rule",
        "FM021",
        "--source",
        "visits",
        "--subject",
        "SYN03",
        *named,
        "--reason",
        "withdrew consent",
    )
    assert accepted.code == 0, accepted.err
    assert "decision was taken" in study.fm("status").out
    assert study.fm("refresh").code == 0
    assert not queries(study, "--rule", "FM021")
    assert study.fm("verify").code == 0


def test_completeness_counts_given_and_answered(study: Workspace) -> None:
    set_cell(study, "SYN01", "week_4", "fiqr_q1", "")
    assert study.fm("refresh").code == 0
    sql = (
        "select n_expected, n_given, n_answered, n_missing from report.completeness "
        "where item = 'fiqr_01_comb_hair' and visit = 'week_4'"
    )
    assert json.loads(study.fm("query", sql, "--json").out) == [
        {"n_expected": 6, "n_given": 6, "n_answered": 5, "n_missing": 1}
    ]

"""A refresh as its users see it: what runs, what does not, and what readers get."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import duckdb

from fm_platform_tests.e2e.conftest import Workspace, clinical_half

HEAVY = ("great_expectations", "pydeseq2", "scipy.stats", "matplotlib", "dagster", "anndata")

LIST_MODULES = """
import sys
from fm_platform.cli import main
sys.argv = ["fm", *sys.argv[1:]]
try:
    main()
except SystemExit as stop:
    print("EXIT", stop.code)
print("LOADED", *sorted(name for name in sys.modules))
"""


def refresh(workspace: Workspace, *options: str) -> tuple[int, dict]:
    outcome = workspace.fm("refresh", "--json", *options)
    return outcome.code, json.loads(outcome.out)


def rows(workspace: Workspace, sql: str) -> list[dict]:
    outcome = workspace.fm("query", sql, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def digests(workspace: Workspace) -> dict[str, str]:
    """The value digest of every published table."""
    return {row["table_name"]: row["value_digest"] for row in rows(workspace, "SELECT * FROM audit.tables")}


def test_the_first_refresh_publishes_what_the_study_declares(refreshed):
    published = {row["table_name"] for row in rows(refreshed, "SELECT table_name FROM audit.tables")}
    assert {
        "raw.visits",
        "quarantine.visits",
        "staging.visits",
        "marts.symptom_scores",
        "stats.symptom_change",
        "expression.de_results",
        "report.characteristics",
        "report.top_genes",
    } <= published
    report = (refreshed.home / "reports" / "report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC" in report.upper()
    assert rows(refreshed, "SELECT data_origin FROM audit.publication") == [{"data_origin": "synthetic"}]


def test_published_responders_have_the_paper_s_marginals(refreshed):
    found = rows(
        refreshed,
        "SELECT visit, responders, n FROM report.responders "
        "WHERE responder = 'pain30' AND stratum IS NULL ORDER BY visit",
    )
    assert found == [
        {"visit": "week_12", "responders": 3, "n": 6},
        {"visit": "week_4", "responders": 4, "n": 6},
    ]


def test_criteria_of_the_demo_are_decided_as_its_answers_say(refreshed):
    """The verdict of every visit against the rule of 2016 written out on the delivered cells."""
    regions = [
        *(("shoulder_girdle", "upper_arm", "lower_arm", side) for side in "lr"),
        *(("hip", "upper_leg", "lower_leg", side) for side in "lr"),
    ]
    expected = {}
    with (refreshed.study / "clinical" / "visits.csv").open(newline="") as handle:
        for row in csv.DictReader(handle):
            names = list(row)
            areas = names[names.index("jaw_l") : names.index("abdomen") + 1]
            wpi = sum(int(row[area]) for area in areas)
            sss = sum(
                int(row[item]) for item in names[names.index("fatigue") : names.index("depression") + 1]
            )
            painful = sum(any(row[f"{area}_{side}"] == "1" for area in three) for *three, side in regions)
            painful += any(row[area] == "1" for area in ("neck", "upper_back", "lower_back"))
            severe = (wpi >= 7 and sss >= 5) or (4 <= wpi <= 6 and sss >= 9)
            met = severe and painful >= 4 and row["duration_3_months"] == "1"
            expected[row["subject_id"], row["visit"]] = "met" if met else "not_met"
            assert len(areas) == 19
    found = rows(refreshed, "SELECT subject_id, visit_id, verdict FROM marts.criteria WHERE version = '2016'")
    assert {(row["subject_id"], row["visit_id"]): row["verdict"] for row in found} == expected
    assert set(expected.values()) == {"met", "not_met"}


def loaded_by(*arguments: str) -> tuple[str, set[str]]:
    """What a command prints, and every module that its process has loaded in the end."""
    finished = subprocess.run(
        [sys.executable, "-c", LIST_MODULES, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    printed, _, rest = finished.stdout.partition("EXIT ")
    assert rest.startswith("0")
    return printed, set(rest.split("LOADED ")[1].split())


def test_a_second_refresh_runs_nothing_and_loads_no_heavy_library(refreshed):
    place = ["--study", str(refreshed.study), "--home", str(refreshed.home)]
    summary, loaded = loaded_by("refresh", "--json", *place)
    assert json.loads(summary)["computed"] == []
    assert not loaded & set(HEAVY)


def test_a_question_loads_neither_catalog_nor_pyarrow(refreshed):
    printed, loaded = loaded_by("query", "SELECT 42 AS answer", "--home", str(refreshed.home))
    assert "42" in printed
    assert not loaded & {*HEAVY, "fm_platform.catalog", "sqlglot", "pyarrow"}


def test_one_changed_cell_reruns_only_what_depends_on_it_and_its_return_restores_the_digests(workspace):
    before = digests(workspace)
    original = (workspace.study / "clinical/visits.csv").read_text(encoding="utf-8")
    header, first, *others = original.splitlines()
    cells = first.split(",")
    at = header.split(",").index("fiqr_q1")
    cells[at] = str((int(cells[at]) + 1) % 11)
    workspace.edit("clinical/visits.csv", lambda _: "\n".join([header, ",".join(cells), *others]) + "\n")

    code, summary = refresh(workspace)
    assert code == 0
    assert "stats.symptom_change" in summary["computed"]
    assert {"asset": "quarantine.visits", "check": "fm003_fiqr_total"} in summary["warnings"]
    ran = set(summary["computed"]) | set(summary["unchanged"])
    assert not {table for table in ran if table.startswith("expression.")}
    assert not {"raw.counts", "raw.samples", "raw.participants"} & ran
    changed = {table for table, digest in digests(workspace).items() if digest != before[table]}
    assert "staging.visits" in changed
    assert not {table for table in changed if table.startswith("expression.")}

    workspace.edit("clinical/visits.csv", lambda _: original)
    assert refresh(workspace)[0] == 0
    assert digests(workspace) == before


def test_reordered_rows_change_no_value_but_are_found_at_their_new_lines(workspace):
    before = digests(workspace)
    where = "SELECT _row_id, line FROM audit.source_rows WHERE source = 'visits'"
    lines_before = {row["_row_id"]: row["line"] for row in rows(workspace, where)}

    def reverse(text: str) -> str:
        header, *body = text.splitlines()
        return "\n".join([header, *reversed(body)]) + "\n"

    workspace.edit("clinical/visits.csv", reverse)
    code, summary = refresh(workspace)
    assert code == 0
    shows_lines = {"report.data_queries", "files.report", "files.site", "publish.warehouse"}
    assert set(summary["computed"]) == {"raw.visits", *shows_lines}
    assert digests(workspace) == before
    lines_after = {row["_row_id"]: row["line"] for row in rows(workspace, where)}
    assert lines_after == {row_id: 21 - line for row_id, line in lines_before.items()}


def test_a_selection_runs_only_what_it_names_and_publishes_it(clinical_study):
    code, summary = refresh(clinical_study, "--select", "+marts.participants")
    assert code == 0
    assert "marts.participants" in summary["computed"]
    assert not any(table.startswith("stats.") for table in summary["computed"])
    assert rows(clinical_study, "SELECT count(*) AS n FROM marts.participants") == [{"n": 6}]


def test_an_unknown_selection_is_refused_with_the_nearest_name(refreshed):
    outcome = refreshed.fm("refresh", "--select", "marts.participant")
    assert outcome.code == 2
    assert "marts.participants" in outcome.err


def test_force_recomputes_a_fresh_asset_and_records_the_reason(workspace):
    code, summary = refresh(workspace, "--select", "study.visits", "--force", "--reason", "second look")
    assert code == 0
    assert summary["computed"][0] == "study.visits"
    with duckdb.connect(str(workspace.home / "work.duckdb"), read_only=True) as connection:
        reasons = connection.sql(
            "SELECT json_extract_string(body, '$.reason') FROM audit.ledger ORDER BY seq DESC LIMIT 2"
        ).fetchall()
    assert ("second look",) in reasons


def test_a_home_refuses_another_study(workspace):
    workspace.edit("study.yaml", lambda text: text.replace("id: fm-demo", "id: other-study"))
    outcome = workspace.fm("refresh")
    assert outcome.code == 2
    assert "fm-demo" in outcome.err
    assert "--home" in outcome.err


def test_status_names_the_reason_of_every_stale_asset(workspace):
    assert " 0 stale" in workspace.fm("status").out
    workspace.edit("study.yaml", lambda text: text.replace("label: Week 4", "label: Fourth week"))
    states = {row["asset"]: row for row in json.loads(workspace.fm("status", "--json").out)}
    assert states["study.visits"]["state"] == "stale"
    assert "study.yaml" in states["study.visits"]["reason"]
    assert states["expression.counts"]["state"] == "fresh"


def test_a_study_without_expression_has_no_expression_assets(clinical_study):
    states = json.loads(clinical_study.fm("status", "--json").out)
    assert not [row for row in states if row["asset"].startswith("expression.")]


def test_a_comment_in_study_yaml_makes_nothing_stale(workspace):
    workspace.edit("study.yaml", lambda text: "# a remark\n" + text)
    code, summary = refresh(workspace)
    assert code == 0
    assert summary["computed"] == []


def test_dropping_a_half_from_the_study_leaves_the_other_published(workspace):
    workspace.edit("study.yaml", clinical_half)
    code, _ = refresh(workspace)
    assert code == 0
    tables = {row["table_name"] for row in rows(workspace, "SELECT table_name FROM audit.tables")}
    assert "report.symptom_change" in tables
    assert "expression.de_results" not in tables


def test_a_changed_contrast_leaves_the_other_alone(workspace):
    old, new = "[SYN01, SYN02]}\n    alpha: 0.05", "[SYN01, SYN02]}\n    shrink: apeglm"
    workspace.edit("study.yaml", lambda text: text.replace(old, new))
    code, summary = refresh(workspace)
    assert code == 0
    computed = set(summary["computed"])
    assert {"expression.fit_before_after", "expression.de_results"} <= computed
    assert not {"expression.fit_fm_vs_healthy", "expression.stability_fm_vs_healthy"} & computed
    counted = "SELECT contrast, count(*) AS n, count(log2_fold_change_shrunk) > 0 AS shrunk"
    assert rows(workspace, f"{counted} FROM expression.de_results GROUP BY ALL ORDER BY ALL") == [
        {"contrast": "before_after", "n": 150, "shrunk": True},
        {"contrast": "fm_vs_healthy", "n": 150, "shrunk": False},
    ]

"""A blocking check that fails stops what lies downstream, in this run and in the next, and only that."""

from __future__ import annotations

import json

from fm_platform_tests.e2e.conftest import Workspace


def unknown_visits(text: str) -> str:
    """Rename the visit of six of eighteen rows to one that the study does not declare."""
    return text.replace(",week_12,", ",week_13,")


def computed(workspace: Workspace, *options: str) -> tuple[int, dict]:
    outcome = workspace.fm("refresh", "--json", *options)
    return outcome.code, json.loads(outcome.out)


def states(workspace: Workspace) -> dict[str, str]:
    return {row["asset"]: row["state"] for row in json.loads(workspace.fm("status", "--json").out)}


def test_downstream_waits_until_the_data_are_mended(workspace):
    before = json.loads(workspace.fm("query", "SELECT * FROM stats.symptom_change", "--json").out)
    good = (workspace.study / "clinical/visits.csv").read_text(encoding="utf-8")
    workspace.edit("clinical/visits.csv", unknown_visits)

    code, summary = computed(workspace)
    assert code == 1
    assert {"asset": "quarantine.visits", "check": "set_aside_within_limit"} in summary["failed_checks"]
    assert "staging.visits" not in summary["computed"]

    code, summary = computed(workspace, "--select", "staging.visits")
    assert code == 1
    assert summary["computed"] == []
    assert states(workspace)["staging.visits"] == "blocked"
    assert states(workspace)["expression.de_results"] == "fresh"

    asked = json.loads(workspace.fm("queries", "--rule", "FM022", "--json").out)
    delivered = (workspace.study / "clinical/visits.csv").read_text(encoding="utf-8").splitlines()
    for query in asked:
        path, _, line = query["lines"].rpartition(":")
        assert path == "clinical/visits.csv"
        assert f"{query['subject']},week_13" in delivered[int(line) - 1]
    assert len(asked) == 6

    published = json.loads(workspace.fm("query", "SELECT * FROM stats.symptom_change", "--json").out)
    assert published == before
    labelled = json.loads(
        workspace.fm("query", "SELECT DISTINCT half, state FROM audit.tables ORDER BY half", "--json").out
    )
    assert labelled == [
        {"half": "both", "state": "current"},
        {"half": "clinical", "state": "previous"},
        {"half": "expression", "state": "current"},
    ]
    report = (workspace.home / "reports" / "report.html").read_text(encoding="utf-8")
    assert "set_aside_within_limit" in report

    workspace.edit("clinical/visits.csv", lambda _: good)
    assert computed(workspace)[0] == 0
    assert set(states(workspace).values()) == {"fresh"}


def test_the_open_half_is_published_even_when_the_first_clinical_delivery_is_blocked(workspace, tmp_path):
    workspace.edit("clinical/visits.csv", unknown_visits)
    first = Workspace(workspace.study, tmp_path / "new-home")
    code, _ = computed(first)
    assert code == 1
    genes = json.loads(first.fm("query", "SELECT count(*) AS n FROM report.top_genes", "--json").out)
    assert genes[0]["n"] > 0
    assert first.fm("query", "SELECT * FROM staging.visits").code == 2


def test_a_blocked_asset_stays_blocked_under_force(workspace):
    workspace.edit("clinical/visits.csv", unknown_visits)
    assert computed(workspace)[0] == 1
    code, summary = computed(workspace, "--select", "marts.participants", "--force")
    assert code == 1
    assert summary["computed"] == []
    assert summary["blocked"][0]["asset"] == "marts.participants"

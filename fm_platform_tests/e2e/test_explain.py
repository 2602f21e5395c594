"""``fm explain``: from a number in a report to the delivered lines it was computed from."""

from __future__ import annotations

import gzip
import hashlib
import json

import pytest

from fm_platform_tests.e2e.conftest import Workspace


def explained(workspace: Workspace, *arguments: str) -> dict:
    outcome = workspace.fm("explain", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_a_p_value_leads_to_the_twelve_visits_it_was_computed_from(refreshed):
    where = ["--where", "outcome=fiqr_total", "--where", "visit=week_12", "--where", "stratum="]
    found = explained(refreshed, "report.symptom_change", *where, "--column", "p_value")
    assert found["value"] == 0.03125
    assert "signed-rank" in found["method"]
    assert len(found["rows"]) == 12
    content = (refreshed.study / "clinical/visits.csv").read_bytes()
    lines = content.decode().splitlines()
    for row in found["rows"]:
        assert row["path"] == "clinical/visits.csv"
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        cells = dict(zip(lines[0].split(","), lines[row["line"] - 1].split(","), strict=True))
        assert cells["visit"] in ("baseline", "week_12")
    assert all(check["passed"] for check in found["checks"])
    assert {"quarantine.visits", "marts.symptom_scores"} <= {check["table_name"] for check in found["checks"]}
    text = refreshed.fm("explain", "report.symptom_change", *where, "--column", "p_value").out
    assert text.count("clinical/visits.csv:") == 12
    assert text.startswith("SYNTHETIC DATA")


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["report.responders", "--where", "responder=pain30", "--where", "visit=week_4", "--where", "stratum=primary"],
         {"clinical/visits.csv": 4}),
        (["report.top_genes", "--where", "contrast=fm_vs_healthy", "--where", "rank=1", "--column", "padj"],
         {"rnaseq/counts.csv": 1, "rnaseq/samples.csv": 10}),
        (["staging.stg_subjects", "--where", "subject_id=SYN03"], {"clinical/participants.csv": 1}),
    ],
)  # fmt: skip
def test_every_kind_of_number_ends_at_lines_of_kept_files(refreshed, arguments, files):
    found = explained(refreshed, *arguments)
    counted = {
        path: sum(row["path"] == path for row in found["rows"]) for path in {r["path"] for r in found["rows"]}
    }
    assert counted == files
    for row in found["rows"]:
        kept = refreshed.home / "sources" / f"{row['sha256']}.gz"
        assert hashlib.sha256(gzip.decompress(kept.read_bytes())).hexdigest() == row["sha256"]


def test_several_matches_are_listed_as_commands(refreshed):
    outcome = refreshed.fm(
        "explain", "report.symptom_change", "--where", "outcome=pain", "--column", "p_value"
    )
    assert outcome.code == 2
    assert "--where outcome=pain --where visit=week_4 --where stratum=secondary" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["report.nothing"], "report.symptom_change"),
        (["report.responders", "--column", "rat"], "rate"),
        (["report.responders", "--where", "responder=pain99"], "no row"),
        (["report.responders", "--where", "responder"], "NAME=VALUE"),
    ],
)
def test_a_wrong_question_is_refused_with_what_there_is(refreshed, arguments, word):
    outcome = refreshed.fm("explain", *arguments)
    assert outcome.code == 2
    assert word in outcome.err

"""Subjects who withdraw: what is set aside at every gate, and what an erasure leaves of one."""

from __future__ import annotations

import base64
import gzip
import json

from fm_platform_tests.e2e.conftest import Workspace
from fm_platform_tests.e2e.test_impact import without
from fm_platform_tests.layers import layers_of, opened

STOPPED, ERASED = "SYN02", "SYN03"
LISTED = f"subject,date,scope\n{STOPPED},2021-04-20,stop\n{ERASED},2021-06-01,erase\n"


def rows(workspace: Workspace, sql: str) -> list[dict]:
    outcome = workspace.fm("query", sql, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def declare(workspace: Workspace) -> None:
    (workspace.study / "withdrawals.csv").write_text(LISTED)
    workspace.edit(
        "study.yaml",
        lambda text: text.replace("\nexpression:", "\nwithdrawals: withdrawals.csv\n\nexpression:"),
    )


def test_withdrawn_subjects_are_set_aside_and_an_erased_one_is_purged(workspace: Workspace):
    declare(workspace)
    outcome = workspace.fm("refresh")
    assert outcome.code == 0, outcome.err
    assert_set_aside(workspace)

    early = workspace.fm("erase", "--subject", ERASED, "--reason", "consent")
    assert early.code == 2
    assert "clinical/visits.csv" in early.err
    assert workspace.fm("erase", "--subject", STOPPED, "--reason", "consent").code == 2

    delivered = {
        name: (workspace.study / name).read_bytes()
        for name in (
            "clinical/participants.csv",
            "clinical/visits.csv",
            "rnaseq/samples.csv",
            "rnaseq/counts.csv",
        )
    }
    their_line = next(
        line for line in delivered["clinical/visits.csv"].splitlines() if ERASED.encode() in line
    )
    without(workspace.study, ERASED)
    outcome = workspace.fm("refresh")
    assert outcome.code == 0, outcome.err
    assert rows(workspace, "SELECT * FROM report.data_queries WHERE subject = 'SYN03'") == []

    outcome = workspace.fm("erase", "--subject", ERASED, "--reason", "consent withdrawn")
    assert outcome.code == 0, outcome.err
    remains = outcome.out.partition("what remains:")[2]
    for said in ("withdrawals.csv", "ledger, ", "3 snapshots, 2 of them redacted", "backups"):
        assert said in remains
    assert_purged(workspace, their_line)

    verified = workspace.fm("verify")
    assert verified.code == 0, verified.out
    assert "4 sources and 2 snapshots were redacted by erasure record" in verified.out
    assert json.loads(workspace.fm("refresh", "--json").out)["computed"] == []

    for name, content in delivered.items():
        (workspace.study / name).write_bytes(content)
    back = workspace.fm("refresh")
    assert back.code == 2
    assert "SYN03 was erased" in back.err
    (workspace.home / "sources" / "extra.gz").write_bytes(b"")
    assert workspace.fm("verify").code == 1


def assert_set_aside(workspace: Workspace) -> None:
    """The gate, the marts, the statistics, the samples and the questions, before anything is erased."""
    aside = rows(workspace, "SELECT value, reason FROM quarantine.visits WHERE rule = 'FM033' ORDER BY ALL")
    assert [row["value"] for row in aside] == [STOPPED, *[ERASED] * 3]
    assert "had withdrawn before the visit (stop, 2021-04-20)" in aside[0]["reason"]
    assert rows(workspace, "SELECT count(*) AS n FROM raw.visits") == [{"n": 18}]
    kept = rows(workspace, "SELECT visit_id FROM staging.visits WHERE subject_id = 'SYN02' ORDER BY 1")
    assert [row["visit_id"] for row in kept] == ["baseline", "week_4"]
    assert rows(workspace, "SELECT * FROM marts.participants WHERE subject_id = 'SYN03'") == []
    n = rows(
        workspace,
        "SELECT visit, n FROM report.symptom_change WHERE outcome = 'pain' AND stratum IS NULL ORDER BY visit",
    )
    assert n == [{"visit": "week_12", "n": 4}, {"visit": "week_4", "n": 5}]
    out = rows(
        workspace, "SELECT sample_id, reason FROM expression.samples WHERE position IS NULL ORDER BY 1"
    )
    assert [row["sample_id"] for row in out] == ["SYN02_w12", "SYN03_w00"]
    assert "withdrew (erase, 2021-06-01)" in out[1]["reason"]
    contrasts = rows(
        workspace, "SELECT contrast, status, reason, n_samples FROM expression.contrasts ORDER BY 1"
    )
    assert contrasts[0]["status"] == "skipped"
    assert "withdrawals leave too few samples" in contrasts[0]["reason"]
    assert contrasts[1]["n_samples"] == 9
    checks = rows(workspace, "SELECT check_name FROM audit.checks WHERE blocking AND NOT passed")
    assert checks == []


def test_layers_are_opened_to_any_depth():
    within = b"data:image/svg+xml;base64," + base64.b64encode(gzip.compress(b"<text>SYN03</text>"))
    assert any(b"SYN03" in layer for layer in opened(gzip.compress(within)))


def assert_purged(workspace: Workspace, their_line: bytes) -> None:
    """No layer of the home says anything of the subject but the list of withdrawals; others' lines stay."""
    layers = list(layers_of(workspace.home))
    assert {place for place, layer in layers if their_line in layer} == set()
    assert len({place.partition(" ")[0] for place, _ in layers if ".duckdb " in place}) == 5
    lists = {place for place, layer in layers if layer == LISTED.encode()}
    named = {place for place, layer in layers if ERASED.encode() in layer}
    assert {place for place in named - lists if not place.endswith(" raw.withdrawals")} == set()
    assert not (workspace.home / "dagster" / "history").exists()
    explained = workspace.fm(
        "explain", "staging.stg_subjects", "--where", "subject_id=SYN04", "--json"
    )  # fmt: skip
    assert explained.code == 0

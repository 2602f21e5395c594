"""Bad input: exit code 2, a message with file, line and mend, and readers see the warehouse as before."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from fm_platform_tests.e2e.conftest import Workspace


def cut_in_the_last_row(text: str) -> str:
    return text[: text.rindex(",", 0, len(text) - 20)]


def wrong_header(text: str) -> str:
    return text.replace("fiqr_q7", "fiqr_7", 1)


def unseen_level(text: str) -> str:
    return text.replace("reference: healthy", "reference: helthy")


def unknown_key(text: str) -> str:
    return text.replace("strata: fm_type", "stratum: fm_type")


CASES = [
    ("clinical/visits.csv", cut_in_the_last_row, ["clinical/visits.csv:19", "cut off"]),
    ("clinical/visits.csv", wrong_header, ["clinical/visits.csv:1", "fiqr_q7", "fiqr_7"]),
    ("study.yaml", unseen_level, ["study.yaml", "helthy", "healthy"]),
    ("study.yaml", unknown_key, ["study.yaml", "stratum", "did you mean"]),
    ("rnaseq/counts.csv", cut_in_the_last_row, ["rnaseq/counts.csv:", "cut off"]),
]


@pytest.mark.parametrize(("file", "damage", "words"), CASES, ids=[f"{c[0]}-{c[1].__name__}" for c in CASES])
def test_damage_is_refused_and_readers_are_not_disturbed(
    workspace: Workspace, file: str, damage: Callable[[str], str], words: list[str]
):
    published = (workspace.home / "warehouse.duckdb").read_bytes()
    workspace.edit(file, damage)
    outcome = workspace.fm("refresh")
    assert outcome.code == 2
    assert "Mend:" in outcome.err
    assert "Traceback" not in outcome.err
    for word in words:
        assert word in outcome.err
    assert (workspace.home / "warehouse.duckdb").read_bytes() == published
    assert workspace.fm("verify", "--json").code == 0


def test_a_binary_file_is_refused(workspace: Workspace):
    path = workspace.study / "clinical/visits.csv"
    path.write_bytes(b"\x7fELF\x02\x01\x01\x00" + bytes(range(256)) * 4)
    outcome = workspace.fm("refresh")
    assert outcome.code == 2
    assert "clinical/visits.csv" in outcome.err
    assert workspace.fm("query", "SELECT count(*) FROM raw.visits").code == 0


def test_a_missing_file_names_the_line_of_study_yaml(workspace: Workspace):
    (workspace.study / "clinical/participants.csv").unlink()
    outcome = workspace.fm("refresh")
    assert outcome.code == 2
    assert "study.yaml:" in outcome.err
    assert "participants.csv" in outcome.err


def test_corrected_input_is_read_again(workspace: Workspace):
    good = (workspace.study / "clinical/visits.csv").read_text(encoding="utf-8")
    workspace.edit("clinical/visits.csv", wrong_header)
    assert workspace.fm("refresh").code == 2
    workspace.edit("clinical/visits.csv", lambda _: good)
    assert workspace.fm("refresh").code == 0


def test_a_query_cannot_write_or_read_files(refreshed: Workspace):
    for sql in (
        "DELETE FROM raw.visits",
        "SELECT * FROM read_csv('/etc/hostname')",
        "COPY raw.visits TO 'stolen.csv'",
        "ATTACH 'other.duckdb'",
        "SET enable_external_access = true",
    ):
        assert refreshed.fm("query", sql).code == 2


def test_a_wrong_name_is_told_first_and_what_does_not_need_it_still_runs(workspace: Workspace):
    published = (workspace.home / "warehouse.duckdb").read_bytes()
    workspace.edit("clinical/visits.csv", wrong_header)
    workspace.edit("study.yaml", lambda text: text.replace("alpha: 0.05", "alpha: 0.1", 1))
    workspace.edit("study.yaml", lambda text: text.replace('reference: "0"', 'reference: "00"'))
    outcome = workspace.fm("refresh", "--json")
    summary = json.loads(outcome.out)
    assert outcome.code == 2
    told, _, ran = outcome.err.partition("assets to run")
    assert "fiqr_q7" in told
    assert "contrast before_after" in told
    assert "did you mean '0'?" in told
    assert "[  1/" in ran
    assert "expression.fit_fm_vs_healthy" in summary["computed"]
    assert not {"raw.visits", "expression.fit_before_after", "files.report"} & set(summary["computed"])
    assert (workspace.home / "warehouse.duckdb").read_bytes() == published

    status = workspace.fm("status", "--json")
    assert status.code == 2
    assert "fiqr_q7" in status.err
    assert {row["state"] for row in json.loads(status.out)} == {"fresh", "stale"}

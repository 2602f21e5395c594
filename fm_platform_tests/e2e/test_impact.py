"""``fm impact``: what is said to depend on a row is what changes when the row is taken away, and nothing else."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from fm_platform.catalog.graph import build_catalog
from fm_platform.catalog.trial.trial import Trial, try_out
from fm_platform.lineage.impact.origin import origin_of_subject
from fm_platform.lineage.impact.reached import Impact, impact, table_graph
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.reader import Published, open_file
from fm_platform_tests.e2e.changes import TableChanges, table_changes
from fm_platform_tests.e2e.conftest import Workspace

PATIENT = "SYN03"


def without(study: Path, subject: str) -> None:
    """Take a subject out of every delivered file, columns of the count matrix included."""
    columns = set()
    for name, column in (
        ("clinical/participants.csv", "subject_id"),
        ("clinical/visits.csv", "subject_id"),
        ("rnaseq/samples.csv", "subject"),
    ):
        with (study / name).open(newline="") as handle:
            rows = list(csv.DictReader(handle))
        columns |= {row.get("count_column") for row in rows if row[column] == subject}
        with (study / name).open("w", newline="") as handle:
            writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(row for row in rows if row[column] != subject)
    with (study / "rnaseq/counts.csv").open(newline="") as handle:
        matrix = list(csv.reader(handle))
    kept = [at for at, name in enumerate(matrix[0]) if name not in columns]
    with (study / "rnaseq/counts.csv").open("w", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows([row[at] for at in kept] for row in matrix)


def table_digests(published: Published) -> dict[str, str]:
    return dict(published.query("SELECT table_name, value_digest FROM audit.tables").rows())


def predicted_rows(found: Impact, keys: dict[str, list[str]]) -> dict[str, set[tuple]]:
    return {
        reached.table: {tuple(row[part] for part in keys[reached.table]) for row in reached.keys}
        for reached in found.tables
    }


def tried_rows(tried: Trial, table: str) -> dict[tuple, object]:
    """Key to the new values of a changed row, or what became of the row, as a trial says."""
    rows = [row for found in tried.tables if found.table == table for row in found.rows]
    return {
        tuple(row.key.values()): {cell.column: cell.new for cell in row.cells}
        if row.status == "changed"
        else row.status
        for row in rows
    }


def told_rows(changes: TableChanges) -> dict[tuple, object]:
    """The same of two states of a table."""
    new: dict[tuple, object] = {
        **dict.fromkeys(changes.gone, "removed"),
        **dict.fromkeys(changes.new, "added"),
    }
    for key, column, _, value in changes.cells:
        new.setdefault(key, {})[column] = value
    return new


def test_a_refresh_without_a_patient_changes_exactly_the_predicted_tables_and_rows(workspace: Workspace):
    before_file = Home(workspace.home).snapshots / "000001.duckdb"
    with open_file(before_file) as before:
        found = impact(before, origin_of_subject(before, PATIENT), limit=1_000_000)
        _, keys = table_graph(before)
        tried = try_out(
            build_catalog(workspace.study),
            Home(workspace.home),
            origin_of_subject(before, PATIENT),
            reached={table.table for table in found.tables},
        )
    predicted = predicted_rows(found, keys)

    without(workspace.study, PATIENT)
    assert workspace.fm("refresh").code == 1
    for source in ("participants", "visits"):
        accepted = workspace.fm(
            "accept", "--rule", "FM021", "--source", source, "--subject", PATIENT, "--reason", "withdrew"
        )
        assert accepted.code == 0, accepted.err
    assert workspace.fm("refresh").code == 0

    with open_file(before_file) as before, open_file(Home(workspace.home).published) as after:
        then, now = table_digests(before), table_digests(after)
        assert {table for table in then if then[table] != now.get(table)} == set(predicted)
        for table in then:
            read = f"SELECT * FROM {table}"
            changes = table_changes(table, keys[table], before.query(read), after.query(read))
            assert {*changes.gone, *(cell[0] for cell in changes.cells)} == predicted.get(table, set()), table
            if not table.startswith("raw.") and table != "report.data_queries":
                assert tried_rows(tried, table) == told_rows(changes), table

    told = json.loads(workspace.fm("diff", "1", "latest", "--limit", "0", "--json").out)["conclusions"]
    assert told
    assert [(c["key"], c["text"], tuple(c["also_in"])) for c in told] == [
        (c.key, c.text, c.also_in) for c in tried.conclusions
    ]


def test_a_line_leads_to_tables_keys_numbers_and_publications(refreshed: Workspace):
    outcome = refreshed.fm("impact", "--source", "clinical/visits.csv", "--line", "5", "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert [(row["path"], row["line"]) for row in found["rows"]] == [("clinical/visits.csv", 5)]
    tables = {table["table"]: table for table in found["tables"]}
    assert tables["staging.visits"]["keys"] == [{"subject_id": "SYN02", "visit_id": "baseline"}]
    primary = {"outcome": "pain", "visit": "week_4", "stratum": "primary"}
    assert primary in tables["report.symptom_change"]["keys"] or tables["report.symptom_change"]["rows"] > 20
    assert "expression.de_results" not in tables
    assert found["recomputed"][-3:] == ["files.report", "files.site", "publish.warehouse"]
    assert "expression.counts" not in found["recomputed"]
    assert [entry["number"] for entry in found["publications"]] == [1]
    text = refreshed.fm("impact", "--source", "clinical/visits.csv", "--line", "5").out
    assert "SYNTHETIC DATA" in text
    assert f"{found['report_numbers']} report numbers" in text


def test_a_trial_of_a_correction_says_old_and_new_and_writes_nothing(refreshed: Workspace):
    before = refreshed.fm("verify").out
    asked = ("impact", "--source", "clinical/visits.csv", "--line", "3", "--set", "fiqr_q1=5")
    trial = json.loads(refreshed.fm(*asked, "--json").out)["trial"]
    tables = {table["table"]: table for table in trial["tables"]}
    [answer] = tables["staging.stg_answers"]["rows"]
    assert {cell["column"]: (cell["old"], cell["new"]) for cell in answer["cells"]} == {"answer": (6, 5)}
    assert answer["key"]["subject_id"] == "SYN01"
    assert not any(name.startswith("expression.") for name in trial["made"])
    text = refreshed.fm(*asked).out
    assert "tried with fiqr_q1=5" in text
    assert "not tried" in text
    assert refreshed.fm("verify").out == before


def test_a_gene_and_a_healthy_sample_reach_the_contrasts_they_take_part_in(refreshed: Workspace):
    gene = json.loads(refreshed.fm("impact", "--source", "rnaseq/counts.csv", "--line", "2", "--json").out)
    healthy = json.loads(refreshed.fm("impact", "--subject", "H01", "--json").out)
    of_gene = {table["table"]: table["rows"] for table in gene["tables"]}
    of_healthy = {table["table"]: table["rows"] for table in healthy["tables"]}
    assert of_gene["expression.de_results"] == 300
    assert of_healthy["expression.de_results"] == 150
    assert of_healthy["expression.contrasts"] == 1
    assert not any(table.startswith(("marts.", "stats.")) for table in {**of_gene, **of_healthy})


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--subject", "SYN99"], "SYN01"),
        (["--source", "clinical/visit.csv", "--line", "2"], "clinical/visits.csv"),
        (["--source", "clinical/visits.csv", "--line", "999"], "lines 2 to 19"),
        (["--source", "clinical/visits.csv"], "--line N"),
        ([], "--subject ID"),
        (["--subject", "SYN01", "--set", "fiqr_q1=5"], "--line N"),
        (
            ["--source", "clinical/visits.csv", "--line", "3", "--set", "fiqr=5"],
            "its columns are: data_origin, subject_id",
        ),
        (["--source", "rnaseq/counts.csv", "--line", "3", "--set", "H01=5"], "leave --set out"),
    ],
)
def test_a_wrong_question_is_refused_with_what_there_is(
    refreshed: Workspace, arguments: list[str], word: str
):
    outcome = refreshed.fm("impact", *arguments)
    assert outcome.code == 2
    assert word in outcome.err

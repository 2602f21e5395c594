"""``fm lineage``: a past materialization's graph, also when Dagster remembers nothing."""

from __future__ import annotations

import json
import shutil


def test_the_graph_of_a_p_value_s_table_survives_dagster_s_history(workspace):
    kept = workspace.fm("lineage", "--materialization", "stats.symptom_change", "--json")
    assert kept.code == 0, kept.err
    shutil.rmtree(workspace.home / "dagster")
    (workspace.home / "work.duckdb").unlink()
    assert workspace.fm("lineage", "--materialization", "stats.symptom_change", "--json").out == kept.out
    found = json.loads(kept.out)
    nodes = {node["table"]: node for node in found["materializations"]}
    assert nodes["stats.symptom_change"]["seq"] == found["root"]
    assert (
        nodes["stats.symptom_change"]["inputs"]["marts.symptom_change"]
        == nodes["marts.symptom_change"]["seq"]
    )
    delivered = {file["path"] for node in nodes.values() for file in node["files"]}
    assert delivered == {"clinical/participants.csv", "clinical/visits.csv"}
    text = workspace.fm("lineage", "--materialization", str(found["root"])).out
    assert f"raw.visits @{nodes['raw.visits']['seq']}" in text
    assert nodes["raw.visits"]["files"][0]["sha256"] in text

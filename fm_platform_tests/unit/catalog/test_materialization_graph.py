"""The lineage graph of one past materialization: the records and files of its time, from the published ledger alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb
import pytest

from fm_platform.catalog.graph import build_catalog
from fm_platform.errors import InputError
from fm_platform.lineage.materialization import MaterializationGraph, materialization_graph
from fm_platform.warehouse.home import Home
from fm_platform_tests.unit.catalog.tiny_study import COUNTS, SAMPLES, bring_up_to_date, up_to_date


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The tiny study with a first and a corrected count matrix."""
    folder = tmp_path_factory.mktemp("twice")
    _, home = up_to_date(folder / "study", folder / "home")
    (folder / "study" / "counts.csv").write_text(corrected(), encoding="utf-8")
    bring_up_to_date(build_catalog(folder / "study"), home, "second")
    return home


def corrected() -> str:
    return COUNTS.replace("g2,10,", "g2,11,")


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ledger(home: Home) -> dict[int, dict]:
    with duckdb.connect(str(home.published), read_only=True) as connection:
        rows = connection.sql("SELECT seq, kind, body FROM audit.ledger ORDER BY seq").fetchall()
    return {seq: {"kind": kind, **json.loads(body)} for seq, kind, body in rows}


def made(home: Home, table: str) -> list[int]:
    return [seq for seq, b in ledger(home).items() if b["kind"] == "materialization" and b["table"] == table]


def read(graph: MaterializationGraph) -> dict[str, str]:
    return {file["path"]: file["sha256"] for node in graph.nodes.values() for file in node.files}


@pytest.mark.parametrize(("position", "counts"), [(0, COUNTS), (1, corrected())])
def test_a_materialization_leads_to_the_files_of_its_time(twice, position, counts):
    graph = materialization_graph(twice, str(made(twice, "expression.size_factors")[position]))
    assert read(graph) == {"counts.csv": sha256(counts), "samples.csv": sha256(SAMPLES)}
    assert {node.run_id for node in graph.nodes.values()} == {"run", *(["second"] if position else [])}


def test_every_input_is_the_record_whose_digest_the_materialization_names(twice):
    records = ledger(twice)
    graph = materialization_graph(twice, "files.report")
    assert graph.root == made(twice, "files.report")[-1]
    for node in graph.nodes.values():
        body = records[node.seq]
        assert (node.table, node.code, node.actor) == (body["table"], body["parts"]["code"], body["actor"])
        named = {table: records[seq]["value_digest"] for table, seq in node.inputs.items()}
        assert named == body["parts"]["inputs"]
        assert set(node.inputs.values()) <= set(graph.nodes)
        assert records[node.study_seq]["kind"] == "study"


def test_the_publication_itself_has_a_graph_of_every_table(twice):
    graph = materialization_graph(twice, "publish.warehouse")
    state = twice.state()
    assert graph.root == state["publications"][-1]["seq"] == state["head"]["seq"]
    assert graph.nodes[graph.root].hash == state["head"]["hash"]
    assert {node.table for node in graph.nodes.values()} == set(state["materialized"])


def test_what_is_no_materialization_is_refused_with_what_there_is(twice):
    with pytest.raises(InputError, match="no materialization"):
        materialization_graph(twice, "1")
    with pytest.raises(InputError, match=r"there are: .*raw\.counts"):
        materialization_graph(twice, "raw.nothing")


def test_only_the_published_file_and_state_are_needed(twice, tmp_path):
    (tmp_path / "home").mkdir()
    copy = Home(tmp_path / "home")
    copy.published.write_bytes(Path(twice.published).read_bytes())
    whole, alone = (materialization_graph(home, "files.report") for home in (twice, copy))
    assert whole == alone

"""``fm export prov``: what PROV-O and PROV-CONSTRAINTS ask of a document, and what the ledger says."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from fm_platform_tests.e2e.conftest import Workspace, copy_to_export_from

RANGES = {
    "used": ("Activity", "Entity"),
    "wasGeneratedBy": ("Entity", "Activity"),
    "wasDerivedFrom": ("Entity", "Entity"),
    "wasRevisionOf": ("Entity", "Entity"),
    "wasAssociatedWith": ("Activity", "Agent"),
    "wasAttributedTo": ("Entity", "Agent"),
    "actedOnBehalfOf": ("Agent", "Agent"),
    "hadMember": ("Collection", "Entity"),
    "isPartOf": ("Activity", "Activity"),
}
"""Domain and range of every property that is written, as PROV-O has them."""


@pytest.fixture(scope="module")
def teller(refreshed: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return copy_to_export_from(refreshed, tmp_path_factory.mktemp("teller"))


@pytest.fixture(scope="module")
def document(teller: Workspace, tmp_path_factory: pytest.TempPathFactory) -> dict:
    target = tmp_path_factory.mktemp("prov") / "prov.jsonld"
    outcome = teller.fm("export", "prov", "-o", str(target), "--reason", "archive")
    assert outcome.code == 0, outcome.err
    return json.loads(target.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def nodes(document: dict) -> dict[str, dict]:
    found = {node["@id"]: node for node in document["@graph"]}
    assert len(found) == len(document["@graph"]), "a node is described twice"
    return found


def links(node: dict, name: str) -> list[str]:
    value = node.get(name, [])
    return value if isinstance(value, list) else [value]


def rows(workspace: Workspace, sql: str) -> list[dict]:
    return json.loads(workspace.fm("query", sql, "--json").out)


def of_kind(nodes: dict[str, dict], kind: str) -> list[dict]:
    return [node for node in nodes.values() if kind in node["@type"]]


def test_every_term_is_in_the_context_and_every_link_leads_to_a_node_of_its_class(document, nodes):
    context = document["@context"]
    for node in nodes.values():
        for name in {*node} - {"@id", "@type"}:
            assert name in context or name.split(":")[0] in context
        assert node["@type"] == [kind for kind in node["@type"] if context[kind] == f"prov:{kind}"]
        for name, (domain, target) in RANGES.items():
            for reached in links(node, name):
                assert domain in node["@type"]
                assert target in nodes[reached]["@type"], (node["@id"], name, reached)
    prov = {name for name, term in context.items() if isinstance(term, dict) and "prov:" in term["@id"]}
    assert prov == {*RANGES, "startedAtTime", "endedAtTime", "generatedAtTime"} - {"isPartOf"}
    kinds = [{"Entity", "Activity", "Agent"} & set(node["@type"]) for node in nodes.values()]
    assert all(len(kind) == 1 for kind in kinds), "entities, activities and agents are disjoint here"


def test_times_and_derivations_are_ordered(nodes):
    for activity in of_kind(nodes, "Activity"):
        began, ended = (datetime.fromisoformat(activity[name]) for name in ("startedAtTime", "endedAtTime"))
        assert began <= ended
        for used in links(activity, "used"):
            made = nodes[used].get("generatedAtTime")
            assert made is None or datetime.fromisoformat(made) <= ended
        for whole in links(activity, "isPartOf"):
            assert nodes[whole]["startedAtTime"] <= activity["startedAtTime"]
            assert activity["endedAtTime"] <= nodes[whole]["endedAtTime"]
    for entity in of_kind(nodes, "Entity"):
        maker = links(entity, "wasGeneratedBy")
        assert len(maker) <= 1
        for name in maker:
            assert nodes[name]["startedAtTime"] <= entity["generatedAtTime"] <= nodes[name]["endedAtTime"]
            assert set(links(entity, "wasDerivedFrom")) == set(links(nodes[name], "used"))
        for source in links(entity, "wasDerivedFrom"):
            assert nodes[source].get("generatedAtTime", "") <= entity["generatedAtTime"]


def test_it_says_what_the_ledger_says(nodes, teller):
    made = rows(teller, "SELECT seq, body FROM audit.ledger WHERE kind = 'materialization'")
    bodies = {row["seq"]: json.loads(row["body"]) for row in made}
    for activity in of_kind(nodes, "Activity"):
        body = bodies.get(activity.get("fm:ledgerRecord"))
        if body is None:
            continue
        assert activity["label"] == f"make {body['table']}"
        tables = {nodes[n]["label"] for n in links(activity, "used") if "fm:valueDigest" in nodes[n]}
        assert tables == {name for name, digest in body["parts"]["inputs"].items() if digest}
        agents = {nodes[name]["label"] for name in activity["wasAssociatedWith"]}
        assert body["actor"] in agents
        codes = {nodes[name].get("fm:codeVersion") for name in activity["wasAssociatedWith"]}
        assert body["parts"]["code"] in codes
    published = {r["table_name"]: r["value_digest"] for r in rows(teller, "SELECT * FROM audit.tables")}
    told = {
        n["label"]: n["fm:valueDigest"]
        for n in of_kind(nodes, "Entity")
        if "wasGeneratedBy" in n and "fm:rows" in n
    }
    assert published.items() <= told.items()
    (publication,) = [
        node for node in of_kind(nodes, "Collection") if node["label"].startswith("publication ")
    ]
    (recorded,) = [r for r in json.loads(teller.fm("snapshots", "--json").out) if r["number"] == 1]
    assert publication["fm:sha256"] == recorded["sha256"]
    sources = {
        r["path"]: r["file_sha256"]
        for r in rows(teller, "SELECT DISTINCT path, file_sha256 FROM audit.source_rows")
    }
    assert (
        sources.items()
        <= {n["label"]: n["fm:sha256"] for n in of_kind(nodes, "Entity") if "fm:source" in n}.items()
    )


def test_the_environment_is_an_agent_of_what_was_made_in_it(nodes, teller):
    (row,) = rows(teller, "SELECT body FROM audit.ledger WHERE kind = 'environment'")
    body = json.loads(row["body"])
    (environment,) = [node for node in of_kind(nodes, "SoftwareAgent") if "fm:release" in node]
    assert (environment["fm:release"], environment["fm:lock"].split()[-1]) == (
        body["package"],
        body["lock"]["sha256"],
    )
    assert environment["fm:python"].endswith(body["python"])
    made = [n for n in of_kind(nodes, "Activity") if n["label"].startswith("make ")]
    assert all(environment["@id"] in links(activity, "wasAssociatedWith") for activity in made)
    (code,) = [
        n for n in of_kind(nodes, "SoftwareAgent") if n["label"].endswith(" code of marts.participants")
    ]
    (row,) = rows(teller, "SELECT body FROM audit.ledger WHERE kind = 'code'")
    assert f"sqlglot {json.loads(row['body'])['libraries']['sqlglot']}" in code["fm:libraries"]


def test_the_export_is_recorded_and_names_nobody(document, teller, tmp_path: Path):
    text = json.dumps(document)
    assert "SYN0" not in text
    assert str(teller.home) not in text
    assert str(teller.study) not in text
    again = tmp_path / "again.jsonld"
    assert teller.fm("export", "prov", "-o", str(again)).code == 0
    assert json.loads(again.read_text(encoding="utf-8")) == document
    assert teller.fm("exports", "--file", str(again)).code == 0
    record = json.loads(teller.fm("exports", "--json").out)[-1]
    assert (record["form"], record["holds"], record["publication"]) == ("prov", "no rows", 1)

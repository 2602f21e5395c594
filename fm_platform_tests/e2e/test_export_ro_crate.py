"""``fm export ro-crate``: a crate that the reference library reads, complete and consistent with the home."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from fm_platform_tests.e2e.conftest import Workspace, copy_to_export_from


@pytest.fixture(scope="module")
def archive(refreshed: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return copy_to_export_from(refreshed, tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def crate_folder(archive: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crate") / "crate"
    outcome = archive.fm(
        "export", "ro-crate", "--with-report", "--reason", "for the archive", "-o", str(folder)
    )
    assert outcome.code == 0, outcome.err
    return folder


@pytest.fixture(scope="module")
def entities(crate_folder: Path) -> dict[str, dict]:
    graph = json.loads((crate_folder / "ro-crate-metadata.json").read_text(encoding="utf-8"))["@graph"]
    found = {entity["@id"]: entity for entity in graph}
    assert len(found) == len(graph), "an entity is described twice"
    return found


def kinds(entity: dict) -> set[str]:
    return set(entity["@type"]) if isinstance(entity["@type"], list) else {entity["@type"]}


def ids(value: object) -> list[str]:
    return [entry["@id"] for entry in (value if isinstance(value, list) else [value] if value else [])]


def of_kind(entities: dict[str, dict], kind: str) -> list[dict]:
    return [entity for entity in entities.values() if kind in kinds(entity)]


def test_the_reference_library_reads_the_crate_and_writes_it_again(crate_folder, tmp_path):
    crate = ROCrate(crate_folder)
    assert "ComputationalWorkflow" in crate.mainEntity.type
    assert crate.name.startswith("Synthetic demo")
    crate.write(tmp_path / "again")
    again = ROCrate(tmp_path / "again")
    assert {e.id for e in again.get_entities()} >= {e.id for e in crate.get_entities()} - {
        "ro-crate-preview.html"
    }


def test_every_link_leads_to_an_entity_of_the_crate(entities):
    outside = ("https://w3id.org/ro/crate/", "https://dagster.io")
    for entity in entities.values():
        for name, value in entity.items():
            for entry in value if isinstance(value, list) else [value]:
                if isinstance(entry, dict):
                    assert entry["@id"] in entities or entry["@id"].startswith(outside), (entity["@id"], name)


def test_the_profiles_of_a_provenance_run_crate_are_kept(entities):
    """The MUST rules of Process, Workflow and Provenance Run Crate 0.5."""
    root, workflow = entities["./"], entities["workflow.json"]
    for profile in ("process", "workflow", "provenance"):
        assert f"https://w3id.org/ro/wfrun/{profile}/0.5" in ids(root["conformsTo"])
    assert ids(root["mainEntity"]) == ["workflow.json"]
    assert root["license"]
    assert kinds(workflow) == {"File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"}
    assert workflow["programmingLanguage"]
    tools = {e["@id"] for e in of_kind(entities, "SoftwareApplication")}
    actions = of_kind(entities, "CreateAction")
    assert "workflow.json" in {i for action in actions for i in ids(action["instrument"])}
    assert all(set(ids(action["instrument"])) <= tools | {"workflow.json"} for action in actions)
    assert set(ids(workflow["hasPart"])) == {i for a in actions for i in ids(a["instrument"])} - {
        "workflow.json"
    }
    for step in of_kind(entities, "HowToStep"):
        assert step["@id"] in ids(workflow["step"])
        assert set(ids(step["workExample"])) <= tools
    for parameter in of_kind(entities, "FormalParameter"):
        assert parameter["additionalType"]
        assert parameter["@id"] in ids(workflow["input"]) + ids(workflow["output"])
        for example in ids(parameter["workExample"]):
            assert ids(entities[example]["exampleOfWork"]) == [parameter["@id"]]
    for control in of_kind(entities, "ControlAction"):
        assert "HowToStep" in kinds(entities[ids(control["instrument"])[0]])
        assert "CreateAction" in kinds(entities[ids(control["object"])[0]])
    organize = of_kind(entities, "OrganizeAction")[0]
    assert ids(organize["result"]) == ["#run"]
    assert len(ids(organize["object"])) == len(actions) - 1


def test_a_step_requires_the_software_that_its_records_name(entities, archive):
    bodies = {
        row["kind"]: json.loads(row["body"])
        for row in json.loads(
            archive.fm(
                "query", "SELECT kind, body FROM audit.ledger WHERE kind IN ('code', 'environment')", "--json"
            ).out
        )
    }
    environment = bodies["environment"]
    (tool,) = [e for e in of_kind(entities, "SoftwareApplication") if e["name"] == "marts.participants"]
    needed = [entities[name] for name in ids(tool["softwareRequirements"])]
    versions = {entry["name"]: entry["softwareVersion"] for entry in needed}
    assert versions["python"] == environment["python"]
    for name in ("duckdb", "polars", "sqlglot"):
        assert versions[name] == bodies["code"]["libraries"][name]
        assert f"pkg:pypi/{name}@{versions[name]}" in ids(tool["softwareRequirements"])
    (platform,) = [entry for entry in needed if "operatingSystem" in entry]
    assert platform["softwareVersion"] == environment["package"]
    assert platform["operatingSystem"].startswith(f"{environment['system']} {environment['machine']}")
    locks = [entities[name] for name in ids(platform["softwareRequirements"])]
    assert f"sha256 {environment['lock']['sha256']}" in {entry.get("identifier") for entry in locks}


def test_every_file_is_there_or_named_by_its_content(entities, crate_folder, refreshed):
    delivered = {
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (*refreshed.study.rglob("*.csv"), refreshed.home / "warehouse.duckdb")
    }
    left = set()
    for file in of_kind(entities, "File"):
        if file["@id"].startswith("ni:///sha-256;"):
            text = file["@id"].removeprefix("ni:///sha-256;").split("?")[0]
            assert base64.urlsafe_b64decode(text + "=").hex() == file["sha256"]
            left.add(file["sha256"])
        else:
            content = (crate_folder / file["@id"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
            assert str(len(content)) == file["contentSize"]
    assert len(left & delivered) == 5
    on_disk = {p.relative_to(crate_folder).as_posix() for p in crate_folder.rglob("*") if p.is_file()}
    assert on_disk == {
        e for e in entities if not e.startswith(("ni:", "#", "http", "pkg:", "fm-platform:", "./"))
    }


def test_a_result_leads_back_to_the_delivered_files(entities):
    """Following result and object from the report ends at every delivered file."""
    made_by = {
        result: action
        for action in of_kind(entities, "CreateAction")
        if action["@id"] != "#run"
        for result in ids(action.get("result"))
    }
    pending, seen = ["reports/report.html"], set()
    while pending:
        current = pending.pop()
        if current not in seen:
            seen.add(current)
            pending += ids(made_by[current].get("object")) if current in made_by else []
    inputs = {i for i in ids(entities["#run"]["object"]) if i.startswith("ni:")}
    assert len(inputs) == 4
    assert inputs <= seen


def test_no_subject_is_named_but_in_the_report_and_where_study_yaml_names_one(crate_folder, refreshed):
    """study.yaml may pick subjects for a contrast; it goes along as parameters, and the report shows the same ids."""
    allowed = set(re.findall(rb"SYN\d+", (refreshed.study / "study.yaml").read_bytes()))
    shown = b"".join(path.read_bytes() for path in (crate_folder / "reports").rglob("*") if path.is_file())
    assert allowed <= set(re.findall(rb"SYN\d+", shown))
    for path in crate_folder.rglob("*"):
        if path.is_file() and not path.is_relative_to(crate_folder / "reports"):
            assert set(re.findall(rb"SYN\d+", path.read_bytes())) <= allowed, path
    assert "SYNTHETIC DATA" in (crate_folder / "README.md").read_text(encoding="utf-8")


def test_with_data_the_crate_holds_everything_under_its_hash(archive, tmp_path):
    outcome = archive.fm(
        "export", "ro-crate", "--with-data", "--reason", "for the audit", "-o", str(tmp_path / "full")
    )
    assert outcome.code == 0, outcome.err
    graph = json.loads((tmp_path / "full/ro-crate-metadata.json").read_text(encoding="utf-8"))["@graph"]
    files = [entity for entity in graph if "File" in kinds(entity)]
    assert not [file["@id"] for file in files if file["@id"].startswith("ni:")]
    delivered = (archive.study / "clinical/visits.csv").read_bytes()
    assert (tmp_path / "full/sources/clinical/visits.csv").read_bytes() == delivered
    assert (tmp_path / "full/warehouse.duckdb").read_bytes() == (
        archive.home / "warehouse.duckdb"
    ).read_bytes()
    assert (tmp_path / "full/ledger.ndjson").read_text(encoding="utf-8").count("\n") > 100


def test_an_occupied_folder_is_left_alone(archive, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    outcome = archive.fm("export", "ro-crate", "-o", str(tmp_path))
    assert outcome.code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_altered_report_is_not_exported(workspace, tmp_path):
    report = workspace.home / "reports/report.html"
    report.write_text(report.read_text(encoding="utf-8") + " ", encoding="utf-8")
    outcome = workspace.fm("export", "ro-crate", "-o", str(tmp_path / "crate"))
    assert outcome.code == 1
    assert "fm verify" in outcome.err
    assert not (tmp_path / "crate").exists()

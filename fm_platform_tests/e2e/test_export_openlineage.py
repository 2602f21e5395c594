"""``fm export openlineage``: events that OpenLineage's own classes accept, and that say what the ledger says."""

from __future__ import annotations

import hashlib
import importlib
import json
import threading
import types
import typing
from collections import Counter
from enum import Enum
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import attr
import pytest
from openlineage.client.generated import base

from fm_platform_tests.e2e.conftest import Workspace, copy_to_export_from

FACETS = {
    "columnLineage": "column_lineage_dataset.ColumnLineageDatasetFacet",
    "dataQualityAssertions": "data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet",
    "dataSource": "datasource_dataset.DatasourceDatasetFacet",
    "datasetType": "dataset_type_dataset.DatasetTypeDatasetFacet",
    "documentation": "documentation_dataset.DocumentationDatasetFacet",
    "executionParameters": "execution_parameters_run.ExecutionParametersRunFacet",
    "jobType": "job_type_job.JobTypeJobFacet",
    "outputStatistics": "output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet",
    "parent": "parent_run.ParentRunFacet",
    "processing_engine": "processing_engine_run.ProcessingEngineRunFacet",
    "schema": "schema_dataset.SchemaDatasetFacet",
    "tags": "tags_job.TagsJobFacet",
    "version": "dataset_version_dataset.DatasetVersionDatasetFacet",
}
WRITTEN_BY_THE_CLASS = {"schemaURL", "_schemaURL"}


def read_back(value: object, kind: object) -> object:
    """A JSON value as one of the reference library's types; unknown keys, missing ones and wrong types are errors."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return read_back(value, next(a for a in arguments if a is not type(None)))
    if origin is list:
        assert isinstance(value, list)
        return [read_back(entry, arguments[0]) for entry in value]
    if origin is dict:
        assert isinstance(value, dict)
        return {name: read_back(entry, facet_class(name, arguments[1])) for name, entry in value.items()}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if isinstance(kind, type) and attr.has(kind):
        return read_object(value, kind)
    assert kind is typing.Any or isinstance(value, kind), (value, kind)
    return value


def read_object(value: object, kind: type) -> object:
    assert isinstance(value, dict)
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in attr.fields(kind)}
    assert set(value) <= set(fields), (kind, set(value) - set(fields))
    given = {
        fields[name].alias or name: read_back(entry, hints[name])
        for name, entry in value.items()
        if name not in WRITTEN_BY_THE_CLASS
    }
    made = kind(**given)
    for name in WRITTEN_BY_THE_CLASS & set(value):
        assert getattr(made, name) == value[name]
    return made


def facet_class(name: str, kind: object) -> object:
    if isinstance(kind, type) and issubclass(kind, base.BaseFacet):
        module, _, attribute = FACETS[name].rpartition(".")
        found = getattr(importlib.import_module(f"openlineage.client.generated.{module}"), attribute)
        assert issubclass(found, kind), f"{name} does not belong on a {kind.__name__}"
        return found
    return kind


@pytest.fixture(scope="module")
def sender(refreshed: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return copy_to_export_from(refreshed, tmp_path_factory.mktemp("sender"))


@pytest.fixture(scope="module")
def events(sender: Workspace, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    target = tmp_path_factory.mktemp("openlineage") / "events.ndjson"
    outcome = sender.fm("export", "openlineage", "-o", str(target))
    assert outcome.code == 0, outcome.err
    return [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]


def rows(workspace: Workspace, sql: str) -> list[dict]:
    outcome = workspace.fm("query", sql, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def completed(events: list[dict], job: str) -> dict:
    return next(e for e in events if e["job"]["name"] == job and e["eventType"] == "COMPLETE")


def test_every_event_is_one_of_the_reference_library(events):
    for event in events:
        assert isinstance(read_object(event, base.RunEvent), base.RunEvent)


def test_every_run_starts_once_and_then_completes_once(events):
    by_run: dict[str, list[str]] = {}
    for event in events:
        by_run.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert set(map(tuple, by_run.values())) == {("START", "COMPLETE")}
    assert [event["eventTime"] for event in events] == sorted(event["eventTime"] for event in events)
    parents = {e["run"]["facets"]["parent"]["run"]["runId"] for e in events if e["job"]["name"] != "refresh"}
    assert parents == {event["run"]["runId"] for event in events if event["job"]["name"] == "refresh"}


def test_steps_say_when_they_began(events):
    started = {e["run"]["runId"]: e["eventTime"] for e in events if e["eventType"] == "START"}
    report = completed(events, "files.report")
    assert started[report["run"]["runId"]] < report["eventTime"]


def test_column_lineage_is_that_of_the_published_file(events, refreshed):
    recorded = Counter(
        (r["table_name"], r["column_name"], r["input_table"], r["input_column"], r["kind"])
        for r in rows(refreshed, "SELECT * FROM audit.column_lineage WHERE NOT starts_with(column_name, '_')")
    )
    told: Counter[tuple[str, ...]] = Counter()
    for event in events:
        for output in event["outputs"] if event["eventType"] == "COMPLETE" else []:
            facet = output["facets"].get("columnLineage", {"fields": {}})
            for column, entry in facet["fields"].items():
                for used in [*entry["inputFields"], *facet.get("dataset", [])]:
                    for how in used["transformations"]:
                        told[output["name"], column, used["name"], used["field"], how["type"]] += 1
    assert told == recorded


def test_transformations_use_the_words_of_the_facet(events):
    words = {
        "DIRECT": {"IDENTITY", "TRANSFORMATION", "AGGREGATION"},
        "INDIRECT": {"JOIN", "GROUP_BY", "FILTER", "SORT", "WINDOW", "CONDITIONAL"},
    }
    seen = set()
    for event in events:
        for output in event["outputs"]:
            for entry in output.get("facets", {}).get("columnLineage", {}).get("fields", {}).values():
                for used in entry["inputFields"]:
                    seen |= {(how["type"], how["subtype"]) for how in used["transformations"]}
    assert all(subtype in words[kind] for kind, subtype in seen)
    assert {("DIRECT", "IDENTITY"), ("DIRECT", "AGGREGATION"), ("INDIRECT", "JOIN")} <= seen


def test_checks_files_and_versions_are_told(events, refreshed):
    responders = completed(events, "report.responders.checks")["inputs"][0]
    verdicts = rows(refreshed, "SELECT * FROM audit.checks WHERE table_name = 'report.responders'")
    told = responders["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {(a["assertion"], a["success"]) for a in told} == {
        (v["check_name"], v["passed"]) for v in verdicts
    }
    files = {
        i["name"]: i["facets"]["version"]["datasetVersion"] for i in completed(events, "raw.visits")["inputs"]
    }
    delivered = rows(
        refreshed, "SELECT DISTINCT path, file_sha256 FROM audit.source_rows WHERE source = 'visits'"
    )
    assert files == {f"files/{row['path']}": row["file_sha256"] for row in delivered}
    digests = {r["table_name"]: r["value_digest"] for r in rows(refreshed, "SELECT * FROM audit.tables")}
    for used in completed(events, "report.responders")["inputs"]:
        assert used["facets"]["version"]["datasetVersion"] == digests[used["name"]]
    assert completed(events, "report.responders")["outputs"][0]["facets"]["documentation"][
        "description"
    ].startswith("Synthetic data.")


def test_what_a_job_reads_was_delivered_or_is_written_by_a_job(events, refreshed):
    ended = [event for event in events if event["eventType"] == "COMPLETE"]
    written = {output["name"]: output["facets"]["version"] for event in ended for output in event["outputs"]}
    read = {used["name"]: used["facets"]["version"] for event in ended for used in event["inputs"]}
    named = {
        used["name"]
        for event in ended
        for output in event["outputs"]
        for told in [output["facets"].get("columnLineage", {"fields": {}})]
        for used in [
            *told.get("dataset", ()),
            *(u for f in told["fields"].values() for u in f["inputFields"]),
        ]
    }
    delivered = {
        f"files/{row['path']}" for row in rows(refreshed, "SELECT DISTINCT path FROM audit.source_rows")
    }
    assert {*read, *named} - set(written) == {name for name in read if name in delivered}
    assert {name: version for name, version in read.items() if name in written} == {
        name: written[name] for name in read if name in written
    }
    assert "files.report" in {used["name"] for used in completed(events, "files.site")["inputs"]}


def test_a_run_says_what_its_table_was_made_with(events, refreshed):
    (environment,) = recorded(refreshed, "environment")
    (code,) = recorded(refreshed, "code")
    run = completed(events, "stats.symptom_change")["run"]
    told = {entry["name"]: entry["value"] for entry in run["facets"]["executionParameters"]["parameters"]}
    assert told["python"].endswith(environment["python"])
    assert told["platform"].startswith(f"{environment['system']} {environment['machine']}")
    assert environment["lock"]["sha256"] in told["lock"]
    assert run["facets"]["processing_engine"]["version"] == environment["package"]
    libraries = {
        name: code["libraries"][name] for name in code["assets"]["stats.symptom_change"]["libraries"]
    }
    assert told["libraries"] == ", ".join(f"{name} {version}" for name, version in libraries.items())
    assert {"duckdb", "polars"} <= set(libraries)


def recorded(workspace: Workspace, kind: str) -> list[dict]:
    return [
        json.loads(row["body"])
        for row in rows(workspace, f"SELECT body FROM audit.ledger WHERE kind = '{kind}' ORDER BY seq")
    ]


def test_no_event_names_a_subject_or_a_folder_of_this_machine(events, refreshed):
    text = json.dumps(events)
    assert "SYN0" not in text
    assert str(refreshed.home) not in text
    assert str(Path(refreshed.study)) not in text


def test_one_run_can_be_told_alone_and_an_unknown_one_is_refused(sender, tmp_path):
    run = rows(sender, "SELECT DISTINCT run_id FROM audit.ledger")[0]["run_id"]
    assert sender.fm("export", "openlineage", "--run", run, "-o", str(tmp_path / "a")).code == 0
    assert run in (tmp_path / "a").read_text(encoding="utf-8")
    outcome = sender.fm("export", "openlineage", "--run", "nothing", "-o", str(tmp_path / "b"))
    assert outcome.code == 2
    assert run in outcome.err


class Collector(BaseHTTPRequestHandler):
    """Takes events and keeps them."""

    taken: typing.ClassVar[list[tuple[str, str | None, dict]]] = []
    refuse_after: typing.ClassVar[int | None] = None

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        refused = self.refuse_after is not None and len(self.taken) >= self.refuse_after
        if not refused:
            self.taken.append((self.path, self.headers.get("Authorization"), body))
        self.send_response(500 if refused else 201)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector():
    server = HTTPServer(("127.0.0.1", 0), Collector)
    Collector.taken, Collector.refuse_after = [], None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def last_record(workspace: Workspace) -> dict:
    return json.loads(workspace.fm("exports", "--json").out)[-1]


def test_a_named_collector_gets_every_event_in_order(sender, events, collector, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_URL", collector)
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "secret")
    outcome = sender.fm("export", "openlineage")
    assert outcome.code == 0, outcome.err
    assert [body for _, _, body in Collector.taken] == events
    assert {(path, key) for path, key, _ in Collector.taken} == {("/api/v1/lineage", "Bearer secret")}
    record = last_record(sender)
    lines = [json.dumps(e, ensure_ascii=False, separators=(",", ":")) + "\n" for _, _, e in Collector.taken]
    assert record["files"][0]["sha256"] == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert (record["sent_to"], record["written"]) == (f"{collector}/api/v1/lineage", False)


def test_a_file_is_enough_and_nothing_is_sent_then(sender, collector, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENLINEAGE_URL", collector)
    assert sender.fm("export", "openlineage", "-o", str(tmp_path / "events")).code == 0
    assert Collector.taken == []


def test_a_refusing_collector_is_an_environment_failure_that_says_how_far_it_came(sender, collector):
    Collector.refuse_after = 3
    outcome = sender.fm("export", "openlineage", "--endpoint", collector, "--reason", "catalogue")
    assert outcome.code == 3
    assert "took 3 of" in outcome.err
    assert last_record(sender)["reason"] == "catalogue", "three events have left"


def test_no_name_or_password_of_a_collector_is_recorded(sender, collector):
    named = collector.replace("http://", "http://user:hidden@") + "/events?token=hidden"
    sender.fm("export", "openlineage", "--endpoint", named)
    assert last_record(sender)["sent_to"] == f"{collector}/events"


@pytest.mark.parametrize("arguments", [(), ("--endpoint", "collector.example")])
def test_nowhere_to_put_the_events_is_the_users_mistake(sender, arguments):
    assert sender.fm("export", "openlineage", *arguments).code == 2

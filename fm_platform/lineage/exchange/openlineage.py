"""A publication or a run as OpenLineage events.

Belongs here: the events and their facets, as plain JSON values. Does not belong here: sending them (``delivery``), or
reading the ledger (``published_inventory``).

Facet by facet this follows the published JSON schemas (https://openlineage.io/spec/2-0-2/OpenLineage.json and the facet
versions named in ``openlineage_facets``). A materialization is a run of the job that is named like its table; its id is
a UUID derived from the ledger record, so that sending it twice tells nothing new. The platform's own run is its parent.
Checks are jobs of their own, because ``dataQualityAssertions`` is a facet of what a job reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from fm_platform.lineage.environment import in_words
from fm_platform.lineage.exchange.inventory import Inventory, TableFacts
from fm_platform.lineage.exchange.openlineage_facets import (
    PRODUCER,
    dataset,
    facet,
    input_datasets,
    namespace,
    output_datasets,
    table_facets,
)

Event = dict[str, Any]

_RUN_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
REFRESH = "refresh"


def openlineage_events(inventory: Inventory) -> list[Event]:
    """START and COMPLETE of every run, materialization and round of checks, in the order of time.

    Args:
        inventory: What to tell of; the same inventory gives the same events.
    """
    events: list[Event] = []
    for table in inventory.tables.values():
        events += _pair(
            table.started,
            table.at,
            run=_run(_id(table, "run"), _run_facets(inventory, table)),
            job=_job(inventory, table.table, _job_facets(table)),
            inputs=input_datasets(inventory, table),
            outputs=output_datasets(inventory, table),
        )
        if table.checks:
            events += _check_events(inventory, table)
    events += _refresh_events(inventory)
    return sorted(
        events,
        key=lambda event: (event["eventTime"], _RANK[event["job"]["name"] == REFRESH, event["eventType"]]),
    )


_RANK = {(True, "START"): 0, (False, "START"): 1, (False, "COMPLETE"): 2, (True, "COMPLETE"): 3}
"""At equal times a run begins before its parts and ends after them."""


# -- runs and jobs ----------------------------------------------------------------------------------------------------


def _pair(
    started: str,
    ended: str,
    *,
    run: Mapping[str, Any],
    job: Mapping[str, Any],
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
) -> list[Event]:
    common = {"producer": PRODUCER, "schemaURL": _RUN_EVENT, "run": run, "job": job}
    return [
        {
            "eventTime": started,
            "eventType": "START",
            **common,
            "inputs": [_named(i) for i in inputs],
            "outputs": [_named(o) for o in outputs],
        },
        {"eventTime": ended, "eventType": "COMPLETE", **common, "inputs": inputs, "outputs": outputs},
    ]


def _named(dataset: Mapping[str, Any]) -> dict[str, Any]:
    return {"namespace": dataset["namespace"], "name": dataset["name"]}


def _refresh_events(inventory: Inventory) -> Iterator[Event]:
    """The platform's runs that the tables were made in."""
    runs: dict[str, list[TableFacts]] = {}
    for table in inventory.tables.values():
        runs.setdefault(table.run_id, []).append(table)
    for run_id, tables in runs.items():
        times = [at for t in tables for at in (t.started, t.at, *(check.at for check in t.checks))]
        facets = {"processing_engine": _engine(tables)}
        yield from _pair(
            min(times),
            max(times),
            run=_run(_uuid(run_id), facets),
            job=_job(inventory, REFRESH, {"jobType": _job_type("DAG")}),
            inputs=[],
            outputs=[],
        )


def _check_events(inventory: Inventory, table: TableFacts) -> list[Event]:
    assertions = [
        {
            "assertion": check.name,
            "success": check.passed,
            "severity": "error" if check.blocking else "warn",
            "name": f"{table.table}.{check.name}",
            **({"description": check.description} if check.description else {}),
        }
        for check in table.checks
    ]
    checked = dataset(inventory, table.table, table_facets(inventory, table))
    checked["inputFacets"] = {
        "dataQualityAssertions": facet("DataQualityAssertionsDatasetFacet", assertions=assertions)
    }
    return _pair(
        table.at,
        max(check.at for check in table.checks),
        run=_run(_id(table, "checks"), {"parent": _parent(inventory, table)}),
        job=_job(inventory, f"{table.table}.checks", {"jobType": _job_type("TASK")}),
        inputs=[checked],
        outputs=[],
    )


def _run(run_id: str, facets: Mapping[str, Any]) -> dict[str, Any]:
    return {"runId": run_id, "facets": facets}


def _job(inventory: Inventory, name: str, facets: Mapping[str, Any]) -> dict[str, Any]:
    return {"namespace": namespace(inventory), "name": name, "facets": facets}


def _run_facets(inventory: Inventory, table: TableFacts) -> dict[str, Any]:
    facts = {
        "ledger_record": str(table.seq),
        "ledger_record_hash": table.record_hash,
        "fingerprint": table.fingerprint,
        "full_digest": table.full_digest,
        "study_yaml_sha256": inventory.study_sha256,
        "actor": table.actor,
        "reason": table.reason or "",
        **_made_with(table),
    }
    parameters = [
        {"key": f"fm.{name}", "name": name, "value": value} for name, value in facts.items() if value
    ]
    return {
        "parent": _parent(inventory, table),
        "processing_engine": _engine([table]),
        "executionParameters": facet("ExecutionParametersRunFacet", parameters=parameters),
    }


def _parent(inventory: Inventory, table: TableFacts) -> dict[str, Any]:
    return facet(
        "ParentRunFacet",
        run={"runId": _uuid(table.run_id)},
        job={"namespace": namespace(inventory), "name": REFRESH},
    )


def _engine(tables: Iterable[TableFacts]) -> dict[str, Any]:
    """The platform in the version that made the tables; in the running one where none is recorded."""
    recorded = {str(t.made_with.environment["package"]): None for t in tables if t.made_with.environment}
    version = ", ".join(recorded) or metadata.version("fm-platform")
    return facet("ProcessingEngineRunFacet", name="fm_platform", version=version)


def _made_with(table: TableFacts) -> dict[str, str]:
    """Python, platform, package with commit, lock, and the libraries behind the code."""
    libraries = ", ".join(f"{name} {version}" for name, version in table.made_with.code.libraries.items())
    environment = {name.lower(): words for name, words in in_words(table.made_with.environment).items()}
    return {**environment, "libraries": libraries}


def _job_facets(table: TableFacts) -> dict[str, Any]:
    tags = [{"key": "code_version", "value": table.code_version, "source": "INTEGRATION"}]
    return {"jobType": _job_type("MODEL"), "tags": facet("TagsJobFacet", tags=tags)}


def _job_type(kind: str) -> dict[str, Any]:
    return facet("JobTypeJobFacet", processingType="BATCH", integration="DAGSTER", jobType=kind)


def _id(table: TableFacts, part: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"fm-platform:{table.record_hash}:{part}"))


def _uuid(run_id: str) -> str:
    """A run id as OpenLineage wants it: the platform's own where it is a UUID, else one derived from it."""
    try:
        return str(UUID(run_id))
    except ValueError:
        return str(uuid5(NAMESPACE_URL, f"fm-platform:{run_id}"))

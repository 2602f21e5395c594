"""``fm export ars``: every published statistic once, whole in its references, valid by model and schema."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest

from fm_platform_tests.conftest import REPOSITORY
from fm_platform_tests.e2e.conftest import Workspace, copy_to_export_from

SCHEMA = "ars_ldm.schema.json"
"""The JSON schema of CDISC's logical model, https://www.cdisc.org/ars/1-0; no package ships it."""
REFERRING = {
    "methodId": "methods",
    "analysisSetId": "analysisSets",
    "dataSubsetId": "dataSubsets",
    "groupingId": "analysisGroupings",
    "groupId": "groups",
    "operationId": "operations",
    "analysisId": "analyses",
    "outputId": "outputs",
    "sponsorTermId": "sponsorTerms",
    "referenceDocumentId": "referenceDocuments",
}


FIELDS = {
    "": "id name mainListOfContents | description version referenceDocuments terminologyExtensions analysisSets "
    "dataSubsets analysisGroupings methods analyses outputs",
    "mainListOfContents": "name contentsList",
    "contentsList": "listItems",
    "listItems": "name level order | outputId analysisId sublist",
    "sublist": "listItems",
    "referenceDocuments": "id name | description",
    "terminologyExtensions": "id enumeration sponsorTerms",
    "sponsorTerms": "id submissionValue",
    "analysisSets": "id name level order | condition compoundExpression",
    "dataSubsets": "id name level order | condition compoundExpression",
    "compoundExpression": "logicalOperator whereClauses",
    "whereClauses": "level order | condition compoundExpression",
    "condition": "dataset variable comparator value",
    "analysisGroupings": "id name dataDriven | groupingDataset groupingVariable groups",
    "groups": "id name level order | condition compoundExpression",
    "methods": "id name operations",
    "operations": "id name order | description",
    "analyses": "id name reason purpose methodId | documentRefs analysisSetId dataset variable dataSubsetId "
    "orderedGroupings programmingCode results",
    "reason": "| sponsorTermId controlledTerm",
    "purpose": "| sponsorTermId controlledTerm",
    "documentRefs": "referenceDocumentId",
    "orderedGroupings": "order groupingId resultsByGroup",
    "programmingCode": "context | code",
    "results": "operationId | resultGroups rawValue formattedValue",
    "resultGroups": "groupingId | groupId",
    "outputs": "id name displays",
    "displays": "order display",
    "display": "id name | displayTitle",
}
"""Of the classes that are written: what must be there, and what may be, by the list or key that holds them."""
TERMS = {
    "comparator": {"EQ", "NE", "GT", "GE", "LT", "LE", "IN", "NOTIN"},
    "logicalOperator": {"AND", "OR", "NOT"},
    "enumeration": {"AnalysisReasonEnum", "AnalysisPurposeEnum", "OperationRoleEnum", "OutputFileTypeEnum"},
    "purpose": {f"{kind} OUTCOME MEASURE" for kind in ("PRIMARY", "SECONDARY", "EXPLORATORY")},
    "reason": {"SPECIFIED IN PROTOCOL", "SPECIFIED IN SAP", "DATA DRIVEN", "REQUESTED BY REGULATORY AGENCY"},
}
"""Enumerations, by field; those of ``controlledTerm`` by what it says."""
ALTERNATIVES = (("condition", "compoundExpression"), ("controlledTerm", "sponsorTermId"))
"""Of each pair, a class that may have both has exactly one."""
KINDS: dict[str, type] = {
    "level": int, "order": int, "version": int, "dataDriven": bool, "resultsByGroup": bool, "value": list
}  # fmt: skip


@pytest.fixture(scope="module")
def place(refreshed: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return copy_to_export_from(refreshed, tmp_path_factory.mktemp("ars"))


@pytest.fixture(scope="module")
def event(place: Workspace) -> dict[str, Any]:
    path = place.home.parent / "ars.json"
    outcome = place.fm("export", "ars", "-o", str(path))
    assert outcome.code == 0, outcome.err
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def published(place: Workspace) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(place.home / "warehouse.duckdb"), read_only=True)


def objects(value: object, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object with the name of the list or key that holds it."""
    if isinstance(value, dict):
        yield name, value
        for key, entry in value.items():
            yield from objects(entry, key)
    elif isinstance(value, list):
        for entry in value:
            yield from objects(entry, name)


def faults(event: dict[str, Any]) -> list[str]:
    """What the standard's logical model does not allow in the classes that are written."""
    return [fault for name, entry in objects(event) for fault in faults_of(name, entry)]


def faults_of(name: str, entry: dict[str, Any]) -> Iterator[str]:
    must, _, may = (part.split() for part in FIELDS[name].partition("|"))
    allowed = {*must, *may}
    yield from (f"{name} lacks {field}" for field in must if field not in entry)
    yield from (f"{name} has {field}" for field in entry if field not in allowed)
    for pair in ALTERNATIVES:
        if allowed.issuperset(pair) and len(set(pair) & set(entry)) != 1:
            yield f"{name} has not one of {pair}"
    for field, value in entry.items():
        listed = field in FIELDS or field == "value"
        terms = TERMS.get(name if field == "controlledTerm" else field) if not listed else None
        if terms is not None and value not in terms:
            yield f"{value} is no {field}"
        elif not listed and type(value) is not KINDS.get(field, str):
            yield f"{name}.{field} is {value!r}"
        elif listed and not value:
            yield f"{name}.{field} is empty"
    if entry.get("logicalOperator") in ("AND", "OR") and len(entry["whereClauses"]) < 2:
        yield f"{name} joins fewer than two"


def broken(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The event with one fault each."""
    first = event["analyses"][0]
    for changed in (
        {**first, "methodId": None},
        {name: value for name, value in first.items() if name != "purpose"},
        {**first, "purpose": {"controlledTerm": "MAIN"}},
        {**first, "p_value": "0.5"},
        {**first, "results": [{"rawValue": "1"}]},
    ):
        yield {**event, "analyses": [changed, *event["analyses"][1:]]}
    subset = event["dataSubsets"][0]
    yield {**event, "dataSubsets": [{**subset, "order": "1"}]}
    clause = {"condition": {**event["analysisSets"][0]["condition"], "comparator": "="}}
    yield {**event, "analysisSets": [{**event["analysisSets"][0], **clause}]}


def test_it_has_what_the_model_demands_of_each_class_and_a_fault_would_be_told(event: dict[str, Any]) -> None:
    assert faults(event) == []
    assert {name for name, _ in objects(event)} == set(FIELDS)
    assert all(faults(other) for other in broken(event))
    unsure = {**event["analysisSets"][0], "compoundExpression": event["dataSubsets"][0]["compoundExpression"]}
    assert faults({**event, "analysisSets": [unsure]})


def test_the_published_schema_accepts_it(event: dict[str, Any]) -> None:
    given = os.environ.get("ARS_SCHEMA")
    path = Path(given) if given else REPOSITORY.parent / "shared" / "schemas" / SCHEMA
    if not path.is_file():
        pytest.skip(f"needs CDISC's {SCHEMA}: name it in ARS_SCHEMA, or put it in ../shared/schemas")
    schema = json.loads(path.read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(event)] == []
    assert not any(validator.is_valid(other) for other in broken(event))


def test_whatever_is_referenced_is_defined_once(event: dict[str, Any]) -> None:
    defined = Counter((name, entry["id"]) for name, entry in objects(event) if "id" in entry)
    assert set(defined.values()) == {1}
    used = {
        (REFERRING[key], value)
        for _, entry in objects(event)
        for key, value in entry.items()
        if key in REFERRING
    }
    assert used
    assert used <= set(defined)
    results = {entry["operationId"] for name, entry in objects(event) if name == "results"}
    for name, entry in objects(event):
        if name == "analyses":
            own = {result["operationId"] for result in entry["results"]}
            assert all(operation.startswith(f"{entry['methodId']}.") for operation in own)
        if name == "methods":
            assert [operation["order"] for operation in entry["operations"]] == list(
                range(1, len(entry["operations"]) + 1)
            )
            assert results & {operation["id"] for operation in entry["operations"]}


def test_the_contents_list_every_analysis_once(event: dict[str, Any]) -> None:
    listed = Counter(entry["analysisId"] for _, entry in objects(event) if "analysisId" in entry)
    assert listed == Counter(entry["id"] for entry in event["analyses"])


def test_every_statistic_that_is_not_null_is_a_result_and_no_other(event, published) -> None:
    groups = {entry["id"]: entry["name"] for name, entry in objects(event) if name == "groups"}
    found = Counter()
    for analysis in event["analyses"]:
        name = analysis["id"].removeprefix("AN.").partition("/by ")[0]
        for result in analysis["results"]:
            (group,) = [groups[g["groupId"]] for g in result.get("resultGroups", ())] or [None]
            assert (group is not None) == ("orderedGroupings" in analysis)
            stat = result["operationId"].rpartition(".")[2]
            found[name, group, stat, result["rawValue"]] += 1
    rows = published.sql(
        'SELECT analysis_id, "group", stat_name, stat_text FROM stats.ard WHERE stat_text IS NOT NULL'
    ).fetchall()
    assert found == Counter(rows)


def test_p_values_are_printed_as_the_report_prints_them(event, published) -> None:
    printed = {
        analysis["id"]: result["formattedValue"]
        for analysis in event["analyses"]
        for result in analysis["results"]
        if result["operationId"].endswith(".p_value") and "resultGroups" not in result
    }
    rows = published.sql(
        "SELECT outcome, visit, p_text FROM report.symptom_change WHERE stratum IS NULL AND p_value IS NOT NULL"
    ).fetchall()
    assert len(rows) == 14
    for outcome, visit, text in rows:
        assert text.split(" (floor")[0] == printed[f"AN.symptom_change/{outcome}/{visit}"]


def test_the_subset_of_an_analysis_holds_the_records_it_counts(event, published) -> None:
    subsets = {entry["id"]: entry for entry in event["dataSubsets"]}
    (population,) = event["analysisSets"]
    followed = 0
    for analysis in event["analyses"]:
        if analysis["id"].startswith("AN.symptom_change/") and "orderedGroupings" not in analysis:
            clauses = subsets[analysis["dataSubsetId"]]["compoundExpression"]["whereClauses"]
            conditions = [population["condition"], *(clause["condition"] for clause in clauses)]
            where = " AND ".join(f"{c['dataset']}.{c['variable']} = '{c['value'][0]}'" for c in conditions)
            (counted,) = published.sql(
                f"SELECT count({analysis['variable']}) FROM marts.adqs AS ADQS JOIN marts.adsl AS ADSL "
                f"USING (USUBJID) WHERE {where}"
            ).fetchone()
            (n,) = [r["rawValue"] for r in analysis["results"] if r["operationId"].endswith(".n")]
            assert str(counted) == n
            followed += 1
    assert followed == 14


def test_it_left_by_the_door_as_a_table_and_names_nobody(place: Workspace, event, published) -> None:
    (newest, *_) = json.loads(
        place.fm("exports", "--file", str(place.home.parent / "ars.json"), "--json").out
    )
    assert (newest["form"], newest["holds"], newest["tables"]) == ("ars", "tables", ["stats.ard"])
    text = json.dumps(event)
    for (subject,) in published.sql("SELECT DISTINCT USUBJID FROM marts.adsl").fetchall():
        assert subject not in text

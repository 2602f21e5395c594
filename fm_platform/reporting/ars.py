"""``stats.ard`` as a reporting event of CDISC's Analysis Results Standard, version 1.

Belongs here: the event: contents, population, subsets, groupings, methods, analyses with results. Does not belong here:
the statistics themselves, how a single one is printed (``ars_values``), letting the file out.

An analysis of the standard has its results either over all subjects or by group, so an analysis of ``stats.ard`` that
has both becomes two. A statistic that is null has no result.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from fm_platform.lineage.exchange.cdisc.analysis_data import AnalysedResult, AnalysisData
from fm_platform.lineage.exchange.cdisc.define_arm import REASON, purpose, record_conditions, where_records
from fm_platform.reporting.ars_values import printed
from fm_platform.statistics.ard import LAYOUTS

POPULATION = "AS.POPULATION"
REASON_TERM = "TERM.STUDY"
STUDY_FILE = "RD.STUDY"
EXPLORATORY = "EXPLORATORY OUTCOME MEASURE"
SYNTHETIC = "SYNTHETIC DATA: no number here stems from a person."
GROUPINGS: Mapping[str, tuple[str, str, str]] = {
    "stratum": ("AG.STRATUM", "STRAT1", "Stratum"),
    "arm": ("AG.ARM", "ARM", "Arm; a comparison is that of the arm with the reference"),
}
"""What a group of ``stats.ard`` is: id, variable of ADSL, words."""
_VARIABLES: Mapping[str, tuple[str, str]] = {
    "stats.symptom_change": ("ADQS", "CHG"),
    "stats.responders": ("ADQS", "PCHG"),
    "stats.between_arms": ("ADQS", "CHG"),
    "stats.friedman": ("ADQS", "AVAL"),
}
"""What a table analyses, where that is one variable of one dataset."""
_DESCRIBED = {"n": "USUBJID", "age": "AGE", "sex": "SEX", "arm": "ARM", "site": "SITEID"}
_PLANNED = ("stats.symptom_change", "stats.responders", "stats.between_arms", "stats.responder_arms")

Json = dict[str, Any]


@dataclass(frozen=True)
class _Part:
    """The rows of one analysis, over all subjects (``grouping`` None) or by group."""

    table: str
    analysis: str
    variable: str
    grouping: str | None
    rows: tuple[Mapping[str, Any], ...]

    @property
    def id(self) -> str:
        return f"AN.{self.analysis}" if self.grouping is None else f"AN.{self.analysis}/by {self.grouping}"

    @property
    def method(self) -> str:
        return "; ".join(dict.fromkeys(row["method"] for row in self.rows if row["method"]))


def reporting_event(data: AnalysisData, ard: pl.DataFrame, left_out: Sequence[str] = ()) -> bytes:
    """The JSON file; the same publication gives the same bytes.

    Args:
        data: The publication that the statistics are from.
        ard: Rows of ``stats.ard`` as they may leave.
        left_out: Variables that were left out of them.
    """
    parts = list(_parts(ard))
    methods = _methods(data, parts)
    inventory = data.inventory
    words = [
        SYNTHETIC if inventory.synthetic else "",
        f"Publication {inventory.publication}; ledger record {inventory.head[0]}, {inventory.head[1]}.",
        f"Left out, as too few people share a level: {', '.join(left_out)}." if left_out else "",
    ]
    event = {
        "id": f"RE.{inventory.study_id}.{inventory.publication}",
        "name": inventory.title,
        "description": " ".join(word for word in words if word),
        "version": int(inventory.publication or 1),
        "mainListOfContents": _contents(data, parts),
        "referenceDocuments": [
            {
                "id": STUDY_FILE,
                "name": "study.yaml",
                "description": f"The study's description, SHA-256 {inventory.study_sha256}",
            }
        ],
        "terminologyExtensions": [
            {
                "id": "TE.REASON",
                "enumeration": "AnalysisReasonEnum",
                "sponsorTerms": [{"id": REASON_TERM, "submissionValue": REASON}],
            }
        ],
        "analysisSets": [
            {
                "id": POPULATION,
                "name": "Population",
                "level": 1,
                "order": 1,
                "condition": _condition("ADSL", "POPFL", "Y"),
            }
        ],
        "dataSubsets": _subsets(data),
        "analysisGroupings": _groupings(parts),
        "methods": [method for method, _ in methods.values()],
        "analyses": [_analysis(data, part, methods[part.table, part.method][0]["id"]) for part in parts],
        "outputs": _outputs(data, parts),
    }
    return (json.dumps(event, indent=1, ensure_ascii=False) + "\n").encode()


def _parts(ard: pl.DataFrame) -> Iterator[_Part]:
    frame = ard.with_columns(_grouped=pl.col("group").is_not_null())
    ids = ["source_table", "analysis_id", "_grouped"]
    for (table, analysis, grouped), rows in frame.group_by(ids, maintain_order=True):
        grouping = LAYOUTS[str(table)].group if grouped else None
        held = tuple(rows.iter_rows(named=True))
        yield _Part(str(table), str(analysis), str(held[0]["variable"]), grouping, held)


def _condition(dataset: str, variable: str, value: str) -> Json:
    return {"dataset": dataset, "variable": variable, "comparator": "EQ", "value": [value]}


def _subsets(data: AnalysisData) -> list[Json]:
    """The records of each outcome and visit, the conditions of Define-XML."""
    found = []
    conditions = record_conditions(data)
    results = {where_records(result): result for result in data.results}
    for order, (oid, result) in enumerate(results.items(), start=1):
        clauses = [
            {"level": 2, "order": number, "condition": _condition(dataset, variable, value)}
            for number, (item, value) in enumerate(conditions[oid], start=1)
            for _, dataset, variable in [item.split(".")]
        ]
        found.append(
            {
                "id": _subset(result),
                "name": f"{result.outcome.parameter.label}, {result.visit.label}, observed",
                "level": 1,
                "order": order,
                "compoundExpression": {"logicalOperator": "AND", "whereClauses": clauses},
            }
        )
    return found


def _subset(result: AnalysedResult) -> str:
    return where_records(result).replace("WC.", "DS.", 1)


def _groupings(parts: Sequence[_Part]) -> list[Json]:
    found = []
    for name, (oid, variable, words) in GROUPINGS.items():
        own = (row["group"] for part in parts if part.grouping == name for row in part.rows)
        groups = list(dict.fromkeys(own))
        if groups:
            found.append(
                {
                    "id": oid,
                    "name": words,
                    "dataDriven": False,
                    "groupingDataset": "ADSL",
                    "groupingVariable": variable,
                    "groups": [
                        {
                            "id": f"{oid}.{group}",
                            "name": group,
                            "level": 1,
                            "order": order,
                            "condition": _condition("ADSL", variable, group),
                        }
                        for order, group in enumerate(groups, start=1)
                    ],
                }
            )
    return found


def _methods(
    data: AnalysisData, parts: Sequence[_Part]
) -> dict[tuple[str, str], tuple[Json, dict[str, str]]]:
    """The method of each table and text, with its operations; and the ids of these by statistic."""
    found: dict[tuple[str, str], tuple[Json, dict[str, str]]] = {}
    for part in parts:
        known = found.get((part.table, part.method))
        if known is None:
            short = part.table.split(".")[1]
            number = sum(table == part.table for table, _ in found) + 1
            name = part.method or f"As {part.table} describes"
            known = ({"id": f"MTH.{short}.{number}", "name": name, "operations": []}, {})
            found[part.table, part.method] = known
        method, ids = known
        for row in part.rows:
            stat = row["stat_name"]
            if stat not in ids:
                ids[stat] = f"{method['id']}.{stat}"
                method["operations"].append(_operation(data, part.table, stat, ids[stat], len(ids)))
    return found


def _operation(data: AnalysisData, table: str, stat: str, oid: str, order: int) -> Json:
    facts = data.inventory.tables.get(table)
    column = facts.column(stat) if facts else None
    words = {"description": column.description} if column and column.description else {}
    return {"id": oid, "name": stat, "order": order, **words}


def _analysis(data: AnalysisData, part: _Part, method: str) -> Json:
    result = _planned(data, part)
    term = purpose(result) if result and part.table in _PLANNED else EXPLORATORY
    made: Json = {
        "id": part.id,
        "name": part.analysis.replace("/", " / "),
        "reason": {"sponsorTermId": REASON_TERM},
        "purpose": {"controlledTerm": term},
        "documentRefs": [{"referenceDocumentId": STUDY_FILE}],
        "analysisSetId": POPULATION,
        "methodId": method,
        **_variable(part),
    }
    if result is not None and part.table in _VARIABLES:
        made["dataSubsetId"] = _subset(result)
    if part.grouping is not None:
        oid = GROUPINGS[part.grouping][0]
        made["orderedGroupings"] = [{"order": 1, "groupingId": oid, "resultsByGroup": True}]
    made["programmingCode"] = _code(data, part.table)
    made["results"] = [_result(part, row, method) for row in part.rows if row["stat_text"] is not None]
    return made


def _planned(data: AnalysisData, part: _Part) -> AnalysedResult | None:
    """The comparison with baseline of the same outcome or definition and visit."""
    _, *rest = part.analysis.split("/")
    for result in data.results:
        if rest[:2] == [result.id, result.visit.id]:
            return result
    return None


def _variable(part: _Part) -> Json:
    if part.table == "stats.characteristics":
        variable = _DESCRIBED.get(part.variable)
        return {"dataset": "ADSL", "variable": variable} if variable else {}
    found = _VARIABLES.get(part.table)
    return {"dataset": found[0], "variable": found[1]} if found else {}


def _result(part: _Part, row: Mapping[str, Any], method: str) -> Json:
    made: Json = {"operationId": f"{method}.{row['stat_name']}"}
    if part.grouping is not None:
        oid = GROUPINGS[part.grouping][0]
        made["resultGroups"] = [{"groupingId": oid, "groupId": f"{oid}.{row['group']}"}]
    made["rawValue"] = row["stat_text"]
    made["formattedValue"] = printed(row["stat_name"], row["stat_value"], row["stat_text"])
    return made


def _code(data: AnalysisData, table: str) -> Json:
    language, code = data.code_of(table if table in data.inventory.tables else "stats.ard")
    return {"context": language, "code": code}


def _tables(parts: Sequence[_Part]) -> list[str]:
    return list(dict.fromkeys(part.table for part in parts))


def _title(data: AnalysisData, table: str) -> str:
    facts = data.inventory.tables.get(table)
    return facts.described.description if facts else "Who takes part, by stratum."


def _outputs(data: AnalysisData, parts: Sequence[_Part]) -> list[Json]:
    return [
        {
            "id": f"OUT.{table}",
            "name": table,
            "displays": [
                {
                    "order": 1,
                    "display": {
                        "id": f"DISP.{table}",
                        "name": table,
                        "displayTitle": _title(data, table),
                    },
                }
            ],
        }
        for table in _tables(parts)
    ]


def _contents(data: AnalysisData, parts: Sequence[_Part]) -> Json:
    listed = []
    for order, table in enumerate(_tables(parts), start=1):
        own = [part for part in parts if part.table == table]
        items = [
            {"name": part.id.removeprefix("AN."), "level": 2, "order": number, "analysisId": part.id}
            for number, part in enumerate(own, start=1)
        ]
        listed.append(
            {
                "name": _title(data, table),
                "level": 1,
                "order": order,
                "outputId": f"OUT.{table}",
                "sublist": {"listItems": items},
            }
        )
    return {"name": "Analyses", "contentsList": {"listItems": listed}}

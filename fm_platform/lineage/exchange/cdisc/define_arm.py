"""Analysis results metadata 1.0: which records and variables stand behind each analysis, and the code that made it.

Belongs here: the displays, results and conditions of ``stats.symptom_change`` and ``stats.responders``. Does not belong
here: the numbers themselves (``ars``), the datasets (``define_items``).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from fm_platform.lineage.exchange.cdisc.analysis_data import AnalysedResult, AnalysisData
from fm_platform.lineage.exchange.cdisc.define_items import PARAMETER_OID
from fm_platform.lineage.exchange.cdisc.markup import Element, described, element
from fm_platform.lineage.exchange.inventory import TableFacts

POPULATION = "WC.ADSL.POPFL"
JOINED = "COM.JOIN"
REASON = "SPECIFIED IN STUDY.YAML"
_ANALYSED = {"stats.symptom_change": "CHG", "stats.responders": "PCHG"}
_PURPOSES = {None: "EXPLORATORY OUTCOME MEASURE", "primary": "PRIMARY OUTCOME MEASURE"}
_READ = {
    "stats.symptom_change": "Computed from change of marts.symptom_change, which equals CHG of these records",
    "stats.responders": "Judged in whole numbers on base and post of marts.symptom_change, which are BASE and AVAL of "
    "these records, PCHG being their relative change",
}


def purpose(result: AnalysedResult) -> str:
    """The purpose, read off the outcome's family of tests: ``primary``, another one, none."""
    return _PURPOSES.get(result.outcome.family, "SECONDARY OUTCOME MEASURE")


def where_records(result: AnalysedResult) -> str:
    """OID of the condition that picks the records of an analysis."""
    return f"WC.ADQS.{result.outcome.parameter.code}.{result.visit.id}"


def record_conditions(data: AnalysisData) -> dict[str, tuple[tuple[str, str], ...]]:
    """Conditions by OID: (variable's OID, value it equals)."""
    found: dict[str, tuple[tuple[str, str], ...]] = {POPULATION: (("IT.ADSL.POPFL", "Y"),)}
    for result in data.results:
        found[where_records(result)] = (
            (PARAMETER_OID, result.outcome.parameter.code),
            ("IT.ADQS.AVISITN", str(result.visit.position)),
            ("IT.ADQS.ANL01FL", "Y"),
        )
    return found


def tables_of_results(data: AnalysisData) -> list[TableFacts]:
    """The result tables that are described."""
    return [data.inventory.tables[name] for name in dict.fromkeys(result.table for result in data.results)]


def leaf_of(table: TableFacts) -> str:
    """The id of the file that a result table leaves in."""
    return f"LF.{table.table}"


def result_displays(data: AnalysisData) -> Element | None:
    """``arm:AnalysisResultDisplays``; None without results."""
    displays = [
        element(
            "arm:ResultDisplay",
            {"OID": f"RD.{name}", "Name": name},
            [
                described(data.inventory.tables[name].described.description),
                element("def:DocumentRef", {"leafID": leaf_of(data.inventory.tables[name])}),
                *(_result(data, result) for result in results),
            ],
        )
        for name, results in groupby(data.results, key=lambda result: result.table)
    ]
    return element("arm:AnalysisResultDisplays", children=displays) if displays else None


def _result(data: AnalysisData, result: AnalysedResult) -> Element:
    language, code = data.code_of(result.table)
    short = result.table.split(".")[1]
    return element(
        "arm:AnalysisResult",
        {
            "OID": f"AR.{short}.{result.id}.{result.visit.id}",
            "ParameterOID": PARAMETER_OID,
            "AnalysisReason": REASON,
            "AnalysisPurpose": purpose(result),
        },
        [
            described(f"{result.subject}, {result.visit.label} compared with baseline"),
            element("arm:AnalysisDatasets", {"def:CommentOID": JOINED}, _datasets(data, result)),
            element("arm:Documentation", children=[described(_documentation(result))]),
            element(
                "arm:ProgrammingCode",
                {"Context": language},
                [element("arm:Code", text=code)],
            ),
        ],
    )


def _datasets(data: AnalysisData, result: AnalysedResult) -> Iterator[Element]:
    stratified = not data.shapes["marts.adsl", "STRAT1"].empty
    subjects = ["POPFL", *(["STRAT1"] if stratified else [])]
    for dataset, where, names in (
        ("ADQS", where_records(result), [_ANALYSED[result.table]]),
        ("ADSL", POPULATION, subjects),
    ):
        yield element(
            "arm:AnalysisDataset",
            {"ItemGroupOID": f"IG.{dataset}"},
            [
                element("def:WhereClauseRef", {"WhereClauseOID": where}),
                *(element("arm:AnalysisVariable", {"ItemOID": f"IT.{dataset}.{name}"}) for name in names),
            ],
        )


def _documentation(result: AnalysedResult) -> str:
    family = result.outcome.family
    return " ".join(
        part
        for part in (
            f"{result.method}.",
            result.rule,
            f"Family of tests for the adjustment of p-values: {family}."
            if family and result.rule is None
            else None,
            f"{_READ[result.table]}; for all subjects of the population, and in each stratum where there are strata.",
        )
        if part
    )

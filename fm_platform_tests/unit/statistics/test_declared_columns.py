"""Every table that Python makes is declared with exactly the columns that it has."""

from __future__ import annotations

import pytest

from fm_platform.catalog.graph import build_catalog
from fm_platform.instruments.verdicts import BAND_SCHEMA, CRITERIA_SCHEMA
from fm_platform.privacy.k_anonymity import CLASS_SCHEMA, SUMMARY_SCHEMA
from fm_platform.statistics.ard import ARD_SCHEMA, LAYOUTS
from fm_platform.statistics.arms import ARMS_SCHEMA
from fm_platform.statistics.change import CHANGE_SCHEMA
from fm_platform.statistics.omnibus import FRIEDMAN_SCHEMA
from fm_platform.statistics.planning import PLANNING_SCHEMA
from fm_platform.statistics.responder_arms import RESPONDER_ARMS_SCHEMA
from fm_platform.statistics.responder_status import STATUS_SCHEMA
from fm_platform.statistics.responder_tables import MCNEMAR_SCHEMA, RATE_SCHEMA
from fm_platform.statistics.responders import RESPONDER_SCHEMA
from fm_platform.statistics.sensitivity import SENSITIVITY_SCHEMA

SCHEMAS = {
    "stats.symptom_change": CHANGE_SCHEMA,
    "stats.responders": RESPONDER_SCHEMA,
    "stats.sensitivity": SENSITIVITY_SCHEMA,
    "stats.friedman": FRIEDMAN_SCHEMA,
    "stats.responder_status": STATUS_SCHEMA,
    "stats.responder_rates": RATE_SCHEMA,
    "stats.mcnemar": MCNEMAR_SCHEMA,
    "stats.between_arms": ARMS_SCHEMA,
    "stats.responder_arms": RESPONDER_ARMS_SCHEMA,
    "stats.planning": PLANNING_SCHEMA,
    "stats.ard": ARD_SCHEMA,
    "marts.criteria": CRITERIA_SCHEMA,
    "marts.severity_bands": BAND_SCHEMA,
    "privacy.equivalence_classes": CLASS_SCHEMA,
    "privacy.k_anonymity": SUMMARY_SCHEMA,
}
STUDY = """
study: {id: columns, title: Columns}
clinical:
  people: {path: p.csv, grain: subject, columns: {subject: id, age: age, arm: arm}}
  visits: {path: v.csv, grain: visit, columns: {subject: id, visit: visit}}
visits: [{id: b, baseline: true}, {id: w}]
instruments: [{use: fiqr, source: visits}, {use: acr2016, source: visits}]
privacy: {quasi_identifiers: [age]}
"""


@pytest.fixture(scope="module")
def assets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    for name in ("p.csv", "v.csv"):
        (folder / name).write_text("id\n", encoding="utf-8")
    return build_catalog(folder).assets


@pytest.mark.parametrize("table", SCHEMAS)
def test_columns_lineage_and_schema_agree(assets, table):
    own = list(SCHEMAS[table])
    assert [column.name for column in assets[table].columns] == own
    assert set(assets[table].lineage) == set(own)
    assert set(assets[table].key) <= set(own)


@pytest.mark.parametrize("table", SCHEMAS)
def test_column_inputs_are_columns_of_the_tables_it_reads(assets, table):
    asset = assets[table]
    for inputs in asset.lineage.values():
        for entry in inputs:
            assert entry.table in asset.inputs, entry
            known = {column.name for column in assets[entry.table].columns}
            assert entry.column in known, entry


def test_the_results_data_gather_every_result_table(assets):
    made = {table for table in assets if table.startswith("stats.")} - {"stats.ard", "stats.responder_status"}
    assert made | {"stats.characteristics"} == set(LAYOUTS)
    assert made <= set(assets["stats.ard"].inputs)

"""Every table that Python makes is declared with the columns that it has, and these with inputs that exist."""

from __future__ import annotations

import pytest

from fm_platform.catalog.graph import build_catalog
from fm_platform.instruments.verdicts import BAND_SCHEMA, CRITERIA_SCHEMA
from fm_platform.privacy.k_anonymity import CLASS_SCHEMA, SUMMARY_SCHEMA
from fm_platform.statistics.ard import CHARACTERISTICS, LAYOUTS, RESULTS

SCHEMAS = {
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


@pytest.mark.parametrize("table", [*SCHEMAS, *RESULTS, "stats.responder_status", "stats.ard"])
def test_column_inputs_are_columns_of_the_tables_it_reads(assets, table):
    asset = assets[table]
    for inputs in asset.lineage.values():
        for entry in inputs:
            assert entry.table in asset.inputs, entry
            known = {column.name for column in assets[entry.table].columns}
            assert entry.column in known, entry


def test_the_results_data_gather_every_result_table(assets):
    made = {table for table in assets if table.startswith("stats.")} - {"stats.ard", "stats.responder_status"}
    assert made | {CHARACTERISTICS} == set(LAYOUTS)
    assert made <= set(assets["stats.ard"].inputs)

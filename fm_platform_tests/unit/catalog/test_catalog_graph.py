"""The catalog of the bundled demo: every asset says what it is, and every column where it comes from."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fm_platform.catalog.asset import Asset
from fm_platform.catalog.graph import Catalog, build_catalog
from fm_platform.sql.lineage import column_lineage
from fm_platform.study.model import Study
from fm_platform.warehouse.records import ColumnLineage
from fm_platform_tests.unit.catalog.tiny_study import IN_ORDER, write_tiny_study

DEMO = Path(__file__).resolve().parents[3] / "data" / "demo"
HEADERS = {
    "raw.participants": "clinical/participants.csv",
    "raw.visits": "clinical/visits.csv",
    "raw.samples": "rnaseq/samples.csv",
}
OF_CONTRASTS = ("alpha", "contrast", "design", "label", "level", "reference", "subset", "variable")
CONSTANTS = [
    *(f"expression.contrasts.{name}" for name in OF_CONTRASTS),
    "expression.fit_before_after.log2_fold_change_shrunk",
    "expression.fit_fm_vs_healthy.log2_fold_change_shrunk",
    "expression.outliers.threshold",
    "marts.criteria.version",
    "staging.stg_scores_sql.score_id",
    "staging.stg_visits.missing_reason",
    "staging.stg_visits.source",
    "stats.ard.source_table",
    "stats.ard.stat_name",
    "stats.friedman.engine_version",
    "stats.mcnemar.engine_version",
    "stats.planning.alpha",
    "stats.planning.engine_version",
    "stats.responder_rates.denominator",
    "stats.responder_rates.engine_version",
    "stats.responders.denominator",
    "stats.responders.engine_version",
    "stats.sensitivity.engine_version",
    "stats.symptom_change.engine_version",
]
"""Columns that no cell decides: names that the platform or study.yaml gives, and no reasons as none are declared."""
ROWS_ONLY = [
    "expression.fit_before_after.contrast",
    "expression.fit_fm_vs_healthy.contrast",
    *(f"report.characteristics.{name}" for name in ("position", "statistic", "variable", "variable_label")),
    *(f"report.completeness.{name}" for name in ("instrument", "item", "visit")),
    *(f"staging.stg_instrument_scores.{name}" for name in ("instrument", "n_items", "score_id")),
]
"""Such names, where cells decide which rows there are."""
UNANNOTATED = [
    f"expression.genes.{name}"
    for name in ("biotype", "chromosome", "description", "end", "match", "start", "strand")
]
"""Empty in a study without an annotation file."""
VERSIONS = """
import json, sys
from collections.abc import Callable
from pathlib import Path
from fm_platform.catalog.graph import build_catalog
assets = build_catalog(Path(sys.argv[1])).assets.values()
print(json.dumps({asset.table: asset.code_version for asset in assets}))
"""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The demo's catalog."""
    return build_catalog(DEMO)


def tables(catalog: Catalog) -> list[Asset]:
    """Assets that are tables."""
    return [asset for asset in catalog.in_order() if not asset.table.startswith(("files.", "publish."))]


def test_every_asset_is_described_and_belongs_somewhere(catalog):
    for asset in catalog.assets.values():
        assert len(asset.description.split()) >= 4, asset.table
        assert asset.group, asset.table
        assert asset.kinds, asset.table
        assert re.fullmatch(r"[a-z]+\.[a-z0-9_]+", asset.table)
        assert re.fullmatch(r"[0-9a-f]{64}", asset.code_version), asset.table
        assert asset.half in ("clinical", "expression", "both")


def test_every_table_has_a_key_of_described_columns(catalog):
    for asset in tables(catalog):
        described = [column.name for column in asset.columns]
        assert asset.key, asset.table
        assert set(asset.key) <= set(described), asset.table
        assert len(described) == len(set(described)), asset.table
        for column in asset.columns:
            assert column.description.strip(), f"{asset.table}.{column.name}"


def test_every_check_is_named_once_and_there_are_fewer_than_fifty_an_asset(catalog):
    for asset in catalog.assets.values():
        names = [check.name for check in asset.checks]
        assert len(names) == len(set(names)), asset.table
        assert len(names) + 1 < 50, asset.table
        for check in asset.checks:
            assert re.fullmatch(r"[A-Za-z0-9_]+", check.name), check.name
            assert check.description.strip(), check.name


def test_every_gate_has_a_check_that_blocks(catalog):
    for source in catalog.study.clinical:
        assert any(check.blocking for check in catalog.assets[f"quarantine.{source}"].checks)


def test_inputs_exist_and_come_first(catalog):
    seen: set[str] = set()
    for asset in catalog.in_order():
        assert set(asset.inputs) <= seen, asset.table
        assert len(asset.inputs) == len(set(asset.inputs)), asset.table
        seen.add(asset.table)
    assert seen == set(catalog.assets)


def test_the_publication_waits_for_everything(catalog):
    assert set(catalog.assets["publish.warehouse"].inputs) == set(catalog.assets) - {"publish.warehouse"}


def test_every_file_that_an_asset_reads_is_also_published_as_raw(catalog):
    delivered = {p for a in catalog.assets.values() if a.table.startswith("raw.") for p in a.source_files}
    assert all(path.is_file() for path in delivered)
    for asset in catalog.assets.values():
        assert asset.source_files or not asset.table.startswith("raw."), asset.table
        assert set(asset.source_files) <= delivered, asset.table


def test_declared_study_keys_are_keys_of_study_yaml(catalog):
    for asset in catalog.assets.values():
        assert {key.split(".")[0] for key in asset.study_keys} <= set(Study.model_fields), asset.table
        assert asset.study_keys in catalog.study_digests


def test_a_half_reads_nothing_of_the_other_half(catalog):
    for asset in catalog.assets.values():
        if asset.half != "both":
            assert {catalog.assets[table].half for table in asset.inputs} <= {asset.half}, asset.table
        assert asset.tolerates_blocked == (asset.half == "both"), asset.table


def test_code_versions_are_the_same_in_another_process(catalog):
    finished = subprocess.run(
        [sys.executable, "-c", VERSIONS, str(DEMO)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77"},
    )
    assert json.loads(finished.stdout) == {t: asset.code_version for t, asset in catalog.assets.items()}


def test_a_study_without_a_clinical_half_has_the_assets_of_the_other_alone(tmp_path):
    assert [
        asset.table for asset in build_catalog(write_tiny_study(tmp_path / "study")).in_order()
    ] == IN_ORDER


# -- column lineage ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lineage(catalog: Catalog) -> dict[str, ColumnLineage]:
    """Column lineage of every table: delivered columns have none, SQL models theirs from the tree."""
    found: dict[str, ColumnLineage] = {}
    for asset in tables(catalog):
        if asset.table in HEADERS:
            with (DEMO / HEADERS[asset.table]).open(newline="") as handle:
                found[asset.table] = dict.fromkeys(("_row_id", *next(csv.reader(handle))), ())
        elif asset.table.startswith("raw."):
            found[asset.table] = {column.name: () for column in asset.columns}
        elif asset.model is not None:
            schemas = {
                ref: dict.fromkeys((*found[ref], "_row_id", "_row_ids"), "VARCHAR") for ref in asset.inputs
            }
            found[asset.table] = column_lineage(asset.model, schemas)
        else:
            found[asset.table] = asset.lineage
    return found


def test_declared_lineage_covers_the_described_columns(catalog, lineage):
    at_build = {"raw.participants", "raw.visits", "raw.samples", "expression.samples"}
    for asset in tables(catalog):
        described = {column.name for column in asset.columns if not column.name.startswith("_")}
        traced = {name for name in lineage[asset.table] if not name.startswith("_")}
        if asset.table not in at_build:
            assert traced == described, asset.table


def test_every_input_of_a_column_is_a_column_of_an_input_of_its_table(catalog, lineage):
    for table, columns in lineage.items():
        for column, inputs in columns.items():
            for entry in inputs:
                assert entry.table in catalog.assets[table].inputs, f"{table}.{column} from {entry}"
                known = set(lineage[entry.table])
                assert entry.column in known, f"{table}.{column} from {entry}"
                assert entry.kind in ("DIRECT", "INDIRECT")


def test_every_column_of_every_table_reaches_delivered_data_or_study_yaml(lineage):
    ends: dict[tuple[str, str], set[str]] = {}

    def reached(table: str, column: str) -> set[str]:
        if table.startswith(("raw.", "study.")):
            return {table}
        if not lineage[table][column]:
            return {"nothing"}
        if (table, column) not in ends:
            ends[table, column] = set()
            ends[table, column] = {end for i in lineage[table][column] for end in reached(i.table, i.column)}
        return ends[table, column]

    assert all(reached(table, column) for table, columns in lineage.items() for column in columns)
    without = [
        f"{table}.{column}"
        for table, columns in lineage.items()
        if not table.startswith(("raw.", "study."))
        for column, inputs in columns.items()
        if not inputs
    ]
    assert sorted(without) == CONSTANTS
    assert reached("report.symptom_change", "p_value") >= {"raw.visits", "raw.participants", "study.outcomes"}
    assert reached("report.top_genes", "padj") == {"raw.counts", "raw.count_columns", "raw.samples"}


def test_every_column_but_names_from_study_yaml_has_a_direct_input(lineage):
    indirect_only = [
        f"{table}.{column}"
        for table, columns in lineage.items()
        if not table.startswith(("raw.", "study."))
        for column, inputs in columns.items()
        if not any(entry.kind == "DIRECT" for entry in inputs)
    ]
    names = ["staging.stg_answers.instrument", "staging.stg_answers.item", "staging.stg_measures.variable"]
    undeclared = ["staging.stg_subjects.arm", "staging.stg_subjects.site"]
    read_from = ["marts.adqs.SRCDOM", "marts.adqs.SRCVAR"]
    assert sorted(indirect_only) == sorted(
        [*names, *read_from, *undeclared, *UNANNOTATED, *ROWS_ONLY, *CONSTANTS]
    )


@pytest.fixture
def made(tmp_path) -> Callable[[str, str], Catalog]:
    def run(old: str, new: str) -> Catalog:
        folder = tmp_path / f"study{len(list(tmp_path.iterdir()))}"
        shutil.copytree(DEMO, folder)
        file = folder / "study.yaml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))
        return build_catalog(folder)

    return run


def digests(found: Catalog, table: str) -> str:
    return found.study_digests[found.assets[table].study_keys]


def test_another_outcome_is_read_by_sources_with_visits_alone(made):
    before = made("# Two", "# Two")
    after = made("outcomes:\n", "outcomes:\n  - {id: more, score: fiqr.memory, better: lower}\n")
    for room in ("raw", "quarantine"):
        assert digests(before, f"{room}.visits") != digests(after, f"{room}.visits")
        assert digests(before, f"{room}.participants") == digests(after, f"{room}.participants")


def test_a_contrast_s_tables_depend_on_its_own_declaration_only(made):
    before = made("# Two", "# Two")
    after = made('week: "0"}\n    alpha: 0.05', 'week: "0"}\n    alpha: 0.01')
    for kind in ("fit", "stability"):
        changed, kept = (f"expression.{kind}_{name}" for name in ("fm_vs_healthy", "before_after"))
        assert digests(before, changed) != digests(after, changed)
        assert digests(before, kept) == digests(after, kept)
    without = made("  samples: {path: rnaseq", "  stability: false\n  samples: {path: rnaseq")
    assert not [table for table in without.assets if "stability" in table]
    assert "expression.stability" not in without.assets["expression.contrasts"].inputs

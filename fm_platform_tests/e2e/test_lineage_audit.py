"""``fm audit lineage`` on the demo: silent as it is declared, and loud when a declaration is wrong."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import pytest

from fm_platform.catalog.asset import Asset, Built, Step
from fm_platform.catalog.graph import Catalog, build_catalog
from fm_platform.catalog.lineage_audit.bench import set_up
from fm_platform.catalog.lineage_audit.columns import ColumnJudge
from fm_platform.lineage.history import fold
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.records import ColumnLineage
from fm_platform.warehouse.scratch import Scratch, open_scratch
from fm_platform_tests.e2e.conftest import Workspace
from fm_platform_tests.e2e.soak import effort

WRONG = (
    ("stats.responder_rates", "n", "stats.responder_status", "responded"),
    ("stats.responder_rates", "rate", "stats.responder_status", "responded"),
    ("stats.responder_rates", "definition", "stats.responder_status", "definition"),
    ("stats.responder_rates", "responder", "stats.responder_status", "stratum"),
    ("stats.mcnemar", "only_first", "study.visits", "position"),
    ("stats.mcnemar", "n", "stats.responder_status", "subject_id"),
    ("stats.mcnemar", "both", "study.visits", None),
    ("marts.criteria", "verdict", "staging.stg_answers", None),
    ("marts.criteria", "wpi_low", "staging.stg_instrument_scores", "score_id"),
    ("marts.criteria", "three_months", "staging.stg_answers", "item"),
    ("marts.severity_bands", "band", "staging.stg_instrument_scores", "value_scale"),
    ("marts.severity_bands", "citation", "staging.stg_instrument_scores", "value_exact"),
    ("marts.symptom_change", "base_exact", "marts.symptom_scores", "value_exact"),
    ("report.top_genes", "status", "expression.contrasts", None),
    ("report.top_genes", "gene_id", "expression.de_results", "pvalue"),
    ("report.top_genes", "padj", "expression.de_results", "contrast"),
    ("report.completeness", "n_given", "staging.stg_visits", None),
    ("report.completeness", "n_answered", "staging.stg_answers", "visit_id"),
    ("stats.ard", "group", "stats.planning", None),
    ("expression.pca", "sample_id", "expression.counts", "counts"),
    ("expression.cooks", "distance", "expression.fit_fm_vs_healthy", "cooks_distance"),
    ("expression.fit_fm_vs_healthy", "pvalue", "expression.samples", "group"),
    ("expression.fit_fm_vs_healthy", "padj", "expression.counts", "counts"),
)
"""Table and column of a declaration, with the input that is dropped from it: a column, or a whole table."""


@pytest.fixture(scope="module")
def catalog(refreshed: Workspace) -> Catalog:
    return build_catalog(refreshed.study)


@pytest.fixture(scope="module")
def scratch(refreshed: Workspace) -> Iterator[Scratch]:
    with open_scratch(Home(refreshed.home)) as opened:
        yield opened


@pytest.mark.soak
def test_no_effect_is_undeclared_in_the_demo(refreshed: Workspace) -> None:
    outcome = refreshed.fm("audit", "lineage", *effort(sample=30))
    assert outcome.code == 0, outcome.out


def test_an_audit_reports_what_it_tried_and_writes_nothing(refreshed: Workspace) -> None:
    before = {path.name: digest(path) for path in refreshed.home.glob("*.duckdb")}
    outcome = refreshed.fm("audit", "lineage", "--table", "marts.adsl", "--rows", "1", "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    [table] = found["tables"]
    assert (table["table"], found["complete"], found["undeclared"]) == ("marts.adsl", True, [])
    assert table["columns"] == table["of"] > 5
    assert table["trials"] > 3 * table["of"]
    assert {path.name: digest(path) for path in refreshed.home.glob("*.duckdb")} == before


def test_a_table_that_does_not_exist_is_an_error_of_the_caller(refreshed: Workspace) -> None:
    outcome = refreshed.fm("audit", "lineage", "--table", "stats.nothing")
    assert (outcome.code, "stats.nothing" in outcome.err) == (2, True)


@pytest.mark.parametrize("table", sorted({entry[0] for entry in WRONG}))
def test_each_wrong_declaration_is_found(table: str, catalog: Catalog, scratch: Scratch) -> None:
    dropped = [entry[1:] for entry in WRONG if entry[0] == table]
    bench = set_up(
        catalog, wrongly(catalog.assets[table], dropped), scratch, fold(scratch.records()), 150, "1"
    )
    judge = ColumnJudge(table, bench.asset.key, bench.lineage, bench.asset.columns)
    for source in {source for _, source, _ in dropped}:
        columns = {own for _, other, own in dropped if other == source}
        trials = [
            bench.column_trials(source, column, 1, "1")
            for column in (bench.columns_of(source) if None in columns else columns)
        ]
        if None in columns:
            trials.append(bench.row_trials(source, 1, "1"))
        for trial in chain.from_iterable(trials):
            judge.see(trial, catalog.assets[source].key, bench.unsteady)
    bench.close()
    found = defaultdict(set)
    for entry in judge.undeclared:
        found[entry.column, entry.input_table].add(entry.input_column)
    missed = [
        (column, source, own)
        for column, source, own in dropped
        if (own not in found[column, source] if own is not None else not found[column, source])
    ]
    assert missed == []
    assert set(found) == {(column, source) for column, source, _ in dropped}


def wrongly(asset: Asset, dropped: list[tuple[str, str, str | None]]) -> Asset:
    """The asset with a declaration that lacks these inputs."""

    def without(lineage: ColumnLineage) -> ColumnLineage:
        return {
            name: tuple(
                entry
                for entry in inputs
                if (name, entry.table, entry.column) not in dropped
                and (name, entry.table, None) not in dropped
            )
            for name, inputs in lineage.items()
        }

    def build(step: Step) -> Built:
        built = asset.build(step)
        return replace(built, lineage=without(built.lineage)) if built.lineage is not None else built

    return replace(asset, lineage=without(asset.lineage), build=build)


def digest(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

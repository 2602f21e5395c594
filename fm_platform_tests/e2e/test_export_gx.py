"""``fm export gx``: a project that Great Expectations opens and runs, without the platform, to the gate's counts."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from fm_platform_tests.e2e.conftest import Workspace


@pytest.fixture
def project(exporting: Workspace, tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    outcome = exporting.fm("export", "gx", "-o", str(folder))
    assert outcome.code == 0, outcome.err
    return folder


def test_the_suites_run_on_the_published_warehouse_to_the_counts_of_its_checks(exporting, project):
    import great_expectations as gx

    context = gx.get_context(mode="file", project_root_dir=project)
    assert {suite.name for suite in context.suites.all()} == {"participants", "visits"}
    findings = json.loads(
        exporting.fm(
            "query",
            "SELECT 'participants' AS source, rule, \"column\" AS c FROM quarantine.participants "
            "UNION ALL SELECT 'visits', rule, \"column\" FROM quarantine.visits",
            "--json",
        ).out
    )
    with duckdb.connect(str(exporting.home / "warehouse.duckdb"), read_only=True) as warehouse:
        for source in ("participants", "visits"):
            frame = warehouse.sql((project / "candidates" / f"{source}.sql").read_text("utf-8")).df()
            found = context.validation_definitions.get(source).run(batch_parameters={"dataframe": frame})
            assert found.statistics["evaluated_expectations"] >= 3
            for result in found.results:
                about = result.expectation_config.meta
                recorded = [
                    f
                    for f in findings
                    if (f["source"], f["c"]) == (source, about["column"]) and f["rule"] in about["rules"]
                ]
                assert result.result["unexpected_count"] == len(recorded), about


def test_the_folder_names_nobody_and_is_recorded(exporting, project):
    written = {path.relative_to(project).as_posix(): path for path in project.rglob("*") if path.is_file()}
    assert {
        "README.md",
        "candidates/visits.sql",
        "gx/great_expectations.yml",
        "gx/expectations/visits.json",
    } <= set(written)
    text = "".join(path.read_text("utf-8") for path in written.values())
    assert "SYN0" not in text
    assert "Synthetic data" in text
    assert str(exporting.home) not in text
    assert "analytics_enabled: false" in text
    record = json.loads(exporting.fm("exports", "--json").out)[-1]
    assert (record["form"], record["holds"]) == ("gx", "no rows")
    assert {entry["path"] for entry in record["files"]} == set(written)
    refused = exporting.fm("export", "gx", "-o", str(project))
    assert refused.code == 2

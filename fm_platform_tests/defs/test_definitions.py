"""What Dagster is given for the bundled demo. Structural drift shows as a change of the snapshot.

After an intended change, run ``pytest fm_platform_tests/defs/test_definitions.py --snapshot-update``
and review the diff.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from fm_platform.catalog.graph import build_catalog
from fm_platform.defs.build import build_definitions
from fm_platform.warehouse.home import Home

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """The demo's definitions for a home that does not exist."""
    return build_definitions(build_catalog(DEMO), Home(tmp_path_factory.mktemp("none") / "home"))


def shape_of(definitions: dg.Definitions) -> dict[str, Any]:
    repository = definitions.get_repository_def()
    graph = repository.asset_graph
    assets = {}
    for key in sorted(graph.get_all_asset_keys(), key=lambda k: k.path):
        node = graph.get(key)
        specs = [graph.get_check_spec(check) for check in node.check_keys]
        assets["/".join(key.path)] = {
            "deps": sorted("/".join(parent.path) for parent in node.parent_keys),
            "group": node.group_name,
            "kinds": sorted(node.kinds),
            "owners": sorted(node.owners),
            "checks": {
                spec.name: "blocking" if spec.blocking else "advisory"
                for spec in sorted(specs, key=lambda s: s.name)
            },
        }
    jobs = {
        name: sorted("/".join(key.path) for key in repository.get_job(name).asset_layer.executable_asset_keys)
        for name in repository.job_names
        if not name.startswith("__")
    }
    schedules = {
        s.name: {
            "cron": s.cron_schedule,
            "timezone": s.execution_timezone,
            "job": s.job_name,
            "default": s.default_status.value,
        }
        for s in repository.schedule_defs
    }
    sensors = {
        s.name: {
            "type": s.sensor_type.value,
            "seconds": s.minimum_interval_seconds,
            "default": s.default_status.value,
        }
        for s in repository.sensor_defs
    }
    return {"assets": assets, "jobs": jobs, "schedules": schedules, "sensors": sensors}


def test_the_definitions_are_as_reviewed(definitions: dg.Definitions, snapshot: SnapshotAssertion):
    assert shape_of(definitions) == snapshot(extension_class=JSONSnapshotExtension)


def test_every_asset_is_described_typed_versioned_and_owned(definitions):
    for spec in definitions.resolve_all_asset_specs():
        assert spec.description
        assert spec.code_version
        assert spec.owners
        assert spec.metadata["dagster/table_name"] == ".".join(spec.key.path)
        if spec.key.path[0] not in ("files", "publish"):
            schema = spec.metadata["dagster/column_schema"]
            assert all(column.description for column in schema.columns)


def test_every_run_is_in_one_process(definitions):
    repository = definitions.get_repository_def()
    for name in repository.job_names:
        assert repository.get_job(name).executor_def.name == "in_process"


def test_definitions_are_valid_without_a_home(definitions):
    dg.Definitions.validate_loadable(definitions)

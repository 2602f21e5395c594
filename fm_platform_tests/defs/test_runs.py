"""Runs as Dagster shows them: versions, checks, lineage, failures, and runs whose process is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator

import dagster as dg
import pytest
import yaml

from fm_platform.defs.instance import open_instance, prepare_dagster_home
from fm_platform.warehouse.database import open_warehouse
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.lock import mark_alive
from fm_platform_tests.defs.conftest import Site
from fm_platform_tests.unit.catalog.tiny_study import COUNTS, IN_ORDER


def run(
    site: Site, instance: dg.DagsterInstance, *tables: str, **options: object
) -> dg.ExecuteInProcessResult:
    job = site.repository.get_job("refresh")
    keys = [dg.AssetKey(table.split(".")) for table in tables] or None
    return job.execute_in_process(instance=instance, asset_selection=keys, raise_on_error=False, **options)


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, object]]:
    events = result.get_asset_materialization_events()
    return {
        ".".join(event.asset_key.path): {k: v.value for k, v in event.materialization.metadata.items()}
        for event in events
    }


def recorded(home: Home) -> dict[str, dict]:
    with open_warehouse(home, "look", read_only=True) as warehouse:
        kinds = ("materialization", "publication")
        return {
            r.content["table"]: {**r.content, "seq": r.seq} for r in warehouse.records() if r.kind in kinds
        }


def test_a_fresh_asset_is_shown_again_with_its_earlier_version(site, instance):
    before = recorded(site.home)
    result = run(site, instance)
    assert result.success
    assert recorded(site.home) == before
    shown = metadata_of(result)
    assert list(shown) == IN_ORDER
    for table, metadata in shown.items():
        assert metadata["fm/recomputed"] is False
        assert metadata["fm/ledger_seq"] == before[table]["seq"]
        assert metadata["fm/fingerprint"] == before[table]["fingerprint"]
    for event in result.get_asset_materialization_events():
        table = ".".join(event.asset_key.path)
        assert event.materialization.tags["dagster/data_version"] == before[table]["value_digest"]


def test_what_changed_is_recomputed_and_its_table_is_shown(site, instance):
    site.edit("counts.csv", "g3,0", "g3,9")
    result = run(site, instance)
    assert result.success
    shown = metadata_of(result)
    unchanged = {
        "raw.samples",
        "expression.samples",
    }  # the second depends on the file's columns, not on its counts
    assert {table for table, m in shown.items() if m["fm/recomputed"]} == set(IN_ORDER) - unchanged
    counts = shown["expression.counts"]
    assert counts["dagster/row_count"] == 3
    assert [(c.name, c.type) for c in counts["dagster/column_schema"].columns][:1] == [("gene_id", "VARCHAR")]
    deps = counts["dagster/column_lineage"].deps_by_column["gene_id"]
    assert [(dep.asset_key.path, dep.column_name) for dep in deps] == [(["raw", "counts"], "gene_id")]
    assert "| g3 |" in counts["preview"]
    checks = {
        e.check_name for e in result.get_asset_check_evaluations() if e.asset_key.path[0] == "expression"
    }
    assert checks == {"key_is_unique", "samples_show_the_recorded_sex"}
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())


def test_force_in_the_launchpad_recomputes_a_fresh_asset(site, instance):
    before = recorded(site.home)["expression.counts"]
    config = {"ops": {"expression__counts": {"config": {"force": True}}}}
    result = run(site, instance, "expression.counts", run_config=config)
    assert metadata_of(result)["expression.counts"]["fm/recomputed"] is True
    after = recorded(site.home)["expression.counts"]
    assert after["seq"] > before["seq"]
    assert after["value_digest"] == before["value_digest"]


def test_bad_input_fails_its_step_with_the_message_a_shell_would_show(site, instance):
    site.edit("counts.csv", "g2,10", "g2,ten")
    result = run(site, instance)
    assert not result.success
    failed = {event.step_key for event in result.get_step_failure_events()}
    assert {"raw__counts", "raw__count_columns"} & failed
    text = str(result.get_step_failure_events()[0].step_failure_data)
    assert "counts.csv:3" in text
    assert "Mend:" in text
    (site.catalog.study.folder / "counts.csv").write_text(COUNTS)
    assert run(site, instance).success


# -- the instance ------------------------------------------------------------------------------------------------


def test_the_home_s_instance_sends_nothing_and_runs_one_at_a_time(tmp_path):
    home = Home(tmp_path / "home")
    config = yaml.safe_load((prepare_dagster_home(home) / "dagster.yaml").read_text())
    assert config["telemetry"] == {"enabled": False}
    assert config["nux"] == {"enabled": False}
    with open_instance(home) as instance:
        assert not instance.telemetry_enabled
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1


def test_a_dagster_yaml_that_a_user_edited_is_left_alone(tmp_path):
    home = Home(tmp_path / "home")
    path = prepare_dagster_home(home) / "dagster.yaml"
    path.write_text("telemetry:\n  enabled: false\n# mine\n")
    prepare_dagster_home(home)
    assert path.read_text().endswith("# mine\n")


def test_dagster_itself_reads_and_writes_the_history_while_the_instance_is_open(site, kept):
    run_id = started(site, kept, 1)
    with dg.DagsterInstance.from_config(str(site.home.dagster)) as stock:
        seen = stock.all_logs(run_id)
        assert seen == kept.all_logs(run_id)
        assert seen[-1].dagster_event_type == dg.DagsterEventType.RUN_START
        stock.report_run_failed(stock.get_run_by_id(run_id), "from outside")
    assert status(kept, run_id) == dg.DagsterRunStatus.FAILURE
    assert kept.all_logs(run_id)[-1].message == "from outside"


def test_a_storage_that_dagster_yaml_names_is_used(tmp_path):
    home, elsewhere = Home(tmp_path / "home"), tmp_path / "elsewhere"
    config = prepare_dagster_home(home) / "dagster.yaml"
    config.write_text(yaml.dump({"storage": {"sqlite": {"base_dir": str(elsewhere)}}}))
    with open_instance(home) as instance:
        assert instance.get_runs() == []
    assert (elsewhere / "history/runs.db").is_file()
    assert not (home.dagster / "history").exists()


# -- runs whose process is gone ------------------------------------------------------------------------------------


@pytest.fixture
def kept(site: Site) -> Iterator[dg.DagsterInstance]:
    """The home's own instance."""
    with open_instance(site.home) as made:
        yield made


def started(site: Site, instance: dg.DagsterInstance, seconds_ago: float) -> str:
    """A run that said it started, and nothing since."""
    made = instance.create_run_for_job(site.repository.get_job("refresh"))
    begin = dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_START.value, job_name="refresh")
    entry = dg.EventLogEntry(
        error_info=None,
        level="debug",
        user_message="",
        run_id=made.run_id,
        timestamp=time.time() - seconds_ago,
        dagster_event=begin,
    )
    instance.handle_new_event(entry)
    assert instance.get_run_by_id(made.run_id).status == dg.DagsterRunStatus.STARTED
    return made.run_id


def sweep(site: Site, instance: dg.DagsterInstance) -> str:
    answer = site.repository.get_sensor_def("dead_runs")(dg.build_sensor_context(instance=instance))
    assert isinstance(answer, dg.SkipReason)
    return answer.skip_message


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    return instance.get_run_by_id(run_id).status


def test_a_started_run_whose_process_is_gone_is_closed(site, kept):
    run_id = started(site, kept, 1)
    (site.home.alive / run_id).touch()
    assert sweep(site, kept) == f"closed {run_id}"
    assert status(kept, run_id) == dg.DagsterRunStatus.FAILURE
    assert not (site.home.alive / run_id).exists()
    assert sweep(site, kept) == "every unfinished run is alive"


def test_a_run_whose_process_lives_is_left_alone_however_long_it_takes(site, kept):
    run_id = started(site, kept, 100_000)
    with mark_alive(site.home.alive, run_id):
        assert sweep(site, kept) == "every unfinished run is alive"
    assert status(kept, run_id) == dg.DagsterRunStatus.STARTED


def test_a_run_that_never_took_its_lock_is_given_time_to_start(site, kept):
    young, old = started(site, kept, 5), started(site, kept, 1000)
    assert sweep(site, kept) == f"closed {old}"
    assert status(kept, young) == dg.DagsterRunStatus.STARTED


def test_the_next_run_closes_a_dead_one_by_itself(site, kept):
    dead = started(site, kept, 1)
    (site.home.alive / dead).touch()
    result = run(site, kept, "raw.samples")
    assert result.success
    assert status(kept, dead) == dg.DagsterRunStatus.FAILURE
    assert status(kept, result.run_id) == dg.DagsterRunStatus.SUCCESS

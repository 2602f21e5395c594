"""When something runs: the nightly schedule and the sensors ask the one planner."""

from __future__ import annotations

import dagster as dg
import pytest

from fm_platform.warehouse.home import Home
from fm_platform_tests.defs.conftest import Site
from fm_platform_tests.unit.catalog.tiny_study import IN_ORDER, QUALITY, bring_up_to_date


def nightly(site: Site, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    schedule = site.repository.get_schedule_def("nightly_refresh")
    return schedule(dg.build_schedule_context(instance=instance))


def delivery(site: Site, instance: dg.DagsterInstance, cursor: str | None) -> tuple[object, str | None]:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    answer = site.repository.get_sensor_def("new_delivery")(context)
    return answer, context.cursor


def requested(answer: dg.RunRequest | dg.SkipReason) -> set[str]:
    assert isinstance(answer, dg.RunRequest), answer
    return {".".join(key.path) for key in answer.asset_selection}


def test_the_nightly_schedule_is_the_study_s(site):
    schedule = site.repository.get_schedule_def("nightly_refresh")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 3 * * *", "Europe/Vienna")


def test_a_night_without_work_is_skipped_and_says_so(site, instance):
    assert nightly(site, instance) == dg.SkipReason("nothing is stale")


def test_a_night_after_a_delivery_requests_exactly_what_is_stale(site, instance):
    site.edit("counts.csv", "g3,0", "g3,9")
    answer = nightly(site, instance)
    assert requested(answer) == set(IN_ORDER) - {"raw.samples"}
    assert answer.tags["fm/stale"] == str(len(IN_ORDER) - 1)
    bring_up_to_date(site.catalog, site.home)
    assert nightly(site, instance) == dg.SkipReason("nothing is stale")


def test_a_night_sees_what_study_yaml_says_now(site, instance):
    site.edit("study.yaml", "title: Three genes", "title: Three genes in four samples")
    assert requested(nightly(site, instance)) == {"files.report", "files.site", "publish.warehouse"}


def test_a_night_with_a_broken_study_is_skipped_with_the_mend(site, instance):
    site.edit("study.yaml", "gene_id: gene", "gene: gene")
    answer = nightly(site, instance)
    assert isinstance(answer, dg.SkipReason)
    assert "study.yaml:3" in answer.skip_message
    assert "Mend:" in answer.skip_message


def test_a_tick_of_the_schedule_launches_the_refresh_job(site, instance):
    site.edit("samples.csv", "s4,b", "s4,a")
    schedule = site.repository.get_schedule_def("nightly_refresh")
    with dg.build_schedule_context(instance=instance, repository_def=site.repository) as context:
        tick = schedule.evaluate_tick(context)
    assert schedule.job_name == "refresh"
    assert len(tick.run_requests) == 1
    assert requested(tick.run_requests[0]) == {
        "raw.samples",
        "expression.samples",
        *QUALITY,
        "files.report",
        "files.site",
        "publish.warehouse",
    }


def test_a_delivery_is_handed_to_one_run(site, instance):
    answer, cursor = delivery(site, instance, None)
    assert answer == dg.SkipReason("no source file is new or changed")
    site.edit("counts.csv", "g3,0", "g3,9")
    answer, cursor = delivery(site, instance, cursor)
    assert requested(answer) == set(IN_ORDER) - {"raw.samples"}
    assert cursor
    again, same = delivery(site, instance, cursor)
    assert again == dg.SkipReason("this delivery was already handed to a run")
    assert same == cursor
    site.edit("counts.csv", "g3,9", "g3,8")
    answer, other = delivery(site, instance, cursor)
    assert requested(answer)
    assert other != cursor


def test_a_change_of_study_yaml_is_no_delivery(site, instance):
    site.edit("study.yaml", "Three genes", "A title")
    assert delivery(site, instance, None)[0] == dg.SkipReason("no source file is new or changed")


@pytest.mark.parametrize("with_lock", [False, True])
def test_looking_at_a_home_takes_no_lock_and_opens_no_work_database(site, instance, with_lock):
    from contextlib import nullcontext

    from fm_platform.warehouse.lock import hold_lock

    site.home.work.unlink()
    with hold_lock(site.home.lock, "a-writer") if with_lock else nullcontext():
        assert nightly(site, instance) == dg.SkipReason("nothing is stale")
        assert delivery(site, instance, None)[0] == dg.SkipReason("no source file is new or changed")
    assert not Home(site.home.path).work.exists()


def test_after_a_failed_refresh_what_can_be_published_is(site, instance):
    site.edit("counts.csv", "g2,10", "g2,-10")
    site.edit("study.yaml", "Three genes", "A title")
    failed = site.repository.get_job("refresh").execute_in_process(instance=instance, raise_on_error=False)
    assert not failed.success
    context = dg.build_run_status_sensor_context(
        sensor_name="publish_after_failure",
        dagster_event=failed.get_run_failure_event(),
        dagster_instance=instance,
        dagster_run=failed.dagster_run,
    ).for_run_failure()
    answer = site.repository.get_sensor_def("publish_after_failure")(context)
    assert answer.job_name == "publish"
    assert requested(answer) == {"files.report", "files.site", "publish.warehouse"}

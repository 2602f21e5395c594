"""Jobs, the nightly schedule and the sensors. All ask the one planner and read only ``state.json``.

Belongs here: when something runs. Does not belong here: what is stale (``lineage.plan``) or what a run does.
"""

from pathlib import Path
from typing import Any

import dagster as dg

from fm_platform.catalog.graph import Catalog, build_catalog
from fm_platform.catalog.outlook import Outlook, outlook
from fm_platform.catalog.session import PUBLISH
from fm_platform.defs.assets import asset_key
from fm_platform.defs.instance import close_dead_runs
from fm_platform.errors import FmError
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import canonical, sha256_text

REFRESH_JOB = "refresh"
PUBLISH_JOB = "publish"


def jobs(catalog: Catalog) -> dict[str, Any]:
    """Refresh everything, and publish what there is; by name."""
    closing = [table for table in catalog.assets if catalog.assets[table].tolerates_blocked]
    return {
        REFRESH_JOB: dg.define_asset_job(
            REFRESH_JOB,
            selection=dg.AssetSelection.all(),
            description="Bring every asset up to date; fresh ones are not recomputed.",
        ),
        PUBLISH_JOB: dg.define_asset_job(
            PUBLISH_JOB,
            selection=dg.AssetSelection.assets(*(asset_key(table) for table in closing)),
            description="Write the report and publish the warehouse from what is materialized.",
        ),
    }


def nightly_schedule(catalog: Catalog, home: Home) -> dg.ScheduleDefinition:
    """The nightly refresh: runs what is stale, otherwise skips and says so."""
    schedule = catalog.study.schedule
    folder = catalog.study.folder

    @dg.schedule(
        name="nightly_refresh",
        job_name=REFRESH_JOB,
        cron_schedule=schedule.cron,
        execution_timezone=schedule.timezone,
        description="Every night: run what is stale; skip when nothing is.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        del context
        return _request(folder, home)

    return nightly


def source_sensor(catalog: Catalog, home: Home) -> dg.SensorDefinition:
    """Runs what a new or changed delivery makes stale."""
    folder = catalog.study.folder

    @dg.sensor(
        name="new_delivery",
        job_name=REFRESH_JOB,
        minimum_interval_seconds=60,
        description="A source file is new or changed: run what depends on it.",
    )
    def new_delivery(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        try:
            view = outlook(build_catalog(folder), home)
        except FmError as error:
            return dg.SkipReason(str(error))
        if not view.changed_sources:
            return dg.SkipReason("no source file is new or changed")
        mark = sha256_text(canonical(view.changed_sources))
        if context.cursor == mark:
            return dg.SkipReason("this delivery was already handed to a run")
        context.update_cursor(mark)
        return _run_request(view)

    return new_delivery


def dead_run_sensor(home: Home) -> dg.SensorDefinition:
    """Closes runs whose process was killed, so that the queue does not wait for them."""

    @dg.sensor(
        name="dead_runs",
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports runs whose process has ended as failed.",
    )
    def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        closed = close_dead_runs(context.instance, home)
        return dg.SkipReason(f"closed {', '.join(closed)}" if closed else "every unfinished run is alive")

    return dead_runs


def publish_after_failure(catalog: Catalog, home: Home, publish_job: Any) -> dg.SensorDefinition:
    """Publishes the open half after a refresh that a blocked half kept from its end.

    Args:
        catalog: The study's assets.
        home: Its home.
        publish_job: The job of :func:`jobs` named ``publish``.
    """
    folder = catalog.study.folder

    @dg.run_failure_sensor(
        name="publish_after_failure",
        request_job=publish_job,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A refresh failed: publish the half that is not blocked.",
    )
    def publish_open_half(context: dg.RunFailureSensorContext) -> dg.RunRequest | dg.SkipReason:
        if context.dagster_run.job_name == PUBLISH_JOB:
            return dg.SkipReason("the failed run was a publication")
        view = outlook(build_catalog(folder), home)
        closing = [table for table in view.stale if view.catalog.assets[table].tolerates_blocked]
        if not closing:
            return dg.SkipReason("nothing to publish")
        return dg.RunRequest(job_name=PUBLISH_JOB, asset_selection=[asset_key(table) for table in closing])

    return publish_open_half


def publish_sensor() -> dg.AutomationConditionSensorDefinition:
    """Evaluates the publish asset's automation condition."""
    return dg.AutomationConditionSensorDefinition(
        "publish_ad_hoc",
        target=dg.AssetSelection.assets(asset_key(PUBLISH)),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Publishes what was materialized by hand.",
    )


def _request(folder: Path, home: Home) -> dg.RunRequest | dg.SkipReason:
    try:
        view = outlook(build_catalog(folder), home)
    except FmError as error:
        return dg.SkipReason(str(error))
    if not view.stale:
        blocked = f"; blocked: {', '.join(sorted(view.blocked))}" if view.blocked else ""
        return dg.SkipReason(f"nothing is stale{blocked}")
    return _run_request(view)


def _run_request(view: Outlook) -> dg.RunRequest:
    return dg.RunRequest(
        asset_selection=[asset_key(table) for table in view.stale],
        tags={"fm/stale": str(len(view.stale))},
    )

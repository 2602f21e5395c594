"""Everything Dagster gets to see of one study in one home.

Belongs here: assembling assets, jobs, schedules, sensors and the session. Does not belong here: any of those
themselves.
"""

from __future__ import annotations

import dagster as dg

from fm_platform.catalog.graph import Catalog
from fm_platform.catalog.session import Session
from fm_platform.defs import automation
from fm_platform.defs.assets import SESSION, dagster_asset
from fm_platform.defs.session_resource import session_resource
from fm_platform.warehouse.home import Home


def build_definitions(catalog: Catalog, home: Home, session: Session | None = None) -> dg.Definitions:
    """The definitions of a study.

    Args:
        catalog: The study's assets.
        home: Where it is materialized.
        session: A session that this process already holds; default: each run opens its own.
    """
    held = (
        dg.ResourceDefinition.hardcoded_resource(session)
        if session is not None
        else session_resource(catalog, home)
    )
    jobs = automation.jobs(catalog)
    return dg.Definitions(
        assets=[dagster_asset(asset) for asset in catalog.in_order()],
        jobs=list(jobs.values()),
        schedules=[automation.nightly_schedule(catalog, home)],
        sensors=[
            automation.source_sensor(catalog, home),
            automation.dead_run_sensor(home),
            automation.publish_after_failure(catalog, home, jobs[automation.PUBLISH_JOB]),
            automation.publish_sensor(),
        ],
        resources={SESSION: held},
        executor=dg.in_process_executor,
        metadata={"study": catalog.study.study.id, "synthetic": catalog.study.study.synthetic},
    )

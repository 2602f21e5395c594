"""The session as a Dagster resource: a run becomes the home's one writer for its whole length.

Belongs here: opening a session for a run that Dagster launched. Does not belong here: what a session does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from fm_platform.catalog.graph import Catalog
from fm_platform.catalog.session import Session, open_session
from fm_platform.defs.instance import close_dead_runs
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.lock import Holder


def session_resource(catalog: Catalog, home: Home) -> dg.ResourceDefinition:
    """A resource that waits for the home's lock, closes dead runs, and holds a session."""

    @contextmanager
    def hold(context: dg.InitResourceContext) -> Iterator[Session]:
        log = context.log
        assert log is not None

        def on_wait(holder: Holder | None) -> None:
            log.warning(f"waiting for the home's lock, held by {holder or 'another process'}")

        run_id = context.run.run_id if context.run is not None else "ad-hoc"
        with open_session(catalog, home, run_id, progress=log.info, on_wait=on_wait) as session:
            if context.instance is not None:
                for closed in close_dead_runs(context.instance, home, own_run=run_id):
                    log.info(f"run {closed} had ended without finishing; reported as failed")
            yield session

    return dg.ResourceDefinition(resource_fn=hold, description="The one writer of this study's home.")

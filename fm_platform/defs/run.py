"""A Dagster run inside the process that already holds the session, as ``fm refresh`` needs it.

Belongs here: executing a set of tables as one run of the home's instance. Does not belong here: planning or printing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fm_platform.catalog.session import Session
from fm_platform.defs.assets import asset_key, op_name
from fm_platform.defs.build import build_definitions
from fm_platform.defs.instance import close_dead_runs, open_instance
from fm_platform.errors import FmError


def run_tables(session: Session, tables: Sequence[str], run_id: str, *, force: bool = False) -> None:
    """Materialize tables as one Dagster run; failures are left in ``session.errors`` and ``session.results``.

    Args:
        session: The session this process holds.
        tables: What to materialize.
        run_id: The run's id in Dagster and in the ledger.
        force: Recompute fresh assets.
    """
    definitions = build_definitions(session.catalog, session.home, session)
    job = definitions.resolve_implicit_global_asset_job_def()
    config: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    if force:
        config["ops"] = {op_name(table): {"config": {"force": True}} for table in tables}
    with open_instance(session.home) as instance:
        close_dead_runs(instance, session.home, own_run=run_id)
        result = job.execute_in_process(
            run_config=config,
            instance=instance,
            asset_selection=[asset_key(table) for table in tables],
            raise_on_error=False,
            run_id=run_id,
            tags={"fm/started_by": "fm refresh"},
        )
    known = {table for table, _ in session.errors}
    known |= {entry.table for entry in session.results if entry.failed_blocking}
    by_step = {op_name(table): table for table in tables}
    for event in result.all_events:
        table = by_step.get(event.step_key or "")
        if event.is_step_failure and table is not None and table not in known:
            session.errors.append((table, FmError(_root_cause(event.step_failure_data.error))))


def _root_cause(error: Any) -> str:
    """The innermost message of a serialized error."""
    while error is not None and error.cause is not None:
        error = error.cause
    return str(error.message).strip() if error is not None else "the step failed"

"""The Dagster instance of a home: its dagster.yaml, opening it, and closing runs whose process is gone.

Belongs here: DAGSTER_HOME. Does not belong here: launching anything.
"""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData

from fm_platform.defs.storage import KeptStorage
from fm_platform.warehouse.home import Home, write_atomically
from fm_platform.warehouse.lock import is_alive

DAGSTER_YAML = b"""\
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 1
code_servers:
  local_startup_timeout: 360
"""

_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_GRACE_SECONDS = 120.0


def prepare_dagster_home(home: Home) -> Path:
    """Write ``dagster.yaml`` where it is missing; one that a user edited is left alone."""
    home.ensure()
    config = home.dagster / "dagster.yaml"
    if not config.exists():
        write_atomically(config, DAGSTER_YAML)
    return home.dagster


def open_instance(home: Home) -> dg.DagsterInstance:
    """The home's Dagster instance. One that keeps its history in SQLite keeps its connections open, too."""
    folder = prepare_dagster_home(home)
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
    ref = InstanceRef.from_dir(str(folder))
    storage = ref.storage_data
    if storage is not None and storage.class_name == DagsterSqliteStorage.__name__:
        kept = ConfigurableClassData(KeptStorage.__module__, KeptStorage.__name__, storage.config_yaml)
        ref = ref._replace(storage_data=kept)
    return dg.DagsterInstance.from_ref(ref)


def close_dead_runs(instance: dg.DagsterInstance, home: Home, own_run: str | None = None) -> list[str]:
    """Report unfinished runs whose process has ended as failed, so that they do not hold the queue.

    A live run holds a lock on a file of its own from its first step on; the kernel releases it when the process dies.
    A run that never took that lock is given two minutes to start.

    Returns:
        The ids of the runs that were closed.
    """
    closed = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=_UNFINISHED)):
        run = record.dagster_run
        if run.run_id == own_run:
            continue
        alive = is_alive(home.alive, run.run_id)
        if alive is None:
            begun = record.start_time or record.create_timestamp.timestamp()
            alive = _now() - begun < _GRACE_SECONDS
        if not alive:
            instance.report_run_failed(run, "The process of this run ended without finishing it.")
            (home.alive / run.run_id).unlink(missing_ok=True)
            closed.append(run.run_id)
    return closed


def _now() -> float:
    import time

    return time.time()

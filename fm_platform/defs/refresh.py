"""``fm refresh``: plan under the lock, run what is stale as Dagster runs, and say what came of it.

Belongs here: the order of a refresh and its summary. Does not belong here: printing, or importing Dagster
when nothing is stale.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import polars as pl

from fm_platform.catalog.declared_names import hindered, wrong_names
from fm_platform.catalog.expression.fits import CONTRASTS
from fm_platform.catalog.expression.inputs import require_count_files
from fm_platform.catalog.graph import Catalog, build_catalog
from fm_platform.catalog.places import home_of, study_folder
from fm_platform.catalog.session import PUBLISH, Actor, Session, StepResult, open_session
from fm_platform.errors import FmError
from fm_platform.lineage.graph import select
from fm_platform.lineage.plan import Entry
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.lock import Holder


class Watcher(Protocol):
    """Whoever shows the progress of a refresh."""

    def refused(self, errors: Sequence[FmError], hindered: int) -> None:
        """Names in study.yaml are wrong: so many assets will not run, the others will."""

    def planned(self, tables: Sequence[str], fresh: int) -> None:
        """What will run, and how many assets are fresh."""

    def note(self, text: str) -> None:
        """A word from within a step."""

    def step(self, table: str, result: StepResult | None) -> None:
        """A step begins (no result) or ends."""

    def waiting(self, holder: Holder | None) -> None:
        """Another process holds the lock."""


@dataclass(frozen=True)
class RefreshSummary:
    """What a refresh did.

    Attributes:
        computed: Tables that were recomputed, in order.
        unchanged: Planned tables whose inputs turned out equal, so that nothing was recomputed.
        fresh: How many assets needed nothing.
        blocked: What could not run, and why.
        errors: Tables that failed, and the error.
        publication: Number of the publication that readers see now.
    """

    study_id: str
    synthetic: bool
    study_folder: Path
    home: Home
    run_id: str
    computed: tuple[StepResult, ...]
    unchanged: tuple[str, ...]
    fresh: int
    blocked: tuple[Entry, ...]
    errors: tuple[tuple[str, Exception], ...]
    publication: int | None
    seconds: float
    failed_checks: tuple[tuple[str, str], ...] = field(default=())

    @property
    def exit_code(self) -> int:
        """The worst of what happened: input 2, environment 3, internal 4, blocked or altered 1, else 0."""
        codes = [error.exit_code if isinstance(error, FmError) else 4 for _, error in self.errors]
        blocking = 1 if self.failed_checks or self.blocked else 0
        for code in (4, 3, 2):
            if code in codes:
                return code
        return max([blocking, *codes])


def refresh_study(
    study: Path | None,
    home: Path | None,
    selection: str | None = None,
    *,
    force: bool = False,
    reason: str | None = None,
    watcher: Watcher,
) -> RefreshSummary:
    """Bring a study up to date.

    Args:
        study: Study folder, or None for the default.
        home: Home folder, or None for the default.
        selection: Which assets (see :func:`fm_platform.lineage.graph.select`).
        force: Recompute fresh assets.
        reason: Recorded with everything that is written.
        watcher: Shown the progress.

    Raises:
        InputError: The study, its files or the selection are wrong; nothing was started.
        EnvironmentFailure: The home or its lock cannot be used.
    """
    started = time.monotonic()
    catalog = build_catalog(study_folder(study, home))
    place = home_of(catalog.study, home)
    selected = select(selection, catalog.assets) if selection else None
    _require_files(catalog, selected)
    run_id = str(uuid.uuid4())
    with open_session(
        catalog,
        place,
        run_id,
        actor=Actor.from_environment(reason),
        progress=watcher.note,
        on_step=watcher.step,
        on_wait=watcher.waiting,
    ) as session:
        plan = session.plan(selected, force=force)
        fresh = sum(entry.state == "fresh" for entry in plan.entries)
        wrong = wrong_names(catalog, plan.stale, lambda: _earlier_contrasts(session))
        session.errors += [(found.tables[0], found.error) for found in wrong]
        out = hindered(catalog, wrong)
        runnable = [table for table in plan.stale if table not in out]
        if runnable:
            watcher.refused([found.error for found in wrong], len(plan.stale) - len(runnable))
        watcher.planned(runnable, fresh)
        if runnable:
            _run(session, runnable, run_id, force)
            _close(session, selected)
        after = session.plan(selected)
        publication = session.history.publication
        return RefreshSummary(
            study_id=catalog.study.study.id,
            synthetic=catalog.study.study.synthetic,
            study_folder=catalog.study.folder,
            home=place,
            run_id=run_id,
            computed=tuple(result for result in session.results if result.status == "computed"),
            unchanged=tuple(result.table for result in session.results if result.status == "fresh"),
            fresh=fresh,
            blocked=tuple(after.blocked),
            errors=tuple(session.errors),
            publication=int(publication["number"]) if publication else None,
            seconds=time.monotonic() - started,
            failed_checks=tuple(
                (result.table, check.name) for result in session.results for check in result.failed_blocking
            ),
        )


def _earlier_contrasts(session: Session) -> pl.DataFrame | None:
    warehouse = session.warehouse
    return warehouse.read(CONTRASTS) if warehouse.exists(CONTRASTS) else None


def _run(session: Session, tables: Sequence[str], run_id: str, force: bool = False) -> None:
    from fm_platform.defs.run import run_tables

    run_tables(session, tables, run_id, force=force)


def _close(session: Session, selected: set[str] | None) -> None:
    """Where a blocked half or a failed step kept the run from its end, report and publish what is there.

    A selection that names single assets publishes, too, so that readers see what was asked for.
    """
    assets = session.catalog.assets
    if any(isinstance(error, Exception) and not _was_check(error) for _, error in session.errors):
        return
    closing = {table for table in assets if assets[table].tolerates_blocked}
    if selected is not None:
        closing &= selected | {PUBLISH}
    pending = session.plan(closing).stale
    if pending:
        _run(session, pending, str(uuid.uuid4()))


def _was_check(error: Exception) -> bool:
    return isinstance(error, FmError) and error.exit_code == 1


def _require_files(catalog: Catalog, selected: set[str] | None) -> None:
    """Missing files are told before anything starts."""
    study = catalog.study
    for name, source in study.clinical.items():
        if selected is None or f"raw.{name}" in selected:
            study.resolve(source.path, "clinical", name, "path", pick=source.pick)
    if study.expression is not None and (selected is None or selected & {"raw.counts", "raw.samples"}):
        study.resolve(study.expression.samples.path, "expression", "samples", "path")
        require_count_files(study)

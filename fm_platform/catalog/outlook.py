"""What a reader knows without the work database: the plan by ``state.json`` and the files as they lie now.

Belongs here: the view that schedule, sensor and ``fm status`` share. Does not belong here: anything that
takes the lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fm_platform.catalog.binding import check_home
from fm_platform.catalog.graph import Catalog
from fm_platform.lineage.history import History, from_state
from fm_platform.lineage.plan import FileDigests, Plan, make_plan
from fm_platform.warehouse.home import Home


@dataclass(frozen=True)
class Outlook:
    """A reader's view of a home.

    Attributes:
        catalog: The study's assets as study.yaml and the code are now.
        history: The ledger's latest facts as of the last run.
        plan: The planner's word on every asset.
        changed_sources: Path to SHA-256 of delivered files that no materialization has read yet.
        moved: What to tell of a home that was made for another folder.
    """

    catalog: Catalog
    history: History
    plan: Plan
    changed_sources: Mapping[str, str]
    moved: str | None = None

    @property
    def stale(self) -> list[str]:
        """Tables that a refresh would run, upstream first."""
        return self.plan.stale

    @property
    def blocked(self) -> dict[str, str]:
        """Blocked tables and why."""
        return {entry.table: entry.reason for entry in self.plan.blocked}


def outlook(catalog: Catalog, home: Home) -> Outlook:
    """Look at a home without opening its work database.

    Raises:
        InputError: The home belongs to another study.
    """
    moved = check_home(catalog, home)
    state = home.state()
    history = from_state(state)
    files = FileDigests(state.get("files"))
    plan = make_plan(catalog.assets, history, catalog.study_digests, files)
    changed: dict[str, str] = {}
    for asset in catalog.assets.values():
        made = history.materialized.get(asset.table)
        read = set(made.body["parts"]["sources"]) if made is not None else set()
        for path in asset.source_files:
            digest = files.of(path)
            if digest is not None and digest not in read:
                changed[str(path)] = digest
    return Outlook(catalog, history, plan, changed, moved)

"""What a home still holds after an erasure, and why.

Belongs here: counting it and saying it. Does not belong here: erasing (``erasure``). The reasons are in
``docs/adr/0015-what-withdrawals-and-erasures-do.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from fm_platform.catalog.disclosure.stored_files import COUNTS
from fm_platform.catalog.graph import Catalog
from fm_platform.lineage.erasures import erasures_of
from fm_platform.lineage.history import from_state
from fm_platform.sources.sample_files import names_of
from fm_platform.warehouse.database import open_warehouse
from fm_platform.warehouse.home import Home

_LISTED = 3


@dataclass(frozen=True)
class Remainder:
    """One kind of thing that an erasure leaves: what, how much of it, and why."""

    what: str
    why: str

    def as_json(self) -> dict[str, str]:
        """For programs."""
        return asdict(self)


def what_remains(catalog: Catalog, home: Home, body: Mapping[str, Any]) -> list[Remainder]:
    """What is left of a subject, or of publications that it took part in, after an erasure.

    Args:
        catalog: The study's assets.
        home: Its home, after the erasure.
        body: The ledger record of the erasure.
    """
    history = from_state(home.state())
    kept = sorted(path.name for path in home.snapshots.glob("*.duckdb"))
    redacted = len(body["snapshots"])
    locked = sorted({str(lock["name"]) for lock in history.locks})
    found = [
        Remainder(
            f"the list of withdrawals ({catalog.study.withdrawals}, its stored deliveries and raw.withdrawals)",
            "it names the subject; by it a delivery that brings the subject back is told",
        ),
        Remainder(
            f"the ledger, {history.head[0]} records",
            "hashes, keys and decisions, no answers of patients; this erasure is one of them, with hashes of the "
            "erased ids; `fm verify` needs all of them",
        ),
    ]
    if kept:
        names = f", locked ones included ({', '.join(locked)})" if locked else ""
        found.append(
            Remainder(
                f"{len(kept)} snapshots{names}, {redacted} of them redacted now",
                "rows of the subject alone are out, and the reports of the redacted ones, whose figures draw each "
                "person's line; tables of statistics over several subjects stay as they were published",
            )
        )
    if paths := _named_after(home):
        found.append(
            Remainder(
                f"{len(paths)} paths of count files in the ledger ({', '.join(paths[:_LISTED])}"
                f"{', ...' if len(paths) > _LISTED else ''})",
                "the files were named after the sample, and the records of their delivery, of locks, exports and "
                "publications say their names, as do state.json, certificates and the ledger's copies in snapshots; a "
                "record that is changed breaks the chain of all after it",
            )
        )
    return [
        *found,
        Remainder(
            "copies outside the home: backups, exports, files that were sent",
            "this command does not reach them",
        ),
    ]


def _named_after(home: Home) -> list[str]:
    """Paths in the ledger of count files that were named after erased samples."""
    with open_warehouse(home, "erase", read_only=True) as warehouse:
        records = warehouse.records()
    paths = {r.content["path"] for r in records if r.kind == "source" and r.content["source"] == COUNTS}
    erasures = erasures_of(records)
    return sorted(path for path in paths if erasures.erased(names_of(PurePosixPath(path)), "count_ids"))

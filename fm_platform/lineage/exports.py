"""What left the home: the ledger's export records, and which of them wrote a file that somebody holds.

Belongs here: the form and the reading of these records. Does not belong here: letting anything out
(``catalog.disclosure.leaving``), or what may leave.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from fm_platform.errors import CheckFailed, InputError
from fm_platform.lineage.verify import quiet_home
from fm_platform.warehouse.database import WAREHOUSE_VARIABLE, open_warehouse
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import LedgerRecord, first_break
from fm_platform.warehouse.publish import file_sha256

KIND: Final = "export"

Holds = Literal["no rows", "tables", "report", "row-level data"]
"""What an export holds of people: nothing; tables, judged by the quasi-identifiers that are declared; the report, which
is not judged and may show single people; rows of delivered files and tables as they are."""


@dataclass(frozen=True)
class Export:
    """One export.

    Attributes:
        seq: Number of its ledger record.
        hash: That record's hash.
        at: When (ISO 8601, UTC).
        form: ``tables``, ``ro-crate``, ``openlineage``, ``data-docs``, ``define-xml`` or ``ars``.
        publication: Number of the publication that it was made from.
        holds: What it holds of people.
        actor: Who let it out.
        reason: Why, if that was said.
        files: Path below the folder that was named, SHA-256 and bytes of each; what is known of a table's content.
        body: The record's whole body.
    """

    seq: int
    hash: str
    at: str
    form: str
    publication: int
    holds: Holds
    actor: str
    reason: str | None
    files: tuple[Mapping[str, Any], ...]
    body: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """For programs: the record with its place in the chain."""
        return {"seq": self.seq, "hash": self.hash, "at": self.at, **self.body}


def exports_of(records: Iterable[LedgerRecord]) -> list[Export]:
    """Every export among some ledger records, oldest first."""
    return [_export(record) for record in records if record.kind == KIND]


def _export(record: LedgerRecord) -> Export:
    body = record.content
    return Export(
        record.seq,
        record.hash,
        record.at,
        body["form"],
        int(body["publication"]),
        body["holds"],
        body["actor"],
        body.get("reason"),
        tuple(body["files"]),
        body,
    )


def read_exports(home: Home) -> list[Export]:
    """Every export that a home's ledger records, once its chain holds.

    Args:
        home: The home; may be a read-only copy. Where it can be written, its lock is waited for.

    Raises:
        InputError: The home was never refreshed.
        CheckFailed: The chain of records is broken.
        EnvironmentFailure: Lock or database cannot be used.
    """
    if not home.work.exists() and WAREHOUSE_VARIABLE not in os.environ:
        raise InputError(
            "this home was never refreshed", file=home.path, mend="run `fm refresh`, or name another home"
        )
    with quiet_home(home, "exports"), open_warehouse(home, "exports", read_only=True) as warehouse:
        records = warehouse.records()
        broken = first_break(records, warehouse.head())
    if broken:
        raise CheckFailed(broken, mend="run `fm verify`; restore the home from a copy")
    return exports_of(records)


def that_wrote(exports: Iterable[Export], path: Path) -> list[Export]:
    """The exports that wrote a file with these bytes, whatever it is called now.

    Raises:
        CheckFailed: None did.
    """
    sha256 = file_sha256(path)
    found = [export for export in exports if any(file["sha256"] == sha256 for file in export.files)]
    if not found:
        raise CheckFailed(
            f"no recorded export wrote this file (sha256 {sha256})",
            file=path,
            mend="it was changed since, or it comes from elsewhere: `fm exports` lists what left",
        )
    return found

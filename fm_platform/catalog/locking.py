"""``fm lock``: pinning a published snapshot under a name, with its sources and its report.

Belongs here: the lock's ledger record. Does not belong here: names and lists (``lineage.snapshots``).
"""

from __future__ import annotations

import uuid
from typing import Any

from fm_platform.catalog.graph import Catalog
from fm_platform.catalog.session import Actor, Session, open_session
from fm_platform.errors import CheckFailed, InputError
from fm_platform.lineage.snapshots import Snapshot, find_snapshot, require_new_name
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import LedgerRecord
from fm_platform.warehouse.publish import file_sha256

REPORT = "files.report"


def lock_snapshot(catalog: Catalog, home: Home, name: str, which: str, reason: str) -> dict[str, Any]:
    """Pin a snapshot.

    Args:
        catalog: The study's assets.
        home: Its home.
        name: What the lock is called from now on; names are never used twice.
        which: Number, name or ``latest``.
        reason: Why, for the ledger.

    Returns:
        The body of the ledger record: number, file and hash of the snapshot, the sources it was made from, the report
        that it holds.

    Raises:
        InputError: No reason, no such snapshot, or the name cannot be used.
        CheckFailed: The snapshot does not have the bytes that the ledger records.
    """
    if not reason.strip():
        raise InputError("a lock needs a reason", mend="add --reason TEXT")
    with open_session(catalog, home, str(uuid.uuid4()), actor=Actor.from_environment(reason)) as session:
        require_new_name(name, session.history)
        snapshot = find_snapshot(which, session.history, home)
        if file_sha256(home.path / snapshot.file) != snapshot.sha256:
            raise CheckFailed(f"{snapshot.file} differs from its ledger record", mend="run `fm verify`")
        body = {
            "name": name,
            "number": snapshot.number,
            "snapshot": snapshot.file,
            "sha256": snapshot.sha256,
            "ledger_head": snapshot.head,
            **_made_from(session, snapshot),
            "reason": reason.strip(),
            "actor": session.actor.name,
        }
        with session.warehouse.transaction():
            session.warehouse.append("lock", body)
        return body


def _made_from(session: Session, snapshot: Snapshot) -> dict[str, Any]:
    """The sources and the report of a publication, by the records up to it."""
    records = {record.seq: record for record in session.warehouse.records() if record.seq <= snapshot.seq}
    tables = records[snapshot.seq].content.get("tables", {})
    sources = {
        (entry["path"], entry["sha256"])
        for table in tables.values()
        for entry in records[table["seq"]].content.get("delivered", [])
    }
    report = _newest(records, REPORT)
    return {
        "sources": [{"path": path, "sha256": sha256} for path, sha256 in sorted(sources)],
        "report": report.content["files"] if report is not None else {},
    }


def _newest(records: dict[int, LedgerRecord], table: str) -> LedgerRecord | None:
    found = [r for r in records.values() if r.kind == "materialization" and r.content["table"] == table]
    return found[-1] if found else None

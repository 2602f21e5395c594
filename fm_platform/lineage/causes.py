"""What makes a publication differ from the one before: files, keys of study.yaml, code, libraries, decisions.

Belongs here: comparing the records behind two publications in short, for lists of snapshots. Does not belong here:
which rows and cells each cause reached (``diff``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from fm_platform.lineage.diff.records import Made, Records, code_change, study_changes
from fm_platform.lineage.environment import Contexts
from fm_platform.lineage.history import History
from fm_platform.warehouse.database import Warehouse

PUBLICATION = "publish.warehouse"
_KINDS = ("source", "study", "code", "library", "decision")
_LISTED = 8
"""So many names of a kind are recorded; the rest is a count."""


def causes_of_next(warehouse: Warehouse, history: History, blocked: Collection[str]) -> list[dict[str, Any]]:
    """Why the publication that is about to be made will differ from the last one.

    Args:
        warehouse: The open work database.
        history: The ledger's latest facts.
        blocked: The halves that are blocked now.

    Returns:
        An entry a kind: ``kind``, ``names`` (the first few), ``n`` (how many there are). Empty where nothing that the
        ledger records differs, as after ``--force``.
    """
    last = history.publication
    if last is None:
        return [{"kind": "first", "names": [], "n": 0}]
    before = {table: int(entry["seq"]) for table, entry in last.get("tables", {}).items()}
    before |= {table: int(seq) for table, seq in last.get("file_assets", {}).items()}
    after = {table: made.seq for table, made in history.materialized.items() if table != PUBLICATION}
    moved = sorted(table for table in after if before.get(table) != after[table])
    old, new = (
        _made(warehouse, {table: side[table] for table in moved if table in side}) for side in (before, after)
    )
    then = set(last.get("halves", {}))
    halves = [f"{half} blocked" for half in sorted(set(blocked) - then)]
    halves += [f"{half} open again" for half in sorted(then - set(blocked))]
    return [*_causes(old, new), *([{"kind": "half", "names": halves, "n": len(halves)}] if halves else [])]


def _made(warehouse: Warehouse, seqs: Mapping[str, int]) -> dict[str, Made]:
    """The materializations with these numbers, with what they were made under."""
    if not seqs:
        return {}
    rows = warehouse.query(
        f"SELECT seq, body FROM fm.audit.ledger WHERE seq IN ({', '.join(str(seq) for seq in seqs.values())})"
    ).rows()
    bodies = {seq: json.loads(body) for seq, body in rows}
    contexts = Contexts.of(record for kind in ("study", "code") for record in warehouse.records_of(kind))
    return {
        table: Made(seq, bodies[seq], contexts.before("study", seq) or {}, contexts.before("code", seq))
        for table, seq in seqs.items()
    }


def _causes(old: Mapping[str, Made], new: Mapping[str, Made]) -> list[dict[str, Any]]:
    records = Records(made={"a": dict(old), "b": dict(new)})
    found: dict[str, dict[str, None]] = {kind: {} for kind in _KINDS}
    for table, made in new.items():
        before = old.get(table)
        _sources(found["source"], before, made)
        if before is None:
            continue
        for change in study_changes(records, before, made):
            found["study"][change.key] = None
        code = code_change(table, before, made)
        for name in code.files if code else ():
            found["code"][name] = None
        for name, was, now in code.libraries if code else ():
            found["library"][f"{name} {was or '(none)'} -> {now or '(none)'}"] = None
        then, now = (made.body["parts"].get("extra", {}).get("decisions") for made in (before, made))
        if then != now:
            found["decision"][f"on {table.split('.', 1)[1]}"] = None
    return [
        {"kind": kind, "names": sorted(names)[:_LISTED], "n": len(names)}
        for kind, names in found.items()
        if names
    ]


def _sources(found: dict[str, None], before: Made | None, now: Made) -> None:
    """Files that were read with another content, for the first time, or no more."""
    then, read = (
        {entry["path"]: entry["sha256"] for entry in (made.body.get("delivered", ()) if made else ())}
        for made in (before, now)
    )
    for path in sorted({*then, *read}):
        if then.get(path) != read.get(path):
            word = "" if path in then and path in read else " (new)" if path in read else " (no longer)"
            found[path + word] = None

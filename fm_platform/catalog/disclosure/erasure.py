"""``fm erase``: purge what a home keeps of a subject who withdrew with scope ``erase``.

Belongs here: the order of an erasure. Does not belong here: blanking text (``sources.redaction``) or databases
(``warehouse.redaction``), reading the records (``lineage.erasures``), refusing a new delivery (``redelivered``).

Everything that replaces a file is first written aside; one ledger record then names old and new hashes; only after it
is committed are the old files removed. An erasure that was interrupted in between is finished by the next one.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import uuid
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from fm_platform.catalog.binding import check_home
from fm_platform.catalog.graph import Catalog
from fm_platform.catalog.session import Actor
from fm_platform.errors import FmError, InputError
from fm_platform.lineage.erasures import KIND, Erasures, erasures_of, name_hash
from fm_platform.lineage.impact.alone import rows_alone
from fm_platform.lineage.impact.origin import Origin, origin_of_subject
from fm_platform.sources.margins import r_row_names
from fm_platform.sources.records import read_records
from fm_platform.sources.redaction import without_columns, without_records
from fm_platform.sources.store import keep_content
from fm_platform.study.model import Study
from fm_platform.validation.withdrawals import TABLE
from fm_platform.warehouse.database import WAREHOUSE_VARIABLE, Warehouse, open_warehouse
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import LedgerRecord
from fm_platform.warehouse.lock import hold_lock
from fm_platform.warehouse.publish import file_sha256
from fm_platform.warehouse.reader import open_file
from fm_platform.warehouse.redaction import Erased, redacted_copy, rewritten

_HISTORY = ("history", "schedules", "storage")
_SCOPE = "erase"


def erase(catalog: Catalog, home: Home, subject: str, reason: str) -> dict[str, Any]:
    """Purge a subject from stored sources, snapshots, quarantine, work tables and Dagster's history.

    Args:
        catalog: The study's assets.
        home: Its home; no ``fm dev`` may have it open.
        subject: The subject, listed in the study's withdrawals with scope ``erase``.
        reason: Why, for the ledger.

    Returns:
        The body of the ledger record.

    Raises:
        InputError: The subject is not listed, no reason is given, or the delivery that was read last still holds the
            subject.
    """
    if not reason.strip():
        raise InputError("an erasure needs a reason", mend="add --reason TEXT")
    home.ensure()
    with hold_lock(home.lock, "erase"):
        check_home(catalog, home)
        with open_warehouse(home, str(uuid.uuid4())) as warehouse:
            _finish(home, erasures_of(warehouse.records()))
            _require_listed(warehouse, subject)
            _require_gone(home, subject)
            body = _prepare(warehouse, catalog.study, home, subject, reason.strip())
            with warehouse.transaction():
                record = warehouse.append(KIND, body)
            _finish(home, erasures_of(warehouse.records()))
            _note_head(home, record)
        _forget(home)
    return body


# -- before the record ------------------------------------------------------------------------------------------------


def _require_listed(warehouse: Warehouse, subject: str) -> None:
    listed = warehouse.read(TABLE) if warehouse.exists(TABLE) else pl.DataFrame(schema={"subject": pl.String})
    chosen = listed.filter(pl.col("subject").str.strip_chars() == subject)
    if chosen.is_empty() or chosen["scope"][0].strip() != _SCOPE:
        raise InputError(
            f"subject {subject} is not listed with scope erase",
            mend="add subject, date, erase to the list that `withdrawals:` names in study.yaml, then `fm refresh`",
        )


def _require_gone(home: Home, subject: str) -> None:
    with open_file(home.published) as published:
        origin = _origin(published, subject)
    rows = [row for row in origin.rows if row.source != "withdrawals"] if origin is not None else []
    if rows:
        places = ", ".join(dict.fromkeys(row.path for row in rows))
        raise InputError(
            f"the last delivery still holds subject {subject} ({places})",
            mend="take the subject out of these files, run `fm refresh`, then erase",
        )


def _origin(published: Any, subject: str) -> Origin | None:
    try:
        return origin_of_subject(published, subject)
    except InputError:
        return None


def _prepare(warehouse: Warehouse, study: Study, home: Home, subject: str, reason: str) -> dict[str, Any]:
    erasures = erasures_of(warehouse.records())
    snapshots, samples, count_ids = _snapshots(home, erasures, subject)
    return {
        "subjects": [name_hash(subject)],
        "samples": [name_hash(name) for name in samples],
        "count_ids": [name_hash(name) for name in count_ids],
        "sources": _sources(warehouse.records(), study, home, erasures, subject, count_ids),
        "snapshots": snapshots,
        "dagster_history": "removed",
        "reason": reason,
        "actor": Actor.from_environment(reason).name,
    }


def _snapshots(
    home: Home, erasures: Erasures, subject: str
) -> tuple[list[dict[str, Any]], list[str], list[str]]:
    """Redacted copies of all snapshots that hold the subject, and the samples that they knew."""
    entries, samples, count_ids = [], set[str](), set[str]()
    for path in sorted(home.snapshots.glob("*.duckdb")):
        with open_file(path) as published:
            origin = _origin(published, subject)
        if origin is None:
            continue
        samples |= set(origin.samples)
        count_ids |= set(origin.count_ids)
        ids = [row.row_id for row in origin.rows if row.source != "withdrawals"]
        aside = home.scratch / f"redacted-{path.name}"
        with open_file(path) as published:
            alone = rows_alone(published, origin)
        redacted_copy(path, aside, Erased(subject, ids, origin.samples, origin.count_ids, alone))
        entries.append(
            {
                "snapshot": path.relative_to(home.path).as_posix(),
                "sha256": file_sha256(path),
                "now": file_sha256(aside),
            }
        )
    return entries, sorted(samples), sorted(count_ids)


def _sources(
    records: Iterable[LedgerRecord],
    study: Study,
    home: Home,
    erasures: Erasures,
    subject: str,
    count_ids: Collection[str],
) -> list[dict[str, Any]]:
    """Redacted copies of all stored files that hold the subject."""
    delivered: dict[str, tuple[str, set[str]]] = {}
    for record in records:
        if record.kind == "source":
            delivered.setdefault(record.content["sha256"], (record.content["path"], set()))[1].add(
                record.content["source"]
            )
    entries = []
    for original, (path, sources) in sorted(delivered.items()):
        sha256 = erasures.source_now(original)
        stored = home.sources / f"{sha256}.gz"
        if sha256 is None or not stored.is_file() or sources == {"withdrawals"}:
            continue
        content = gzip.decompress(stored.read_bytes())
        redacted = _redacted(content, stored, sources, study, subject, count_ids)
        if redacted == content:
            continue
        kept = keep_content(home.sources, redacted) if redacted is not None else None
        entries.append(
            {
                "path": path,
                "sha256": sha256,
                "now": kept.sha256 if kept else None,
                "stored_sha256": kept.stored_sha256 if kept else None,
            }
        )
    return entries


def _redacted(
    content: bytes,
    stored: Path,
    sources: Collection[str],
    study: Study,
    subject: str,
    count_ids: Collection[str],
) -> bytes | None:
    """The file without the subject; the same bytes if it does not hold the subject, None if it must go as a whole."""
    try:
        if "counts" in sources:
            return without_columns(content, count_ids, stored.name) or content if count_ids else content
        records = read_records(stored, stored.name)
        if records.encoding == "xlsx":
            held = any(subject in row for row in records.rows)
            return None if held else content
    except (FmError, UnicodeDecodeError):
        return None if subject.encode() in content or "counts" in sources else content
    header = ["", *records.rows[0]] if r_row_names(records.rows) else records.rows[0]
    starts = [
        line
        for row, line in zip(records.rows[1:], records.lines[1:], strict=True)
        if _names(dict(zip(header, row, strict=False)), sources, study, subject)
    ]
    return without_records(content, starts, records.lines, stored.name) if starts else content


def _names(row: Mapping[str, str], sources: Collection[str], study: Study, subject: str) -> bool:
    """Whether a record is the subject's: by the declared columns, or, for a file declared no more, by any cell."""
    for source in sources:
        parts: tuple[str, ...] = ()
        if source in study.clinical:
            parts = study.clinical[source].columns.get("subject", ())
        elif source == "samples" and study.expression is not None and study.expression.samples.subject:
            parts = (study.expression.samples.subject,)
        if parts and set(parts) <= set(row):
            if "-".join(row[part].strip() for part in parts) == subject:
                return True
        elif subject in (cell.strip() for cell in row.values()):
            return True
    return False


# -- after the record -------------------------------------------------------------------------------------------------


def _finish(home: Home, erasures: Erasures) -> None:
    """Remove what the records replaced, and put the redacted snapshots in place."""
    for body in erasures.records:
        for entry in body["sources"]:
            (home.sources / f"{entry['sha256']}.gz").unlink(missing_ok=True)
        for entry in body["snapshots"]:
            target = home.path / entry["snapshot"]
            aside = home.scratch / f"redacted-{target.name}"
            if aside.is_file() and hashlib.sha256(aside.read_bytes()).hexdigest() == entry["now"]:
                aside.replace(target)


def _note_head(home: Home, record: LedgerRecord) -> None:
    home.write_state({**home.state(), "head": {"seq": record.seq, "hash": record.hash}})


def _forget(home: Home) -> None:
    """Drop the bytes of deleted rows from the work database, and Dagster's history."""
    if not os.environ.get(WAREHOUSE_VARIABLE):
        aside = home.scratch / "work-rewritten.duckdb"
        rewritten(home.work, aside)
        aside.replace(home.work)
        home.work.with_name(home.work.name + ".wal").unlink(missing_ok=True)
    for name in _HISTORY:
        shutil.rmtree(home.dagster / name, ignore_errors=True)

"""``fm erase``: purge what a home keeps of a subject who withdrew with scope ``erase``.

Belongs here: the order of an erasure. Does not belong here: which stored files hold the subject (``stored_files``),
blanking text (``sources.redaction``) or databases (``warehouse.redaction``), reading the records
(``lineage.erasures``), refusing a new delivery (``redelivered``).

Everything that replaces a file is first written aside; one ledger record then names old and new hashes; only after it
is committed are the old files removed. An erasure that was interrupted in between is finished by the next one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath
from typing import Any

import polars as pl

from fm_platform.catalog.binding import check_home
from fm_platform.catalog.disclosure.stored_files import delivered_files, redacted_files, samples_of
from fm_platform.catalog.graph import Catalog
from fm_platform.catalog.session import Actor
from fm_platform.errors import InputError
from fm_platform.lineage.erasures import KIND, Erasures, erasures_of, name_hash
from fm_platform.lineage.impact.alone import rows_alone
from fm_platform.lineage.impact.origin import Origin, origin_of_subject
from fm_platform.sources.counts.layout import names_in
from fm_platform.sources.sample_files import names_of
from fm_platform.study.model import Study
from fm_platform.validation.withdrawals import TABLE
from fm_platform.warehouse.database import WAREHOUSE_VARIABLE, Warehouse, open_warehouse
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import LedgerRecord
from fm_platform.warehouse.lock import hold_lock
from fm_platform.warehouse.publish import file_sha256
from fm_platform.warehouse.reader import Published, open_file
from fm_platform.warehouse.redaction import Erased, redacted_copy, rewritten

_HISTORY = ("history", "schedules", "storage")
_SCOPE = "erase"
COLUMNS = "raw.count_columns"


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
    records = warehouse.records()
    files = list(delivered_files(records, home, erasures_of(records)))
    snapshots, samples, count_ids = _snapshots(home, subject)
    counted = {*count_ids, *samples_of(files, study, subject)}
    _require_not_counted(warehouse, counted)
    return {
        "subjects": [name_hash(subject)],
        "samples": [name_hash(name) for name in samples],
        "count_ids": [name_hash(name) for name in sorted(counted)],
        "sources": redacted_files(files, study, home, subject, counted, _newest_counts(records)),
        "snapshots": snapshots,
        "dagster_history": "removed",
        "reason": reason,
        "actor": Actor.from_environment(reason).name,
    }


def _require_not_counted(warehouse: Warehouse, names: Collection[str]) -> None:
    """The last delivery of counts must be without the samples, too."""
    if not warehouse.exists(COLUMNS):
        return
    found = warehouse.read(COLUMNS).filter(pl.col("count_id").is_in(names))
    if found.height:
        raise InputError(
            f"the last delivery still holds counts of {', '.join(found['count_id'].unique().sort())} "
            f"({', '.join(found['sheet'].unique().sort())})",
            mend="take the sample out of the counts, run `fm refresh`, then erase",
        )


def _newest_counts(records: Iterable[LedgerRecord]) -> set[str]:
    """SHA-256 of every file of the last delivery of counts."""
    made = [r.content for r in records if r.kind == "materialization" and r.content["table"] == "raw.counts"]
    return {entry["sha256"] for entry in made[-1].get("delivered", ())} if made else set()


def _snapshots(home: Home, subject: str) -> tuple[list[dict[str, Any]], list[str], list[str]]:
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
            erased = Erased(
                subject,
                ids,
                origin.samples,
                origin.count_ids,
                _headings(published, origin.count_ids),
                _files(published, origin.count_ids),
                rows_alone(published, origin),
            )
        redacted_copy(path, aside, erased)
        entries.append(
            {
                "snapshot": path.relative_to(home.path).as_posix(),
                "sha256": file_sha256(path),
                "now": file_sha256(aside),
            }
        )
    return entries, sorted(samples), sorted(count_ids)


def _headings(published: Published, count_ids: Collection[str]) -> list[str]:
    """What the columns of some samples are called in the count files."""
    if not count_ids:
        return []
    found = published.query(f'SELECT DISTINCT "column" AS name, count_id FROM {COLUMNS}').rows()
    return [name for name, count_id in found if count_id in count_ids or names_in(name) & set(count_ids)]


def _files(published: Published, count_ids: Collection[str]) -> list[str]:
    """The count files that are named after samples."""
    paths = published.query("SELECT DISTINCT path FROM audit.source_rows WHERE source = 'counts'")["path"]
    return [path for path in paths if names_of(PurePosixPath(path)) & set(count_ids)]


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

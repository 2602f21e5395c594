"""Verification: does everything in a home still have the bytes and values that the ledger records?

Belongs here: comparing stored sources, published files, reports, work tables and the chain with the records. Does not
belong here: repairing anything, or judging what the tables say.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import duckdb

from fm_platform.errors import EnvironmentFailure, InputError
from fm_platform.lineage.erasures import KIND, erasures_of
from fm_platform.lineage.history import History, fold
from fm_platform.lineage.kept import kept_files
from fm_platform.sources import store
from fm_platform.warehouse.database import Warehouse, open_warehouse
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import LedgerRecord, first_break
from fm_platform.warehouse.lock import hold_lock
from fm_platform.warehouse.publish import file_sha256

Part = Literal["sources", "tables", "published", "reports"]
PARTS: tuple[Part, ...] = ("sources", "tables", "published", "reports")
AUDIT_SCHEMA = "audit."


@dataclass
class Verification:
    """What was found.

    Attributes:
        problems: Alterations, in the order of the checks; empty when there are none.
        pending: Delivered files that differ from what was last read; not an alteration.
        checked: How many of each kind were compared.
        anchored: Whether a head given from outside stands in the chain.
        head: The chain's last record.
        redacted: What erasure records replaced, in words; empty without any.
    """

    problems: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    anchored: bool = False
    head: tuple[int, str] = (0, "")
    redacted: str = ""

    @property
    def consistent(self) -> bool:
        """Whether nothing was altered."""
        return not self.problems


def verify(home: Home, expected_head: str | None = None) -> Verification:
    """Compare a home with its ledger.

    Args:
        home: The home; may be a read-only copy. Where it can be written, the lock is held meanwhile.
        expected_head: A head hash noted earlier, elsewhere (every report prints one).

    Raises:
        InputError: The home was never refreshed, or what is given is no head.
        EnvironmentFailure: The lock cannot be had.
    """
    if expected_head is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", expected_head):
        raise InputError(
            f"--head {expected_head} is no ledger head: one has 64 hexadecimal digits",
            mend="copy the whole head as a report, `fm snapshots` or `fm verify` printed it",
        )
    if not home.work.exists() and "FM_WAREHOUSE" not in os.environ:
        raise InputError(
            "this home was never refreshed", file=home.path, mend="run `fm refresh`, or name another home"
        )
    with quiet_home(home, "verify"):
        try:
            with open_warehouse(home, "verify", read_only=True) as warehouse:
                return verify_open(warehouse, home, expected_head)
        except (EnvironmentFailure, duckdb.Error) as error:
            return Verification([f"work.duckdb cannot be read: {str(error).splitlines()[0]}"])


@contextmanager
def quiet_home(home: Home, who: str) -> Iterator[None]:
    """Hold the lock where the home can be written; a read-only copy has no writer.

    Args:
        home: The home.
        who: What those who wait are told.
    """
    if os.access(home.path, os.W_OK) and (not home.lock.exists() or os.access(home.lock, os.W_OK)):
        with hold_lock(home.lock, who):
            yield
    else:
        yield


def verify_open(
    warehouse: Warehouse, home: Home, expected_head: str | None = None, parts: Collection[Part] = PARTS
) -> Verification:
    """Compare a home with the ledger of its work database, which is open already.

    Args:
        warehouse: The open work database of the home.
        home: The home.
        expected_head: A head hash noted earlier, elsewhere.
        parts: What to compare, once the chain of records itself holds.
    """
    found = Verification()
    records = warehouse.records()
    found.head = warehouse.head()
    found.checked["ledger records"] = len(records)
    broken = first_break(records, found.head)
    if broken:
        found.problems.append(broken)
        return found
    history = fold(records)
    by_seq = {record.seq: record.hash for record in records}
    found.redacted = _redacted(records)
    _verify_heads(home, records, by_seq, expected_head, found)
    if "sources" in parts:
        _verify_sources(home, records, found)
    if "tables" in parts:
        _verify_tables(warehouse, history, found)
    if "published" in parts:
        _verify_published(home, records, history, found)
    if "reports" in parts:
        _verify_files(home, history, found)
    found.pending.extend(_pending(home, records))
    return found


def _redacted(records: Iterable[LedgerRecord]) -> str:
    """What erasures replaced, so that a redacted file is not taken for the one that was delivered."""
    made = [record for record in records if record.kind == KIND]
    if not made:
        return ""
    sources = sum(len(record.content["sources"]) for record in made)
    snapshots = sum(len(record.content["snapshots"]) for record in made)
    listed = ", ".join(str(record.seq) for record in made)
    word = "records" if len(made) > 1 else "record"
    return f"{sources} sources and {snapshots} snapshots were redacted by erasure {word} {listed}"


def _verify_heads(
    home: Home,
    records: Iterable[LedgerRecord],
    by_seq: Mapping[int, str],
    expected_head: str | None,
    found: Verification,
) -> None:
    if expected_head is not None:
        wanted = expected_head.lower()
        found.anchored = wanted in by_seq.values()
        if not found.anchored:
            found.problems.append(
                f"the given head {wanted[:16]}... is not in the ledger: it was cut short or rewritten"
            )
    for record in records:
        if record.kind == "publication":
            seq, digest = record.content["ledger_head"]
            if by_seq.get(seq) != digest:
                found.problems.append(f"{record.name} names a ledger head that is not in the ledger")
    left = home.state().get("head", {})
    if left and by_seq.get(int(left["seq"]), "") != left["hash"] and int(left["seq"]) > 0:
        found.problems.append(
            "state.json names a ledger head that is not in the ledger: it was cut short or rewritten"
        )


def _verify_sources(home: Home, records: Iterable[LedgerRecord], found: Verification) -> None:
    kept = kept_files(records)
    for sha256, body in sorted(kept.items()):
        wrong = store.problem(home.sources / f"{sha256}.gz", sha256, body["stored_sha256"])
        if wrong:
            found.problems.append(f"stored source sources/{sha256}.gz ({body['path']}) {wrong}")
    for path in sorted(home.sources.glob("*")):
        if path.name.removesuffix(".gz") not in kept and not path.name.endswith(".part"):
            found.problems.append(f"sources/{path.name} is not in the ledger")
    found.checked["stored sources"] = len(kept)


def _verify_tables(warehouse: Warehouse, history: History, found: Verification) -> None:
    present = {table for table in warehouse.tables() if not table.startswith(AUDIT_SCHEMA)}
    compared = 0
    sources: set[str] = set()
    for table, made in sorted(history.materialized.items()):
        if not made.body["key"]:
            continue
        compared += 1
        if table not in present:
            found.problems.append(f"table {table} is missing")
            continue
        try:
            digests = warehouse.digests(table, made.body["key"])
        except duckdb.Error as error:
            found.problems.append(f"table {table} cannot be read: {str(error).splitlines()[0]}")
            continue
        if digests.full != made.full_digest:
            found.problems.append(f"table {table} differs from ledger record {made.seq}")
        if "links_digest" in made.body and warehouse.links_digest(table) != made.body["links_digest"]:
            found.problems.append(f"audit.links of {table} differs from ledger record {made.seq}")
        if "source_rows_digest" in made.body:
            names = list(made.body.get("row_sources", [table.split(".", 1)[1]]))
            sources.update(names)
            if warehouse.source_rows_digest(names) != made.body["source_rows_digest"]:
                found.problems.append(f"audit.source_rows of {table} differs from ledger record {made.seq}")
    for table in sorted(present - set(history.materialized)):
        found.problems.append(f"table {table} is not in the ledger")
    for name in warehouse.row_sources():
        if name not in sources:
            found.problems.append(f"audit.source_rows has rows of {name!r}, which is not in the ledger")
    found.checked["work tables"] = compared


def _verify_published(
    home: Home, records: Iterable[LedgerRecord], history: History, found: Verification
) -> None:
    known = set()
    erasures = erasures_of(records)
    pruned = 0
    for record in records:
        if record.kind != "publication":
            continue
        body = record.content
        known.add(Path(body["snapshot"]).name)
        kept = home.path / body["snapshot"]
        if not kept.is_file():
            if int(body["number"]) in history.pruned:
                pruned += 1
                continue
            found.problems.append(f"{body['snapshot']} is missing")
        elif file_sha256(kept) != erasures.snapshot_now(body["sha256"]):
            found.problems.append(f"{body['snapshot']} differs from {record.name}")
    for path in sorted(home.snapshots.glob("*")):
        if path.name not in known and not path.name.endswith(".part"):
            found.problems.append(f"snapshots/{path.name} is not in the ledger")
    last = history.publication
    if last is None:
        if home.published.exists():
            found.problems.append(f"{home.published.name} was never published")
    elif not home.published.is_file():
        found.problems.append(f"{home.published.name} is missing")
    elif file_sha256(home.published) != last["sha256"]:
        found.problems.append(f"{home.published.name} differs from publication {last['number']}")
    found.checked["published files"] = len(known) - pruned + (last is not None)


def _verify_files(home: Home, history: History, found: Verification) -> None:
    recorded = {
        name: sha256
        for made in history.materialized.values()
        for name, sha256 in made.body.get("files", {}).items()
    }
    for name, sha256 in sorted(recorded.items()):
        path = home.path / name
        if not path.is_file():
            found.problems.append(f"{name} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            found.problems.append(f"{name} differs from the ledger")
    found.checked["report files"] = len(recorded)


def _pending(home: Home, records: Iterable[LedgerRecord]) -> list[str]:
    """Live study files that differ from the copies that were read last."""
    bound = home.bound_study()
    if bound is None or not bound[1].is_dir():
        return []
    latest: dict[tuple[str, str], str] = {}
    for record in records:
        if record.kind == "source":
            body = record.content
            latest[body["source"], body["path"]] = body["sha256"]
    pending = []
    for (_, name), sha256 in sorted(latest.items()):
        path = bound[1] / name
        if path.is_file() and file_sha256(path) != sha256:
            pending.append(name)
    return sorted(set(pending))

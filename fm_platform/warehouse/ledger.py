"""The hash-chained ledger: canonical JSON, appending, reading, and checking the chain.

Belongs here: the form of a record and of the chain. Does not belong here: what is recorded, or the digests of tables.

A record's hash is SHA-256 over the canonical JSON (sorted keys, no spaces, UTF-8) of
``{"at", "body", "kind", "prev_hash", "run_id", "seq"}``. The first record's ``prev_hash`` is 64 zeros. ``audit.head``
holds the last sequence number and hash and changes in the same transaction as the ledger.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

GENESIS = "0" * 64

RecordKind = Literal[
    "study",
    "code",
    "environment",
    "source",
    "materialization",
    "check",
    "quarantine",
    "publication",
    "decision",
    "lock",
    "prune",
    "erasure",
    "export",
    "reproduction",
]


@dataclass(frozen=True)
class LedgerRecord:
    """One link of the chain. ``body`` is canonical JSON text."""

    seq: int
    kind: RecordKind
    at: str
    run_id: str
    body: str
    prev_hash: str
    hash: str

    @property
    def content(self) -> dict[str, Any]:
        """The body as a value."""
        value: dict[str, Any] = json.loads(self.body)
        return value

    @property
    def name(self) -> str:
        """How messages call this record."""
        return f"ledger record {self.seq} ({self.kind})"


def canonical(value: Any) -> str:
    """Canonical JSON: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def sha256_text(text: str) -> str:
    """SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def link(previous: tuple[int, str], kind: RecordKind, run_id: str, body: Mapping[str, Any]) -> LedgerRecord:
    """The next record of the chain.

    Args:
        previous: Sequence number and hash of the last record (0 and :data:`GENESIS` for none).
        kind: The record's kind.
        run_id: The run that writes it.
        body: Hashes, keys and names; never patient values.
    """
    seq, prev_hash = previous[0] + 1, previous[1]
    at = datetime.now(UTC).isoformat(timespec="microseconds")
    text = canonical(body)
    return LedgerRecord(seq, kind, at, run_id, text, prev_hash, _hash(seq, kind, at, run_id, text, prev_hash))


def _hash(seq: int, kind: str, at: str, run_id: str, body: str, prev_hash: str) -> str:
    fields = {"seq": seq, "kind": kind, "at": at, "run_id": run_id, "body": body, "prev_hash": prev_hash}
    return sha256_text(canonical(fields))


def first_break(records: Iterable[LedgerRecord], head: tuple[int, str] | None) -> str | None:
    """The first thing wrong with a chain, in words; None when it holds.

    Args:
        records: All records in order of ``seq``.
        head: What ``audit.head`` holds; None when there is no such row.
    """
    expected_seq, previous = 1, GENESIS
    for record in records:
        if record.seq != expected_seq:
            return f"ledger record {expected_seq} is missing (found {record.seq} in its place)"
        if record.prev_hash != previous:
            return f"{record.name} does not follow the one before it"
        if record.hash != _hash(
            record.seq, record.kind, record.at, record.run_id, record.body, record.prev_hash
        ):
            return f"{record.name} was altered after it was written"
        try:
            if canonical(json.loads(record.body)) != record.body:
                return f"{record.name} is not in canonical form"
        except ValueError:
            return f"{record.name} has a body that is not JSON"
        previous = record.hash
        expected_seq += 1
    if head != (expected_seq - 1, previous):
        return f"audit.head does not name the last ledger record ({expected_seq - 1})"
    return None

"""What the ledger says happened last: the newest materialization of each table and the newest verdict of each check.

Belongs here: folding records into the latest facts, and the form they have in ``state.json``.
Does not belong here: deciding what is stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fm_platform.warehouse.ledger import LedgerRecord

_ORIGIN = ("source_rows_digest", "links_digest")


@dataclass(frozen=True)
class Materialized:
    """The newest materialization of one table."""

    table: str
    seq: int
    at: str
    run_id: str
    body: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """What it was made from."""
        return str(self.body["fingerprint"])

    @property
    def value_digest(self) -> str:
        """Digest of its content without ``_`` columns."""
        return str(self.body["value_digest"])

    @property
    def full_digest(self) -> str:
        """Digest of its content with ``_`` columns."""
        return str(self.body["full_digest"])

    @property
    def origin(self) -> str:
        """What changes when a row's id, file or line does, or what the table's links say of its rows."""
        return self.full_digest + "".join(str(self.body.get(name, "")) for name in _ORIGIN)


@dataclass(frozen=True)
class Verdict:
    """The newest verdict of one check."""

    table: str
    check: str
    passed: bool
    blocking: bool
    at: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class History:
    """The latest facts of one ledger.

    Attributes:
        materialized: The newest materialization of each table.
        verdicts: The newest verdict of each check, by table and check.
        publication: Body of the newest publication record.
        published_at: When it was written.
        study: Body of the newest study record.
        head: Sequence number and hash of the newest record.
        decisions: What people decided, in order.
        publications: The short facts of every publication (see :func:`_publication_facts`), in order.
        locks: Bodies of the locks that people put on publications, with their time, in order.
        pruned: Numbers of the publications whose snapshots were removed by the retention rule.
        code: Body of the newest code record.
        environment: Body of the newest environment record.
    """

    materialized: Mapping[str, Materialized] = field(default_factory=dict)
    verdicts: Mapping[tuple[str, str], Verdict] = field(default_factory=dict)
    publication: Mapping[str, Any] | None = None
    published_at: str | None = None
    study: Mapping[str, Any] | None = None
    head: tuple[int, str] = (0, "")
    decisions: tuple[Mapping[str, Any], ...] = ()
    publications: tuple[Mapping[str, Any], ...] = ()
    locks: tuple[Mapping[str, Any], ...] = ()
    pruned: frozenset[int] = frozenset()
    code: Mapping[str, Any] | None = None
    environment: Mapping[str, Any] | None = None

    @property
    def next_publication(self) -> int:
        """The number that the next publication gets."""
        return int((self.publication or {}).get("number", 0)) + 1

    def decisions_on(self, source: str) -> list[Mapping[str, Any]]:
        """What people decided about a source, in order."""
        return [decision for decision in self.decisions if decision["source"] == source]

    def failed_blocking(self, table: str) -> list[Verdict]:
        """Blocking checks of a table whose newest verdict is a failure."""
        return [v for v in self.verdicts.values() if v.table == table and v.blocking and not v.passed]


def fold(records: Iterable[LedgerRecord], start: History | None = None) -> History:
    """The latest facts after further records, in order.

    A table's new materialization drops the verdicts on its earlier content. A publication is the materialization of
    ``publish.warehouse``.
    """
    start = start or History()
    materialized = dict(start.materialized)
    verdicts = dict(start.verdicts)
    publication, published_at, study, head = start.publication, start.published_at, start.study, start.head
    decisions, publications, locks = start.decisions, start.publications, start.locks
    pruned, code, environment = start.pruned, start.code, start.environment
    for record in records:
        body = record.content
        head = (record.seq, record.hash)
        if record.kind in ("materialization", "publication"):
            table = str(body["table"])
            materialized[table] = Materialized(table, record.seq, record.at, record.run_id, body)
            verdicts = {key: verdict for key, verdict in verdicts.items() if key[0] != table}
        if record.kind == "publication":
            publication, published_at = body, record.at
            publications = (*publications, _publication_facts(record, body))
        elif record.kind == "check":
            verdict = Verdict(body["table"], body["check"], body["passed"], body["blocking"], record.at, body)
            verdicts[verdict.table, verdict.check] = verdict
        elif record.kind == "study":
            study = body
        elif record.kind == "decision":
            decisions = (*decisions, body)
        elif record.kind == "lock":
            locks = (*locks, {**body, "at": record.at})
        elif record.kind == "prune":
            pruned |= {int(entry["number"]) for entry in body["snapshots"]}
        elif record.kind == "code":
            code = body
        elif record.kind == "environment":
            environment = body
    return History(
        materialized,
        verdicts,
        publication,
        published_at,
        study,
        head,
        decisions,
        publications,
        locks,
        pruned,
        code,
        environment,
    )


def _publication_facts(record: LedgerRecord, body: Mapping[str, Any]) -> dict[str, Any]:
    """What lists of snapshots need of a publication record."""
    return {
        "number": int(body["number"]),
        "seq": record.seq,
        "at": record.at,
        "run_id": record.run_id,
        "hash": record.hash,
        "snapshot": body["snapshot"],
        "sha256": body["sha256"],
        "bytes": body["bytes"],
        "tables": len(body.get("tables", {})),
        "head": list(body.get("ledger_head", (0, ""))),
        "actor": body.get("actor", ""),
        "reason": body.get("reason"),
        "causes": list(body.get("causes", ())),
    }


def as_state(history: History) -> dict[str, Any]:
    """The part of ``state.json`` that comes from the ledger."""
    return {
        "head": {"seq": history.head[0], "hash": history.head[1]},
        "decisions": [dict(decision) for decision in history.decisions],
        "publications": [dict(facts) for facts in history.publications],
        "locks": [dict(lock) for lock in history.locks],
        "pruned": sorted(history.pruned),
        "code": history.code,
        "publication": history.publication,
        "published_at": history.published_at,
        "materialized": {
            table: {"seq": m.seq, "at": m.at, "run_id": m.run_id, "body": _planner_facts(m.body)}
            for table, m in history.materialized.items()
        },
        "failed": [
            {"table": v.table, "check": v.check, "at": v.at, "body": dict(v.body)}
            for v in history.verdicts.values()
            if not v.passed
        ],
    }


def from_state(state: Mapping[str, Any]) -> History:
    """The history that a ``state.json`` holds (without checks that passed)."""
    materialized = {
        table: Materialized(table, entry["seq"], entry["at"], entry["run_id"], entry["body"])
        for table, entry in state.get("materialized", {}).items()
    }
    verdicts = {
        (entry["table"], entry["check"]): Verdict(
            entry["table"], entry["check"], False, bool(entry["body"]["blocking"]), entry["at"], entry["body"]
        )
        for entry in state.get("failed", [])
    }
    head = state.get("head", {})
    return History(
        materialized,
        verdicts,
        state.get("publication"),
        state.get("published_at"),
        None,
        (int(head.get("seq", 0)), str(head.get("hash", ""))),
        tuple(state.get("decisions", [])),
        tuple(state.get("publications", [])),
        tuple(state.get("locks", [])),
        frozenset(state.get("pruned", [])),
        state.get("code"),
    )


def _planner_facts(body: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("fingerprint", "parts", "value_digest", "full_digest", *_ORIGIN, "rows", "table")
    return {key: body[key] for key in kept if key in body}

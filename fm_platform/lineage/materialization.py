"""The lineage graph of one past materialization, from the ledger alone: what it was made from, back to the files.

Belongs here: following a record's inputs to the records that they were at that time. Does not belong here: rows
(``explain``), or Dagster's own history, which is not needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fm_platform.errors import InputError
from fm_platform.lineage.history import from_state
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import LedgerRecord, canonical
from fm_platform.warehouse.reader import open_published

_TABLES = ("materialization", "publication")


@dataclass(frozen=True)
class MadeTable:
    """One materialization.

    Attributes:
        seq: Its ledger record.
        inputs: The records of the tables it read, by name.
        missing: Inputs that did not exist then (a blocked half).
        files: Delivered files that it read: path, SHA-256, bytes.
        study_seq: The record of the study.yaml that it was made under.
        study: Digest of the keys of study.yaml that it depends on.
        code: Its code version.
        hash: The record's hash in the chain.
    """

    table: str
    seq: int
    at: str
    run_id: str
    actor: str
    reason: str | None
    rows: int
    value_digest: str
    full_digest: str
    inputs: Mapping[str, int]
    missing: tuple[str, ...]
    files: Sequence[Mapping[str, Any]]
    study_seq: int | None
    study_sha256: str | None
    study: str
    code: str
    hash: str


@dataclass(frozen=True)
class MaterializationGraph:
    """One materialization and everything it came from, each once."""

    root: int
    nodes: Mapping[int, MadeTable]


def materialization_graph(home: Home, which: str) -> MaterializationGraph:
    """The graph of a materialization that the published ledger records.

    Args:
        home: The home; its published file is read, nothing else.
        which: Ledger sequence number, or ``schema.table`` for its newest.

    Raises:
        InputError: There is no such materialization.
    """
    with open_published(home) as published:
        rows = published.ask(
            'SELECT seq, kind, "at", run_id, body, prev_hash, hash FROM audit.ledger '
            "WHERE kind IN ('materialization', 'publication', 'study') ORDER BY seq"
        )
    records = [LedgerRecord(*row) for row in rows.rows()]
    return graph_of([*records, *_last_publication(home, records[-1].seq if records else 0)], which)


def _last_publication(home: Home, after: int) -> list[LedgerRecord]:
    """The record of the published file itself, which is written once the file is."""
    history = from_state(home.state())
    if history.publication is None or not history.publications:
        return []
    facts = history.publications[-1]
    body = canonical(history.publication)
    record = LedgerRecord(
        int(facts["seq"]), "publication", facts["at"], facts["run_id"], body, "", facts["hash"]
    )
    return [record] if record.seq > after else []


def graph_of(records: Iterable[LedgerRecord], which: str) -> MaterializationGraph:
    """The graph of a materialization among these records, which are in order."""
    known = list(records)
    root = _chosen(known, which)
    contents = {record.seq: record.content for record in known}
    nodes: dict[int, MadeTable] = {}
    pending = [root]
    while pending:
        record = pending.pop()
        if record.seq in nodes:
            continue
        before = [other for other in known if other.seq < record.seq]
        node = _node(record, contents, before)
        nodes[record.seq] = node
        pending.extend(other for other in before if other.seq in node.inputs.values())
    return MaterializationGraph(root.seq, dict(sorted(nodes.items())))


def _chosen(records: Sequence[LedgerRecord], which: str) -> LedgerRecord:
    made = [record for record in records if record.kind in _TABLES]
    if which.isdecimal():
        found = [record for record in made if record.seq == int(which)]
        if found:
            return found[0]
        raise InputError(
            f"ledger record {which} is no materialization that is published",
            mend=f"name a table, or one of the latest: {', '.join(str(record.seq) for record in made[-8:])}",
        )
    found = [record for record in made if record.content["table"] == which]
    if not found:
        tables = sorted({str(record.content["table"]) for record in made})
        raise InputError(f"{which!r} was never materialized", mend=f"there are: {', '.join(tables)}")
    return found[-1]


def _node(
    record: LedgerRecord, contents: Mapping[int, Mapping[str, Any]], before: Sequence[LedgerRecord]
) -> MadeTable:
    body = contents[record.seq]
    inputs: dict[str, int] = {}
    newest: dict[str, int] = {}
    study: LedgerRecord | None = None
    for other in before:
        if other.kind in _TABLES:
            newest[str(contents[other.seq]["table"])] = other.seq
        else:
            study = other
    wanted: Mapping[str, str | None] = body["parts"]["inputs"]
    for table in wanted:
        if table in newest:
            inputs[table] = newest[table]
    return MadeTable(
        table=str(body["table"]),
        seq=record.seq,
        at=record.at,
        run_id=record.run_id,
        actor=str(body["actor"]),
        reason=body.get("reason"),
        rows=int(body["rows"]),
        value_digest=str(body["value_digest"]),
        full_digest=str(body["full_digest"]),
        inputs=inputs,
        missing=tuple(sorted(set(wanted) - set(inputs))),
        files=[
            {key: entry[key] for key in ("path", "sha256", "bytes")} for entry in body.get("delivered", ())
        ],
        study_seq=study.seq if study is not None else None,
        study_sha256=str(contents[study.seq]["sha256"]) if study is not None else None,
        study=str(body["parts"]["study"]),
        code=str(body["parts"]["code"]),
        hash=record.hash,
    )

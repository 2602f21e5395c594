"""Everything a ledger says about the tables of one study, as one value: what the exports and the steward's site show.

Belongs here: gathering, per table, its making, columns with their inputs, checks and files. Does not belong here: any
format (``openlineage``, ``ro_crate``, ``reporting.site``), or reading rows of a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from typing import Any

from fm_platform.lineage.environment import Contexts, MadeWith
from fm_platform.lineage.history import History, Materialized, Verdict
from fm_platform.warehouse.records import Column, ColumnInput


@dataclass(frozen=True)
class Described:
    """What the catalog says about a table, beyond what the ledger records.

    Attributes:
        description: One sentence.
        group: Where it belongs: ``staging``, ``statistics``.
        columns: Its declared columns by name.
        sql: The text of a SQL model; empty for tables made in Python.
    """

    description: str = ""
    group: str = ""
    columns: Mapping[str, Column] = field(default_factory=dict)
    sql: str = ""


@dataclass(frozen=True)
class ColumnFacts:
    """One column: type, meaning, privacy tags, and what its values come from."""

    name: str
    type: str
    description: str = ""
    tags: tuple[str, ...] = ()
    inputs: tuple[ColumnInput, ...] = ()

    def of_kind(self, kind: str) -> list[ColumnInput]:
        """Its DIRECT or INDIRECT inputs, in name order."""
        return sorted(entry for entry in self.inputs if entry.kind == kind)


@dataclass(frozen=True)
class SourceFile:
    """A delivered file as it was read: its path below the study folder, size in bytes and SHA-256."""

    source: str
    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class CheckFacts:
    """The newest verdict of one check on a table's present content. ``metadata`` has counts, never values."""

    name: str
    passed: bool
    blocking: bool
    severity: str
    description: str
    at: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TableFacts:
    """One table or file asset and its making.

    Attributes:
        seq: Number of the ledger record of its materialization.
        record_hash: That record's hash, where the whole ledger was at hand.
        started: When the step began, as far as recorded; else ``at``.
        at: When it was committed (ISO 8601, UTC).
        inputs: Tables it was made from, with their value digests then.
        files: For file assets: path below the home to SHA-256.
        delivered: Files that the step read.
        made_with: Libraries and environment, as far as the ledger says.
    """

    table: str
    described: Described
    half: str
    key: tuple[str, ...]
    columns: tuple[ColumnFacts, ...]
    inputs: Mapping[str, str]
    rows: int
    seq: int
    record_hash: str
    started: str
    at: str
    run_id: str
    actor: str
    reason: str | None
    code_version: str
    fingerprint: str
    value_digest: str
    full_digest: str
    checks: tuple[CheckFacts, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    delivered: tuple[SourceFile, ...] = ()
    made_with: MadeWith = field(default_factory=MadeWith)

    @property
    def schema(self) -> str:
        """The first half of its name."""
        return self.table.split(".", 1)[0]

    @property
    def own_columns(self) -> list[ColumnFacts]:
        """Its columns without those that the platform keeps for itself."""
        return [column for column in self.columns if not column.name.startswith("_")]

    def column(self, name: str) -> ColumnFacts | None:
        """A column by name."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, ColumnFacts]:
        return {column.name: column for column in self.columns}


@dataclass(frozen=True)
class Inventory:
    """A study's tables in the order they were made, and the ledger they were read from.

    Attributes:
        head: Sequence number and hash of the ledger's last record.
        study_text: study.yaml as it was used, and its SHA-256 in ``study_sha256``.
        contrasts: The contrasts it resolves to, as plain values.
        publication: Number of the publication that holds these tables, if any.
    """

    study_id: str
    title: str
    synthetic: bool
    head: tuple[int, str]
    tables: Mapping[str, TableFacts]
    study_text: str = ""
    study_sha256: str = ""
    contrasts: tuple[Mapping[str, Any], ...] = ()
    publication: int | None = None

    @property
    def sources(self) -> tuple[SourceFile, ...]:
        """The delivered files that the tables were made from, by path."""
        found = {entry.path: entry for table in self.tables.values() for entry in table.delivered}
        return tuple(found[path] for path in sorted(found))

    @property
    def release(self) -> str:
        """The platform's version that made the newest table; the running one where none is recorded."""
        newest = max(self.tables.values(), key=lambda table: table.seq, default=None)
        environment = newest.made_with.environment if newest is not None else {}
        return str(environment.get("package") or metadata.version("fm-platform"))

    def readers(self) -> dict[tuple[str, str], list[ColumnInput]]:
        """For every (table, column) that is read, the columns made from it, each with the kind of its reading."""
        found: dict[tuple[str, str], list[ColumnInput]] = {}
        for table in self.tables.values():
            for column in table.own_columns:
                for entry in column.inputs:
                    reader = ColumnInput(table.table, column.name, entry.kind, entry.transformation)
                    found.setdefault((entry.table, entry.column), []).append(reader)
        return found


def table_facts(
    made: Materialized,
    verdicts: Iterable[Verdict],
    described: Described | None = None,
    record_hash: str = "",
    made_with: MadeWith | None = None,
) -> TableFacts:
    """What is known of one materialization.

    Args:
        made: Its ledger record.
        verdicts: Verdicts on its content.
        described: What the catalog says about the table.
        record_hash: The record's hash.
        made_with: Libraries and environment that it was made with.
    """
    body = made.body
    catalogued = described or Described()
    lineage: Mapping[str, Any] = body.get("column_lineage", {})
    columns = []
    for name, kind in body.get("columns", []):
        declared = catalogued.columns.get(name)
        columns.append(
            ColumnFacts(
                name,
                kind,
                declared.description if declared else "",
                declared.tags if declared else (),
                tuple(ColumnInput(*entry) for entry in lineage.get(name, [])),
            )
        )
    parts: Mapping[str, Any] = body.get("parts", {})
    return TableFacts(
        table=made.table,
        described=catalogued,
        half=str(body.get("half", "both")),
        key=tuple(body.get("key", [])),
        columns=tuple(columns),
        inputs={table: digest for table, digest in parts.get("inputs", {}).items() if digest is not None},
        rows=int(body.get("rows", 0)),
        seq=made.seq,
        record_hash=record_hash,
        started=str(body.get("started", made.at)),
        at=made.at,
        run_id=made.run_id,
        actor=str(body.get("actor", "")),
        reason=body.get("reason"),
        code_version=str(parts.get("code", "")),
        fingerprint=made.fingerprint,
        value_digest=made.value_digest,
        full_digest=made.full_digest,
        checks=tuple(sorted((_check(verdict) for verdict in verdicts), key=lambda check: check.name)),
        files=dict(body.get("files", {})),
        delivered=tuple(
            SourceFile(entry["source"], entry["path"], int(entry["bytes"]), entry["sha256"])
            for entry in body.get("delivered", [])
        ),
        made_with=made_with or MadeWith(),
    )


def latest_inventory(
    history: History,
    described: Mapping[str, Described],
    contexts: Contexts,
    *,
    study_id: str,
    title: str,
    synthetic: bool,
) -> Inventory:
    """The newest state of every described table that was ever made, in the order of ``described``."""
    verdicts: dict[str, list[Verdict]] = {}
    for verdict in history.verdicts.values():
        verdicts.setdefault(verdict.table, []).append(verdict)
    study = history.study or {}
    return Inventory(
        study_id=study_id,
        title=title,
        synthetic=synthetic,
        head=history.head,
        tables={
            table: table_facts(
                made, verdicts.get(table, []), words, made_with=contexts.made_with(table, made.seq)
            )
            for table, words in described.items()
            if (made := history.materialized.get(table)) is not None
        },
        study_text=str(study.get("text", "")),
        study_sha256=str(study.get("sha256", "")),
        contrasts=tuple(study.get("contrasts", [])),
    )


def _check(verdict: Verdict) -> CheckFacts:
    body = verdict.body
    return CheckFacts(
        verdict.check,
        verdict.passed,
        verdict.blocking,
        str(body.get("severity", "")),
        str(body.get("description", "")),
        verdict.at,
        dict(body.get("metadata", {})),
    )

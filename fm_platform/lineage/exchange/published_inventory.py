"""The inventory of a published file: which materializations it holds, or which ones a run made.

Belongs here: reading ``audit.*`` and the comments of the published file. Does not belong here: the live home.
"""

from __future__ import annotations

from collections.abc import Iterable

from fm_platform.errors import InputError
from fm_platform.lineage.environment import Contexts
from fm_platform.lineage.exchange.inventory import Described, Inventory, table_facts
from fm_platform.lineage.history import Materialized, Verdict
from fm_platform.warehouse.ledger import LedgerRecord
from fm_platform.warehouse.reader import Published
from fm_platform.warehouse.records import Column

FILE_ASSETS = ("files.",)


def published_inventory(published: Published, run_id: str | None = None) -> Inventory:
    """The tables of a publication with their making.

    Args:
        published: The open published file.
        run_id: Only what this run recorded, superseded since or not; None: what the publication holds.

    Raises:
        InputError: The publication's ledger knows no such run.
    """
    records = _records(published)
    facts = published.query("SELECT * FROM audit.publication").row(0, named=True)
    described = _described(published)
    chosen = _of_publication(published, records) if run_id is None else _of_run(records, run_id)
    verdicts, contexts = _verdicts(records), Contexts.of(records)
    study = next((record.content for record in reversed(records) if record.kind == "study"), {})
    return Inventory(
        study_id=facts["study_id"],
        title=facts["title"],
        synthetic=facts["data_origin"] == "synthetic",
        head=(facts["ledger_seq"], facts["ledger_hash"]),
        tables={
            made.table: table_facts(
                made,
                verdicts.get((made.table, made.value_digest), ()),
                described.get(made.table),
                record.hash,
                contexts.made_with(made.table, made.seq),
            )
            for record in chosen
            if (made := _materialized(record))
        },
        study_text=str(study.get("text", "")),
        study_sha256=str(study.get("sha256", "")),
        contrasts=tuple(study.get("contrasts", [])),
        publication=facts["number"],
    )


def _records(published: Published) -> list[LedgerRecord]:
    rows = published.query(
        'SELECT seq, kind, "at", run_id, body, prev_hash, hash FROM audit.ledger ORDER BY seq'
    )
    return [LedgerRecord(*row) for row in rows.iter_rows()]


def _of_publication(published: Published, records: Iterable[LedgerRecord]) -> list[LedgerRecord]:
    """The newest record of each published table with the published content, and of each file asset, in order."""
    digests = dict(published.query("SELECT table_name, full_digest FROM audit.tables").iter_rows())
    found: dict[str, LedgerRecord] = {}
    for record in records:
        if record.kind == "materialization":
            body = record.content
            table = body["table"]
            if table.startswith(FILE_ASSETS) or digests.get(table) == body["full_digest"]:
                found[table] = record
    return sorted(found.values(), key=lambda record: record.seq)


def _of_run(records: Iterable[LedgerRecord], run_id: str) -> list[LedgerRecord]:
    found = {}
    runs: dict[str, str] = {}
    for record in records:
        if record.kind == "materialization":
            runs[record.run_id] = record.at[:16]
            if record.run_id == run_id:
                found[record.content["table"]] = record
    if not found:
        known = ", ".join(f"{run} ({at})" for run, at in list(runs.items())[-5:])
        raise InputError(
            f"no run {run_id!r} in the published ledger", mend=f"name one of the latest: {known}"
        )
    return list(found.values())


def _materialized(record: LedgerRecord) -> Materialized:
    body = record.content
    return Materialized(body["table"], record.seq, record.at, record.run_id, body)


def _verdicts(records: Iterable[LedgerRecord]) -> dict[tuple[str, str], list[Verdict]]:
    """The newest verdict of each check, by table and the value digest of the content it was given on."""
    newest: dict[tuple[str, str, str], Verdict] = {}
    for record in records:
        if record.kind == "check":
            body = record.content
            newest[body["table"], body["value_digest"], body["check"]] = Verdict(
                body["table"], body["check"], body["passed"], body["blocking"], record.at, body
            )
    found: dict[tuple[str, str], list[Verdict]] = {}
    for (table, digest, _), verdict in newest.items():
        found.setdefault((table, digest), []).append(verdict)
    return found


def _described(published: Published) -> dict[str, Described]:
    """The published file's own comments."""
    tables = published.query(
        "SELECT schema_name || '.' || table_name, schema_name, coalesce(comment, '') FROM duckdb_tables() "
        "WHERE schema_name <> 'audit'"
    )
    columns: dict[str, dict[str, Column]] = {}
    for table, name, kind, text in published.query(
        "SELECT schema_name || '.' || table_name, column_name, data_type, coalesce(comment, '') "
        "FROM duckdb_columns() WHERE schema_name <> 'audit' ORDER BY column_index"
    ).iter_rows():
        columns.setdefault(table, {})[name] = Column(name, text, kind)
    return {
        table: Described(text, schema, columns.get(table, {})) for table, schema, text in tables.iter_rows()
    }

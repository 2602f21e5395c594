"""What a publication holds: which tables from where, and the readable ``audit.*`` tables made from the ledger.

Belongs here: choosing tables by the state of their half, and the derived audit tables. Does not belong here:
building the file (``warehouse.publish``).
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from fm_platform.catalog.asset import Asset
from fm_platform.expression.counts import COUNTS_LONG_SQL
from fm_platform.lineage.history import History
from fm_platform.lineage.plan import blocked_halves
from fm_platform.warehouse.database import Warehouse
from fm_platform.warehouse.home import Home
from fm_platform.warehouse.ledger import canonical, sha256_text
from fm_platform.warehouse.publish import Publication
from fm_platform.warehouse.snapshot import REPORT_FILES

if TYPE_CHECKING:
    from fm_platform.catalog.graph import Catalog

FILE_SCHEMAS = ("files", "publish")
_COUNTED = {"expression.counts", "expression.samples"}


def publication_of(
    catalog: Catalog, history: History, warehouse: Warehouse, facts: Mapping[str, Any], number: int
) -> Publication:
    """Everything that publication ``number`` holds.

    A half with a failed blocking check keeps the tables of the last publication, with their dates.
    """
    blocked = blocked_halves(catalog.assets, history)
    last: Mapping[str, Any] = (history.publication or {}).get("tables", {})
    current, previous = [], []
    entries: dict[str, dict[str, Any]] = {}
    for asset in catalog.in_order():
        schema = asset.table.split(".")[0]
        if schema in FILE_SCHEMAS:
            continue
        if asset.half in blocked:
            if asset.table in last:
                previous.append(asset.table)
                entries[asset.table] = dict(last[asset.table])
        elif asset.table in history.materialized:
            current.append(asset.table)
            made = history.materialized[asset.table]
            entries[asset.table] = {
                "half": asset.half,
                "seq": made.seq,
                "as_of": made.at,
                "rows": made.body["rows"],
                "value_digest": made.value_digest,
                "full_digest": made.full_digest,
                "key": list(asset.key),
            }
    halves = {
        half: {"state": "blocked", "reason": f"{v.table}: {v.check} failed at {v.at}"}
        for half, v in blocked.items()
    }
    content = sha256_text(canonical({table: entry["full_digest"] for table, entry in entries.items()}))
    body = {
        **facts,
        "table": "publish.warehouse",
        "study": catalog.study.study.id,
        "synthetic": catalog.study.study.synthetic,
        "tables": entries,
        "halves": halves,
        "file_assets": {
            table: made.seq
            for table, made in history.materialized.items()
            if table.startswith("files.") and table in catalog.assets
        },
        "ledger_head": list(history.head),
        "rows": len(entries),
        "key": [],
        "columns": [],
        "value_digest": content,
        "full_digest": content,
    }
    sources = sorted({table.split(".", 1)[1] for table in previous if table.startswith("raw.")})
    return Publication(
        current=[*current, "audit.ledger", "audit.head"],
        previous=previous,
        previous_sources=sources,
        derived={
            **_audit_tables(catalog, history, entries, halves, number),
            REPORT_FILES: _report_files(history, warehouse.home),
        },
        views={"expression.counts_long": COUNTS_LONG_SQL} if set(entries) >= _COUNTED else {},
        comments={asset.table: _comment(asset) for asset in catalog.in_order() if asset.table in entries},
        facts=body,
    )


def _report_files(history: History, home: Home) -> pl.DataFrame:
    """The report as files, so that a snapshot has the report that belongs to it."""
    report = history.materialized.get("files.report")
    recorded: Mapping[str, str] = report.body["files"] if report is not None else {}
    rows = [
        {
            "path": path,
            "sha256": sha256,
            "content_gzip": gzip.compress((home.path / path).read_bytes(), mtime=0),
        }
        for path, sha256 in sorted(recorded.items())
        if (home.path / path).is_file()
    ]
    return _frame(rows, path=pl.String, sha256=pl.String, content_gzip=pl.Binary)


def _comment(asset: Asset) -> tuple[str, dict[str, str]]:
    return asset.description, {column.name: column.description for column in asset.columns}


def _audit_tables(
    catalog: Catalog,
    history: History,
    entries: Mapping[str, Mapping[str, Any]],
    halves: Mapping[str, Mapping[str, str]],
    number: int,
) -> dict[str, pl.DataFrame]:
    study = catalog.study.study
    origin = "synthetic" if study.synthetic else "study"
    return {
        "audit.publication": _frame(
            [
                {
                    "number": number,
                    "study_id": study.id,
                    "title": study.title,
                    "data_origin": origin,
                    "ledger_seq": history.head[0],
                    "ledger_hash": history.head[1],
                }
            ],
            number=pl.Int64,
            study_id=pl.String,
            title=pl.String,
            data_origin=pl.String,
            ledger_seq=pl.Int64,
            ledger_hash=pl.String,
        ),
        "audit.tables": _frame(
            (
                {
                    "table_name": table,
                    "half": entry["half"],
                    "state": "previous" if entry["half"] in halves else "current",
                    "as_of": entry["as_of"],
                    "rows": entry["rows"],
                    "value_digest": entry["value_digest"],
                    "full_digest": entry["full_digest"],
                    "blocked_by": halves.get(entry["half"], {}).get("reason"),
                }
                for table, entry in entries.items()
            ),
            table_name=pl.String,
            half=pl.String,
            state=pl.String,
            as_of=pl.String,
            rows=pl.Int64,
            value_digest=pl.String,
            full_digest=pl.String,
            blocked_by=pl.String,
        ),
        "audit.checks": _frame(
            (
                {
                    "table_name": verdict.table,
                    "check_name": verdict.check,
                    "passed": verdict.passed,
                    "blocking": verdict.blocking,
                    "severity": verdict.body["severity"],
                    "description": verdict.body["description"],
                    "metadata": canonical(verdict.body["metadata"]),
                    "at": verdict.at,
                }
                for verdict in history.verdicts.values()
            ),
            table_name=pl.String,
            check_name=pl.String,
            passed=pl.Boolean,
            blocking=pl.Boolean,
            severity=pl.String,
            description=pl.String,
            metadata=pl.String,
            at=pl.String,
        ),
        "audit.table_inputs": _frame(
            (
                {"table_name": table, "input_table": upstream}
                for table in entries
                for upstream in catalog.assets[table].inputs
            ),
            table_name=pl.String,
            input_table=pl.String,
        ),
        "audit.column_lineage": _frame(
            (
                {
                    "table_name": table,
                    "column_name": column,
                    "input_table": entry[0],
                    "input_column": entry[1],
                    "kind": entry[2],
                    "transformation": entry[3],
                }
                for table in entries
                if table in history.materialized
                for column, inputs in history.materialized[table].body.get("column_lineage", {}).items()
                for entry in inputs
            ),
            table_name=pl.String,
            column_name=pl.String,
            input_table=pl.String,
            input_column=pl.String,
            kind=pl.String,
            transformation=pl.String,
        ),
        "audit.constants": _frame(
            (
                {"table_name": table, "column_name": column, "source": source}
                for table in entries
                if table in history.materialized
                for column, source in history.materialized[table].body.get("constants", {}).items()
            ),
            table_name=pl.String,
            column_name=pl.String,
            source=pl.String,
        ),
    }


def _frame(entries: Iterable[Mapping[str, Any]], /, **schema: type[pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame(list(entries), schema=schema)

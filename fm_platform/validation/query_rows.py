"""Data queries from delivered rows: what the gate set aside or nulled, and what only asks a question.

Belongs here: one list of findings of a source with subject, event and item. Does not belong here: rules on staged
visits (``clinical_queries``), states over deliveries (``query_history``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from fm_platform.instruments.model import Instrument
from fm_platform.validation import expressions
from fm_platform.validation.declared import DeclaredColumn
from fm_platform.validation.queries import outside, span_of, totals_that_differ
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.rules import RULES, rules_of
from fm_platform.warehouse.frames import frame_of
from fm_platform.warehouse.names import literal

if TYPE_CHECKING:
    import duckdb

FOUND_SCHEMA: dict[str, pl.DataType] = {
    "rule": pl.String(),
    "severity": pl.String(),
    "source": pl.String(),
    "subject": pl.String(),
    "event": pl.String(),
    "item": pl.String(),
    "value": pl.String(),
    "expected": pl.String(),
    "text": pl.String(),
    "_row_ids": pl.List(pl.String()),
}
"""A finding: what is asked of the site, about which subject, event (visit) and item (column)."""

FOUND_KEY = ("rule", "source", "subject", "event", "item")


def finding(
    row: Mapping[str, Any],
    rule: str,
    item: str,
    *,
    text: str,
    source: str | None = None,
    severity: str = "query",
    value: str | None = None,
    expected: str | None = None,
    row_ids: Sequence[str] = (),
) -> dict[str, object]:
    """One finding about a staged row.

    Args:
        row: Has ``subject_id``, ``visit_id`` and, unless ``source`` is given, ``source``.
        rule: For example ``FM008``.
        item: What is asked about: a column, an item, a sample.
        text: The question in words.
        source: The clinical source.
        severity: ``query`` or ``warn``.
        value: What was delivered.
        expected: What would be in order.
        row_ids: The delivered rows; those of ``row`` if it names any, else those of the subject and visit.
    """
    return {
        "rule": rule,
        "severity": severity,
        "source": row["source"] if source is None else source,
        "subject": row["subject_id"],
        "event": row["visit_id"],
        "item": item,
        "value": value,
        "expected": expected,
        "text": text,
        "_row_ids": list(row_ids or row.get("_row_ids", ())),
    }


def found_frame(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    """Findings as a frame."""
    return pl.DataFrame(list(rows), schema=FOUND_SCHEMA)


def queries_of_source(
    con: duckdb.DuckDBPyConnection,
    source: RawSource,
    instruments: Sequence[Instrument],
    findings: pl.DataFrame,
) -> pl.DataFrame:
    """Every data query that the rows of a source give rise to.

    Args:
        con: A connection that sees the raw tables.
        source: The source.
        instruments: The loaded instruments, in the order of ``study.instruments``.
        findings: ``quarantine.<source>``.

    Returns:
        The columns of ``FOUND_SCHEMA``.
    """
    keys = frame_of(con.sql(source.keys))
    found = [pl.DataFrame(schema=FOUND_SCHEMA), _set_aside(source, findings, keys)]
    for rule in rules_of(source.study, source.columns, source.name):
        for entry in rule.columns if rule.scope == "query" else ():
            rows = _asked(con, source, instruments, rule.id, entry)
            text = f"{entry.column}: {RULES[rule.id][1][0].lower()}{RULES[rule.id][1][1:]}"
            found.append(
                _shaped(source, rows.join(keys, on="_row_id", how="left"), rule.id, entry.column, text)
            )
    return pl.concat(found)


def _set_aside(source: RawSource, findings: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    rows = findings.join(keys, on="_row_id", how="left")
    return rows.select(
        "rule",
        pl.lit("error").alias("severity"),
        pl.lit(source.name).alias("source"),
        pl.col("subject_id").alias("subject"),
        pl.coalesce("visit_id", "visit_text").alias("event"),
        pl.col("column").alias("item"),
        "value",
        pl.lit(None, pl.String).alias("expected"),
        pl.col("reason").alias("text"),
        pl.concat_list("_row_id").alias("_row_ids"),
    )


def _shaped(source: RawSource, rows: pl.DataFrame, rule: str, item: str, text: str) -> pl.DataFrame:
    return rows.select(
        pl.lit(rule).alias("rule"),
        pl.lit("query").alias("severity"),
        pl.lit(source.name).alias("source"),
        pl.col("subject_id").alias("subject"),
        pl.col("visit_id").alias("event"),
        pl.lit(item).alias("item"),
        pl.col("value").cast(pl.String),
        pl.col("expected").cast(pl.String),
        pl.lit(text).alias("text"),
        pl.concat_list("_row_id").alias("_row_ids"),
    )


def _asked(
    con: duckdb.DuckDBPyConnection,
    source: RawSource,
    instruments: Sequence[Instrument],
    rule: str,
    entry: DeclaredColumn,
) -> pl.DataFrame:
    """Rows that a rule of scope ``query`` asks about: _row_id, value, expected."""
    cell = expressions.text(entry.column)
    present = f"not {expressions.is_missing(entry.column, source.declaration)}"
    if rule in ("FM003", "FM004", "FM005"):
        instrument = next(i for i in instruments if i.id == entry.instrument)
        return totals_that_differ(con, source, instrument, entry)
    if rule == "FM026":
        usual = f"min({cell}) over (partition by {source.subject_id})"
        sql = f"""select _row_id, value, usual as expected from (
            select _row_id, {cell} as value, {usual} as usual, {source.subject_id} as subject from {source.table}
            where {present}
        ) where subject is not null and value <> usual"""
    elif rule == "FM028":
        sql = f"""select _row_id, {cell} as value, {literal(span_of(entry))} as expected from {source.table}
        where {present} and ({outside(entry, source)})"""
    else:
        sql = f"select _row_id, '' as value, 'a value' as expected from {source.table} where not ({present})"
    return frame_of(con.sql(sql))

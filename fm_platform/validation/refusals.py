"""Outcomes of which the gate refuses so many values that the study would shrink.

Belongs here: which columns the outcomes are read from, and the verdict on their refused cells. Does not belong here:
which cells are refused (``cell_findings``), columns of which none can be read (``number_styles``).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from fm_platform.instruments.model import Instrument
from fm_platform.study.model import Study
from fm_platform.validation import expressions
from fm_platform.validation.declared import DeclaredColumn
from fm_platform.validation.number_styles import FEWEST
from fm_platform.validation.raw_source import RawSource
from fm_platform.validation.readings import places_of
from fm_platform.warehouse.frames import frame_of
from fm_platform.warehouse.names import literal
from fm_platform.warehouse.records import CheckDeclaration, CheckOutcome

if TYPE_CHECKING:
    import duckdb

REFUSED = CheckDeclaration(
    "refused_within_limit",
    True,
    "Of no column that outcomes are read from, as a whole or at one visit, is a larger share of the values refused "
    "than study.yaml allows.",
)
_SHOWN = 3
"""Refused texts that are named, the most frequent ones."""

_COMMA, _POINT = re.compile(r"[+-]?\d*,\d+"), re.compile(r"[+-]?\d*[.]\d+")


def outcome_columns(
    study: Study, instruments: Sequence[Instrument], columns: Sequence[DeclaredColumn], source: str
) -> dict[str, DeclaredColumn]:
    """The file columns of a source that values of outcomes are read from.

    Args:
        study: The study.
        instruments: The loaded instruments, in the order of ``study.instruments``.
        columns: Every declared column of the study.
        source: The clinical source.
    """
    variables = {outcome.column for outcome in study.outcomes}
    items: set[tuple[str, str]] = set()
    for use, instrument in zip(study.instruments, instruments, strict=True):
        for score in {outcome.score for outcome in study.outcomes} & set(instrument.score_ids):
            if use.recorded_only:
                variables.add(f"{score}.recorded")
            items |= {(instrument.id, item) for item in instrument.items_of(instrument.score(str(score)))}
    return {
        entry.column: entry
        for entry in columns
        if entry.source == source
        and ((entry.instrument, entry.item) in items or (entry.is_number and entry.role in variables))
    }


def refusals_check(
    con: duckdb.DuckDBPyConnection,
    source: RawSource,
    findings: pl.DataFrame,
    outcomes: Mapping[str, DeclaredColumn],
    facts: Mapping[str, Any],
) -> CheckOutcome:
    """Judge the refused cells of planned visits, in rows that are not set aside.

    Fewer than three refused cells are questions to the site, however large their share.

    Args:
        con: A connection that sees the raw table.
        source: The source.
        findings: All its findings.
        outcomes: What :func:`outcome_columns` gives.
        facts: What every check says of the suite.
    """
    limit = source.study.gate.max_lost
    set_aside = findings.filter(pl.col("scope") == "row")["_row_id"]
    refused = findings.filter(
        pl.col("scope") == "cell",
        pl.col("column").is_in(list(outcomes)),
        ~pl.col("_row_id").is_in(set_aside.implode()),
    ).unique(["_row_id", "column"], keep="first", maintain_order=True)
    counts = refused.group_by("column", maintain_order=True).len().filter(pl.col("len") >= FEWEST)
    over = pl.DataFrame()
    if counts.height:
        cells = _delivered(con, source, [outcomes[column] for column in counts["column"]])
        cells = cells.filter(~pl.col("_row_id").is_in(set_aside.implode()))
        cells = cells.join(refused, on=["_row_id", "column"], how="left")
        over = _over(cells, limit)
    return CheckOutcome(
        REFUSED.name,
        over.is_empty(),
        REFUSED.blocking,
        "ERROR",
        REFUSED.description,
        {"limit": limit, "columns": over.to_dicts(), **facts},
        told=" ".join(_told(con, source, outcomes[row[0]], cells, *row) for row in over.rows()),
    )


def _delivered(
    con: duckdb.DuckDBPyConnection, source: RawSource, entries: Sequence[DeclaredColumn]
) -> pl.DataFrame:
    """The cells of planned visits that hold a value: _row_id, column, visit."""
    planned = expressions.texts(visit.id for visit in source.study.visits)
    selects = [
        f"""select k._row_id, {literal(entry.column)} as "column", k.visit_id as visit
from ({source.keys}) as k join {source.table} as r on r._row_id = k._row_id
where k.visit_id in {planned} and not {expressions.is_absent(entry, source.declaration, "r")}"""
        for entry in entries
    ]
    return frame_of(con.sql("\nunion all\n".join(selects)))


def _over(cells: pl.DataFrame, limit: float) -> pl.DataFrame:
    """Columns (visit null) and single visits of other columns over the limit: column, visit, refused, delivered."""
    both = pl.concat([cells.with_columns(pl.lit(None, pl.String).alias("visit")), cells])
    counts = both.group_by("column", "visit").agg(
        pl.col("rule").count().alias("refused"), pl.len().alias("delivered")
    )
    over = counts.filter(pl.col("refused") >= FEWEST, pl.col("refused") > limit * pl.col("delivered")).sort(
        "column", "visit", nulls_last=False
    )
    whole = over.filter(pl.col("visit").is_null())["column"]
    return over.filter(pl.col("visit").is_null() | ~pl.col("column").is_in(whole.implode()))


def _told(
    con: duckdb.DuckDBPyConnection,
    source: RawSource,
    entry: DeclaredColumn,
    cells: pl.DataFrame,
    column: str,
    visit: str | None,
    refused: int,
    delivered: int,
) -> str:
    """A column over the limit in words: where, how many of how many, the most frequent texts, and the mend."""
    own = cells.filter(pl.col("column") == column, pl.col("rule").is_not_null())
    own = own.filter(pl.col("visit") == visit) if visit else own
    found = Counter(
        (text := value.strip(" "), reason.removeprefix(f"{text[:60]} "))
        for value, reason in own.select("value", "reason").rows()
    ).most_common(_SHOWN)
    named = ", ".join(f"{times} x {text!r}, which {why}" for (text, why), times in found)
    where = min(places_of(con, source, own["_row_id"].to_list()), default=None)
    file = f"{where[1]}:{where[0]}" if where else source.declaration.path
    at = f" at {visit}" if visit else ""
    (_, why), _ = found[0]
    mend = _mend(source, entry, why, [text for (text, other), _ in found if other == why])
    return f"{file}, column {column}{at}: {refused} of {delivered} values are refused ({named}): {mend}."


def _mend(source: RawSource, entry: DeclaredColumn, why: str, texts: Sequence[str]) -> str:
    """What may be done about texts that are refused for one reason; one text over and over is likely to be a code."""
    key = f"`clinical: {source.name}:` of study.yaml"
    if entry.mark == "point" and all(_COMMA.fullmatch(text) for text in texts):
        return f"write `decimal: comma` in {key}, or correct the file"
    if entry.mark == "comma" and all(_POINT.fullmatch(text) for text in texts):
        return f"write `decimal: point` in {key}, or correct the file"
    mends = []
    if len(texts) == 1 or not any(sign.isdigit() for text in texts for sign in text):
        codes = ", ".join(json.dumps(text, ensure_ascii=False) for text in texts)
        mends.append(f"if they mean that there is no value, add {codes} to `missing:` in {key}")
    if "unit" in why:
        mends.append(f"declare their unit with `units:` in {key}")
    elif "outside" in why and entry.kind == "measure":
        mends.append("correct the outcome's `range:`")
    return ", or ".join([*mends, "correct the file"])

"""A delivery against the earlier ones of its source: what is missing now (FM021), and what changed (FM017).

Belongs here: comparing keys and cells of raw tables. Does not belong here: finding earlier files (``catalog``),
deciding that a loss is accepted (the ledger's decisions).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import polars as pl

from fm_platform.validation.raw_source import RawSource
from fm_platform.warehouse.frames import frame_of
from fm_platform.warehouse.names import identifier
from fm_platform.warehouse.records import CheckDeclaration, CheckOutcome

if TYPE_CHECKING:
    import duckdb

NOTHING_LOST = CheckDeclaration(
    "fm021_nothing_lost",
    True,
    "Every subject and visit of an earlier delivery is in this one, or its absence was accepted (FM021).",
)
KEY_SCHEMA = {"subject_id": pl.String(), "visit_id": pl.String()}
CHANGE_SCHEMA = {
    **KEY_SCHEMA,
    "column": pl.String(),
    "old": pl.String(),
    "new": pl.String(),
    "_row_ids": pl.List(pl.String()),
}
Accepted = Collection[tuple[str, str | None]]
"""Subjects, or subjects and visits, whose absence was accepted."""

PLACE = "_place"
"""The column of an earlier delivery's table that holds file:line of each row."""

_CELL = ["subject_id", "visit_id", "column"]
_INCOMING = "fm_earlier"
_NAMED = 5


def lost_keys(
    con: duckdb.DuckDBPyConnection,
    source: RawSource,
    earlier: Sequence[pl.DataFrame],
    accepted: Accepted = (),
) -> pl.DataFrame:
    """Subjects and visits that an earlier delivery had and the present one lacks.

    Args:
        con: A connection that sees the raw tables.
        source: The source as delivered now.
        earlier: The raw tables of all earlier deliveries that have the declared columns.
        accepted: What may be absent.

    Returns:
        subject_id, visit_id and lines, sorted; visit_id is null where the whole subject is absent. ``lines`` is
        file:line (apart by blanks) in the newest delivery that had it.
    """
    now = _keys(con, source)
    before = [_keys(con, source, frame) for frame in earlier]
    known = pl.concat([pl.DataFrame(schema=KEY_SCHEMA), *before]).unique()
    subjects = known.select("subject_id").unique().join(now, on="subject_id", how="anti")
    visits = known.join(now, on=["subject_id", "visit_id"], how="anti", nulls_equal=True)
    visits = visits.join(subjects, on="subject_id", how="anti").filter(pl.col("visit_id").is_not_null())
    lost = pl.concat([subjects.with_columns(pl.lit(None, pl.String).alias("visit_id")), visits])
    kept = [row for row in lost.rows() if row not in set(accepted) and (row[0], None) not in set(accepted)]
    missing = pl.DataFrame(kept, schema=KEY_SCHEMA, orient="row").sort("subject_id", "visit_id")
    return missing.with_columns(_last_lines(con, source, earlier, missing))


def _last_lines(
    con: duckdb.DuckDBPyConnection,
    source: RawSource,
    earlier: Sequence[pl.DataFrame],
    missing: pl.DataFrame,
) -> pl.Series:
    """Where the missing keys stood in the newest of the earlier deliveries that had them."""
    found: dict[tuple[str, str | None], list[str]] = {}
    for frame in reversed(earlier) if missing.height else ():
        if PLACE not in frame.columns:
            continue
        here: dict[tuple[str, str | None], list[str]] = {}
        sql = f"""select k.subject_id, k.visit_id, r.{identifier(PLACE)} from ({{keys}}) as k
join {{table}} as r on r._row_id = k._row_id where k.subject_id is not null"""
        for subject, visit, place in _over(con, source, frame, sql).rows():
            for key in {(subject, visit), (subject, None)}:
                here.setdefault(key, []).append(place)
        found = {**here, **found}
    lines = [" ".join(sorted(found.get(key, ()), key=_by_line)) or None for key in missing.rows()]
    return pl.Series("lines", lines, dtype=pl.String)


def _by_line(place: str) -> tuple[str, int]:
    path, _, line = place.rpartition(":")
    return path, int(line)


def changed_cells(
    con: duckdb.DuckDBPyConnection, source: RawSource, earlier: Sequence[pl.DataFrame]
) -> pl.DataFrame:
    """Declared cells whose text differs from the last other one delivered, and stood in no delivery before that.

    Only keys that stand for one row in both deliveries are compared. What was delivered since the change says nothing
    of it; a value that returns to what was delivered once is no change.

    Args:
        con: A connection that sees the raw tables.
        source: The source as delivered now.
        earlier: The raw tables of the earlier deliveries, oldest first.

    Returns:
        The columns of ``CHANGE_SCHEMA``, sorted.
    """
    names = [e.column for e in source.own_columns if e.kind not in ("subject", "visit")]
    now = _cells(con, source, names) if earlier else pl.DataFrame()
    changed = returned = pl.DataFrame(schema=CHANGE_SCHEMA)
    for frame in reversed(earlier):
        there = [name for name in names if name in frame.columns]
        then = _cells(con, source, there, frame)
        if changed.height:
            delivered: list[str | pl.Expr] = [*_CELL, pl.col("new").str.strip_chars()]
            of_changed = then.join(changed, on=["subject_id", "visit_id"], how="semi", nulls_equal=True)
            cells = changed.join(
                _long(of_changed), left_on=delivered, right_on=[*_CELL, "new"], how="semi", nulls_equal=True
            )
            returned = pl.concat([returned, cells])
            changed = changed.join(returned, on=_CELL, how="anti", nulls_equal=True)
        fresh = _differing(now, then, there)
        for known in (changed, returned):
            fresh = fresh.join(known, on=_CELL, how="anti", nulls_equal=True)
        changed = pl.concat([changed, fresh])
    return changed.sort("subject_id", "visit_id", "column")


def _differing(now: pl.DataFrame, then: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The cells of two deliveries that differ."""
    found = [pl.DataFrame(schema=CHANGE_SCHEMA)]
    joined = now.join(then, on=["subject_id", "visit_id"], how="inner", nulls_equal=True, suffix=":before")
    for name in names:
        old = f"{name}:before"
        found.append(
            joined.filter(pl.col(name).str.strip_chars() != pl.col(old).str.strip_chars()).select(
                "subject_id",
                "visit_id",
                pl.lit(name).alias("column"),
                pl.col(old).alias("old"),
                pl.col(name).alias("new"),
                pl.concat_list("_row_id").alias("_row_ids"),
            )
        )
    return pl.concat(found)


def nothing_lost(lost: pl.DataFrame, deliveries: int) -> CheckOutcome:
    """The verdict of FM021.

    Args:
        lost: What :func:`lost_keys` found.
        deliveries: How many earlier deliveries were looked at.
    """
    return CheckOutcome(
        NOTHING_LOST.name,
        lost.is_empty(),
        True,
        "ERROR",
        f"{NOTHING_LOST.description} `fm queries --rule FM021` lists what is absent; `fm accept` accepts it.",
        {
            "rule": "FM021",
            "subjects_absent": lost["visit_id"].null_count(),
            "visits_absent": lost.height - lost["visit_id"].null_count(),
            "earlier_deliveries": deliveries,
        },
        told=_absent(lost),
    )


def _absent(lost: pl.DataFrame) -> str:
    """What is absent, by name."""
    named = []
    for subject, visit, lines in lost.head(_NAMED).rows():
        places = (lines or "").split()
        stood = f" ({places[0]}{', ...' if len(places) > 1 else ''} of an earlier delivery)" if places else ""
        named.append(f"{subject}{f' at {visit}' if visit is not None else ''}{stood}")
    more = f" and {lost.height - _NAMED} more" if lost.height > _NAMED else ""
    return f"Absent: {', '.join(named)}{more}." if named else ""


def _keys(
    con: duckdb.DuckDBPyConnection, source: RawSource, frame: pl.DataFrame | None = None
) -> pl.DataFrame:
    sql = "select distinct subject_id, visit_id from ({keys}) where subject_id is not null"
    return _over(con, source, frame, sql)


def _cells(
    con: duckdb.DuckDBPyConnection, source: RawSource, names: Sequence[str], frame: pl.DataFrame | None = None
) -> pl.DataFrame:
    listed = "".join(f", r.{identifier(name)}" for name in names)
    sql = f"""select k.subject_id, k.visit_id, k._row_id{listed} from ({{keys}}) as k
join {{table}} as r on r._row_id = k._row_id where k.subject_id is not null
qualify count(*) over (partition by k.subject_id, k.visit_id) = 1"""
    return _over(con, source, frame, sql)


def _long(cells: pl.DataFrame) -> pl.DataFrame:
    """The cells of one delivery, a row a cell, named as in ``CHANGE_SCHEMA``."""
    long = cells.drop("_row_id").unpivot(
        index=["subject_id", "visit_id"], variable_name="column", value_name="new"
    )
    return long.with_columns(pl.col("new").str.strip_chars())


def _over(
    con: duckdb.DuckDBPyConnection, source: RawSource, frame: pl.DataFrame | None, sql: str
) -> pl.DataFrame:
    """Run SQL on the present table of a source, or on a frame in its place."""
    if frame is None:
        return frame_of(con.sql(sql.replace("{keys}", source.keys).replace("{table}", source.table)))
    own = f"raw.{source.name}"
    there = RawSource(
        source.study,
        source.columns,
        source.name,
        lambda table: identifier(_INCOMING) if table == own else source.relation(table),
    )
    con.register(_INCOMING, frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    try:
        return frame_of(con.sql(sql.replace("{keys}", there.keys).replace("{table}", there.table)))
    finally:
        con.unregister(_INCOMING)

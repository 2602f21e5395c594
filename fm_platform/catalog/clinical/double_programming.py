"""The check that scores computed in Python and in SQL are the same, bit for bit.

Belongs here: the comparison. Does not belong here: either computation.
"""

from __future__ import annotations

import polars as pl

from fm_platform.warehouse.records import CheckDeclaration, CheckOutcome

SAME_IN_SQL = CheckDeclaration(
    "same_in_sql", True, "every score equals the one that SQL computes from the same answers, bit for bit"
)

_KEY = ("subject_id", "visit_id", "score_id")
_COMPARED = ("value_exact", "value_scale", "n_missing")


def differing_scores(python: pl.DataFrame, sql: pl.DataFrame) -> pl.DataFrame:
    """The keys at which the two differ, or that only one of them has.

    Args:
        python: Rows of ``staging.stg_instrument_scores``.
        sql: Rows of ``staging.stg_scores_sql``.
    """
    own, other = (
        frame.select(*_KEY, *(pl.col(name).cast(pl.Int64) for name in _COMPARED), _here=pl.lit(True))
        for frame in (python, sql)
    )
    joined = own.join(other, on=_KEY, how="full", coalesce=True, suffix="_sql")
    unequal = [pl.col(name).ne_missing(pl.col(f"{name}_sql")) for name in (*_COMPARED, "_here")]
    return joined.filter(pl.any_horizontal(unequal)).select(_KEY).sort(_KEY)


def same_in_sql(python: pl.DataFrame, sql: pl.DataFrame) -> CheckOutcome:
    """The verdict on a table of scores."""
    wrong = differing_scores(python, sql)
    return CheckOutcome(
        SAME_IN_SQL.name,
        passed=wrong.is_empty(),
        blocking=SAME_IN_SQL.blocking,
        severity="ERROR",
        description=SAME_IN_SQL.description,
        metadata={
            "scores_compared": python.height,
            "scores_differing": wrong.height,
            "which": wrong["score_id"].unique().sort().to_list(),
        },
    )

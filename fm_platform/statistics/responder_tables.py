"""Rates and changes of response: ``stats.responder_rates`` and ``stats.mcnemar``.

Belongs here: denominators, and the comparison of two visits. Does not belong here: who responded
(``responder_status``), interval formulas.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import polars as pl

from fm_platform.statistics import ENGINE_VERSION
from fm_platform.statistics.proportions import clopper_pearson, wilson
from fm_platform.statistics.responder_status import BASE_ZERO, MISSING
from fm_platform.statistics.sign_tests import mcnemar, smallest_p

RATE_SCHEMA: dict[str, pl.DataType] = {
    "responder": pl.String(),
    "visit": pl.String(),
    "stratum": pl.String(),
    "denominator": pl.String(),
    "n": pl.Int64(),
    "responders": pl.Int64(),
    "rate": pl.Float64(),
    "ci_low": pl.Float64(),
    "ci_high": pl.Float64(),
    "ci_level": pl.Float64(),
    "wilson_low": pl.Float64(),
    "wilson_high": pl.Float64(),
    "n_missing": pl.Int64(),
    "n_base_zero": pl.Int64(),
    "definition": pl.String(),
    "method": pl.String(),
    "engine_version": pl.String(),
}
"""The columns of ``stats.responder_rates``; its key is responder, visit, stratum, denominator."""

MCNEMAR_SCHEMA: dict[str, pl.DataType] = {
    "responder": pl.String(),
    "first_visit": pl.String(),
    "second_visit": pl.String(),
    "stratum": pl.String(),
    "n": pl.Int64(),
    "both": pl.Int64(),
    "only_first": pl.Int64(),
    "only_second": pl.Int64(),
    "neither": pl.Int64(),
    "p_value": pl.Float64(),
    "p_floor": pl.Float64(),
    "definition": pl.String(),
    "method": pl.String(),
    "note": pl.String(),
    "engine_version": pl.String(),
}
"""The columns of ``stats.mcnemar``; its key is responder, first_visit, second_visit, stratum."""

LEVEL = 0.95
OBSERVED = "observed cases"
NRI = "non-responder imputation"
BEST = "best case"
DENOMINATORS = (OBSERVED, NRI, BEST)


def responder_rates(status: pl.DataFrame) -> pl.DataFrame:
    """Count responders under every denominator.

    Observed cases are those with a verdict. Under non-responder imputation whoever cannot be judged for want
    of a value counts as not responding; in the best case as responding. The two enclose every possible rate
    of the same people. A baseline of zero has no percentage and stays outside all denominators.

    Args:
        status: Rows of ``stats.responder_status``.

    Returns:
        The columns of ``RATE_SCHEMA``.
    """
    rows = [
        _rate(keys, group, denominator)
        for keys, group in _groups(status, "responder", "visit")
        for denominator in DENOMINATORS
    ]
    return pl.DataFrame(rows, schema=RATE_SCHEMA)


def _groups(status: pl.DataFrame, *keys: str) -> Iterator[tuple[dict[str, Any], pl.DataFrame]]:
    """The subjects of each combination of keys, over all and by stratum."""
    strata = [None, *status["stratum"].drop_nulls().unique().sort().to_list()]
    for values, group in status.group_by(*keys, maintain_order=True):
        for stratum in strata:
            part = group if stratum is None else group.filter(pl.col("stratum") == stratum)
            yield {**dict(zip(keys, values, strict=True)), "stratum": stratum}, part


def _rate(keys: dict[str, Any], group: pl.DataFrame, denominator: str) -> dict[str, Any]:
    missing = int((group["status"] == MISSING).sum())
    zero = int((group["status"] == BASE_ZERO).sum())
    count = int(group["responded"].sum())
    n = int(group["responded"].count())
    if denominator != OBSERVED:
        n += missing
        count += missing if denominator == BEST else 0
    exact, score = clopper_pearson(count, n, LEVEL), wilson(count, n, LEVEL)
    return {
        **keys,
        "denominator": denominator,
        "n": n,
        "responders": count,
        "rate": count / n if n else None,
        "ci_low": exact.low,
        "ci_high": exact.high,
        "ci_level": LEVEL if n else None,
        "wilson_low": score.low,
        "wilson_high": score.high,
        "n_missing": missing,
        "n_base_zero": zero,
        "definition": group["definition"].first(),
        "method": "Clopper-Pearson" if n else "none",
        "engine_version": ENGINE_VERSION,
    }


def mcnemar_tests(status: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """Did the same people respond at one visit and not at another?

    Args:
        status: Rows of ``stats.responder_status``.
        visits: Rows of ``study.visits``.

    Returns:
        The columns of ``MCNEMAR_SCHEMA``, a row for every pair of later visits, of the subjects that can be
        judged at both.
    """
    later = visits.filter(~pl.col("is_baseline")).sort("position")["visit_id"].to_list()
    rows = []
    for keys, group in _groups(status, "responder"):
        by_visit = {visit: group.filter(pl.col("visit") == visit) for visit in later}
        for first, second in combinations(later, 2):
            rows.append(_mcnemar(keys, first, second, by_visit[first], by_visit[second]))
    return pl.DataFrame(rows, schema=MCNEMAR_SCHEMA)


def _mcnemar(
    keys: dict[str, Any], first: str, second: str, one: pl.DataFrame, other: pl.DataFrame
) -> dict[str, Any]:
    known = [part.filter(pl.col("responded").is_not_null()) for part in (one, other)]
    pairs = known[0].join(known[1], on="subject_id", suffix="_second")
    before, after = pairs["responded"], pairs["responded_second"]
    only_first, only_second = int((before & ~after).sum()), int((~before & after).sum())
    note = "no pairs" if pairs.is_empty() else None if only_first + only_second else "no discordant pair"
    return {
        "responder": keys["responder"],
        "first_visit": first,
        "second_visit": second,
        "stratum": keys["stratum"],
        "n": pairs.height,
        "both": int((before & after).sum()),
        "only_first": only_first,
        "only_second": only_second,
        "neither": int((~before & ~after).sum()),
        "p_value": None if pairs.is_empty() else float(mcnemar(only_first, only_second)),
        "p_floor": None if pairs.is_empty() else float(smallest_p(only_first + only_second)),
        "definition": one["definition"].first() if one.height else other["definition"].first(),
        "method": "none" if pairs.is_empty() else "McNemar, exact",
        "note": note,
        "engine_version": ENGINE_VERSION,
    }

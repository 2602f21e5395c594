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
from fm_platform.statistics import sources as by
from fm_platform.statistics.proportions import clopper_pearson, wilson
from fm_platform.statistics.responder_status import BASE_ZERO, MISSING, STATUS
from fm_platform.statistics.sign_tests import mcnemar, smallest_p
from fm_platform.warehouse.table import Table, count, direct, indirect, probability, share, text

_OF_STATUS = indirect(STATUS.name, "responder", "visit", "stratum", how="GROUP_BY")
_COUNTED = direct(STATUS.name, "status", how="AGGREGATION")
_RESPONDED = direct(STATUS.name, "responded", how="AGGREGATION")
_RATED = (*_RESPONDED, *_COUNTED, *_OF_STATUS)

RATES = Table(
    "stats.responder_rates",
    "Responder rates under every denominator, composites of instruments included.",
    key=("responder", "visit", "stratum", "denominator"),
    reads=(STATUS.name,),
    columns=(
        text(
            "responder",
            "The responder definition, composites of instruments included",
            direct(STATUS.name, "responder", how="GROUP_BY"),
            _OF_STATUS,
        ),
        text(
            "visit",
            "The visit that is compared with baseline",
            direct(STATUS.name, "visit", how="GROUP_BY"),
            _OF_STATUS,
        ),
        text(
            "stratum",
            "The stratum; null for all subjects",
            direct(STATUS.name, "stratum", how="GROUP_BY"),
            _OF_STATUS,
        ),
        text(
            "denominator",
            "observed cases, non-responder imputation, or best case",
            constant=by.DENOMINATORS,
        ),
        count("n", "Subjects in the denominator", _RATED),
        count("responders", "Of these, subjects that count as responders", _RATED),
        share("rate", "responders / n", _RATED),
        share("ci_low", "Lower end of the Clopper-Pearson interval", _RATED),
        share("ci_high", "Upper end of that interval", _RATED),
        share("ci_level", "Confidence level of the intervals", _RATED),
        share("wilson_low", "Lower end of Wilson's interval", _RATED),
        share("wilson_high", "Upper end of Wilson's interval", _RATED),
        count("n_missing", "Subjects that cannot be judged for want of a value", _COUNTED, _OF_STATUS),
        count(
            "n_base_zero", "Subjects that cannot be judged because a baseline is zero", _COUNTED, _OF_STATUS
        ),
        text(
            "definition",
            "The definition in words",
            direct(STATUS.name, "definition", how="IDENTITY"),
            _OF_STATUS,
        ),
        text("method", "Interval method", _RATED),
        by.VERSION,
    ),
)

_ROWS = (*by.EACH_VISIT, *indirect(STATUS.name, "responder", "stratum", how="GROUP_BY"))
_AT_VISIT = indirect(STATUS.name, "visit", how="GROUP_BY")
_COMPARED = (*_RESPONDED, *_AT_VISIT, *indirect(STATUS.name, "subject_id", how="JOIN"), *_ROWS)

MCNEMAR = Table(
    "stats.mcnemar",
    "Did the same people respond at one visit and not at another? Exact McNemar tests.",
    key=("responder", "first_visit", "second_visit", "stratum"),
    reads=(STATUS.name, by.VISITS),
    columns=(
        text(
            "responder", "The responder definition", direct(STATUS.name, "responder", how="GROUP_BY"), _ROWS
        ),
        text("first_visit", "The earlier visit", by.OF_VISIT, by.IN_ORDER, _ROWS),
        text("second_visit", "The later visit", by.OF_VISIT, by.IN_ORDER, _ROWS),
        text(
            "stratum",
            "The stratum; null for all subjects",
            direct(STATUS.name, "stratum", how="GROUP_BY"),
            _ROWS,
        ),
        count("n", "Subjects judged at both visits", _COMPARED),
        count("both", "Responders at both", _COMPARED),
        count("only_first", "Responders at the first only", _COMPARED, by.IN_ORDER),
        count("only_second", "Responders at the second only", _COMPARED, by.IN_ORDER),
        count("neither", "Responders at neither", _COMPARED),
        probability("p_value", "Exact two-sided p-value of McNemar's test", _COMPARED),
        probability("p_floor", "The smallest p-value that this many discordant pairs can give", _COMPARED),
        text(
            "definition",
            "The definition in words",
            direct(STATUS.name, "definition", how="IDENTITY"),
            _AT_VISIT,
            _ROWS,
        ),
        text("method", "The test", _COMPARED),
        text("note", "Why something is null", _COMPARED),
        by.VERSION,
    ),
)

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
        The columns of ``RATES``.
    """
    rows = [
        _rate(keys, group, denominator)
        for keys, group in _groups(status, "responder", "visit")
        for denominator in DENOMINATORS
    ]
    return RATES.frame(rows)


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
        The columns of ``MCNEMAR``, a row for every pair of later visits, of the subjects that can be
        judged at both.
    """
    later = visits.filter(~pl.col("is_baseline")).sort("position")["visit_id"].to_list()
    rows = []
    for keys, group in _groups(status, "responder"):
        by_visit = {visit: group.filter(pl.col("visit") == visit) for visit in later}
        for first, second in combinations(later, 2):
            rows.append(_mcnemar(keys, first, second, by_visit[first], by_visit[second]))
    return MCNEMAR.frame(rows)


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

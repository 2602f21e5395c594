"""Who took part, what was recorded, what the gate did, and what a trial would need.

Belongs here: ``report.characteristics``, ``report.completeness``, ``page.values_recorded``, ``page.data_quality`` and
``stats.planning``. Does not belong here: change and response.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
from scipy import stats

from recomputing import exact, printing
from recomputing.people import Data, Group
from recomputing.reading import Found, Row, distinct, put
from recomputing.response import MISSING, NO, YES

UNKNOWN = "Unknown"
ALPHA = 0.05


def characteristics(data: Data, found: Found) -> None:
    """``report.characteristics``."""
    for group in data.groups:
        for variable, level, row in _described(data, group):
            key = {"variable": variable, "level": level, "stratum": group.stratum}
            empty = dict.fromkeys("median q1 q3 low high count percent".split())
            put(found, "report.characteristics", key, {**empty, **row})


def _described(data: Data, group: Group) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    size = len(group.people)
    yield "n", None, {"n": size, "n_missing": 0, "count": size, "value": str(size)}
    everyone = [row["age"] for row in data.people]
    if any(age is not None for age in everyone):
        ages = np.array([float(row["age"]) for row in group.people if row["age"] is not None])
        counts = {"n": len(ages), "n_missing": size - len(ages)}
        yield "age", None, {**counts, **_spread(ages)}
        if None in everyone:
            missing = size - len(ages)
            yield "age", UNKNOWN, {**counts, "count": missing, "value": str(missing)}
    for variable in ("sex", "arm", "site"):
        levels = distinct(row[variable] for row in data.people)
        own = [row[variable] for row in group.people]
        n = sum(value is not None for value in own)
        for level in levels:
            count = own.count(level)
            said = f"{count} ({printing.percent(count, n)})" if n else str(count)
            percent = 100 * count / n if n else None
            yield (
                variable,
                level,
                {"n": n, "n_missing": size - n, "count": count, "percent": percent, "value": said},
            )
        if levels and any(row[variable] is None for row in data.people):
            unknown = UNKNOWN
            while unknown in levels:
                unknown += " (not recorded)"
            yield (
                variable,
                unknown,
                {"n": n, "n_missing": size - n, "count": size - n, "value": str(size - n)},
            )


def _spread(ages: np.ndarray) -> dict[str, Any]:
    if not len(ages):
        return {"value": printing.DASH}
    q1, median, q3 = (float(np.quantile(ages, share)) for share in (0.25, 0.5, 0.75))
    low, high = float(ages.min()), float(ages.max())
    said = f"{printing.short(median)} ({printing.short(low)} to {printing.short(high)})"
    return {"median": median, "q1": q1, "q3": q3, "low": low, "high": high, "value": said}


def completeness(data: Data, found: Found) -> None:
    """``report.completeness``."""
    people = set(data.groups[0].subjects)
    given = [
        row
        for row in data.folder.rows("visits_given")
        if row["subject_id"] in people and row["took_place"] == "true"
    ]
    answers = [row for row in data.folder.rows("answers") if row["subject_id"] in people]
    for item in data.folder.rows("items"):
        own = [
            row for row in answers if row["instrument"] == item["instrument"] and row["item"] == item["item"]
        ]
        if item["asked"] != "true" or (item["optional"] == "true" and not own):
            continue
        for visit in data.visit_ids:
            n_given = sum(
                row["instrument"] == item["instrument"] and row["visit_id"] == visit for row in given
            )
            n_answered = sum(row["visit_id"] == visit for row in own)
            key = {"instrument": item["instrument"], "item": item["item"], "visit": visit}
            numbers = {"n_expected": len(people), "n_given": n_given, "n_answered": n_answered}
            share = n_answered / n_given if n_given else None
            put(
                found,
                "report.completeness",
                key,
                {**numbers, "n_missing": n_given - n_answered, "share": share},
            )


def recorded(data: Data, found: Found) -> None:
    """``page.values_recorded``."""
    people = set(data.groups[0].subjects)
    for outcome in data.outcomes:
        for visit in data.visit_ids:
            n = len(people & set(data.of(str(outcome["score_id"] or outcome["variable"]), visit)))
            key = {"outcome": outcome["outcome_id"], "visit": visit}
            put(found, "page.values_recorded", key, {"value": f"{n}/{len(people)}"})


def data_quality(data: Data, found: Found) -> None:
    """``page.data_quality``."""
    rows = data.folder.rows("delivered_rows")
    for source in distinct(row["source"] for row in rows):
        own = [row for row in rows if row["source"] == source]
        aside = sum(row["set_aside"] == "true" for row in own)
        cells = sum(int(row["cells_emptied"]) for row in own)
        numbers = {"rows_read": len(own), "rows_accepted": len(own) - aside, "rows_set_aside": aside}
        put(found, "page.data_quality", {"source": source}, {**numbers, "cells_emptied": cells})


# -- what a trial would need ------------------------------------------------------------------------------------------

_COLUMNS = "effect sd sd_low sd_high correlation power n_per_group n_enrolled n".split()


def planning(data: Data, found: Found, judged: Mapping[str, Mapping[str, Mapping[str, str]]]) -> None:
    """``stats.planning``."""
    for outcome in data.outcomes if data.baseline is not None else ():
        series = data.series(outcome, data.groups[0])
        for visit in data.later:
            base, post = (part / series.scale for part in series.pairs(data.visit_ids.index(visit)))
            if len(base) >= 3:
                for design, assumption, power, row in _outcome_plans(data, outcome, base, post):
                    _put_plan(found, design, outcome["outcome_id"], visit, assumption, power, row)
    for responder, visits in judged.items():
        for visit, people in visits.items():
            own = list(people.values())
            n, x = sum(one in (YES, NO, MISSING) for one in own), own.count(YES)
            for control in (0.2, 0.3, 0.4):
                rate = x / n if n else 0
                if control < rate < 1:
                    assumption = f"{x}/{n} observed, {control:.0%} in the control arm"
                    for power in (0.8, 0.9):
                        needed = _two_rates(rate, control, power)
                        row = {"effect": rate - control, "n_per_group": needed, "n": n}
                        _put_plan(found, "two arms, responders", responder, visit, assumption, power, row)


def _put_plan(
    found: Found,
    design: str,
    variable: Any,
    visit: str,
    assumption: str,
    power: float | None,
    row: Mapping[str, Any],
) -> None:
    key = {
        "design": design,
        "variable": variable,
        "visit": visit,
        "assumption": assumption,
        "target_power": power,
    }
    planned = {} if power is None else {"power": power, "n_enrolled": _up(row["n_per_group"] / 0.85)}
    put(found, "stats.planning", key, {**dict.fromkeys(_COLUMNS), **row, **planned})


def _outcome_plans(
    data: Data, outcome: Row, base: np.ndarray, post: np.ndarray
) -> Iterator[tuple[str, str, float | None, dict[str, Any]]]:
    n, sd = len(base), float(np.std(base, ddof=1))
    for effect in (0.5, 0.8, 1.2, 2.0) if n <= 200 else ():
        words = f"true change of {effect:g} standard deviations of change"
        row = {"effect": effect, "power": _simulated(data, n, effect), "n_per_group": n, "n": n}
        yield "paired series of this size", words, None, row
    if not sd:
        return
    low, high = (sd * math.sqrt((n - 1) / float(stats.chi2.ppf(p, n - 1))) for p in (0.975, 0.025))
    r = float(np.corrcoef(base, post)[0, 1]) if post.std() > 0 else 0.0
    effects = [
        (f"difference of {share:g} baseline standard deviations", share * sd) for share in (0.3, 0.5, 0.8)
    ]
    for row in data.folder.rows("important_differences"):
        if row["score_id"] == outcome["score_id"]:
            points = float(row["value"])
            effects.append(
                (row["words"], points * float(base.mean()) / 100 if row["unit"] == "percent" else points)
            )
    for words, effect in effects:
        for power in (0.8, 0.9) if effect > 0 else ():
            z = NormalDist().inv_cdf(1 - ALPHA / 2)
            t_test = _up(2 * ((z + NormalDist().inv_cdf(power)) * sd / effect) ** 2 + z * z / 4)
            for design, needed, shown in (
                ("two arms, t test", t_test, None),
                ("two arms, rank-sum test", _up(t_test * math.pi / 3), None),
                ("two arms, baseline-adjusted", _up(t_test * (1 - r * r)), r),
            ):
                row = {
                    "effect": effect,
                    "sd": sd,
                    "sd_low": low,
                    "sd_high": high,
                    "correlation": shown,
                    "n": n,
                }
                yield design, words, power, {**row, "n_per_group": max(2, needed)}


def _simulated(data: Data, n: int, effect: float) -> float:
    """Share of simulated series in which the exact signed-rank test is significant; the seed is a parameter."""
    tails = np.cumsum(exact.sum_of_signed(range(1, n + 1)))
    critical = int((tails <= ALPHA / 2 + 1e-15).sum()) - 1
    if critical < 0:
        return 0.0
    times, seed = int(data.folder.parameter("simulations")), int(data.folder.parameter("seed"))
    series = np.random.default_rng(seed).standard_normal((times, n)) + effect
    ranks = stats.rankdata(np.abs(series), axis=1)
    plus = np.where(series > 0, ranks, 0).sum(axis=1)
    return float((np.minimum(plus, n * (n + 1) / 2 - plus) <= critical + 1e-9).mean())


def _two_rates(first: float, second: float, power: float) -> int:
    mean = (first + second) / 2
    null = NormalDist().inv_cdf(1 - ALPHA / 2) * math.sqrt(2 * mean * (1 - mean))
    other = NormalDist().inv_cdf(power) * math.sqrt(first * (1 - first) + second * (1 - second))
    return _up(((null + other) / (first - second)) ** 2)


def _up(number: float) -> int:
    """The next whole number, but for rounding of the machine."""
    return math.ceil(number - 1e-9)

"""Change from baseline, arm against arm, and the same under other assumptions.

Belongs here: ``stats.symptom_change``, ``stats.sensitivity``, ``stats.friedman``, ``stats.between_arms`` and the
printed tables made of them. Does not belong here: tests themselves (``exact``), response (``response``).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from recomputing import exact, printing
from recomputing.mixed import mixed_model
from recomputing.people import Data, Group, Series
from recomputing.reading import Found, Row, distinct, put

MOST_LEFT_OUT = 300
LEAST_MODELLED = 12


def change(data: Data, found: Found) -> None:
    """``stats.symptom_change`` and ``report.symptom_change``."""
    rows = []
    for outcome, visit, at, group, series in data.comparisons():
        row = _change_row(outcome, group, series, at)
        rows.append((outcome, visit, group, row))
    _adjust([(outcome["family"] if group.stratum is None else None, row) for outcome, _, group, row in rows])
    within_arms = data.folder.parameter("strata_are_arms") == "true"
    for outcome, visit, group, row in rows:
        key = {"outcome": outcome["outcome_id"], "visit": visit, "stratum": group.stratum}
        put(found, "stats.symptom_change", key, row)
        hidden = dict.fromkeys(("p_value", "p_floor")) if within_arms and group.stratum is not None else {}
        shown = {**row, **hidden}
        put(found, "report.symptom_change", key, {**shown, **_change_texts(shown)})


def _change_row(outcome: Row, group: Group, series: Series, at: int) -> dict[str, Any]:
    base, post = series.pairs(at)
    changes, n = post - base, len(base)
    lower = outcome["better"] == "lower"
    down, up = int((changes < 0).sum()), int((changes > 0).sum())
    row: dict[str, Any] = {
        "n": n,
        "n_expected": len(group.people),
        "n_missing": len(group.people) - n,
        "improved": down if lower else up,
        "worsened": up if lower else down,
        "unchanged": n - down - up,
        **dict.fromkeys("median_baseline median_change hl_estimate hl_low hl_high hl_level".split()),
        **dict.fromkeys("w_plus w_minus p_value p_floor p_num p_den rank_biserial".split()),
        **dict.fromkeys("family_size p_holm p_bh holm_floor".split()),
        **dict.fromkeys("n_zero n_eff n_tied_groups".split(), 0),
    }
    if not n:
        return row
    test, location = exact.signed_rank(changes), exact.hodges_lehmann(changes)
    total = test.w_plus + test.w_minus
    return row | {
        **_located(location, series.scale),
        "n_zero": test.n_zero,
        "n_eff": test.n_eff,
        "n_tied_groups": test.n_tied_groups,
        "median_baseline": _scaled(exact.median(base), series.scale),
        "median_change": _scaled(exact.median(changes), series.scale),
        "w_plus": float(test.w_plus),
        "w_minus": float(test.w_minus),
        "p_value": test.p,
        "p_floor": test.floor,
        "p_num": test.p * 2.0**test.n_eff if test.n_eff <= 62 else None,
        "p_den": 2.0**test.n_eff if test.n_eff <= 62 else None,
        "rank_biserial": float((test.w_plus - test.w_minus) / total) if total else None,
    }


def _located(location: exact.Location, scale: int, name: str = "hl") -> dict[str, Any]:
    return {
        ("shift" if name == "shift" else f"{name}_estimate"): _scaled(location.estimate, scale),
        f"{name}_low": _scaled(location.low, scale),
        f"{name}_high": _scaled(location.high, scale),
        f"{name}_level": location.level,
    }


def _scaled(value: Fraction | None, scale: int) -> float | None:
    return None if value is None else float(value / scale)


def _adjust(rows: list[tuple[Any, dict[str, Any]]]) -> None:
    """Holm's and Benjamini and Hochberg's p-values within each declared family; every declared test counts."""
    for family in distinct(name for name, _ in rows):
        members = [row for name, row in rows if name == family]
        p_values = [row["p_value"] for row in members]
        adjusted = zip(members, exact.holm(p_values), exact.benjamini_hochberg(p_values), strict=True)
        for row, holm, stepped_up in adjusted:
            floor = row["p_floor"]
            row |= {
                "family_size": len(members),
                "p_holm": holm,
                "p_bh": stepped_up,
                "holm_floor": None if floor is None else min(1.0, floor * len(members)),
            }


def _change_texts(row: Mapping[str, Any]) -> dict[str, str]:
    said = printing.DASH
    if row["median_change"] is not None:
        limits = printing.interval(row["hl_low"], row["hl_high"], row["hl_level"])
        estimate = printing.fixed(row["hl_estimate"], 1, plus=True)
        said = f"median {printing.fixed(row['median_change'], 1, plus=True)}; HL {estimate} ({limits})"
    return {"change_text": said, "p_text": printing.with_floor(row["p_value"], row["p_floor"])}


def between_arms(data: Data, found: Found) -> None:
    """``stats.between_arms`` and ``report.between_arms``."""
    arms, reference = arms_and_reference(data)
    rows = []
    for outcome in data.outcomes if data.baseline is not None else ():
        series = data.series(outcome, data.groups[0])
        placed = np.array([row["arm"] or "" for row in data.people])
        for visit in data.later:
            at = data.visit_ids.index(visit)
            changes = series.values[:, at] - series.values[:, series.baseline]
            for arm in arms:
                if arm != reference:
                    rows.append((outcome, visit, arm, _arm_row(series, at, changes, placed, arm, reference)))
    _adjust([(outcome["family"], row) for outcome, _, _, row in rows])
    for outcome, visit, arm, row in rows:
        key = {"outcome": outcome["outcome_id"], "visit": visit, "arm": arm}
        put(found, "stats.between_arms", key, row)
        said = printing.DASH
        if row["shift"] is not None:
            limits = printing.interval(row["shift_low"], row["shift_high"], row["shift_level"])
            said = f"{printing.fixed(row['shift'], 1, plus=True)} ({limits})"
        texts = {"shift_text": said, "p_text": printing.with_floor(row["p_value"], row["p_floor"])}
        put(found, "report.between_arms", key, {**row, **texts})


def arms_and_reference(data: Data) -> tuple[list[str], str | None]:
    """The arms that occur, as study.yaml orders them and then by name, and the one they are compared with."""
    there = sorted(distinct(row["arm"] for row in data.people))
    order = [row["level"] for row in data.folder.rows("levels") if row["variable"] == "arm"]
    arms = [arm for arm in order if arm in there] + [arm for arm in there if arm not in order]
    declared = data.folder.parameter("reference_arm")
    return arms, declared if declared in arms else arms[0] if arms else None


def _arm_row(
    series: Series, at: int, changes: np.ndarray, placed: np.ndarray, arm: str, reference: str | None
) -> dict[str, Any]:
    complete = series.complete(at)
    first, second = (changes[complete & (placed == name)] for name in (arm, reference))
    row: dict[str, Any] = {
        "n": len(first) + len(second),
        "n_arm": len(first),
        "n_reference": len(second),
        "n_missing": int(((placed == arm) | (placed == reference)).sum()) - len(first) - len(second),
        "median_change_arm": _scaled(exact.median(first), series.scale),
        "median_change_reference": _scaled(exact.median(second), series.scale),
        **dict.fromkeys("shift shift_low shift_high shift_level u superiority p_value p_floor".split()),
        **dict.fromkeys("family_size p_holm p_bh holm_floor".split()),
    }
    if not len(first) or not len(second):
        return row
    u, p, floor = exact.rank_sum(first, second)
    located = _located(exact.shift(first, second), series.scale, "shift")
    share = float(u / (len(first) * len(second)))
    return row | {**located, "u": float(u), "superiority": share, "p_value": p, "p_floor": floor}


def friedman(data: Data, found: Found, methods: Mapping[str, str]) -> None:
    """``stats.friedman``; the published method says whether the p is exact or chi-square's."""
    for outcome in data.outcomes if data.baseline is not None else ():
        for group in data.groups:
            series = data.series(outcome, group)
            held = np.flatnonzero(series.known.any(axis=0))
            everywhere = (
                series.known[:, held].all(axis=1) if len(held) else np.zeros(len(series.known), dtype=bool)
            )
            key = {"outcome": outcome["outcome_id"], "stratum": group.stratum}
            name = f"stats.friedman[outcome={key['outcome']};stratum={group.stratum or ''}]"
            statistic, p = None, None
            method = methods.get(name, "none")
            if len(held) >= 3 and everywhere.any() and method != "none":
                table = series.values[everywhere][:, held]
                statistic, p = exact.friedman(table, exact="exact" in method)
            n = int(everywhere.sum())
            row = {"n": n, "n_missing": len(group.people) - n, "n_visits": len(held)}
            put(found, "stats.friedman", key, {**row, "statistic": statistic, "p_value": p})


def sensitivity(data: Data, found: Found) -> None:
    """``stats.sensitivity``."""
    modelled: dict[tuple[str, str | None], Any] = {}
    for outcome, visit, at, group, series in data.comparisons() if data.baseline is not None else ():
        key = {"outcome": outcome["outcome_id"], "visit": visit, "stratum": group.stratum}
        for analysis, (base, post, scale, n_imputed) in _fillings(outcome, series, at).items():
            row = _tested(base, post, scale, pratt=analysis == "pratt")
            put(found, "stats.sensitivity", {**key, "analysis": analysis}, {**row, "n_imputed": n_imputed})
        base, post = series.pairs(at)
        changes = post - base
        put(found, "stats.sensitivity", {**key, "analysis": "sign_test"}, _signs(changes, series.scale))
        left_out = _leave_one_out(changes, series.scale)
        put(found, "stats.sensitivity", {**key, "analysis": "leave_one_out"}, left_out)
        model = (str(outcome["outcome_id"]), group.stratum)
        if model not in modelled:
            others = np.delete(series.known, series.baseline, axis=1).any(axis=1)
            has = series.known[:, series.baseline] & others
            modelled[model] = None
            if int(has.sum()) >= LEAST_MODELLED:
                modelled[model] = mixed_model(
                    series.values[has] / series.scale, series.known[has], series.baseline
                )
        if modelled[model] is not None:
            n = len(modelled[model].subjects)
            said = {**_NOTHING, "n": n, "n_imputed": 0, **modelled[model].says(at)}
            put(found, "stats.sensitivity", {**key, "analysis": "mixed_model"}, said)


_NOTHING = dict.fromkeys(
    (
        "n_zero n_eff median_change hl_estimate hl_low hl_high hl_level mean_change mean_low mean_high mean_df p_value "
        "p_floor estimate_min estimate_max p_min p_max"
    ).split()
)


def _fillings(outcome: Row, series: Series, at: int) -> dict[str, tuple[np.ndarray, np.ndarray, int, int]]:
    """Baseline and later values, their scale and how many people have one filled in, under each assumption."""
    known, values, first = series.known, series.values, series.baseline
    base, post = series.pairs(at)
    has = known[:, first]
    bocf = np.where(known[:, at], values[:, at], values[:, first])[has]
    last = values[:, first].copy()
    for place in range(at + 1):
        last = np.where(known[:, place], values[:, place], last)
    low, high = Fraction(str(outcome["range_low"])), Fraction(str(outcome["range_high"]))
    best, worst = (low, high) if outcome["better"] == "lower" else (high, low)
    carried, holes = int((has & ~known[:, at]).sum()), int((~has | ~known[:, at]).sum())
    return {
        "complete_pairs": (base, post, series.scale, 0),
        "pratt": (base, post, series.scale, 0),
        "bocf": (values[has, first], bocf, series.scale, carried),
        "locf": (values[has, first], last[has], series.scale, carried),
        "best_case": (*_bounds(series, at, worst, best), holes),
        "worst_case": (*_bounds(series, at, best, worst), holes),
    }


def _bounds(series: Series, at: int, early: Fraction, late: Fraction) -> tuple[np.ndarray, np.ndarray, int]:
    factor = int(np.lcm(early.denominator, late.denominator))
    scale = series.scale * factor
    filled = [
        np.where(series.known[:, place], series.values[:, place] * factor, int(end * scale))
        for place, end in ((series.baseline, early), (at, late))
    ]
    return filled[0], filled[1], scale


def _tested(base: np.ndarray, post: np.ndarray, scale: int, *, pratt: bool) -> dict[str, Any]:
    changes = post - base
    if not len(changes):
        return {**_NOTHING, "n": 0}
    test = exact.signed_rank(changes, pratt=pratt)
    return {
        **_NOTHING,
        **_located(exact.hodges_lehmann(changes), scale),
        "n": len(changes),
        "n_zero": test.n_zero,
        "n_eff": test.n_eff,
        "median_change": _scaled(exact.median(changes), scale),
        "p_value": test.p,
        "p_floor": test.floor,
    }


def _signs(changes: np.ndarray, scale: int) -> dict[str, Any]:
    if not len(changes):
        return {**_NOTHING, "n": 0, "n_imputed": 0}
    up, down = int((changes > 0).sum()), int((changes < 0).sum())
    return {
        **_NOTHING,
        "n": len(changes),
        "n_imputed": 0,
        "n_zero": len(changes) - up - down,
        "n_eff": up + down,
        "median_change": _scaled(exact.median(changes), scale),
        "p_value": exact.toss(up, down),
        "p_floor": exact.toss_floor(up + down),
    }


def _leave_one_out(changes: np.ndarray, scale: int) -> dict[str, Any]:
    row = {**_NOTHING, "n": len(changes), "n_imputed": 0}
    if not 2 <= len(changes) <= MOST_LEFT_OUT:
        return row
    rest = [np.delete(changes, place) for place in range(len(changes))]
    if len(changes) > 20:
        rest = [np.delete(changes, place) for place in np.unique(changes, return_index=True)[1]]
    estimates = [exact.hodges_lehmann(left).estimate for left in rest]
    p_values = [exact.signed_rank(left).p for left in rest]
    return row | {
        "estimate_min": _scaled(min(estimates), scale),
        "estimate_max": _scaled(max(estimates), scale),
        "p_min": min(p_values),
        "p_max": max(p_values),
    }

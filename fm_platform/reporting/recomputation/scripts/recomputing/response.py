"""Who responded, how many that are under each denominator, and whether it changed or differed between arms.

Belongs here: ``stats.responders``, ``stats.responder_rates``, ``stats.mcnemar``, ``stats.responder_arms`` and
``report.responders``. Does not belong here: intervals and tests themselves (``exact``).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations
from typing import Any

from recomputing import exact, printing
from recomputing.change import arms_and_reference
from recomputing.people import Data
from recomputing.reading import Found, Row, distinct, put

YES, NO, ZERO, MISSING = "responder", "non-responder", "baseline is zero", "value missing"
LEVEL = 0.95


def verdict(base: Fraction | None, post: Fraction | None, percent: int, better: str) -> str:
    """Whether a value improved by at least so many percent of baseline, in fractions: 7 to 4.9 is exactly 30 %."""
    if base is None or post is None:
        return MISSING
    if base <= 0:
        return ZERO
    gained = base - post if better == "lower" else post - base
    return YES if 100 * gained >= percent * base else NO


def combined(parts: list[tuple[int, list[str]]]) -> str:
    """A composite: all criteria met, one surely not, or neither known and why."""
    if all(sum(one == YES for one in own) >= least for least, own in parts):
        return YES
    if any(sum(one in (YES, ZERO, MISSING) for one in own) < least for least, own in parts):
        return NO
    return MISSING if any(MISSING in own for _, own in parts) else ZERO


def statuses(data: Data) -> dict[str, dict[str, dict[str, str]]]:
    """Definition to visit to subject to verdict."""
    outcomes = {row["outcome_id"]: row for row in data.outcomes}
    subjects = data.groups[0].subjects
    found: dict[str, dict[str, dict[str, str]]] = {}

    def judge(name: str, visit: str, percent: int, better: str) -> dict[str, str]:
        base, post = data.of(name, data.baseline), data.of(name, visit)
        return {one: verdict(base.get(one), post.get(one), percent, better) for one in subjects}

    for row in data.folder.rows("responders"):
        outcome = outcomes.get(row["outcome_id"])
        if outcome is not None:
            name, percent = str(outcome["score_id"] or outcome["variable"]), int(row["reduction_percent"])
            found[row["responder_id"]] = {
                visit: judge(name, visit, percent, str(outcome["better"])) for visit in data.later
            }
    criteria = data.folder.rows("composites")
    for composite in distinct(row["responder"] for row in criteria):
        found[composite] = {}
        for visit in data.later:
            parts: dict[str, tuple[int, list[dict[str, str]]]] = {}
            for row in criteria:
                if row["responder"] == composite:
                    judged = judge(row["score_id"], visit, int(row["reduction_percent"]), row["better"])
                    parts.setdefault(row["criterion"], (int(row["at_least"]), []))[1].append(judged)
            found[composite][visit] = {
                one: combined([(least, [part[one] for part in own]) for least, own in parts.values()])
                for one in subjects
            }
    return found


def _interval(x: int, n: int) -> dict[str, Any]:
    low, high = exact.clopper_pearson(x, n, LEVEL)
    wilson_low, wilson_high = exact.wilson(x, n, LEVEL)
    return {
        "rate": x / n if n else None,
        "ci_low": low,
        "ci_high": high,
        "ci_level": LEVEL if n else None,
        "wilson_low": wilson_low,
        "wilson_high": wilson_high,
    }


def responders(data: Data, found: Found, judged: Mapping[str, Mapping[str, Mapping[str, str]]]) -> None:
    """``stats.responders`` and ``report.responders``: observed cases, and beside them the missing as not responding."""
    for row in data.folder.rows("responders"):
        for visit, people in judged.get(row["responder_id"], {}).items():
            for group in data.groups:
                own = [people[one] for one in group.subjects]
                put_responders(found, row, visit, group.stratum, own)


def put_responders(found: Found, row: Row, visit: str, stratum: str | None, own: list[str]) -> None:
    """One row of both tables."""
    x, n, zero = own.count(YES), own.count(YES) + own.count(NO), own.count(ZERO)
    n_nri = len(own) - zero
    low, high = exact.clopper_pearson(x, n_nri, LEVEL)
    numbers = {
        **_interval(x, n),
        "n": n,
        "responders": x,
        "n_expected": len(own),
        "n_missing": own.count(MISSING),
        "n_base_zero": zero,
        "n_nri": n_nri,
        "rate_nri": x / n_nri if n_nri else None,
        "nri_low": low,
        "nri_high": high,
    }
    said = printing.of(x, n_nri)
    texts = {
        "rate_text": printing.of(x, n),
        "ci_text": printing.share_interval(numbers["ci_low"], numbers["ci_high"]),
        "nri_text": said if said == printing.DASH else f"{said}; {printing.share_interval(low, high)}",
    }
    key = {"responder": row["responder_id"], "visit": visit, "stratum": stratum}
    put(found, "stats.responders", key, numbers)
    put(found, "report.responders", key, {**numbers, **texts})


def rates(data: Data, found: Found, judged: Mapping[str, Mapping[str, Mapping[str, str]]]) -> None:
    """``stats.responder_rates``."""
    for responder, visits in judged.items():
        for visit, people in visits.items():
            for group in data.groups:
                own = [people[one] for one in group.subjects]
                missing, n, x = own.count(MISSING), own.count(YES) + own.count(NO), own.count(YES)
                for denominator, n_used, x_used in (
                    ("observed cases", n, x),
                    ("non-responder imputation", n + missing, x),
                    ("best case", n + missing, x + missing),
                ):
                    key = {"responder": responder, "visit": visit, "stratum": group.stratum}
                    numbers = {
                        "n": n_used,
                        "responders": x_used,
                        "n_missing": missing,
                        "n_base_zero": own.count(ZERO),
                    }
                    numbers = {**numbers, **_interval(x_used, n_used)}
                    put(found, "stats.responder_rates", {**key, "denominator": denominator}, numbers)


def mcnemar(data: Data, found: Found, judged: Mapping[str, Mapping[str, Mapping[str, str]]]) -> None:
    """``stats.mcnemar``."""
    for responder, visits in judged.items():
        for first, second in combinations(data.later, 2):
            for group in data.groups:
                pairs = [(visits[first][one], visits[second][one]) for one in group.subjects]
                pairs = [pair for pair in pairs if set(pair) <= {YES, NO}]
                lost, won = pairs.count((YES, NO)), pairs.count((NO, YES))
                numbers = {
                    "n": len(pairs),
                    "both": pairs.count((YES, YES)),
                    "only_first": lost,
                    "only_second": won,
                    "neither": pairs.count((NO, NO)),
                    "p_value": exact.toss(lost, won) if pairs else None,
                    "p_floor": exact.toss_floor(lost + won) if pairs else None,
                }
                key = {"responder": responder, "first_visit": first, "second_visit": second}
                put(found, "stats.mcnemar", {**key, "stratum": group.stratum}, numbers)


def responder_arms(data: Data, found: Found, judged: Mapping[str, Mapping[str, Mapping[str, str]]]) -> None:
    """``stats.responder_arms``."""
    arms, reference = arms_and_reference(data)
    for responder, visits in judged.items():
        for visit, people in visits.items():
            for arm in [arm for arm in arms if arm != reference]:
                own = [
                    [people[row["subject_id"]] for row in data.people if row["arm"] == name]
                    for name in (arm, reference)
                ]
                for denominator in ("observed cases", "non-responder imputation"):
                    key = {"responder": responder, "visit": visit, "arm": arm, "denominator": denominator}
                    put(found, "stats.responder_arms", key, _arms(own, denominator != "observed cases"))


def _arms(own: list[list[str]], impute: bool) -> dict[str, Any]:
    counted = (YES, NO, MISSING) if impute else (YES, NO)
    (x, m), (y, n) = ((one.count(YES), sum(verdict in counted for verdict in one)) for one in own)
    first, second = x / m if m else None, y / n if n else None
    numbers = {
        "n": m + n,
        "n_arm": m,
        "responders_arm": x,
        "rate_arm": first,
        "n_reference": n,
        "responders_reference": y,
        "rate_reference": second,
        "rate_difference": None,
        "n_missing": own[0].count(MISSING) + own[1].count(MISSING),
        "p_value": None,
        "p_floor": None,
    }
    if first is None or second is None:
        return numbers
    p, floor = exact.fisher(x, m, y, n)
    return numbers | {"rate_difference": first - second, "p_value": p, "p_floor": floor}

"""Scores from answers: the two fibromyalgia questionnaires after their publications, any other from its rules as CSV.

Belongs here: one visit's answers to its scores, as exact fractions. Does not belong here: comparing visits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from recomputing.reading import Folder, Row, distinct

Answers = Mapping[str, int]
Scores = dict[str, Fraction | None]
Values = dict[tuple[str, str], dict[str, Fraction]]
"""(score or variable, visit) to subject to value."""

_SYMPTOMS = (
    "pain energy stiffness sleep_quality depression memory anxiety tenderness balance env_sensitivity".split()
)
_REGIONS = (
    ("shoulder_girdle_l", "upper_arm_l", "lower_arm_l"),
    ("shoulder_girdle_r", "upper_arm_r", "lower_arm_r"),
    ("hip_l", "upper_leg_l", "lower_leg_l"),
    ("hip_r", "upper_leg_r", "lower_leg_r"),
    ("neck", "upper_back", "lower_back"),
)
_AREAS = (*(area for region in _REGIONS for area in region), "jaw_l", "jaw_r", "chest", "abdomen")
_SEVERITY, _SOMATIC = ("fatigue", "unrefreshed", "cognitive"), ("headache", "abdominal_cramps", "depression")


def fiqr(answers: Answers, items: Sequence[str]) -> Scores:
    """The revised FIQ: 9 items of function, 2 of overall impact, 10 symptoms (Bennett 2009, doi 10.1186/ar2783).

    Function is a third of its sum, symptoms half of theirs; items not answered are weighted up within their domain
    while half of it is answered.
    """

    def domain(members: Sequence[str], divisor: int) -> Fraction | None:
        given = [answers[item] for item in members if item in answers]
        if 2 * len(given) < len(members):
            return None
        return Fraction(sum(given) * len(members), len(given) * divisor)

    parts = {
        "function": domain(items[:9], 3),
        "overall": domain(items[9:11], 1),
        "symptoms": domain(items[11:21], 2),
    }
    known = [part for part in parts.values() if part is not None]
    single = {name: answers.get(item) for name, item in zip(_SYMPTOMS, items[11:21], strict=True)}
    return {
        **parts,
        "total": sum(known, Fraction(0)) if len(known) == 3 else None,
        **{name: None if value is None else Fraction(value) for name, value in single.items()},
    }


def acr2016(answers: Answers, items: Sequence[str]) -> Scores:
    """Widespread pain, symptom severity and their sum (Wolfe 2016, doi 10.1016/j.semarthrit.2016.08.012).

    An item that is not answered leaves a sum empty; its bounds take the item at either end.
    """
    del items
    symptoms = (*_SEVERITY, *_SOMATIC)
    low, high, sure = {}, {}, {}
    for name, members in (("wpi", _AREAS), ("sss", symptoms), ("sss_severity", _SEVERITY)):
        most = {item: 3 if item in _SEVERITY else 1 for item in members}
        low[name] = sum(answers.get(item, 0) for item in members)
        high[name] = sum(answers.get(item, most[item]) for item in members)
        sure[name] = all(item in answers for item in members)
    found: Scores = {name: Fraction(low[name]) if sure[name] else None for name in low}
    found["psd"] = Fraction(low["wpi"] + low["sss"]) if sure["wpi"] and sure["sss"] else None
    for end, of in (("min", low), ("max", high)):
        found |= {f"wpi_{end}": Fraction(of["wpi"]), f"sss_{end}": Fraction(of["sss"])}
        found[f"psd_{end}"] = Fraction(of["wpi"] + of["sss"])
    least = sum(any(answers.get(area, 0) for area in region) for region in _REGIONS)
    most_regions = sum(any(answers.get(area, 1) for area in region) for region in _REGIONS)
    found |= {"n_regions_min": Fraction(least), "n_regions_max": Fraction(most_regions)}
    found["n_regions"] = Fraction(least) if least == most_regions else None
    return found


PUBLISHED: dict[str, Callable[[Answers, Sequence[str]], Scores]] = {"fiqr": fiqr, "acr2016": acr2016}
"""Questionnaires that are scored here after their publications."""


def by_rules(
    answers: Answers, rules: Sequence[Row], members: Sequence[Row], items: Mapping[str, Row]
) -> Scores:
    """Any questionnaire, by the rules in inputs/scores.csv and inputs/score_members.csv."""
    found: Scores = {}
    for rule in rules:
        own = [row for row in members if row["score_id"] == rule["score_id"]]
        name = str(rule["score_id"]).partition(".")[2]
        if rule["rule"] == "item":
            value = answers.get(str(own[0]["member"]))
            found[name] = None if value is None else Fraction(value)
        elif rule["rule"] == "total":
            parts = [found[str(row["member"])] for row in own]
            known = [part for part in parts if part is not None]
            found[name] = sum(known, Fraction(0)) if len(known) == len(parts) else None
        elif rule["rule"] == "groups":
            found[name] = _groups(answers, own, str(rule["missing"]))
        else:
            found[name] = _sum(answers, rule, [items[str(row["member"])] for row in own])
    return found


def _groups(answers: Answers, members: Sequence[Row], missing: str) -> Fraction | None:
    low = high = 0
    for group in distinct(row["group"] for row in members):
        own = [str(row["member"]) for row in members if row["group"] == group]
        low += any(answers.get(item, 0) > 0 for item in own)
        high += any(answers.get(item, 1) > 0 for item in own)
    if missing == "refuse":
        return Fraction(low) if low == high else None
    return Fraction(low if missing == "lowest" else high)


def _sum(answers: Answers, rule: Row, items: Sequence[Row]) -> Fraction | None:
    given = [answers[str(item["item"])] for item in items if item["item"] in answers]
    weight, missing = Fraction(str(rule["weight"])), rule["missing"]
    if missing in ("lowest", "highest"):
        end = "min" if missing == "lowest" else "max"
        return weight * sum(answers.get(str(item["item"]), int(str(item[end]))) for item in items)
    if len(given) == len(items):
        return weight * sum(given)
    if (
        missing == "prorate"
        and given
        and Fraction(len(given), len(items)) >= Fraction(str(rule["min_answered"]))
    ):
        return weight * Fraction(sum(given) * len(items), len(given))
    return None


def instrument_scores(folder: Folder) -> Values:
    """Every score of every visit with a row, from its answers; the recorded ones where no items were delivered."""
    answers: dict[tuple[str, str, str], dict[str, int]] = {}
    for row in folder.rows("answers"):
        at = (row["instrument"], row["subject_id"], row["visit_id"])
        answers.setdefault(at, {})[row["item"]] = int(row["answer"])
    values: Values = {}

    def keep(score: str, visit: str, subject: str, value: Fraction | None) -> None:
        if value is not None:
            values.setdefault((score, visit), {})[subject] = value

    items: dict[str, dict[str, Row]] = {}
    for row in folder.rows("items"):
        items.setdefault(row["instrument"], {})[row["item"]] = row
    scored = {row["score_id"] for row in folder.rows("recorded_scores")}
    for row in folder.rows("visits_given"):
        for instrument in [row["instrument"]] if row["instrument"] in items else []:
            own = answers.get((instrument, row["subject_id"], row["visit_id"]), {})
            rules = [rule for rule in folder.rows("scores") if rule["instrument"] == instrument]
            if instrument in PUBLISHED:
                found = PUBLISHED[instrument](own, list(items[instrument]))
            else:
                found = by_rules(own, rules, folder.rows("score_members"), items[instrument])
            for name, value in found.items():
                if f"{instrument}.{name}" not in scored:
                    keep(f"{instrument}.{name}", row["visit_id"], row["subject_id"], value)
    for row in folder.rows("recorded_scores"):
        value = Fraction(int(row["value_exact"]), int(row["value_scale"]))
        keep(row["score_id"], row["visit_id"], row["subject_id"], value)
    for row in folder.rows("measures"):
        keep(row["variable"], row["visit_id"], row["subject_id"], Fraction(row["value"]))
    return values

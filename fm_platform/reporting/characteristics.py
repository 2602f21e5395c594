"""Who took part: the table of participant characteristics.

Belongs here: counting and describing participants. Does not belong here: symptoms, statistics of change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from fm_platform.reporting import format as fmt
from fm_platform.reporting.columns import place, shown
from fm_platform.statistics.ard import ARD
from fm_platform.statistics.sources import PEOPLE
from fm_platform.study.model import Study
from fm_platform.validation.roles import label_columns
from fm_platform.warehouse.table import Table, count, direct, indirect, number, text

MEDIAN_RANGE = "median (min to max)"
COUNT_PERCENT = "n (% of those recorded)"
COUNT = "n"
UNKNOWN = "Unknown"
"""The level that counts missing values, unless the data has a level of that name."""

_CATEGORIES = ("sex", "arm", "site")
_VARIABLE_LABELS = {"n": "Participants", "age": "Age, years", "sex": "Sex", "arm": "Arm", "site": "Site"}
_ROWS = indirect(PEOPLE, "in_population", "stratum", "sex", "age", "arm", "site", how="GROUP_BY")
_AGE = direct(PEOPLE, "age", how="AGGREGATION")
_LEVELS = direct(PEOPLE, "sex", "arm", "site", how="AGGREGATION")
_ANY = (*direct(PEOPLE, "subject_id", how="AGGREGATION"), *_AGE, *_LEVELS, *_ROWS)

CHARACTERISTICS = Table(
    "report.characteristics",
    "Who the participants are, over all and by stratum.",
    key=("variable", "level", "stratum"),
    reads=(PEOPLE, ARD),
    columns=(
        text("variable", "What is described", _ROWS),
        text("level", "The level of a categorical variable; null for numbers", _LEVELS, _ROWS),
        text(
            "stratum",
            "The stratum; null for all participants",
            direct(PEOPLE, "stratum", how="GROUP_BY"),
            _ROWS,
        ),
        place(_ROWS),
        text("variable_label", "How the table calls the variable", _ROWS),
        text("level_label", "How the table calls the level", _LEVELS, _ROWS),
        count("n", "Participants described", _ANY),
        count("n_missing", "Participants without a value", _AGE, _LEVELS, _ROWS),
        shown("value", "What the table prints", _ANY),
        text("statistic", "What is printed, in words", _ROWS),
        number("median", "Median", _AGE, _ROWS),
        number("q1", "First quartile", _AGE, _ROWS),
        number("q3", "Third quartile", _AGE, _ROWS),
        number("low", "Smallest value", _AGE, _ROWS),
        number("high", "Largest value", _AGE, _ROWS),
        count("count", "Participants at the level", _ANY),
        number("percent", "count in percent of n", _LEVELS, _ROWS),
    ),
)


@dataclass(frozen=True)
class _Group:
    """The participants of one stratum (None: all)."""

    stratum: str | None
    people: pl.DataFrame


def characteristics(participants: pl.DataFrame, study: Study) -> pl.DataFrame:
    """Describe the population by stratum.

    Args:
        participants: `marts.participants`, one row a subject; only those with `in_population` count.
        study: For the strata's order and the labels of levels.

    Returns:
        `report.characteristics`: variable `n`, then those of age (years), sex, arm and site that any
        participant has. A numeric variable has one row (level null) with median, quartiles (linear
        interpolation) and range; a categorical one a row for each level, percent of those recorded; either
        has an `Unknown` row when a value is missing.
    """
    people = population(participants).sort("subject_id")
    groups = [_group(None, people)]
    for stratum in strata_in_order(people, study):
        groups.append(_group(stratum, people.filter(pl.col("stratum") == stratum)))
    rows: list[dict[str, Any]] = []
    for group in groups:
        block = [_total(group)]
        block += _age_rows(group, people)
        for variable in _CATEGORIES:
            block += _category_rows(group, people, variable, study)
        rows += [{**row, "position": position} for position, row in enumerate(block, start=1)]
    table = CHARACTERISTICS.frame(rows)
    return table.with_columns(variable_label=pl.col("variable").replace(_VARIABLE_LABELS))


def population(participants: pl.DataFrame) -> pl.DataFrame:
    """The participants who count in denominators."""
    return participants.filter(pl.col("in_population").fill_null(False))


def strata_in_order(people: pl.DataFrame, study: Study) -> list[str]:
    """The strata that participants are in: as labelled in study.yaml first, others in natural order."""
    if "stratum" not in people.columns:
        return []
    declared = list(study.labels.get(study.strata or "", {}))
    return _in_order(people["stratum"].drop_nulls().unique().to_list(), declared)


def strata_labels(participants: pl.DataFrame | None, study: Study) -> dict[str, str]:
    """Label of each stratum of the population, in page order; empty where the study declares no strata."""
    if participants is None or study.strata is None:
        return {}
    people = population(participants)
    return {value: study.label(study.strata, value) for value in strata_in_order(people, study)}


def _group(stratum: str | None, people: pl.DataFrame) -> _Group:
    return _Group(stratum, people)


def _row(
    group: _Group, variable: str, level: str | None, n: int, n_missing: int, **values: Any
) -> dict[str, Any]:
    return CHARACTERISTICS.row(
        variable=variable, level=level, stratum=group.stratum, n=n, n_missing=n_missing, **values
    )


def _total(group: _Group) -> dict[str, Any]:
    n = group.people.height
    return _row(group, "n", None, n, 0, value=str(n), statistic=COUNT, count=n)


def _unknown(group: _Group, variable: str, level: str, n: int, missing: int) -> dict[str, Any]:
    texts = {"value": str(missing), "statistic": COUNT, "level_label": UNKNOWN}
    return _row(group, variable, level, n, missing, count=missing, **texts)


def _age_rows(group: _Group, everyone: pl.DataFrame) -> list[dict[str, Any]]:
    if "age" not in everyone.columns or everyone["age"].null_count() == everyone.height:
        return []
    ages = group.people["age"].cast(pl.Float64).drop_nulls()
    n, missing = ages.len(), group.people.height - ages.len()
    numbers: dict[str, Any] = {}
    if n:
        numbers = {
            "median": ages.median(),
            "q1": ages.quantile(0.25, "linear"),
            "q3": ages.quantile(0.75, "linear"),
            "low": ages.min(),
            "high": ages.max(),
        }
        low, high = fmt.short_number(numbers["low"]), fmt.short_number(numbers["high"])
        value = f"{fmt.short_number(numbers['median'])} ({low} to {high})"
    else:
        value = fmt.NOT_AVAILABLE
    rows = [_row(group, "age", None, n, missing, value=value, statistic=MEDIAN_RANGE, **numbers)]
    if everyone["age"].null_count():
        rows.append(_unknown(group, "age", UNKNOWN, n, missing))
    return rows


def _category_rows(
    group: _Group, everyone: pl.DataFrame, variable: str, study: Study
) -> list[dict[str, Any]]:
    if variable not in everyone.columns or everyone[variable].null_count() == everyone.height:
        return []
    columns = label_columns(study, variable)
    declared = [level for column in columns for level in study.labels.get(column, {})]
    levels = _in_order(everyone[variable].drop_nulls().unique().to_list(), declared)
    n = group.people.height - group.people[variable].null_count()
    missing = group.people.height - n
    rows = []
    for level in levels:
        count = group.people.filter(pl.col(variable) == level).height
        rows.append(
            _row(
                group,
                variable,
                level,
                n,
                missing,
                value=fmt.count_percent(count, n),
                statistic=COUNT_PERCENT,
                count=count,
                percent=100 * count / n if n else None,
                level_label=_level_label(level, columns, study),
            )
        )
    if everyone[variable].null_count():
        unknown = UNKNOWN
        while unknown in levels:
            unknown += " (not recorded)"
        rows.append(_unknown(group, variable, unknown, n, missing))
    return rows


def _level_label(level: str, columns: Sequence[str], study: Study) -> str:
    return next((study.labels[name][level] for name in columns if level in study.labels.get(name, {})), level)


def _in_order(levels: Iterable[str], declared: Sequence[str]) -> list[str]:
    known = {level: index for index, level in enumerate(declared)}
    return sorted(levels, key=lambda level: (known.get(level, len(known)), _natural(level)))


def _natural(text: str) -> list[tuple[int, int, str]]:
    """A sort key that puts 2 before 10."""
    parts = re.split(r"([0-9]+)", text)
    return [(0, int(part), "") if index % 2 else (1, 0, part) for index, part in enumerate(parts)]

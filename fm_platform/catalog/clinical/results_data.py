"""The table ``stats.ard``: analysis results data, one row a statistic.

Belongs here: which tables it gathers, its lineage, and the check that a report table prints what it says.
Does not belong here: the shape of a row (``statistics.ard``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, declared
from fm_platform.catalog.clinical.statistics import has_arms
from fm_platform.lineage.code import code_version
from fm_platform.reporting.characteristics import characteristics
from fm_platform.reporting.tables import PRINTED
from fm_platform.statistics.ard import (
    ARD,
    ARD_COLUMNS,
    ARD_KEY,
    CHARACTERISTICS,
    LAYOUTS,
    RESULTS,
    recalled,
    results,
    unlike,
    unprinted,
)
from fm_platform.statistics.sources import PEOPLE
from fm_platform.study.model import Study
from fm_platform.warehouse.names import relation
from fm_platform.warehouse.records import CheckDeclaration, CheckOutcome
from fm_platform.warehouse.table import Inputs, Table, direct, indirect

ENGINE = "engine_version"
Layout = Callable[[pl.DataFrame], pl.DataFrame]
"""Makes a report table from the result table that it prints."""

CELLS_CHECK = CheckDeclaration(
    "cells_are_in_ard",
    True,
    "stats.ard alone gives every cell of this table, printed texts and holes included",
)

_LEVELS = ("sex", "arm", "site")
_DESCRIBED = ("age", *_LEVELS)


def results_data(study: Study) -> Asset:
    """The asset of ``stats.ard``."""
    tables = [table for table in RESULTS.values() if "arm" not in table.key or has_arms(study)]
    inputs = _inputs(tables)
    return declared(
        Table(
            ARD,
            "Analysis results data: one row a statistic, which report tables are checked against.",
            key=ARD_KEY,
            reads=(*(table.name for table in tables), PEOPLE),
            columns=tuple(replace(column, inputs=inputs.get(column.name, ())) for column in ARD_COLUMNS),
        ),
        group="statistics",
        kinds=("polars", "duckdb"),
        half="clinical",
        study_keys=("labels", "strata", "study"),
        code_version=code_version(build_results_data),
        build=partial(build_results_data, tables=tuple(table.name for table in tables)),
    )


def _inputs(tables: Sequence[Table]) -> dict[str, Inputs]:
    """The inputs of each column: those of every result table, and the participants whose characteristics it has."""
    described = indirect(PEOPLE, "in_population", "stratum", *_DESCRIBED, how="GROUP_BY")
    people = (*direct(PEOPLE, "subject_id", *_DESCRIBED, how="AGGREGATION"), *described)

    def each(names: Callable[[Table], Iterable[str]]) -> Inputs:
        return tuple(entry for table in tables for entry in direct(table.name, *names(table), how="IDENTITY"))

    return {
        "analysis_id": (
            *each(lambda table: LAYOUTS[table.name].analysis),
            *direct(PEOPLE, *_LEVELS, how="GROUP_BY"),
            *described,
        ),
        "group": (
            *(entry for table in tables for entry in _group_inputs(table.name)),
            *direct(PEOPLE, "stratum", how="GROUP_BY"),
            *described,
        ),
        "variable": (*each(lambda table: (LAYOUTS[table.name].variable,)), *described),
        "stat_value": (
            *each(lambda table: (name for name in _statistics(table) if table.schema[name].is_numeric())),
            *people,
        ),
        "stat_text": (*each(_statistics), *people),
        "method": (*each(lambda table: ("method",)), *described),
        "n": (*each(lambda table: ("n",)), *people),
    }


def _group_inputs(table: str) -> Inputs:
    """Where groups come from: the table's own, or, where it has none, its rows, each a statistic without a group."""
    group = LAYOUTS[table].group
    if group is None:
        return indirect(table, *LAYOUTS[table].analysis)
    return direct(table, group, how="IDENTITY")


def _statistics(table: Table) -> list[str]:
    """The columns of a result table that become statistics."""
    layout = LAYOUTS[table.name]
    keys = {*layout.analysis, layout.group, ENGINE}
    return [name for name in table.schema if name not in keys]


def build_results_data(step: Step, tables: tuple[str, ...]) -> Built:
    """``stats.ard``."""
    made = {table: step.read(table) for table in tables}
    people = characteristics(step.read(PEOPLE), step.study)
    return Built(rows=results({**made, CHARACTERISTICS: people}))


def cells_check(
    step: Step, printed: pl.DataFrame, table: str, schema: Mapping[str, Any], lay_out: Layout
) -> CheckOutcome:
    """Whether a report table is the one that ``stats.ard`` alone gives: every number, text and hole of it.

    The statistics of each printed row are looked up in the ARD, laid out by the function that made the report table,
    and compared cell by cell. The version of the engine is no statistic and is left out.

    Args:
        step: Gives the warehouse.
        printed: The report table.
        table: The result table that it prints.
        schema: The columns of that table, with their types.
        lay_out: Makes the report table from that table.
    """
    own = step.warehouse.query(f"SELECT * FROM {relation(ARD)} WHERE source_table = ?", [table])
    again = lay_out(recalled(own, printed, table, schema))
    of = PRINTED[table.replace("stats.", "report.")]
    wrong = unlike(printed.drop(ENGINE, strict=False), again, of.key)
    missing = unprinted(own, printed, table)
    return CheckOutcome(
        CELLS_CHECK.name,
        passed=not wrong and not missing,
        blocking=CELLS_CHECK.blocking,
        severity="ERROR",
        description=CELLS_CHECK.description,
        metadata={
            "differing_cells": wrong,
            "analyses_not_printed": missing,
            "cells": printed.height * sum(not name.startswith("_") for name in printed.columns),
            "statistics_compared_with": own.height,
        },
    )

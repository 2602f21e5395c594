"""The table ``stats.ard``: analysis results data, one row a statistic.

Belongs here: which tables it gathers, its lineage, and the check that a report table prints what it says.
Does not belong here: the shape of a row (``statistics.ard``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, constants, direct, indirect
from fm_platform.catalog.clinical import analysis_columns as words
from fm_platform.catalog.clinical.analyses import PEOPLE, RATES, RESPONDER_ARMS, has_arms
from fm_platform.lineage.code import code_version
from fm_platform.reporting.characteristics import characteristics
from fm_platform.reporting.tables import KEYS
from fm_platform.statistics.ard import ARD_KEY, LAYOUTS, recalled, results, unlike, unprinted
from fm_platform.statistics.arms import ARMS_SCHEMA
from fm_platform.statistics.change import CHANGE_SCHEMA
from fm_platform.statistics.omnibus import FRIEDMAN_SCHEMA
from fm_platform.statistics.planning import PLANNING_SCHEMA
from fm_platform.statistics.responder_arms import RESPONDER_ARMS_SCHEMA
from fm_platform.statistics.responder_tables import MCNEMAR_SCHEMA, RATE_SCHEMA
from fm_platform.statistics.responders import RESPONDER_SCHEMA
from fm_platform.statistics.sensitivity import SENSITIVITY_SCHEMA
from fm_platform.study.model import Study
from fm_platform.warehouse.names import relation
from fm_platform.warehouse.records import CheckDeclaration, CheckOutcome, ColumnInput

ARD = "stats.ard"
ENGINE = "engine_version"
Layout = Callable[[pl.DataFrame], pl.DataFrame]
"""Makes a report table from the result table that it prints."""

CELLS_CHECK = CheckDeclaration(
    "cells_are_in_ard",
    True,
    "stats.ard alone gives every cell of this table, printed texts and holes included",
)

_TABLES: Mapping[str, Mapping[str, pl.DataType]] = {
    "stats.symptom_change": CHANGE_SCHEMA,
    "stats.responders": RESPONDER_SCHEMA,
    RATES: RATE_SCHEMA,
    "stats.mcnemar": MCNEMAR_SCHEMA,
    "stats.friedman": FRIEDMAN_SCHEMA,
    "stats.sensitivity": SENSITIVITY_SCHEMA,
    "stats.between_arms": ARMS_SCHEMA,
    RESPONDER_ARMS: RESPONDER_ARMS_SCHEMA,
    "stats.planning": PLANNING_SCHEMA,
}
_OF_ARMS = ("stats.between_arms", RESPONDER_ARMS)
_LEVELS = ("sex", "arm", "site")
_DESCRIBED = ("age", *_LEVELS)


def results_data(study: Study) -> Asset:
    """The asset of ``stats.ard``."""
    tables = tuple(table for table in _TABLES if table not in _OF_ARMS or has_arms(study))
    described = indirect(PEOPLE, "in_population", "stratum", *_DESCRIBED, how="GROUP_BY")
    people = (*direct(PEOPLE, "subject_id", *_DESCRIBED, how="AGGREGATION"), *described)
    texts = tuple(entry for table in tables for entry in direct(table, *_statistics(table), how="IDENTITY"))
    numbers = tuple(
        entry
        for table in tables
        for entry in direct(
            table, *(name for name in _statistics(table) if _TABLES[table][name].is_numeric()), how="IDENTITY"
        )
    )
    groups = tuple(entry for table in tables for entry in _group_inputs(table))
    return Asset(
        table=ARD,
        description="Analysis results data: one row a statistic, which report tables are checked against.",
        group="statistics",
        kinds=("polars", "duckdb"),
        half="clinical",
        inputs=(*tables, PEOPLE),
        key=ARD_KEY,
        study_keys=("labels", "strata", "study"),
        code_version=code_version(build_results_data),
        build=partial(build_results_data, tables=tables),
        lineage={
            "analysis_id": (
                *(e for t in tables for e in direct(t, *LAYOUTS[t].analysis, how="IDENTITY")),
                *direct(PEOPLE, *_LEVELS, how="GROUP_BY"),
                *described,
            ),
            "group": (*groups, *direct(PEOPLE, "stratum", how="GROUP_BY"), *described),
            "variable": (
                *(e for t in tables for e in direct(t, LAYOUTS[t].variable, how="IDENTITY")),
                *described,
            ),
            "stat_name": (),
            "stat_value": (*numbers, *people),
            "stat_text": (*texts, *people),
            "method": (
                *(e for t in tables for e in direct(t, "method", how="IDENTITY")),
                *described,
            ),
            "n": (*(e for t in tables for e in direct(t, "n", how="IDENTITY")), *people),
            "source_table": (),
        },
        columns=constants(
            words.ARD_COLUMNS,
            stat_name="the names of the statistics in code",
            source_table="the names of the tables gathered",
        ),
    )


def _group_inputs(table: str) -> tuple[ColumnInput, ...]:
    """Where groups come from: the table's own, or, where it has none, its rows, each a statistic without a group."""
    group = LAYOUTS[table].group
    if group is None:
        return indirect(table, *LAYOUTS[table].analysis)
    return direct(table, group, how="IDENTITY")


def _statistics(table: str) -> list[str]:
    """The columns of a result table that become statistics."""
    layout = LAYOUTS[table]
    keys = {*layout.analysis, layout.group, ENGINE}
    return [name for name in _TABLES[table] if name not in keys and not name.startswith("_")]


def build_results_data(step: Step, tables: tuple[str, ...]) -> Built:
    """``stats.ard``."""
    made = {table: step.read(table) for table in tables}
    people = characteristics(step.read(PEOPLE), step.study)
    return Built(rows=results({**made, "stats.characteristics": people}))


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
    key = KEYS[f"report.{table.split('.')[1]}"]
    wrong = unlike(printed.drop(ENGINE, strict=False), again, key)
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

"""The ``stats.*`` tables of the clinical half as assets.

Belongs here: which of them a study has, and handing each its inputs. Does not belong here: what they say and how it is
computed (``statistics``), the analysis results data (``results_data``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import polars as pl

from fm_platform.catalog.asset import Asset, Built, Step, declared
from fm_platform.catalog.clinical.shrinking import (
    AS_MANY,
    PAIRED,
    WITHIN_LIMIT,
    accepted_apart,
    against_published,
    before,
    paired,
)
from fm_platform.lineage.code import code_version, united
from fm_platform.statistics.arms import BETWEEN_ARMS, between_arms
from fm_platform.statistics.change import SYMPTOM_CHANGE, symptom_change
from fm_platform.statistics.omnibus import FRIEDMAN, friedman_tests
from fm_platform.statistics.planning import PLANNING, planning
from fm_platform.statistics.responder_arms import RESPONDER_ARMS, responder_arms
from fm_platform.statistics.responder_status import STATUS, responder_status
from fm_platform.statistics.responder_tables import MCNEMAR, RATES, mcnemar_tests, responder_rates
from fm_platform.statistics.responders import RESPONDER_COUNTS, responders
from fm_platform.statistics.sensitivity import SENSITIVITY, sensitivity
from fm_platform.study.model import Study
from fm_platform.warehouse.table import Table

Fill = Callable[..., pl.DataFrame]
More = Callable[[Step], dict[str, Any]]
"""What a computation is given beside its inputs."""


def statistics_assets(study: Study) -> list[Asset]:
    """The statistics assets of a clinical study; comparisons of arms only where it has arms."""
    scored, arms = {"study_keys": ("instruments",)}, {"study_keys": ("labels", "reference_arm")}
    assets = [
        _change(),
        _asset(RESPONDER_COUNTS, responders),
        _asset(SENSITIVITY, sensitivity),
        _asset(FRIEDMAN, friedman_tests),
        _asset(STATUS, responder_status, instruments, **scored),
        _asset(RATES, responder_rates),
        _asset(MCNEMAR, mcnemar_tests),
        _asset(PLANNING, planning, instruments, **scored),
    ]
    if has_arms(study):
        assets += [
            _asset(BETWEEN_ARMS, between_arms, compared_arms, **arms),
            _asset(RESPONDER_ARMS, responder_arms, compared_arms, **arms),
        ]
    return assets


def _change() -> Asset:
    return declared(
        SYMPTOM_CHANGE,
        group="statistics",
        kinds=("polars", "duckdb"),
        half="clinical",
        code_version=code_version(build_change),
        checks=(PAIRED, AS_MANY, WITHIN_LIMIT),
        decided=(SYMPTOM_CHANGE.name,),
        build=build_change,
    )


def build_change(step: Step) -> Built:
    """``stats.symptom_change``, with a look at how many subjects it has."""
    change, *others = (step.read(name) for name in SYMPTOM_CHANGE.reads)
    rows = symptom_change(change, *others)
    return Built(
        rows=rows,
        checks=lambda: [
            paired(*others, accepted=accepted_apart(step.history)),
            *against_published(rows, before(step), step.study.gate.max_lost),
        ],
    )


def has_arms(study: Study) -> bool:
    """Whether any source declares an arm."""
    return any("arm" in source.columns for source in study.clinical.values())


def nothing(step: Step) -> dict[str, Any]:
    """No more than the inputs."""
    del step
    return {}


def instruments(step: Step) -> dict[str, Any]:
    """The study's instruments."""
    return {"instruments": step.instruments}


def compared_arms(step: Step) -> dict[str, Any]:
    """The arm that others are compared with, and their order."""
    return {"reference": step.study.reference_arm, "order": tuple(step.study.labels.get("arm", {}))}


def build(step: Step, table: Table, fill: Fill, more: More) -> Built:
    """A table from its inputs, in the order in which it reads them."""
    return Built(rows=fill(*(step.read(name) for name in table.reads), **more(step)))


def _asset(table: Table, fill: Fill, more: More = nothing, **attributes: Any) -> Asset:
    return declared(
        table,
        group="statistics",
        kinds=("polars", "duckdb"),
        half="clinical",
        code_version=united(code_version(fill), code_version(build), code_version(more)),
        build=partial(build, table=table, fill=fill, more=more),
        **attributes,
    )

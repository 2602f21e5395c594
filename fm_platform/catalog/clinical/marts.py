"""Marts that are read off instrument scores in Python: criteria verdicts and severity bands.

Belongs here: their columns, inputs and lineage. Does not belong here: the rules (``instruments``).
"""

from __future__ import annotations

from collections.abc import Sequence

from fm_platform.catalog.asset import Asset, Built, Step, columns, constants
from fm_platform.instruments.model import Instrument
from fm_platform.instruments.verdicts import band_table, carries_criteria, criteria_table
from fm_platform.lineage.code import code_version
from fm_platform.warehouse.table import direct, indirect

SCORES, ANSWERS = "staging.stg_instrument_scores", "staging.stg_answers"

CRITERIA_COLUMNS = columns(
    subject_id="The subject",
    visit_id="The visit",
    version="Which criteria: 2010, 2011 or 2016",
    verdict="met, not_met, or indeterminate where the answers given allow both",
    undecided_by="What is not fully known, where the verdict is indeterminate",
    wpi_low="Least widespread pain index that the answers allow",
    wpi_high="Greatest",
    sss_low="Least symptom severity that the answers allow",
    sss_high="Greatest",
    regions_low="Least number of painful regions that the answers allow",
    regions_high="Greatest",
    three_months="Whether symptoms have lasted three months; null for unknown",
)
BAND_COLUMNS = columns(
    subject_id="The subject",
    visit_id="The visit",
    score_id="The score",
    scheme="The published band scheme; schemes disagree",
    band="Severity label of the unrounded score in that scheme",
    band_position="Order of the label, from 1, the mildest",
    value="The score",
    citation="Where the scheme was published",
)


def clinical_marts(instruments: Sequence[Instrument]) -> list[Asset]:
    """The tables that the study's instruments allow."""
    assets = []
    if any(carries_criteria(instrument) for instrument in instruments):
        assets.append(_criteria())
    if any(instrument.bands for instrument in instruments):
        assets.append(_bands())
    return assets


def _criteria() -> Asset:
    visits = indirect(SCORES, "instrument", "score_id", "subject_id", "visit_id", how="JOIN")
    values = (*direct(SCORES, "value_exact"), *visits)
    duration = (
        *direct(ANSWERS, "answer"),
        *indirect(ANSWERS, "item", "instrument"),
        *indirect(ANSWERS, "subject_id", "visit_id", how="JOIN"),
    )
    identity = {name: (*direct(SCORES, name, how="IDENTITY"), *visits) for name in ("subject_id", "visit_id")}
    return Asset(
        table="marts.criteria",
        description="Fibromyalgia criteria of every visit in three-valued logic, by version.",
        group="marts",
        kinds=("polars", "duckdb"),
        half="clinical",
        inputs=(SCORES, ANSWERS),
        key=("subject_id", "visit_id", "version"),
        study_keys=("instruments",),
        code_version=code_version(build_criteria),
        build=build_criteria,
        lineage={
            **identity,
            "version": (),
            **dict.fromkeys(("verdict", "undecided_by"), (*values, *duration)),
            "three_months": (*duration, *visits),
            **{column.name: values for column in CRITERIA_COLUMNS if column.name.endswith(("_low", "_high"))},
        },
        columns=constants(
            CRITERIA_COLUMNS, version="the versions of the criteria that the instruments declare"
        ),
    )


def build_criteria(step: Step) -> Built:
    """``marts.criteria``."""
    return Built(rows=criteria_table(step.read(SCORES), step.read(ANSWERS), step.instruments))


def _bands() -> Asset:
    known = indirect(SCORES, "value_exact", "score_id")
    scheme = (*direct(SCORES, "score_id"), *known)
    banded = (*direct(SCORES, "value_exact", "value_scale"), *scheme)
    own = {
        name: (*direct(SCORES, name, how="IDENTITY"), *known)
        for name in ("subject_id", "visit_id", "score_id", "value")
    }
    return Asset(
        table="marts.severity_bands",
        description="Severity label of every score that has published bands, by scheme.",
        group="marts",
        kinds=("polars", "duckdb"),
        half="clinical",
        inputs=(SCORES,),
        key=("subject_id", "visit_id", "score_id", "scheme"),
        study_keys=("instruments",),
        code_version=code_version(build_bands),
        build=build_bands,
        lineage={
            **own,
            **dict.fromkeys(("scheme", "citation"), scheme),
            **dict.fromkeys(("band", "band_position"), banded),
        },
        columns=BAND_COLUMNS,
    )


def build_bands(step: Step) -> Built:
    """``marts.severity_bands``."""
    return Built(rows=band_table(step.read(SCORES), step.instruments))
